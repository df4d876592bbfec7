import { createClient, type SupabaseClient } from '@supabase/supabase-js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type EmbeddedPostgres, embeddedPostgres } from '../support/embedded-postgres.ts';
import { ANON, handleOf, REF, SERVICE, startGate, type TestGate } from '../support/gate.ts';

let server: EmbeddedPostgres;
let board: TestGate;
let db: SupabaseClient;
const rpc = `/p/${REF}/rest/v1/rpc`;
const key = { apikey: SERVICE };

const DDL = `
create table people (id int primary key, name text not null);
create table tasks (id int primary key, name text, person_id int references people on delete cascade);
insert into people values (1, 'Ann'), (2, 'Bob'), (3, 'Cy');
insert into tasks values (1, 'saw', 1), (2, 'sand', 1);
create table times (at timestamptz);
insert into times values ('2026-01-01 12:00:00+00');
create function noon() returns timestamptz language sql stable as 'select at from times';
create function plus(a int, b int default 1) returns int language sql immutable as 'select a + b';
create function everyone() returns setof people language sql stable as 'select * from people';
create function first_one() returns people language sql stable as 'select * from people order by id limit 1';
create function numbers() returns setof int language sql immutable as 'select generate_series(1, 3)';
create function nothing() returns void language sql as '';
create function total(variadic xs int[]) returns bigint language sql immutable as 'select sum(x) from unnest(xs) as x';
create function keys_of(json) returns int language sql immutable as 'select count(*)::int from json_object_keys($1)';
create function shout(text) returns text language sql immutable as 'select upper($1)';
create function bytes_in(bytea) returns int language sql immutable as 'select length($1)';
create function rename("to" text) returns setof people language sql volatile as 'update people set name = $1 returning *';
create function forget(upto int) returns setof people language sql volatile as 'delete from people where id <= upto returning *';
`;
const RENAME_BACK = `update people set name = (array['Ann', 'Bob', 'Cy'])[id]`;

beforeAll(async () => {
  server = await embeddedPostgres();
  board = await startGate();
  board.session = await server.engine(REF);
  board.project = { ...handleOf(REF, SERVICE), engine: 'postgres' };
  const made = await board.call('POST', `/p/${REF}/sql/v1`, { query: DDL }, key);
  expect(made.status, await made.text()).toBe(200);
  db = createClient(`${board.url}/p/${REF}`, SERVICE);
});
afterAll(async () => {
  await board.gate.close();
  await server.stop();
});

describe('functions, by supabase-js', () => {
  it('take arguments by name, from a body and from the query', async () => {
    expect((await db.rpc('plus', { a: 1, b: 2 })).data).toBe(3);
    expect((await db.rpc('plus', { a: 1 })).data).toBe(2);
    expect((await db.rpc('plus', { a: 1, b: 2 }, { get: true })).data).toBe(3);
  });

  it('give rows that are filtered, ordered, paged, selected and embedded as a table is', async () => {
    const { data, count, status, error } = await db
      .rpc('everyone', {}, { count: 'exact' })
      .select('name, tasks(name)')
      .neq('name', 'Bob')
      .order('name', { ascending: false })
      .limit(1);
    expect([error, status, count, data]).toEqual([null, 206, 2, [{ name: 'Cy', tasks: [] }]]);
    const got = await db.rpc('everyone', {}, { get: true }).eq('id', 1).select('id').single();
    expect(got.data).toEqual({ id: 1 });
  });

  it('give one row, a list of values, one value or nothing', async () => {
    expect((await db.rpc('first_one')).data).toEqual({ id: 1, name: 'Ann' });
    expect((await db.rpc('numbers')).data).toEqual([1, 2, 3]);
    const counted = await db.rpc('plus', { a: 1 }, { count: 'exact', head: true });
    expect([counted.status, counted.count, counted.data]).toEqual([200, 1, null]);
    const none = await db.rpc('nothing');
    expect([none.status, none.data, none.error]).toEqual([204, null, null]);
  });

  it('that write are undone where they affect too much or are rolled back', async () => {
    const many = await db.rpc('forget', { upto: 2 }).setHeader('Prefer', 'handling=strict,max-affected=1');
    expect([many.status, many.error?.code]).toEqual([400, 'PGRST124']);
    const undone = await db.rpc('forget', { upto: 2 }).rollback();
    expect(undone.data).toHaveLength(2);
    expect((await db.from('people').select('id')).data).toHaveLength(3);
    const value = await db.rpc('plus', { a: 1 }).setHeader('Prefer', 'handling=strict,max-affected=1');
    expect(value.error?.code).toBe('PGRST128');
  });

  it('are not found, or not by another key', async () => {
    const unknown = await db.rpc('plus', { c: 1 });
    expect([unknown.status, unknown.error?.code]).toEqual([404, 'PGRST202']);
    const anon = await createClient(`${board.url}/p/${REF}`, ANON).rpc('plus', { a: 1 });
    expect([anon.status, anon.error?.code]).toEqual([403, 'MAG_FORBIDDEN']);
  });
});

