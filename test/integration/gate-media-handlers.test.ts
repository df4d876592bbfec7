import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Connection } from '../../src/protocol/project.ts';
import { type EmbeddedPostgres, embeddedPostgres } from '../support/embedded-postgres.ts';
import { ANON, handleOf, REF, SERVICE, startGate, type TestGate } from '../support/gate.ts';

const DDL = `
create domain "text/html" as text;
create domain "text/plain" as text;
create domain "image/x-dot" as bytea;
create domain "application/json" as json;
create domain "text/tab-separated-values" as text;
create domain "*/*" as bytea;
create table pets (id int primary key, name text);
insert into pets values (1, 'rex'), (2, 'tom'), (3, 'kit');
create table counted (n int);
create table wrapped (n int);
grant select on pets, counted, wrapped to anon;
create function page() returns "text/html" language sql as $$ select '<b>Hi</b>' $$;
create function dot() returns "image/x-dot" language sql as $$ select '\\x00ff0a'::bytea $$;
create function nothing() returns "text/plain" language sql as 'select null::text';
create function plain() returns text language sql as $$ select 'text' $$;
create function any_type() returns "*/*" language plpgsql as $$ begin
  perform set_config('response.headers', json_build_array(json_build_object('Content-Type',
    current_setting('request.headers')::json ->> 'accept'))::text, true); return 'any'; end $$;
create function all_pets() returns setof pets language sql stable as 'select * from pets order by id';
create function tsv_row(state text, next anyelement) returns text language sql immutable
  as $$ select state || (select string_agg(value, E'\\t') from json_each_text(row_to_json(next))) || E'\\n' $$;
create function tsv(state text) returns "text/tab-separated-values" language sql immutable as 'select state';
create aggregate tsv(anyelement) (sfunc = tsv_row, stype = text, initcond = '', finalfunc = tsv);
create function pet_names(state text, next pets) returns text language sql immutable as $$ select state || next.name || '.' $$;
create function plain(state text) returns "text/plain" language sql immutable as 'select state';
create aggregate names_of(pets) (sfunc = pet_names, stype = text, initcond = '', finalfunc = plain);
create function wrap(state int, next wrapped) returns int language sql immutable as 'select state + 1';
create function wrapped(state int) returns "application/json" language sql immutable as $$ select json_build_object('rows', state) $$;
create aggregate wrapping(wrapped) (sfunc = wrap, stype = int, initcond = '0', finalfunc = wrapped);`;

let server: EmbeddedPostgres;
let board: TestGate;
let connection: Connection;
const as = (settings: object): void => {
  board.project = {
    ...{ ...handleOf(REF, SERVICE), engine: 'postgres' as const, connection },
    settings: { grants: [], ...settings },
  };
};
const get = (path: string, accept: string, apikey = ANON): Promise<Response> =>
  board.get(`/p/${REF}/rest/v1/${path}`, { apikey, accept });
const shown = async (reply: Response): Promise<unknown[]> => [
  ...[reply.status, reply.headers.get('content-type'), await reply.text()],
];

beforeAll(async () => {
  server = await embeddedPostgres();
  board = await startGate();
  board.session = await server.engine(REF);
  connection = await server.provider.connect(REF);
  as({ access: 'policies' });
  const made = await board.call('POST', `/p/${REF}/sql/v1`, { query: DDL }, { apikey: SERVICE });
  expect(made.status, await made.text()).toBe(200);
});
afterAll(async () => {
  await board.gate.close();
  await server.stop();
});

