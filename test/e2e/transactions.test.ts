import { createClient } from '@supabase/supabase-js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type NewProject, startTestBoard, type TestBoard } from '../support/board.ts';
import { service } from '../support/services/index.ts';

let board: TestBoard;
beforeAll(async () => {
  board = await startTestBoard();
});
afterAll(() => board.stop());

const TABLES: Readonly<Record<string, string>> = {
  sqlite: `create table orders (id integer primary key, customer integer not null);
    create table lines (id integer primary key, order_id integer not null references orders (id), product integer not null);
    create table stock (product integer primary key, left_over integer not null check (left_over >= 0));
    insert into stock values (3, 1)`,
  postgres: `create table orders (id bigint generated always as identity primary key, customer bigint not null);
    create table lines (id bigint generated always as identity primary key, order_id bigint not null references orders (id), product bigint not null);
    create table stock (product bigint primary key, left_over bigint not null check (left_over >= 0));
    insert into stock values (3, 1)`,
  mysql: `create table orders (id bigint auto_increment primary key, customer bigint not null);
    create table \`lines\` (id bigint auto_increment primary key, order_id bigint not null references orders (id), product bigint not null);
    create table stock (product bigint primary key, left_over bigint not null check (left_over >= 0));
    insert into stock values (3, 1)`,
};

interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: {
    readonly results?: readonly {
      readonly rows: readonly Record<string, unknown>[];
      readonly count: number;
    }[];
    readonly code?: string;
    readonly details?: string | null;
  };
}

type Reply = readonly [status: number, text: string, replayed: string | null];

async function tx(
  project: NewProject,
  operations: readonly object[],
  headers: Record<string, string> = {},
): Promise<Answer> {
  const reply = await fetch(`${project.url}/tx/v1`, {
    method: 'POST',
    headers: { apikey: project.keys.service, 'content-type': 'application/json', ...headers },
    body: JSON.stringify({ operations }),
  });
  return { status: reply.status, headers: reply.headers, body: JSON.parse(await reply.text()) };
}

/** An order of one product, of which there was one. */
const order = (customer: number, from: number): readonly object[] => [
  { name: 'order', method: 'insert', table: 'orders', values: { customer } },
  { method: 'insert', table: 'lines', values: { order_id: { $ref: 'order.0.id' }, product: 3 } },
  {
    ...{ method: 'update', table: 'stock', values: { left_over: from - 1 } },
    ...{ where: { product: 3, left_over: from }, expect: { rows: 1 } },
  },
];

const ENGINES = ['sqlite', 'postgres', ...(service('mariadb').available ? ['mysql'] : [])];

describe.each(ENGINES)('a transaction on %s', (engine) => {
  let project: NewProject;
  // A word of MySQL's own.
  const lines = engine === 'mysql' ? '`lines`' : 'lines';
  beforeAll(async () => {
    project = await board.createProject(`tx-${engine}`, engine);
    expect((await board.sql(project, TABLES[engine] ?? '')).status).toBe(200);
  });
  const count = async (table: string): Promise<number> => {
    const { body } = await board.sql(project, `select count(*) as n from ${table}`);
    return Number(body.rows[0]?.n);
  };

  it('makes an order with its lines and takes the last of the stock, or nothing of it', async () => {
    const look = {
      ...{ method: 'select', table: 'orders', query: 'select=customer,lines(product)' },
      where: { id: { $ref: 'order.0.id' } },
    };
    const made = await tx(project, [...order(7, 1), look], { 'idempotency-key': 'first' });
    expect([made.status, made.body.results?.map((each) => each.count)]).toEqual([200, [1, 1, 1, 1]]);
    expect(made.body.results?.[3]?.rows).toEqual([{ customer: 7, lines: [{ product: 3 }] }]);
    const again = await tx(project, [...order(7, 1), look], { 'idempotency-key': 'first' });
    expect([again.body, again.headers.get('idempotency-replayed')]).toEqual([made.body, 'true']);
    const late = await tx(project, order(8, 1));
    expect([late.status, late.body.code, late.body.details]).toEqual([
      409,
      'MAG_EXPECTATION_FAILED',
      'operation 2',
    ]);
    const refused = await tx(project, order(8, 0));
    expect([refused.status, refused.body.code]).toEqual([400, '23514']);
    expect(refused.body.details).toMatch(/^operation 2/);
    expect([await count('orders'), await count(lines)]).toEqual([1, 1]);
  });

  it('is heard of on a socket as what it wrote, and of its idempotency key nothing', async () => {
    const client = createClient(project.url, project.keys.service);
    const heard: unknown[] = [];
    const joined: string[] = [];
    client
      .channel('all')
      .on(
        'postgres_changes',
        { event: '*', schema: '*' },
        (change) => void heard.push([change.schema, change.table]),
      )
      .subscribe((status) => void joined.push(status));
    const outcome = engine === 'mysql' ? 'CHANNEL_ERROR' : 'SUBSCRIBED';
    await expect.poll(() => joined, { timeout: 15_000 }).toContain(outcome);
    if (engine === 'mysql') return void (await client.removeAllChannels()); // Its changes are not followed yet.
    await board.sql(project, 'update stock set left_over = 5');
    await tx(project, order(9, 5), { 'idempotency-key': 'heard' });
    await expect.poll(() => heard.length, { timeout: 10_000 }).toBeGreaterThanOrEqual(4);
    expect(heard).toEqual(['stock', 'orders', 'lines', 'stock'].map((table) => ['public', table]));
    await client.removeAllChannels();
  });

  it('lets one of many win what there is one of', async () => {
    await board.sql(project, `update stock set left_over = 1; delete from ${lines}; delete from orders`);
    const all = await Promise.all(
      Array.from({ length: 8 }, (_, customer) => tx(project, order(customer, 1))),
    );
    expect(all.map(({ status }) => status).sort()).toEqual([200, 409, 409, 409, 409, 409, 409, 409]);
    expect([await count('orders'), await count(lines)]).toEqual([1, 1]);
  });
});

