import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import type { StageHook } from '../../src/actors/gate/hooks.ts';
import { LIMITS } from '../../src/limits.ts';
import type { Grant } from '../../src/protocol/principal.ts';
import { ANON, handleOf, REF, SERVICE, startGate, type TestGate } from '../support/gate.ts';

interface Reply {
  readonly status: number;
  readonly body: {
    readonly results?: readonly { readonly name?: string; readonly rows: unknown; readonly count: number }[];
    readonly code?: string;
    readonly message?: string;
    readonly details?: string | null;
  };
}

const authorisedHooks: StageHook[] = [];
const board = await startGate([], { hooks: { authorised: authorisedHooks } });
afterAll(() => board.gate.close());

beforeEach(() => {
  board.project = handleOf(REF, SERVICE);
  board.nudged.length = 0;
  authorisedHooks.length = 0;
  board.engine.create('orders', ['id', 'customer', 'total']);
  board.engine.create('lines', ['id', 'order_id', 'what']);
});

async function tx(operations: unknown, key = SERVICE, on: TestGate = board): Promise<Reply> {
  const reply = await on.call('POST', `/p/${REF}/tx/v1`, { operations }, { apikey: key });
  return { status: reply.status, body: JSON.parse(await reply.text()) };
}

const rowsOf = (table: string): unknown => board.engine.tables.get(table)?.rows;

const grant = (over: readonly Grant[]): void => {
  board.project = { ...handleOf(REF, SERVICE, over), version: 2 };
};

describe('several operations in one transaction', () => {
  it('are answered in their order, with the rows that were asked for and how many there were', async () => {
    const { status, body } = await tx([
      { name: 'made', method: 'insert', table: 'orders', values: [{ id: 1 }, { id: 2 }], query: 'select=id' },
      { method: 'update', table: 'orders', values: { total: 5 }, query: 'id=eq.2' },
      { name: 'left', method: 'select', table: 'orders', query: 'select=id,total&order=id.desc&limit=1' },
      { method: 'delete', table: 'orders', where: { id: 1 } },
      {
        method: 'upsert',
        table: 'orders',
        values: { id: 2, total: 9 },
        onConflict: ['id'],
        query: 'select=total',
      },
    ]);
    expect(body).toEqual({
      results: [
        { name: 'made', rows: [{ id: 1 }, { id: 2 }], count: 2 },
        { rows: [], count: 1 },
        { name: 'left', rows: [{ id: 2, total: 5 }], count: 1 },
        { rows: [], count: 1 },
        { rows: [{ total: 9 }], count: 1 },
      ],
    });
    expect(status).toBe(200);
    expect(board.nudged).toEqual([REF]);
  });

  it('leave nothing where one of them fails, whose error says which', async () => {
    const { status, body } = await tx([
      { method: 'insert', table: 'orders', values: { id: 1 } },
      { name: 'bad', method: 'insert', table: 'orders', values: { nothing: 1 } },
    ]);
    expect([status, body.code, body.details]).toEqual([400, 'PGRST204', 'operation 1 (bad)']);
    expect(rowsOf('orders')).toEqual([]);
    expect(board.nudged).toEqual([]);
  });

  it.each([[[]], [{}], [[{}]]])('are refused where one of them would set nothing: %j', async (values) => {
    const { status, body } = await tx([
      { method: 'insert', table: 'orders', values: { id: 1 } },
      { method: 'update', table: 'orders', values, query: 'id=eq.1' },
    ]);
    expect([status, body.code, body.details]).toEqual([400, 'PGRST102', 'operation 1']);
    expect(rowsOf('orders')).toEqual([]);
  });

  it('are refused before the first one runs where the grammar or the access of any refuses it', async () => {
    grant([{ role: 'anon', table: 'orders', actions: ['insert'] }]);
    const insert = { method: 'insert', table: 'orders', values: { id: 1 } };
    const unreadable = await tx([insert, { method: 'select', table: 'orders', query: 'id=what' }]);
    expect([unreadable.status, unreadable.body.code]).toEqual([400, 'PGRST100']);
    expect(unreadable.body.details).toMatch(/^operation 1: /);
    const refused = await tx([insert, { method: 'select', table: 'lines' }], ANON);
    expect([refused.status, refused.body.code, refused.body.details]).toEqual([
      ...[403, 'MAG_FORBIDDEN', 'operation 1'],
    ]);
    expect(rowsOf('orders')).toEqual([]);
    expect((await tx([insert], ANON)).status).toBe(200);
  });

  it('may say how many rows they must affect', async () => {
    const insert = { method: 'insert', table: 'orders', values: { id: 1 } };
    const update = {
      method: 'update',
      table: 'orders',
      values: { total: 1 },
      where: { id: 7 },
      expect: { rows: 1 },
    };
    const { status, body } = await tx([insert, update]);
    expect([status, body.code, body.details]).toEqual([409, 'MAG_EXPECTATION_FAILED', 'operation 1']);
    expect(rowsOf('orders')).toEqual([]);
    expect((await tx([insert, { ...update, where: { id: 1 } }])).status).toBe(200);
  });

  it('are narrowed by the grants of their key as any request is', async () => {
    grant([{ role: 'anon', table: 'orders', actions: ['select', 'update'], using: 'customer.eq.a' }]);
    await tx([{ method: 'insert', table: 'orders', values: [{ customer: 'a' }, { customer: 'b' }] }]);
    const { body } = await tx([{ method: 'update', table: 'orders', values: { total: 1 } }], ANON);
    expect(body.results).toEqual([{ rows: [], count: 1 }]);
    const stolen = await tx([{ method: 'update', table: 'orders', values: { customer: 'b' } }], ANON);
    expect([stolen.status, stolen.body.code]).toEqual([403, 'MAG_FORBIDDEN']);
  });

  it('are answered and undone where tx=rollback is preferred', async () => {
    const operations = [{ method: 'insert', table: 'orders', values: { id: 1 }, query: 'select=id' }];
    const headers = { apikey: SERVICE, prefer: 'tx=rollback' };
    const tried = await board.call('POST', `/p/${REF}/tx/v1`, { operations }, headers);
    expect([tried.status, tried.headers.get('preference-applied')]).toEqual([200, 'tx=rollback']);
    expect(await tried.json()).toEqual({ results: [{ rows: [{ id: 1 }], count: 1 }] });
    expect(rowsOf('orders')).toEqual([]);
    const keyed = await board.call(
      ...(['POST', `/p/${REF}/tx/v1`, { operations }, { ...headers, 'idempotency-key': 'a' }] as const),
    );
    expect([keyed.status, await keyed.json()]).toMatchObject([400, { code: 'MAG_IDEMPOTENCY_KEY_INVALID' }]);
  });

  it('pass the hooks of each stage one by one', async () => {
    const seen: unknown[] = [];
    authorisedHooks.push(
      async ({ query }) => void seen.push([query?.kind, query?.kind === 'call' ? null : query?.table]),
    );
    await tx([
      { method: 'insert', table: 'orders', values: {} },
      { method: 'select', table: 'lines' },
    ]);
    expect(seen).toEqual([
      ['insert', 'orders'],
      ['select', 'lines'],
    ]);
  });
});