describe('a domain named as a media type', () => {
  it('makes the value of a function the reply, as text or as bytes', async () => {
    expect(await shown(await get('rpc/page', 'text/html'))).toEqual([200, 'text/html', '<b>Hi</b>']);
    const dot = await get('rpc/dot', 'image/x-dot');
    expect([...new Uint8Array(await dot.arrayBuffer())]).toEqual([0, 255, 10]);
    expect(await shown(await get('rpc/nothing', 'text/plain'))).toEqual([
      200,
      'text/plain; charset=utf-8',
      '',
    ]);
    // Who does not ask for it gets JSON.
    expect(await shown(await get('rpc/page', '*/*'))).toEqual([
      ...[200, 'application/json; charset=utf-8', '"<b>Hi</b>"'],
    ]);
  });

  it('is a page that has no part in the origin of the console', async () => {
    const { headers } = await get('rpc/page', 'text/html');
    expect(headers.get('content-security-policy')).toMatch(/^sandbox (?!.*allow-same-origin)/);
    expect(headers.get('x-content-type-options')).toBe('nosniff');
  });

  it('of any type is what is asked for, unless it says which it is', async () => {
    expect(await shown(await get('rpc/any_type', 'a/b'))).toEqual([200, 'a/b', 'any']);
  });

  it('is what an aggregate makes of the rows that were asked for', async () => {
    const tsv = 'text/tab-separated-values';
    expect(await shown(await get('pets?select=name,id&id=lt.3&order=id', tsv))).toEqual([
      ...[200, tsv, 'rex\t1\ntom\t2\n'],
    ]);
    expect(await shown(await get('pets?order=id.desc', 'text/plain'))).toEqual([
      ...[200, 'text/plain; charset=utf-8', 'kit.tom.rex.'],
    ]);
    expect(await shown(await get('rpc/all_pets?limit=2', 'text/plain'))).toEqual([
      ...[200, 'text/plain; charset=utf-8', 'rex.tom.'],
    ]);
    expect(await shown(await get('wrapped', 'application/json'))).toEqual([
      ...[200, 'application/json; charset=utf-8', '{"rows" : 0}'],
    ]);
  });

  it('counts its rows as a read does', async () => {
    const reply = await board.get(`/p/${REF}/rest/v1/pets?limit=2`, {
      ...{ apikey: ANON, accept: 'text/plain', prefer: 'count=exact' },
    });
    expect([reply.status, reply.headers.get('content-range')]).toEqual([206, '0-1/3']);
  });

  it.each([
    ['rows that are not all of the table, for an aggregate over it', 'pets?select=name', 'text/plain'],
    ['a table that nobody makes it of', 'counted', 'text/plain'],
    ['a value of another type', 'rpc/plain', 'text/plain'],
    ['a type that nobody makes', 'pets', 'image/png, application/json;q=0'],
  ])('is no type of %s', async (_what, path, accept) => {
    const reply = await get(path, accept);
    expect([reply.status, await reply.json()]).toMatchObject([406, { code: 'PGRST107' }]);
  });

  it('is passed over where another type is wanted more, or cannot be had', async () => {
    expect((await get('pets', 'text/csv, text/plain;q=0.5')).headers.get('content-type')).toContain(
      'text/csv',
    );
    expect((await get('counted', 'text/plain, application/json')).status).toBe(200);
    const object = 'application/vnd.pgrst.object+json';
    expect((await get('wrapped', `${object}, application/json`)).status).toBe(406);
  });

  it('under grants is made for the service role alone, as no grant covers a function', async () => {
    as({ grants: [{ role: 'anon', table: '*', actions: ['select'] }] });
    const refused = await get('pets', 'text/plain');
    expect([refused.status, await refused.json()]).toMatchObject([403, { code: 'MAG_FORBIDDEN' }]);
    expect((await get('pets', 'application/json')).status).toBe(200);
    expect((await get('pets', 'text/plain', SERVICE)).status).toBe(200);
    as({ access: 'policies' });
  });
});

