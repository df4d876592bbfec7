import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Engine } from '../../src/actors/storage/engine.ts';
import type { Filter, JsonValue, OrderTerm, Row } from '../../src/protocol/query.ts';
import { column, insert, select } from '../contract/engine/subject.ts';
import { leaf } from '../support/filter-arbitraries.ts';
import { externalMysql, type MysqlRig } from '../support/mysql.ts';
import { service } from '../support/services/index.ts';
import { SqliteBoard } from '../support/sqlite-board.ts';

describe.skipIf(!service('mariadb').available)('on MariaDB', () => {
  const REF = 'values';
  const RUNS = { numRuns: 40 };
  let mysql: MysqlRig;
  let engine: Engine;
  let board: SqliteBoard;
  let oracle: Engine;

  beforeAll(async () => {
    mysql = externalMysql();
    engine = await mysql.engine(REF);
    await engine.sql(
      `create table items (id integer auto_increment primary key, big bigint, real_ double, note longtext, doc json,
     raw longblob, exact decimal(30, 10), single_ float, at datetime(6), moment timestamp(6) null, day date,
     flag boolean, latin varchar(200) character set latin1, \`odd "name\` int)`,
      [],
      mysql.context(REF),
    );
    board = new SqliteBoard();
    oracle = await board.engine();
    const table = 'create table facts (id integer primary key, n integer, t text, b boolean)';
    await oracle.sql(table, [], board.context());
    await engine.sql(table, [], mysql.context(REF));
  });

  afterAll(async () => {
    await board.close();
    await mysql.stop();
  });

  const stored = async (name: string, value: JsonValue): Promise<string> => {
    const query = insert([{ [name]: value }], { returning: [column(name, 'v')] });
    return (await engine.execute(query, mysql.context(REF))).json;
  };

  describe('values through MySQL', () => {
    it('every 64-bit integer is exact', () =>
      fc.assert(
        fc.asyncProperty(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), async (big) => {
          expect(await stored('big', String(big))).toBe(`[{"v":${big}}]`);
        }),
        RUNS,
      ));

    it('every finite double is exact', () =>
      fc.assert(
        fc.asyncProperty(fc.double({ noNaN: true, noDefaultInfinity: true }), async (value) => {
          expect(JSON.parse(await stored('real_', value))).toEqual([{ v: value === 0 ? 0 : value }]);
        }),
        RUNS,
      ));

    it('every text is itself', () =>
      fc.assert(
        fc.asyncProperty(fc.string({ unit: 'binary' }), async (text) => {
          fc.pre(!text.includes('\0'));
          expect(JSON.parse(await stored('note', text))).toEqual([{ v: text }]);
        }),
        RUNS,
      ));

    it('every JSON value is itself', () =>
      fc.assert(
        fc.asyncProperty(fc.jsonValue({ noUnicodeString: false }), async (value) => {
          fc.pre(value !== null && !JSON.stringify(value).includes('\\u0000'));
          const kept = JSON.parse(JSON.stringify(value));
          expect(JSON.parse(await stored('doc', kept))).toEqual([{ v: kept }]);
        }),
        RUNS,
      ));

    it('bytes are themselves', () =>
      fc.assert(
        fc.asyncProperty(fc.uint8Array({ maxLength: 64 }), async (bytes) => {
          const text = `\\x${Buffer.from(bytes).toString('hex')}`;
          expect(JSON.parse(await stored('raw', text))).toEqual([{ v: text }]);
        }),
        RUNS,
      ));

    it.each([
      ['exact', '12345678901234567890.0123456789', '12345678901234567890.0123456789'],
      ['exact', 1.5, '1.5000000000'],
      ['single_', 1.1, '1.1'],
      ['at', '2024-01-02T03:04:05.120Z', '"2024-01-02T03:04:05.12"'],
      ['at', '2024-01-02 03:04', '"2024-01-02T03:04:05"'.replace(':05"', ':00"')],
      ['moment', '2024-01-02T03:04:05.5+02:00', '"2024-01-02T01:04:05.5+00:00"'],
      ['day', '2024-02-29', '"2024-02-29"'],
      ['flag', 'yes', 'true'],
      ['latin', 'Grüße', '"Grüße"'],
      ['odd "name', 7, '7'],
    ])('%s takes %j and gives %s', async (name, value, text) => {
      expect(await stored(name, value)).toBe(`[{"v":${text}}]`);
    });

    it.each([
      ['big', 'many', '22P02'],
      ['big', 1.5, '22P02'],
      ['big', '9223372036854775808', '22003'],
      ['flag', 'maybe', '22P02'],
      ['at', 'yesterday', '22007'],
      ['at', '2024-02-30T00:00:00', '22007'],
      ['day', '2024-13-01', '22007'],
      ['exact', '1e40', '22003'],
      ['latin', '漢字', '22P02'],
    ])('%s refuses %j with %s', async (name, value, code) => {
      await expect(stored(name, value)).rejects.toMatchObject({ code, status: 400 });
    });
  });

  const NUMBERS = ['-3', '0', '1', '2', '7'];
  const TEXTS = ['', 'a', 'A', 'ab', 'aXb', 'a_b', 'a%b', 'zz', 'é', 'a '];
  const PATTERNS = ['a', 'a%', '%b', 'a_b', 'a\\_b', 'a\\%b', '%', '_', ''];
  const on = (name: string, ops: readonly string[], values: readonly string[]): fc.Arbitrary<Filter> =>
    fc.record({
      kind: fc.constant('compare' as const),
      column: fc.constant({ name }),
      // Each is an operator of the grammar.
      op: fc.constantFrom(...(ops as readonly ('eq' | 'like')[])),
      value: fc.constantFrom(...values),
      negated: fc.boolean(),
    });
  const fact: fc.Arbitrary<Filter> = fc.oneof(
    on('n', ['eq', 'neq', 'gt', 'gte', 'lt', 'lte'], NUMBERS),
    on('t', ['eq', 'neq', 'gt', 'gte', 'lt', 'lte'], TEXTS),
    on('t', ['like', 'ilike'], PATTERNS),
    on('b', ['eq', 'neq'], ['true', 'false']),
    fc.record({
      kind: fc.constant('in' as const),
      column: fc.constant({ name: 't' }),
      values: fc.subarray(TEXTS),
      negated: fc.boolean(),
    }),
    fc.record({
      kind: fc.constant('is' as const),
      column: fc.constant({ name: 'b' }),
      value: fc.constantFrom('true', 'false', 'unknown', 'null', 'not_null'),
      negated: fc.boolean(),
    }),
  );
  const condition: fc.Arbitrary<Filter> = fc.letrec<{ filter: Filter }>((tie) => ({
    filter: fc.oneof(
      { maxDepth: 3 },
      fact,
      fc.record({
        kind: fc.constantFrom('and' as const, 'or' as const),
        terms: fc.array(tie('filter'), { maxLength: 3 }),
        negated: fc.boolean(),
      }),
    ),
  })).filter;
  const rows = fc.array(
    fc.record({
      n: fc.option(fc.constantFrom(...NUMBERS.map(Number))),
      t: fc.option(fc.constantFrom(...TEXTS)),
      b: fc.option(fc.boolean()),
    }),
    { minLength: 1, maxLength: 8 },
  );
  const order: fc.Arbitrary<readonly OrderTerm[]> = fc.array(
    fc.record(
      {
        column: fc.constantFrom({ name: 'n' }, { name: 't' }, { name: 'b' }),
        direction: fc.constantFrom('asc' as const, 'desc' as const),
        nulls: fc.constantFrom('first' as const, 'last' as const),
      },
      { requiredKeys: ['column', 'direction'] },
    ),
    { maxLength: 2 },
  );

  describe('filters and orders on MySQL', () => {
    it('find the rows that SQLite finds, in its order', () =>
      fc.assert(
        fc.asyncProperty(rows, condition, order, async (facts, where, by) => {
          const written: readonly Row[] = facts.map((row, at) => ({ id: at + 1, ...row }));
          const last = { column: { name: 'id' }, direction: 'asc' } as const;
          const query = select({ table: 'facts', where, order: [...by, last], count: 'exact' });
          const results = [
            { on: oracle, context: board.context() },
            { on: engine, context: mysql.context(REF) },
          ].map(async ({ on: each, context }) => {
            await each.execute({ kind: 'delete', schema: 'public', table: 'facts' }, context);
            await each.execute(insert(written, { table: 'facts' }), context);
            const { json, total } = await each.execute(query, context);
            return [JSON.parse(json), total];
          });
          const [expected, found] = await Promise.all(results);
          expect(found).toEqual(expected);
        }),
        RUNS,
      ));

    it('whatever a filter names and holds, the answer is rows or an error of the caller’s', () =>
      fc.assert(
        fc.asyncProperty(leaf, async (where) => {
          const failure = await engine.execute(select({ table: 'facts', where }), mysql.context(REF)).then(
            () => null,
            (error: { status?: number }) => error.status,
          );
          expect([null, 400, 404]).toContain(failure);
        }),
        RUNS,
      ));
  });
});
