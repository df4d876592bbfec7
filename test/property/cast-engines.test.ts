import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Engine, ExecuteContext } from '../../src/actors/storage/engine.ts';
import { isPublicError } from '../../src/errors.ts';
import type { ColumnRef, JsonValue, Row, SelectItem } from '../../src/protocol/query.ts';
import { insert, select } from '../contract/engine/subject.ts';
import { embeddedPostgres } from '../support/embedded-postgres.ts';
import { externalMysql } from '../support/mysql.ts';
import { service } from '../support/services/index.ts';
import { SqliteBoard } from '../support/sqlite-board.ts';

const TARGETS = ['int2', 'int4', 'int8', 'float4', 'float8', 'numeric', 'text'] as const;

// No `0x10`, nor `1_000`: integers since PostgreSQL 16, refused before it and here.
const words = fc.oneof(
  fc.constantFrom('abc', '', ' 12 ', '1.5', '-0', '+7', '1e3', '.5', '5.', 'NaN', '-inf', '1 2', 'é'),
  fc.constantFrom('32768', '-32768', '2147483648', '9223372036854775807', '9223372036854775808', '1e400'),
  fc.constantFrom('1e-400', '0.1234567890123456789', '00000000000000000000012', '12abc', '1e39'),
  fc.integer().map(String),
  fc.double({ noNaN: true, noDefaultInfinity: true, min: -1e9, max: 1e9 }).map(String),
);
const floats = fc.oneof(
  fc.constantFrom(0.5, 1.5, 2.5, -0.5, -2.5, 32767.5, 2147483647.5, 1e15, 1e16, 1e-5, 1e-4, 1.1, 0.1 + 0.2),
  fc.constantFrom(9.3e18, 1e21, 1e300, 123456789012345680, 999999999999999.9, 1e14, 3.4e38, 1e-30),
  fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => (Object.is(value, -0) ? 0 : value)),
);
const row = fc.record({
  i: fc.option(fc.oneof(fc.constantFrom(32768, -32769, 2147483648, 16777217), fc.maxSafeInteger())),
  r: fc.option(floats),
  d: fc.option(fc.integer({ min: -(10 ** 9), max: 10 ** 9 }).map((cents) => cents / 100)),
  t: fc.option(words),
  b: fc.option(fc.boolean()),
  j: fc.option(
    fc.record({ a: fc.oneof(words, fc.integer(), fc.constantFrom(2.5, -0.5, 1e20), fc.constant(true)) }),
  ),
});
const column: fc.Arbitrary<ColumnRef> = fc.oneof(
  fc.constantFrom<ColumnRef>({ name: 'i' }, { name: 'r' }, { name: 'd' }, { name: 't' }, { name: 'b' }),
  fc.boolean().map((text) => ({ name: 'j', path: { steps: ['a'], text } })),
);

/** SQLite's JSON writes no sign of a zero; PostgreSQL compares both as equal. */
const unsignedZero = (value: JsonValue): JsonValue => (value === 0 ? 0 : value);

type Outcome = { readonly value: JsonValue } | { readonly code: string };

describe('a cast, whatever it is of and to', () => {
  const engines: { readonly name: string; readonly engine: Engine; context(): ExecuteContext }[] = [];
  const closing: (() => Promise<void>)[] = [];
  beforeAll(async () => {
    const board = new SqliteBoard();
    const pg = await embeddedPostgres();
    closing.push(
      () => board.close(),
      () => pg.stop(),
    );
    engines.push({ name: 'postgres', engine: await pg.engine('casts'), context: () => pg.context('casts') });
    engines.push({ name: 'sqlite', engine: await board.engine(), context: () => board.context() });
    if (service('mariadb').available) {
      const mysql = externalMysql();
      closing.push(() => mysql.stop());
      const engine = await mysql.engine('casts');
      engines.push({ name: 'mysql', engine, context: () => mysql.context('casts') });
    }
    for (const { name, engine, context } of engines) {
      const json = name === 'postgres' ? 'jsonb' : 'json';
      await engine.sql(
        `create table casts (id integer primary key, i bigint, r double precision, d decimal(12, 2), t varchar(60), b boolean, j ${json})`,
        [],
        context(),
      );
    }
  });
  afterAll(async () => {
    for (const close of closing) await close();
  });

  async function outcome(at: number, given: Row, item: SelectItem): Promise<Outcome> {
    const { engine, context } = engines[at] ?? expect.unreachable();
    const table = { schema: 'public', table: 'casts' } as const;
    await engine.execute({ kind: 'delete', ...table }, context());
    await engine.execute({ ...insert([given]), ...table }, context());
    try {
      const { json } = await engine.execute(select({ ...table, select: [item] }), context());
      return { value: unsignedZero(JSON.parse(json)[0].cast) };
    } catch (error) {
      if (!isPublicError(error) || error.status !== 400) throw error;
      return { code: error.code };
    }
  }

  it("is PostgreSQL's, or is refused as what is wrong with it or as unsupported", async () => {
    let same = 0;
    await fc.assert(
      fc.asyncProperty(row, column, fc.constantFrom(...TARGETS), async (cells, of, cast) => {
        const given: Row = { id: 1, ...cells };
        const item: SelectItem = { kind: 'column', column: of, alias: 'cast', cast };
        const right = await outcome(0, given, item);
        for (let at = 1; at < engines.length; at++) {
          const found = await outcome(at, given, item);
          if ('code' in found && found.code === 'MAG_ENGINE_UNSUPPORTED') continue;
          // PostgreSQL stops reading a text where it is out of range, be the rest a number or none.
          if ('code' in found && 'code' in right && found.code === '22P02' && right.code === '22003')
            continue;
          const seen = { engine: engines[at]?.name, ...found };
          // Where PostgreSQL refuses, its code is what a client goes by.
          expect(seen).toEqual({ engine: engines[at]?.name, ...right });
          if ('value' in found) same += 1;
        }
      }),
      { numRuns: Number(process.env.RUNS ?? 300), endOnFailure: false },
    );
    expect(same).toBeGreaterThan(100);
  });

  it('of a text that is no number names what it cannot read', async () => {
    const item: SelectItem = { kind: 'column', column: { name: 't' }, alias: 'cast', cast: 'int8' };
    const given: Row = { id: 1, t: 'abc' };
    expect([await outcome(0, given, item), await outcome(1, given, item)]).toEqual([
      { code: '22P02' },
      { code: '22P02' },
    ]);
  });

  it('of a text of any length ends soon on SQLite, whose thread nothing could interrupt meanwhile', async () => {
    const texts = [`${'1'.repeat(200_000)}x`, `1${'0'.repeat(200_000)}1`, `${' '.repeat(200_000)}x`];
    for (const t of texts) {
      for (const cast of ['int8', 'float8', 'numeric']) {
        const item: SelectItem = { kind: 'column', column: { name: 't' }, alias: 'cast', cast };
        expect(['22P02', '22003', 'MAG_ENGINE_UNSUPPORTED']).toContain(
          Object.values(await outcome(1, { id: 1, t }, item))[0],
        );
      }
    }
  });
});
