import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type EmbeddedPostgres, embeddedPostgres } from '../support/embedded-postgres.ts';
import { ANON, handleOf, REF, SERVICE, startGate, type TestGate } from '../support/gate.ts';

const DDL = `
create table items (id int primary key, name text, box int);
create table boxes (id int primary key, label text);
alter table items add foreign key (box) references boxes (id);
create view item_list as select id, name from items;
create table parted (id int primary key, name text) partition by range (id);
create table parted_low partition of parted for values from (0) to (10);
insert into boxes values (1, 'red');
`;

let server: EmbeddedPostgres;
let board: TestGate;

beforeAll(async () => {
  server = await embeddedPostgres();
  board = await startGate();
  board.session = await server.engine(REF);
  const actions = ['select', 'insert', 'update'] as const;
  const grants = [{ role: 'anon', table: 'items', actions }] as const;
  board.project = { ...handleOf(REF, SERVICE, grants), engine: 'postgres' };
  const made = await board.call('POST', `/p/${REF}/sql/v1`, { query: DDL }, { apikey: SERVICE });
  expect(made.status, await made.text()).toBe(200);
});
afterAll(async () => {
  await board.gate.close();
  await server.stop();
});

const upsert = async (
  target: string,
  rows: readonly object[] | object,
  prefer = 'return=minimal',
  headers: Record<string, string> = {},
): Promise<number> => {
  const reply = await board.call('POST', `/p/${REF}/rest/v1/${target}`, rows, {
    ...{ apikey: SERVICE, ...headers },
    prefer: `resolution=merge-duplicates,${prefer}`,
  });
  await reply.text();
  return reply.status;
};

describe('an upsert says whether it made a row', () => {
  it.each(['return=minimal', 'return=representation', 'return=minimal,count=exact'])(
    '201 where it made one at least, 200 where all were there, under %s',
    async (prefer) => {
      await board.call('DELETE', `/p/${REF}/rest/v1/items`, undefined, { apikey: SERVICE });
      const [first, second] = [
        { id: 1, name: 'a' },
        { id: 2, name: 'b' },
      ];
      expect(await upsert('items', first, prefer)).toBe(201);
      expect(await upsert('items', first, prefer)).toBe(200);
      expect(await upsert('items', [first, second], prefer)).toBe(201);
      expect(await upsert('items', [second, first], prefer)).toBe(200);
      expect(await upsert('items', first, prefer, { apikey: ANON })).toBe(200);
      expect(await upsert('items', { id: 3, name: 'c' }, prefer, { apikey: ANON })).toBe(201);
    },
  );

  it('of a view and of a partitioned table, with related rows, and under an idempotency key', async () => {
    for (const table of ['item_list', 'parted']) {
      expect([table, await upsert(table, { id: 7, name: 'a' })]).toEqual([table, 201]);
      expect([table, await upsert(table, { id: 7, name: 'b' })]).toEqual([table, 200]);
    }
    const related = 'items?select=id,boxes(label)';
    const rows = [
      { id: 8, box: 1 },
      { id: 9, box: 1 },
    ];
    expect(await upsert(related, rows, 'return=representation')).toBe(201);
    expect(await upsert(related, rows, 'return=representation')).toBe(200);
    const key = { 'idempotency-key': 'once' };
    expect(await upsert('items', rows, 'return=minimal', key)).toBe(200);
    expect(await upsert('items', rows, 'return=minimal', key)).toBe(200);
  });

  it('and a PUT that gives back its row does, too', async () => {
    const put = async () => {
      const path = `/p/${REF}/rest/v1/items?id=eq.20`;
      const reply = await board.call(
        'PUT',
        path,
        { id: 20 },
        { apikey: SERVICE, prefer: 'return=representation' },
      );
      await reply.text();
      return reply.status;
    };
    expect([await put(), await put()]).toEqual([201, 200]);
  });
});