describe('what a write gives back', () => {
  const tsv = 'text/tab-separated-values';
  const write = (method: string, path: string, body: unknown, prefer: string, accept: string, more = {}) =>
    board.call(method, `/p/${REF}/rest/v1/${path}`, body, { apikey: SERVICE, prefer, accept, ...more });
  const FULL = 'return=representation';
  const plain = (text: string, status = 200): unknown[] => [status, 'text/plain; charset=utf-8', text];

  it('is made by a handler of its rows, of all of a table or of some columns', async () => {
    const rows = [
      { id: 4, name: 'ann' },
      { id: 5, name: 'bob' },
    ];
    expect(await shown(await write('POST', 'pets?order=id.desc', rows, FULL, 'text/plain'))).toEqual(
      plain('bob.ann.', 201),
    );
    const changed = await write('PATCH', 'pets?id=gte.4&select=name&order=id', { name: 'eve' }, FULL, tsv);
    expect(await shown(changed)).toEqual([200, tsv, 'eve\neve\n']);
    expect(
      await shown(await write('DELETE', 'pets?id=gte.4&select=id&order=id', undefined, FULL, tsv)),
    ).toEqual([...[200, tsv, '4\n5\n']]);
    expect((await write('PATCH', 'pets?id=eq.1&select=name', { id: 1 }, FULL, 'text/plain')).status).toBe(
      406,
    );
    expect((await get('pets?select=id', 'text/csv')).status).toBe(200);
  });

  it('counts, and says what an upsert made, as one given as JSON', async () => {
    const merge = `${FULL}, resolution=merge-duplicates, count=exact`;
    const again = await write('POST', 'pets', { id: 3, name: 'kit' }, merge, 'text/plain');
    expect([again.headers.get('content-range'), ...(await shown(again))]).toEqual(['*/1', ...plain('kit.')]);
    const both = [
      { id: 3, name: 'kit' },
      { id: 9, name: 'new' },
    ];
    expect(await shown(await write('POST', 'pets', both, merge, 'text/plain'))).toEqual(
      plain('kit.new.', 201),
    );
    const undone = 'handling=strict, max-affected=1';
    const many = await write('DELETE', 'pets?id=in.(3,9)', undefined, `${FULL}, ${undone}`, 'text/plain');
    expect([many.status, await many.json()]).toMatchObject([400, { code: 'PGRST124' }]);
    const rolled = await write('DELETE', 'pets?id=eq.9', undefined, `${FULL}, tx=rollback`, 'text/plain');
    expect(await shown(rolled)).toEqual(plain('new.'));
    expect((await write('DELETE', 'pets?id=eq.9', undefined, 'return=minimal', 'text/plain')).status).toBe(
      204,
    );
  });

  it('is of no type that nobody makes, and nothing is written then', async () => {
    const refused = await write('DELETE', 'pets', undefined, 'return=minimal', 'image/png');
    expect([refused.status, await refused.json()]).toMatchObject([406, { code: 'PGRST107' }]);
    const located = await write('POST', 'pets', { id: 8, name: 'x' }, 'return=headers-only', 'text/plain');
    expect([located.status, located.headers.get('location')]).toEqual([201, '/pets?id=eq.8']);
    expect(await (await get('pets?select=id&order=id', 'application/json')).json()).toHaveLength(4);
  });

  it('is kept with its idempotency key where it is text; bytes are refused, and nothing is done', async () => {
    const key = { 'idempotency-key': 'once' };
    const [first, second] = [
      await write('PATCH', 'pets?id=eq.1', { name: 'max' }, FULL, 'text/plain', key),
      await write('PATCH', 'pets?id=eq.1', { name: 'max' }, FULL, 'text/plain', key),
    ];
    expect([await first.text(), await second.text()]).toEqual(['max.', 'max.']);
    expect(second.headers.get('idempotency-replayed')).toBe('true');
    const bytes = await write('POST', 'rpc/dot', {}, '', 'image/x-dot', { 'idempotency-key': 'twice' });
    expect([bytes.status, await bytes.json()]).toMatchObject([400, { code: 'MAG_IDEMPOTENCY_KEY_INVALID' }]);
  });
});