describe('a reference to an earlier result', () => {
  const order = {
    name: 'order',
    method: 'insert',
    table: 'orders',
    values: { id: 7, customer: 'c', total: 1.5 },
  };

  it('stands for the value itself in values, by name or by place', async () => {
    const { body } = await tx([
      order,
      { method: 'insert', table: 'lines', values: [{ id: 1, order_id: { $ref: 'order.0.id' }, what: 'a' }] },
      { method: 'update', table: 'lines', values: { what: { $ref: '0.0.total' } }, where: { id: 1 } },
    ]);
    expect(body.results?.[0]).toEqual({
      name: 'order',
      rows: [{ id: 7, customer: 'c', total: 1.5 }],
      count: 1,
    });
    expect(rowsOf('lines')).toEqual([{ id: 1, order_id: 7, what: 1.5 }]);
  });

  it('is compared as a value in conditions', async () => {
    const nasty = '7,or=(id.gt.0)&id=neq.';
    const { body } = await tx([
      {
        name: 'a',
        method: 'insert',
        table: 'orders',
        values: [
          { id: 1, customer: nasty },
          { id: 2, customer: 'x' },
        ],
      },
      {
        method: 'select',
        table: 'orders',
        query: 'select=id',
        where: { customer: { $ref: 'a.0.customer' } },
      },
      { method: 'select', table: 'orders', query: 'select=id', where: { id: { gt: { $ref: 'a.0.id' } } } },
      {
        method: 'select',
        table: 'orders',
        query: 'select=id',
        where: { id: { in: [{ $ref: 'a.1.id' }, 9] } },
      },
    ]);
    expect(body.results?.slice(1).map(({ rows }) => rows)).toEqual([[{ id: 1 }], [{ id: 2 }], [{ id: 2 }]]);
  });

  it('means what is in $value where that only looks like one', async () => {
    await tx([
      { method: 'insert', table: 'lines', values: { id: 1, what: { $value: { $ref: 'order.0.id' } } } },
    ]);
    expect(rowsOf('lines')).toEqual([{ id: 1, order_id: null, what: { $ref: 'order.0.id' } }]);
  });

  it('stays a value deeper inside one', async () => {
    await tx([{ method: 'insert', table: 'lines', values: { id: 1, what: { schema: { $ref: '#/x' } } } }]);
    expect(rowsOf('lines')).toEqual([{ id: 1, order_id: null, what: { schema: { $ref: '#/x' } } }]);
  });

  it.each([
    ['nobody.0.id', 'no operation is named nobody'],
    ['2.0.id', 'only an earlier operation can be referred to'],
    ['1.0.id', 'only an earlier operation can be referred to'],
    ['order.0', 'expected "operation.row.column"'],
    ['order.x.id', 'expected "operation.row.column"'],
    ['order.0.', 'expected "operation.row.column"'],
    ['', 'expected "operation.row.column"'],
    [7, 'it is no text'],
    ['order.1.id', 'operation 0 gave 1 rows'],
    ['order.0.constructor', 'operation 0 gave no column constructor'],
  ])('%j is refused where it names nothing', async (ref, problem) => {
    const line = { method: 'insert', table: 'lines', values: { id: 1, order_id: { $ref: ref } } };
    const { status, body } = await tx([order, line, { method: 'select', table: 'lines' }]);
    expect([status, body.code, body.details]).toEqual([400, 'MAG_REFERENCE_INVALID', 'operation 1']);
    expect(body.message).toContain(problem);
    expect([rowsOf('orders'), rowsOf('lines')]).toEqual([[], []]);
  });

  it('to null compares to nothing, and is refused rather than taken for every row without a value', async () => {
    const { status, body } = await tx([
      { name: 'o', method: 'insert', table: 'orders', values: { id: 1 } },
      { method: 'delete', table: 'orders', where: { customer: { $ref: 'o.0.customer' } } },
    ]);
    expect([status, body.code]).toEqual([400, 'MAG_REFERENCE_INVALID']);
    expect(rowsOf('orders')).toEqual([]);
  });
});

