import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseFilter } from '../../src/actors/gate/grammar/filter.ts';
import { parseParams } from '../../src/actors/gate/grammar/params.ts';
import { MagError } from '../../src/errors.ts';
import { anyFilter, paramsOf, query } from '../support/grammar-arbitraries.ts';
import { printAddressed, printFilter, printOrder, printPair, printSelect } from '../support/print-filter.ts';

/** Pieces of the grammar, so that random texts come near to what it means. */
const soup = fc
  .array(
    fc.oneof(
      fc.constantFrom(
        '(',
        ')',
        ',',
        '.',
        '=',
        '&',
        '"',
        '\\',
        '*',
        ':',
        '::',
        '->',
        '%',
        '%2',
        '%ff',
        '+',
        ' ',
      ),
      fc.constantFrom(
        'and',
        'or',
        'not',
        'eq',
        'in',
        'is',
        'null',
        'like',
        'desc',
        'nullslast',
        'select',
        'order',
      ),
      fc.constantFrom(
        '...',
        '!inner',
        '!',
        'fts(',
        'any',
        '{',
        '}',
        '->>',
        'sum()',
        'count()',
        'x(y)',
        '.order',
        '.limit',
      ),
      fc.constantFrom('limit', 'offset', 'columns', 'on_conflict', 'id', '1', '-1', '99999999999999999999'),
      fc.string({ maxLength: 4, unit: 'binary' }),
    ),
    { maxLength: 24 },
  )
  .map((parts) => parts.join(''));

function parseOrMagError(parse: () => unknown): void {
  try {
    parse();
  } catch (error) {
    expect(error).toBeInstanceOf(MagError);
    if (error instanceof MagError) expect([400, 416]).toContain(error.status);
  }
}

describe('what is printed is what was parsed', () => {
  it('a filter in logic form, every operator, quantifier and JSON path', () => {
    fc.assert(
      fc.property(anyFilter, (ast) => {
        expect(parseFilter(printFilter(ast))).toEqual(ast);
      }),
    );
  });

  it('a whole query string: select with embeds, and what is addressed to them', () => {
    fc.assert(
      fc.property(query, (given) => {
        const text = [
          `select=${encodeURIComponent(printSelect(given.select))}`,
          ...given.filters.map((filter) => printPair(filter)),
          `order=${encodeURIComponent(printOrder(given.order))}`,
          `limit=${given.limit}`,
          `offset=${given.offset}`,
          ...printAddressed(given.select),
        ].join('&');
        expect(parseParams(text)).toEqual(paramsOf(given));
      }),
    );
  });
});

describe('whatever arrives', () => {
  it('a query string parses or is refused with a registered 4xx', () => {
    fc.assert(
      fc.property(fc.oneof(soup, fc.string({ unit: 'binary' })), (text) =>
        parseOrMagError(() => parseParams(text)),
      ),
      { numRuns: 3_000 },
    );
  });

  it('a filter text parses or is refused with a registered 4xx', () => {
    fc.assert(
      fc.property(fc.oneof(soup, fc.string({ unit: 'binary' })), (text) =>
        parseOrMagError(() => parseFilter(text)),
      ),
      { numRuns: 3_000 },
    );
  });
});
