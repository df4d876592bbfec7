import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { authorise, visible } from '../../src/actors/psu/access.ts';
import { MagError } from '../../src/errors.ts';
import { matches } from '../../src/protocol/filter-match.ts';
import type { Grant, Principal } from '../../src/protocol/principal.ts';
import type { Filter, Query } from '../../src/protocol/query.ts';
import { filterOf } from '../support/filter-arbitraries.ts';
import { printFilter } from '../support/print-filter.ts';
import { type OracleRow, SqliteOracle } from '../support/sqlite-oracle.ts';

const oracle = new SqliteOracle();
afterAll(() => oracle.close());

const value = fc.constantFrom('a', 'b', '{sub}', '{team}', 'x-{sub}');
const rule: fc.Arbitrary<Filter> = filterOf(
  fc.oneof(
    fc.record({
      kind: fc.constant('compare' as const),
      column: fc.constant({ name: 't' }),
      op: fc.constantFrom('eq', 'neq', 'gt'),
      value,
      negated: fc.boolean(),
    }),
    fc.record({
      kind: fc.constant('in' as const),
      column: fc.constant({ name: 't' }),
      values: fc.array(value, { maxLength: 2 }),
      negated: fc.boolean(),
    }),
    fc.record({
      kind: fc.constant('is' as const),
      column: fc.constant({ name: 'n' }),
      value: fc.constantFrom('null', 'not_null', 'true'),
      negated: fc.boolean(),
    }),
  ),
);

const grants: fc.Arbitrary<Grant[]> = fc.array(
  fc
    .record({
      role: fc.constantFrom('anon' as const, 'authenticated' as const),
      table: fc.constantFrom('rows', '*', 'others'),
      actions: fc.subarray(['select', 'insert', 'update', 'delete'] as const, { minLength: 1 }),
      using: fc.option(rule.map(printFilter)),
    })
    .map(({ using, ...grant }) => (using === null ? grant : { ...grant, using })),
  { maxLength: 4 },
);

const principal: fc.Arbitrary<Principal> = fc.record({
  role: fc.constantFrom('anon' as const, 'authenticated' as const, 'service_role' as const),
  claims: fc.constantFrom<Readonly<Record<string, unknown>>>(
    {},
    { sub: 'a' },
    { sub: 'b', team: ['a', 'b'] },
  ),
});

const rows: fc.Arbitrary<OracleRow[]> = fc
  .array(
    fc.record({
      n: fc.constantFrom(null, 0, 1),
      t: fc.constantFrom(null, 'a', 'b', 'c', 'x-a'),
      r: fc.constant(null),
    }),
    { minLength: 1, maxLength: 6 },
  )
  .map((found) => found.map((row, id) => ({ id, ...row })));

const read: Query = { kind: 'select', schema: 'public', table: 'rows', select: [{ kind: 'all' }], order: [] };

/** Ids that the authorised read gives on real SQLite; none where it is forbidden. */
function readIds(who: Principal, given: readonly Grant[]): number[] {
  try {
    const query = authorise(who, given, read);
    const everything: Filter = { kind: 'and', terms: [], negated: false };
    return oracle.select((query.kind === 'select' ? query.where : undefined) ?? everything);
  } catch (error) {
    if (error instanceof MagError && error.code === 'MAG_FORBIDDEN') return [];
    throw error;
  }
}

describe('the access rules', () => {
  it('show in realtime exactly the rows that a REST read gives', () => {
    fc.assert(
      fc.property(principal, grants, rows, (who, given, table) => {
        oracle.load(table);
        const seen = table.filter((row) => visible(who, given, 'rows', null, { ...row }).new);
        expect(seen.map(({ id }) => id)).toEqual(readIds(who, given));
      }),
      { numRuns: 400 },
    );
  });

  it('treat the old side of a change as they treat the new', () => {
    fc.assert(
      fc.property(principal, grants, rows, (who, given, table) => {
        for (const row of table) {
          const shown = visible(who, given, 'rows', { ...row }, { ...row });
          expect(shown.old).toBe(shown.new);
        }
      }),
    );
  });

  it('only ever narrow what was asked for', () => {
    const where: Filter = { kind: 'compare', column: { name: 'n' }, op: 'eq', value: '1', negated: false };
    fc.assert(
      fc.property(grants, rows, (given, table) => {
        const who: Principal = { role: 'authenticated', claims: { sub: 'a' } };
        oracle.load(table);
        const all = readIds(who, given);
        let narrowed: number[] = [];
        try {
          const query = authorise(who, given, { ...read, where });
          narrowed = oracle.select((query.kind === 'select' ? query.where : undefined) ?? where);
        } catch (error) {
          expect(error).toMatchObject({ code: 'MAG_FORBIDDEN' });
        }
        const expected = table.filter((row) => all.includes(row.id) && matches(where, { ...row }));
        expect(narrowed).toEqual(expected.map(({ id }) => id));
      }),
    );
  });

  it('never narrow the service role, and never give an ungranted role a write', () => {
    fc.assert(
      fc.property(grants, (given) => {
        const insert: Query = {
          kind: 'insert',
          schema: 'public',
          table: 'rows',
          rows: [{ id: 1 }],
          missing: 'null',
        };
        expect(authorise({ role: 'service_role', claims: {} }, given, insert)).toBe(insert);
        const readers = given.map((grant): Grant => ({ ...grant, actions: ['select'] }));
        expect(() => authorise({ role: 'anon', claims: {} }, readers, insert)).toThrowError(
          expect.objectContaining({ code: 'MAG_FORBIDDEN' }),
        );
      }),
    );
  });
});
