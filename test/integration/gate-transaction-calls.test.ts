import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type EmbeddedPostgres, embeddedPostgres } from '../support/embedded-postgres.ts';
import { ANON, handleOf, REF, SERVICE, startGate, type TestGate } from '../support/gate.ts';
import { SqliteBoard } from '../support/sqlite-board.ts';

interface Reply {
  readonly status: number;
  readonly replayed: boolean;
  readonly body: {
    readonly results?: readonly { readonly rows: unknown; readonly count: number }[];
    readonly code?: string;
    readonly message?: string;
    readonly details?: string | null;
  };
}

const DDL = `
create table accounts (id int primary key, balance bigint not null check (balance >= 0));
create function move(source int, target int, amount bigint) returns setof accounts language sql volatile as
  'update accounts set balance = balance + case id when source then -amount else amount end
   where id in (source, target) returning *';
create function richest() returns accounts language sql stable as 'select * from accounts order by balance desc limit 1';
create function plus(a bigint, b bigint default 1) returns bigint language sql immutable as 'select a + b';
create function pair() returns int[] language sql immutable as 'select array[1, 2]';
create function numbers() returns setof int language sql immutable as 'select generate_series(1, 3)';
create function wipe() returns void language sql volatile as 'delete from accounts';
create function nobody() returns accounts language sql stable as 'select * from accounts where false';
`;

let server: EmbeddedPostgres;
let board: TestGate;
beforeAll(async () => {
  server = await embeddedPostgres();
  board = await startGate();
  board.session = await server.engine(REF);
  board.project = { ...handleOf(REF, SERVICE), engine: 'postgres' };
  const made = await board.call('POST', `/p/${REF}/sql/v1`, { query: DDL }, { apikey: SERVICE });
  expect(made.status, await made.text()).toBe(200);
});
afterAll(async () => {
  await board.gate.close();
  await server.stop();
});
beforeEach(() =>
  tx([
    {
      method: 'upsert',
      table: 'accounts',
      values: [
        { id: 1, balance: 10 },
        { id: 2, balance: 0 },
      ],
    },
  ]),
);

async function tx(operations: unknown, headers: Record<string, string> = {}, on = board): Promise<Reply> {
  const reply = await on.call('POST', `/p/${REF}/tx/v1`, { operations }, { apikey: SERVICE, ...headers });
  const replayed = reply.headers.get('idempotency-replayed') === 'true';
  return { status: reply.status, replayed, body: JSON.parse(await reply.text()) };
}

const call = (name: string, given?: object, more: object = {}): object => ({
  ...{ method: 'rpc', function: name },
  ...(given === undefined ? {} : { arguments: given }),
  ...more,
});
const balances = async (): Promise<unknown> =>
  (await tx([{ method: 'select', table: 'accounts', query: 'select=balance&order=id' }])).body.results?.[0]
    ?.rows;

describe('a function as one operation of a transaction', () => {
  it('gives rows that later operations refer to, and takes what earlier ones gave', async () => {
    const { body } = await tx([
      { name: 'from', method: 'select', table: 'accounts', query: 'select=id&balance=gt.0' },
      call(
        'move',
        { source: { $ref: 'from.0.id' }, target: 2, amount: 4 },
        { name: 'moved', query: 'order=id' },
      ),
      {
        method: 'select',
        table: 'accounts',
        query: 'select=id',
        where: { balance: { $ref: 'moved.1.balance' } },
      },
    ]);
    expect(body.results).toEqual([
      { name: 'from', rows: [{ id: 1 }], count: 1 },
      {
        name: 'moved',
        rows: [
          { id: 1, balance: 6 },
          { id: 2, balance: 4 },
        ],
        count: 2,
      },
      { rows: [{ id: 2 }], count: 1 },
    ]);
  });

  it('gives what is no row under its own name, whatever it returns', async () => {
    const { body } = await tx([
      call('plus', { a: 39 }, { name: 'sum' }),
      call('plus', { a: { $ref: 'sum.0.plus' }, b: 2 }),
      call('pair'),
      call('numbers'),
      call('richest'),
      call('nobody'),
      call('wipe'),
    ]);
    expect(body.results?.map(({ rows, count }) => [rows, count])).toEqual([
      [[{ plus: 40 }], 1],
      [[{ plus: 42 }], 1],
      [[{ pair: [1, 2] }], 1],
      [[{ numbers: 1 }, { numbers: 2 }, { numbers: 3 }], 3],
      [[{ id: 1, balance: 10 }], 1],
      [[{ id: null, balance: null }], 1], // PostgreSQL's own way to say that there is none
      [[], 0],
    ]);
  });

  it('is undone with the rest, and says which it was', async () => {
    const taken = call('move', { source: 1, target: 2, amount: 5 });
    const { status, body } = await tx([taken, call('move', { source: 1, target: 2, amount: 50 })]);
    expect([status, body.code, body.details]).toEqual([400, '23514', expect.stringContaining('operation 1')]);
    expect((await tx([taken, call('nobody', undefined, { expect: { rows: 2 } })])).body.code).toBe(
      'MAG_EXPECTATION_FAILED',
    );
    expect(await balances()).toEqual([{ balance: 10 }, { balance: 0 }]);
  });

  it('has one effect under an idempotency key', async () => {
    const once = [call('move', { source: 1, target: 2, amount: 3 })];
    const first = await tx(once, { 'idempotency-key': 'move it' });
    const second = await tx(once, { 'idempotency-key': 'move it' });
    expect(second.body).toEqual(first.body);
    expect([first.replayed, second.replayed]).toEqual([false, true]);
    expect(await balances()).toEqual([{ balance: 7 }, { balance: 3 }]);
  });

  it('is looked for as over REST, and refused where it is none or not for this key', async () => {
    expect((await tx([call('absent')])).body).toMatchObject({
      code: 'PGRST202',
      details: expect.any(String),
    });
    expect((await tx([call('plus', { a: 1 })], { apikey: ANON })).body.code).toBe('MAG_FORBIDDEN');
    for (const [operation, problem] of [
      [{ method: 'rpc', table: 'accounts' }, 'rpc needs a function'],
      [{ method: 'select', function: 'plus' }, 'select needs a table'],
      [{ ...call('plus'), table: 'accounts' }, 'rpc takes no table'],
      [{ ...call('plus'), values: {} }, 'rpc takes no values'],
      [{ method: 'select', table: 'accounts', arguments: {} }, 'select takes no arguments'],
    ] as const)
      expect((await tx([operation])).body.message).toContain(problem);
  });

  it('is refused by name where the engine has none', async () => {
    const plain = new SqliteBoard();
    const gate = await startGate();
    gate.session = await plain.engine(REF);
    try {
      const { status, body } = await tx([call('plus')], {}, gate);
      expect([status, body.code]).toEqual([400, 'MAG_ENGINE_UNSUPPORTED']);
      expect(body.message).toContain('cannot call functions');
    } finally {
      await gate.gate.close();
      await plain.close();
    }
  });
});