describe('a call of a function under an idempotency key', () => {
  it('has one effect, and its retry the answer of the first', async () => {
    const project = await board.createProject('tx-rpc', 'postgres');
    await board.sql(
      project,
      `create table calls (id bigint generated always as identity primary key, what text not null);
       create function note(what text) returns bigint language sql as
         $$ insert into calls (what) values (what) returning id $$`,
    );
    const call = async (what: string, key: string): Promise<Reply> => {
      const reply = await fetch(`${project.url}/rest/v1/rpc/note`, {
        method: 'POST',
        headers: { apikey: project.keys.service, 'content-type': 'application/json', 'idempotency-key': key },
        body: JSON.stringify({ what }),
      });
      return [reply.status, await reply.text(), reply.headers.get('idempotency-replayed')];
    };
    const [first, again] = [await call('a', 'k'), await call('a', 'k')];
    expect([first, again]).toEqual([
      [200, '1', null],
      [200, '1', 'true'],
    ]);
    expect((await call('b', 'k'))[0]).toBe(422);
    expect(await call('b', 'l')).toEqual([200, '2', null]);
    expect((await board.sql(project, 'select what from calls order by id')).body.rows).toEqual([
      { what: 'a' },
      { what: 'b' },
    ]);
  });
});

describe('a transaction under row level security', () => {
  it('runs each operation as the user of the token, whose key is not another one’s', async () => {
    const project = await board.createProject('tx-policies', 'postgres');
    await board.admin('PATCH', `/admin/v1/projects/${project.ref}/settings`, {
      grants: [],
      access: 'policies',
    });
    await board.sql(
      project,
      `create table notes (id bigint generated always as identity primary key, owner uuid default auth.uid(), body text);
       alter table notes enable row level security;
       create policy own on notes to authenticated using (owner = auth.uid()) with check (owner = auth.uid())`,
    );
    const as = async (sub: string): Promise<Record<string, string>> => {
      const path = `/admin/v1/projects/${project.ref}/tokens`;
      const made = await board.admin<{ token: string }>('POST', path, {
        role: 'authenticated',
        claims: { sub },
      });
      return {
        apikey: project.keys.anon,
        authorization: `Bearer ${made.body.token}`,
        'idempotency-key': 'same',
      };
    };
    const [alice, bob] = [
      await as('11111111-1111-4111-8111-111111111111'),
      await as('22222222-2222-4222-8222-222222222222'),
    ];
    const write = [
      {
        name: 'note',
        method: 'insert',
        table: 'notes',
        values: { body: 'mine' },
        query: 'select=owner,body',
      },
      { method: 'select', table: 'notes', query: 'select=owner' },
    ];
    for (const [who, owner] of [
      [alice, '11111111-1111-4111-8111-111111111111'],
      [bob, '22222222-2222-4222-8222-222222222222'],
      [alice, '11111111-1111-4111-8111-111111111111'],
    ] as const) {
      const { status, body } = await tx(project, write, who);
      expect([status, body.results?.map(({ rows }) => rows)]).toEqual([
        ...[200, [[{ owner, body: 'mine' }], [{ owner }]]],
      ]);
    }
    const theirs = [
      { method: 'insert', table: 'notes', values: { owner: '22222222-2222-4222-8222-222222222222' } },
    ];
    const { status, body } = await tx(project, theirs, { ...alice, 'idempotency-key': 'other' });
    expect([status, body.code, body.details]).toEqual([403, '42501', 'operation 0']);
    for (const role of ['anon', 'authenticated', 'service_role']) {
      const look = await board.sql(project, `set role ${role}; select * from _mag_idempotency.records`);
      expect(look.body.code).toBe('42501');
    }
  });
});
