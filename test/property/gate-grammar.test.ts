import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseFilter } from '../../src/actors/gate/grammar/filter.ts';
import { parseOrder } from '../../src/actors/gate/grammar/order.ts';
import { parseParams } from '../../src/actors/gate/grammar/params.ts';
import { parseSelect } from '../../src/actors/gate/grammar/select.ts';
import { MagError } from '../../src/errors.ts';
import type { Filter, OrderTerm, SelectItem } from '../../src/protocol/query.ts';
import { columnName, filter } from '../support/filter-arbitraries.ts';
import { printFilter, printOrder, printPair, printSelect } from '../support/print-filter.ts';

const item: fc.Arbitrary<SelectItem> = fc.oneof(
  fc.constant<SelectItem>({ kind: 'all' }),
  fc.record({ kind: fc.constant('column' as const), column: fc.record({ name: columnName }) }),
  fc.record({
    kind: fc.constant('column' as const),
    column: fc.record({ name: columnName }),
    alias: columnName,
  }),
);
const term: fc.Arbitrary<OrderTerm> = fc.record(
  {
    column: fc.record({ name: columnName }),
    direction: fc.constantFrom('asc' as const, 'desc' as const),
    nulls: fc.constantFrom('first' as const, 'last' as const),
  },
  { requiredKeys: ['column', 'direction'] },
);

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
  it('a filter in logic form', () => {
    fc.assert(
      fc.property(filter, (ast) => {
        expect(parseFilter(printFilter(ast))).toEqual(ast);
      }),
    );
  });

  it('filters, select, order, limit and offset in a query string', () => {
    const query = fc.record({
      select: fc.array(item, { minLength: 1, maxLength: 4 }),
      order: fc.array(term, { minLength: 1, maxLength: 3 }),
      filters: fc.array(filter, { maxLength: 4 }),
      limit: fc.nat(),
      offset: fc.nat(),
    });
    fc.assert(
      fc.property(query, ({ select, order, filters, limit, offset }) => {
        const text = [
          `select=${encodeURIComponent(printSelect(select))}`,
          ...filters.map(printPair),
          `order=${encodeURIComponent(printOrder(order))}`,
          `limit=${limit}`,
          `offset=${offset}`,
        ].join('&');
        const [first] = filters;
        const where: Filter | null =
          first === undefined
            ? null
            : filters.length === 1
              ? first
              : { kind: 'and', terms: filters, negated: false };
        expect(parseParams(text)).toEqual({
          select,
          order,
          where,
          limit,
          offset,
          columns: null,
          onConflict: null,
        });
      }),
    );
  });

  it('select and order alone', () => {
    fc.assert(
      fc.property(fc.array(item, { minLength: 1 }), fc.array(term, { minLength: 1 }), (select, order) => {
        expect(parseSelect(printSelect(select))).toEqual(select);
        expect(parseOrder(printOrder(order))).toEqual(order);
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
