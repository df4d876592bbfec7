import { DatabaseSync } from 'node:sqlite';
import fc from 'fast-check';
import { afterAll, expect, it } from 'vitest';
import type { TableInfo } from '../../src/actors/storage/engine.ts';
import type { WrittenKey } from '../../src/actors/storage/sql/dialect.ts';
import { rowOrder } from '../../src/actors/storage/sqlite/written-order.ts';

const database = new DatabaseSync(':memory:');
database.exec(`
  create table t (id integer primary key, folded text collate nocase, trimmed text collate rtrim, plain blob);
  create view v as select id, folded, trimmed, plain from t;
`);
afterAll(() => database.close());

const table = (name: string): TableInfo => ({
  schema: 'public',
  name,
  kind: 'table',
  columns: [],
  unique: [],
});

const value = fc.oneof(
  fc.constant(null),
  fc.constantFrom('a', 'A', 'a ', 'A  ', 'b', 'B', 'É', 'é', '\uffff', '😀', '', ' ', '10', '9'),
  fc.string({ unit: 'binary', maxLength: 3 }).map((text) => text.replaceAll('\0', '')),
  fc.constantFrom(0, -1, 0.5, 1e300, Number.POSITIVE_INFINITY),
  fc.constantFrom(2n ** 53n, 2n ** 53n + 1n, 2n ** 63n - 1n, -(2n ** 63n), 10n),
  fc.uint8Array({ maxLength: 3 }),
);

const key = fc.record({
  column: fc.constantFrom('folded', 'trimmed', 'plain'),
  direction: fc.constantFrom('asc' as const, 'desc' as const),
  nulls: fc.constantFrom('first' as const, 'last' as const),
});

it('rows that a write gives back on SQLite are sorted as SQLite sorts those of a read', () => {
  const insert = database.prepare('insert into t (folded, trimmed, plain) values (?, ?, ?)');
  fc.assert(
    fc.property(
      fc.array(fc.tuple(value, value, value), { maxLength: 12 }),
      fc.array(key, { minLength: 1, maxLength: 3 }),
      fc.constantFrom('t', 'v'),
      (rows, keys, from) => {
        database.exec('delete from t');
        for (const row of rows) insert.run(...row);
        const columns = keys.map(({ column }) => column);
        const given = database.prepare(`select id, null, ${columns.join(', ')} from ${from} order by id`);
        given.setReturnArrays(true);
        given.setReadBigInts(true);
        const written = given.all() as unknown as readonly (readonly unknown[])[]; // arrays, as set
        const sortedBy = keys.map((each): WrittenKey => ({ ...each, sql: each.column }));
        const sorted = rowOrder(database, table(from), sortedBy).sort(written);
        const terms = keys.map(({ column, direction, nulls }) => `${column} ${direction} nulls ${nulls}`);
        const read = database.prepare(`select id from ${from} order by ${terms.join(', ')}, id`).all();
        expect(sorted.map(([id]) => Number(id))).toEqual(read.map(({ id }) => Number(id)));
      },
    ),
    { numRuns: 300 },
  );
});