describe('functions, by other requests', () => {
  const post = (name: string, body: string, type: string): Promise<Response> =>
    board.call('POST', `${rpc}/${name}`, body, { ...key, 'content-type': type });

  it('take a repeated parameter as an array', async () => {
    expect(await (await board.get(`${rpc}/total?xs=1&xs=2&xs=4`, key)).json()).toBe(7);
    const form = await post('plus', 'a=2&b=5', 'application/x-www-form-urlencoded');
    expect(await form.json()).toBe(7);
  });

  it('take a whole body for their one parameter without a name', async () => {
    expect(await (await post('keys_of', '{"a":1,"b":2}', 'application/json')).json()).toBe(2);
    expect(await (await post('shout', 'été, "x"', 'text/plain')).json()).toBe('ÉTÉ, "X"');
    const bytes = await fetch(`${board.url}${rpc}/bytes_in`, {
      method: 'POST',
      headers: { ...key, 'content-type': 'application/octet-stream' },
      body: new Uint8Array([0, 255, 254, 10]),
    });
    expect(await bytes.json()).toBe(4);
  });

  it('write nothing by GET', async () => {
    const reply = await board.get(`${rpc}/forget?upto=9`, key);
    expect([reply.status, ((await reply.json()) as { code: string }).code]).toEqual([405, '25006']);
    expect((await db.from('people').select('id')).data).toHaveLength(3);
  });

  it('are written as CSV and as one object, too', async () => {
    const csv = await board.get(`${rpc}/everyone?order=id&limit=1`, { ...key, accept: 'text/csv' });
    expect(await csv.text()).toBe('id,name\n1,Ann');
    const values = await board.get(`${rpc}/numbers`, { ...key, accept: 'text/csv' });
    expect(await values.text()).toBe('pgrst_scalar\n1\n2\n3');
    const object = { ...key, accept: 'application/vnd.pgrst.object+json' };
    expect(await (await board.get(`${rpc}/first_one`, object)).json()).toEqual({ id: 1, name: 'Ann' });
    expect((await board.get(`${rpc}/everyone`, object)).status).toBe(406);
  });

  it('are undone where one object was asked for and there is another number of rows', async () => {
    const object = { ...key, accept: 'application/vnd.pgrst.object+json' };
    const renamed = await board.call('POST', `${rpc}/rename`, { to: 'X' }, object);
    expect([renamed.status, await renamed.json()]).toMatchObject([
      406,
      { details: 'The result contains 3 rows' },
    ]);
    expect((await db.from('people').select('name').order('id')).data?.[0]).toEqual({ name: 'Ann' });
    const one = await board.call('POST', `${rpc}/rename?id=eq.1&select=name`, { to: 'Ann' }, object);
    expect([one.status, await one.json()]).toEqual([200, { name: 'Ann' }]);
    await board.call('POST', `/p/${REF}/sql/v1`, { query: RENAME_BACK }, key);
  });
});

describe('a time zone', () => {
  const at = (zone: string, path = `/p/${REF}/rest/v1/times?select=at`): Promise<Response> =>
    board.call('GET', path, undefined, { ...key, prefer: `timezone=${zone}` });

  it('is where the times of a reply are told, and of no reply after it', async () => {
    const reply = await at('America/Los_Angeles');
    expect(reply.headers.get('preference-applied')).toBe('timezone=America/Los_Angeles');
    expect(await reply.json()).toEqual([{ at: '2026-01-01T04:00:00-08:00' }]);
    expect(await (await at('Asia/Tokyo', `${rpc}/noon`)).json()).toBe('2026-01-01T21:00:00+09:00');
    const { data } = await db.from('times').select('at');
    expect(data).toEqual([{ at: '2026-01-01T12:00:00+00:00' }]);
  });

  it('that there is not is refused in the words of PostgreSQL', async () => {
    const reply = await at('Nowhere/Land');
    expect([reply.status, await reply.json()]).toEqual([
      400,
      {
        code: '22023',
        message: 'invalid value for parameter "TimeZone": "Nowhere/Land"',
        details: null,
        hint: null,
      },
    ]);
    const leap = await at('05:30:15');
    expect([leap.status, await leap.json()]).toMatchObject([
      400,
      { code: '22023', message: 'time zone "05:30:15" appears to use leap seconds' },
    ]);
    expect((await at('UTC')).status).toBe(200);
  });
});
