import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { REF, SERVICE, startGate, type TestGate } from '../support/gate.ts';
import { SqliteBoard } from '../support/sqlite-board.ts';

/** A value of an operation: a number, none, or what an earlier operation gave. */
const value = (): fc.Arbitrary<unknown> =>
  fc.oneof(
    { weight: 3, arbitrary: fc.nat({ max: 4 }) },
    { weight: 1, arbitrary: fc.constant(null) },
    {
      weight: 2,
      arbitrary: fc
        .tuple(fc.nat({ max: 3 }), fc.nat({ max: 1 }), fc.constantFrom('id', 'v', 'w'))
        .map(([operation, row, column]) => ({ $ref: `${operation}.${row}.${column}` })),
    },
  );

const expectation = fc.option(fc.record({ rows: fc.nat({ max: 2 }) }), { nil: undefined });
const id = fc.oneof(fc.nat({ max: 4 }), fc.constant({ $ref: '0.0.id' }));
/** In the order of ids, since references tell rows by their place. */
const shown = fc.constantFrom('select=id,v&order=id', 'select=*&order=id', 'select=v,id&order=id&limit=2');

const operation = (): fc.Arbitrary<object> =>
  fc.oneof(
    fc.record({
      method: fc.constant('upsert'),
      table: fc.constant('t'),
      values: fc.record({ id, v: value() }),
      expect: expectation,
    }),
    fc.record({
      ...{ method: fc.constant('update'), table: fc.constant('t'), values: fc.record({ v: value() }) },
      ...{ where: fc.record({ id }), expect: expectation },
    }),
    fc.record({
      method: fc.constant('delete'),
      table: fc.constant('t'),
      where: fc.record({ id }),
      expect: expectation,
    }),
    fc.record({
      method: fc.constant('select'),
      table: fc.constant('t'),
      query: shown,
      where: fc.oneof(
        fc.record({ v: value() }),
        fc.record({ v: fc.record({ gte: fc.nat({ max: 4 }) }) }),
        fc.record({ id: fc.record({ in: fc.array(fc.nat({ max: 4 }), { maxLength: 3 }) }) }),
        fc.record({ v: fc.record({ is: fc.constantFrom('null', 'not_null') }) }),
      ),
      expect: expectation,
    }),
  );

describe('transactions on SQLite', () => {
  const sqlite = new SqliteBoard();
  let real: TestGate;
  let model: TestGate;

  beforeAll(async () => {
    [real, model] = [await startGate(), await startGate()];
    real.session = await sqlite.engine(REF);
    await real.session.sql(
      'create table t (id integer primary key, v integer)',
      [],
      sqlite.context({ ref: REF }),
    );
  });
  afterAll(async () => {
    await Promise.all([real.gate.close(), model.gate.close()]);
    await sqlite.close();
  });

  /** Status and rows, or status and code: the words of an error are the engine's. */
  async function send(gate: TestGate, operations: readonly object[]): Promise<unknown> {
    const reply = await gate.call('POST', `/p/${REF}/tx/v1`, { operations }, { apikey: SERVICE });
    const body = JSON.parse(await reply.text());
    return [reply.status, body.results ?? [body.code, String(body.details).slice(0, 'operation 0'.length)]];
  }

  it('give and leave what the same operations give and leave over plain arrays, one after the other', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(operation(), { minLength: 1, maxLength: 4 }), { minLength: 1, maxLength: 4 }),
        async (transactions) => {
          await real.session.sql('delete from t', [], sqlite.context({ ref: REF }));
          model.engine.create('t', ['id', 'v']);
          const look = [{ method: 'select', table: 't', query: 'select=id,v&order=id' }];
          for (const operations of transactions) {
            expect(await send(real, operations)).toEqual(await send(model, operations));
            expect(await send(real, look)).toEqual(await send(model, look));
          }
        },
      ),
      { numRuns: 60 },
    );
  });
});