describe('the body of a transaction', () => {
  const select = { method: 'select', table: 'orders' };

  it.each<[string, unknown]>([
    ['no operations', []],
    ['no array', {}],
    ['too many', Array.from({ length: LIMITS.transactionOperations + 1 }, () => select)],
    ['an unknown method', [{ method: 'truncate', table: 'orders' }]],
    ['an unknown member', [{ ...select, filter: 'id=eq.1' }]],
    ['no table', [{ method: 'select' }]],
    ['a name that is a number', [{ ...select, name: '7' }]],
    [
      'one name twice',
      [
        { ...select, name: 'a' },
        { ...select, name: 'a' },
      ],
    ],
    ['values that a delete would ignore', [{ method: 'delete', table: 'orders', values: {} }]],
    [
      'a condition that an insert would ignore',
      [{ method: 'insert', table: 'orders', values: {}, where: { id: 1 } }],
    ],
    ['an insert without values', [{ method: 'insert', table: 'orders' }]],
    ['an unknown operator', [{ ...select, where: { id: { like2: 'x' } } }]],
    ['two operators in one condition', [{ ...select, where: { id: { gt: 1, lt: 2 } } }]],
    ['an object to compare with', [{ ...select, where: { id: { eq: { a: 1 } } } }]],
    ['a pattern that ends in its escape', [{ ...select, where: { id: { like: 'a\\' } } }]],
    ['a pattern from a row', [select, { ...select, where: { id: { like: { $ref: '0.0.id' } } } }]],
    ['a list that is none', [{ ...select, where: { id: { in: 1 } } }]],
  ])('with %s is a 400', async (_what, operations) => {
    const { status, body } = await tx(operations);
    expect([status, body.code]).toEqual([400, 'MAG_BAD_REQUEST']);
  });

  it('is not looked at without a key', async () => {
    const reply = await board.call('POST', `/p/${REF}/tx/v1`, { nonsense: 1 });
    expect(reply.status).toBe(401);
  });

  it('may insert so many rows in all', async () => {
    const values = Array.from({ length: LIMITS.insertRows / 2 + 1 }, () => ({}));
    const insert = { method: 'insert', table: 'orders', values };
    const { status, body } = await tx([insert, insert]);
    expect([status, body.code, body.details]).toEqual([400, 'MAG_BAD_REQUEST', 'operation 1']);
  });
});
