import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { evaluate, matches } from '../../src/protocol/filter-match.ts';
import { like } from '../../src/protocol/like.ts';
import type { Filter } from '../../src/protocol/query.ts';
import { filterOf } from '../support/filter-arbitraries.ts';
import { type OracleRow, SqliteOracle } from '../support/sqlite-oracle.ts';

const oracle = new SqliteOracle();
afterAll(() => oracle.close());

const integer = fc.integer({ min: -3, max: 3 });
const text = fc.oneof(
  fc.constantFrom('', 'a', 'A', 'ab', 'abc', 'b', 'a%', 'a_', '10', '9', 'é', '\u{1f600}', '\uffee'),
  fc.string({ maxLength: 4, unit: fc.constantFrom('a', 'b', 'B', '%', '_', '\\') }),
);
const real = fc.constantFrom(-1.5, 0, 0.25, 2, 1e21);
const maybe = <Value>(value: fc.Arbitrary<Value>): fc.Arbitrary<Value | null> =>
  fc.option(value, { freq: 4 });
const rows: fc.Arbitrary<OracleRow[]> = fc
  .array(fc.record({ n: maybe(integer), t: maybe(text), r: maybe(real) }), { maxLength: 8 })
  .map((found) => found.map((row, id) => ({ id, ...row })));

/** Columns with values of their own type: what another type's text means differs between engines. */
const typed = fc.oneof(
  fc.record({ name: fc.constant('n'), value: integer.map(String) }),
  fc.record({ name: fc.constant('t'), value: text }),
  fc.record({ name: fc.constant('r'), value: real.map(String) }),
);

const compare: fc.Arbitrary<Filter> = fc
  .record({ typed, op: fc.constantFrom('eq', 'neq', 'gt', 'gte', 'lt', 'lte'), negated: fc.boolean() })
  .map(({ typed: { name, value }, op, negated }) => ({
    kind: 'compare',
    column: { name },
    op,
    value,
    negated,
  }));
/** A pattern that ends inside an escape is an error to PostgreSQL; it has no meaning to hold on to. */
const pattern = text
  .filter((found) => !/(^|[^\\])(\\\\)*\\$/.test(found))
  .map((found) => found.toLowerCase());
const ilike: fc.Arbitrary<Filter> = fc.record({
  kind: fc.constant('compare' as const),
  column: fc.constant({ name: 't' }),
  op: fc.constant('ilike' as const),
  value: pattern,
  negated: fc.boolean(),
});
const inList: fc.Arbitrary<Filter> = fc
  .oneof(
    fc.record({ name: fc.constant('n'), values: fc.array(integer.map(String), { maxLength: 3 }) }),
    fc.record({ name: fc.constant('t'), values: fc.array(text, { maxLength: 3 }) }),
  )
  .chain(({ name, values }) =>
    fc.boolean().map((negated) => ({ kind: 'in' as const, column: { name }, values, negated })),
  );
const is: fc.Arbitrary<Filter> = fc.record({
  kind: fc.constant('is' as const),
  column: fc.constantFrom({ name: 'n' }, { name: 'r' }),
  value: fc.constantFrom('null', 'not_null', 'true', 'false', 'unknown'),
  negated: fc.boolean(),
});

const filter = filterOf(fc.oneof(compare, ilike, inList, is));

describe('a filter on a row in JavaScript', () => {
  it('selects the rows that SQLite selects', () => {
    fc.assert(
      fc.property(rows, fc.array(filter, { minLength: 1, maxLength: 4 }), (table, filters) => {
        oracle.load(table);
        for (const wanted of filters) {
          const found = table.filter((row) => matches(wanted, { ...row })).map(({ id }) => id);
          expect(found).toEqual(oracle.select(wanted));
        }
      }),
      { numRuns: 500 },
    );
  });

  it('obeys the laws of three truth values', () => {
    fc.assert(
      fc.property(rows, filter, (table, wanted) => {
        const negation: Filter = { kind: 'and', terms: [wanted], negated: true };
        for (const row of table) {
          const truth = evaluate(wanted, { ...row });
          const opposite = evaluate(negation, { ...row });
          expect(opposite).toBe(truth === null ? null : !truth);
        }
      }),
    );
  });
});

describe('LIKE', () => {
  it('agrees with a regular expression of the same meaning', () => {
    const parts = fc.array(fc.constantFrom('a', 'b', '%', '_', '\\%', '\\_', '.', '\u{1f600}'), {
      maxLength: 8,
    });
    fc.assert(
      fc.property(
        parts,
        fc.string({ unit: fc.constantFrom('a', 'b', '%', '_', '.', '\u{1f600}') }),
        (given, value) => {
          const source = given.map((part) => {
            if (part === '%') return '.*';
            return part === '_' ? '.' : (part.at(-1) ?? '').replace('.', '\\.');
          });
          const last = given.map((part, index) => (part === '\u{1f600}' ? part : source[index])).join('');
          expect(like(value, given.join(''))).toBe(new RegExp(`^${last}$`, 'su').test(value));
        },
      ),
    );
  });

  it('takes no longer than pattern times text, whatever the pattern', () => {
    expect(like('a'.repeat(5_000), `${'%a'.repeat(50)}%b`)).toBe(false);
  });
});
