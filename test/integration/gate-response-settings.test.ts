import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Connection } from '../../src/protocol/project.ts';
import { type EmbeddedPostgres, embeddedPostgres } from '../support/embedded-postgres.ts';
import { ANON, handleOf, REF, SERVICE, startGate, type TestGate } from '../support/gate.ts';

const DDL = `
create table things (id int primary key, name text);
insert into things values (1, 'one'), (2, 'two');
grant select, insert, update on things to anon;
create table asked (path text);
create function headers(said text) returns int language plpgsql as $$ begin
  perform set_config('response.headers', said, true); return 1; end $$;
create function status(said text) returns json language plpgsql as $$ begin
  perform set_config('response.status', said, true); return '{"a":1}'; end $$;
create function page() returns json language plpgsql as $$ begin
  perform set_config('response.headers', '[{"Content-Type":"text/html"}]', true); return '1'; end $$;
create domain "text/html" as text;
create function allowed() returns "text/html" language plpgsql as $$ begin
  perform set_config('response.headers', '[{"Content-Security-Policy":"default-src *"}]', true);
  return '<script>1</script>'; end $$;
create function note() returns trigger language plpgsql as $$ begin
  perform set_config('response.headers', '[{"Location":"/elsewhere"}]', true);
  perform set_config('response.status', '205', true); return new; end $$;
create trigger noted after insert or update on things for each row execute function note();
create function look() returns void language plpgsql as $$ begin
  if current_setting('request.path', true) = '/rpc/refused' then
    raise insufficient_privilege using message = 'Not you'; end if;
  if current_setting('request.jwt.claims', true)::json ->> 'role' = 'anon' then perform set_config('role', 'authenticated', true); end if;
  perform set_config('response.headers', '[{"Cache-Control":"no-store"}]', true); end $$;
create function write_first() returns void language sql as $$ insert into asked values ('x') $$;
create function fails() returns int language plpgsql as $$ begin
  raise sqlstate 'PGRST' using message = '{"code":"T1","message":"tea"}',
    detail = '{"status":432,"status_text":"Out of Tea","headers":{"X-Why":"pot"}}'; end $$;
create function who() returns text language sql as 'select current_user::text';
create function refused() returns int language sql as 'select 1';
grant select on things to authenticated;
grant insert on asked to anon;`;

let server: EmbeddedPostgres;
let board: TestGate;
let connection: Connection;
const settle = (settings: object = {}): void => {
  board.project = {
    ...{ ...handleOf(REF, SERVICE), engine: 'postgres' as const, connection },
    settings: { grants: [], access: 'policies', ...settings },
  };
};
const get = (path: string): Promise<Response> => board.get(`/p/${REF}/rest/v1/${path}`, { apikey: ANON });
const errorOf = async (reply: Response): Promise<unknown> => ({
  status: reply.status,
  ...Object(await reply.json()),
});

beforeAll(async () => {
  server = await embeddedPostgres();
  board = await startGate();
  board.session = await server.engine(REF);
  connection = await server.provider.connect(REF);
  settle();
  const made = await board.call('POST', `/p/${REF}/sql/v1`, { query: DDL }, { apikey: SERVICE });
  expect(made.status, await made.text()).toBe(200);
});
afterAll(async () => {
  await board.gate.close();
  await server.stop();
});
beforeEach(() => settle());

const said = (headers: unknown): Promise<Response> =>
  get(`rpc/headers?said=${encodeURIComponent(JSON.stringify(headers))}`);

describe('what SQL of a project says of the reply', () => {
  it('are headers, the same one twice too, in place of the reply’s own', async () => {
    const reply = await said([{ 'X-Test': 'a; b' }, { 'Set-Cookie': 'a=1' }, { 'Set-Cookie': 'b=2' }]);
    expect([reply.status, await reply.text()]).toEqual([200, '1']);
    expect(reply.headers.get('x-test')).toBe('a; b');
    expect(reply.headers.getSetCookie()).toEqual([`a=1; Path=/p/${REF}`, `b=2; Path=/p/${REF}`]);
    // Local to its transaction: whoever has the connection next hears nothing of it.
    expect((await get('things')).headers.get('x-test')).toBeNull();
  });

  it('are no headers that are the connection’s, nor a cookie of the console', async () => {
    const reply = await said([{ 'Content-Length': '1' }, { 'Set-Cookie': 'mag_session=stolen; Path=/' }]);
    expect([reply.headers.get('content-length'), reply.headers.getSetCookie()]).toEqual(['1', []]);
    expect((await said([{ 'Transfer-Encoding': 'chunked' }])).headers.get('transfer-encoding')).toBeNull();
  });

  it('may be a page, which has no part in the origin that the console has', async () => {
    const reply = await get('rpc/page');
    expect(reply.headers.get('content-type')).toBe('text/html');
    expect(reply.headers.get('content-security-policy')).toMatch(/^sandbox /);
    expect(reply.headers.get('content-security-policy')).not.toContain('allow-same-origin');
    expect(reply.headers.get('x-content-type-options')).toBe('nosniff');
  });

  it('leave a page in its sandbox, whatever policy they give it', async () => {
    const accept = { apikey: ANON, accept: 'text/html' };
    const reply = await board.get(`/p/${REF}/rest/v1/rpc/allowed`, accept);
    expect(reply.headers.get('content-type')).toBe('text/html');
    expect(reply.headers.get('content-security-policy')).toMatch(/(^|, )sandbox /);
    expect(reply.headers.get('content-security-policy')).toContain('default-src *');
    expect(reply.headers.get('x-content-type-options')).toBe('nosniff');
  });

  it('keep cookies to the project, and leave the console its own', async () => {
    const cookiesOf = async (...cookies: string[]): Promise<readonly string[]> =>
      (await said(cookies.map((cookie) => ({ 'Set-Cookie': cookie })))).headers.getSetCookie();
    const home = `/p/${REF}`;
    expect(await cookiesOf('a=1; Path=/; HttpOnly', 'b=2; Domain=board.test; path=/admin')).toEqual([
      `a=1; HttpOnly; Path=${home}`,
      `b=2; Path=${home}`,
    ]);
    const within = `c=3; Path=${home}/rest/v1; Secure`;
    expect(await cookiesOf(within, `d=4; Path=${home}x`)).toEqual([within, `d=4; Path=${home}`]);
    expect(await cookiesOf('=mag_session=stolen', ' = mag_session=stolen; Path=/', 'mag_x=1')).toEqual([]);
  });

  it.each(['NEL', 'Report-To', 'X-Content-Type-Options', 'Accept-CH'])(
    'say nothing of the origin that others share: %s',
    async (name) => {
      expect((await said([{ [name]: '{}' }])).headers.get(name)).not.toBe('{}');
    },
  );

  it('is a status, also where a trigger says it', async () => {
    const reply = await get('rpc/status?said=418');
    expect([reply.status, await reply.text()]).toEqual([418, '{"a":1}']);
    const key = { apikey: SERVICE };
    const made = await board.call('POST', `/p/${REF}/rest/v1/things`, { id: 3 }, key);
    expect([made.status, made.headers.get('location')]).toEqual([205, '/elsewhere']);
    const undone = { ...key, prefer: 'tx=rollback' };
    const changed = await board.call('PATCH', `/p/${REF}/rest/v1/things?id=eq.1`, { name: 'x' }, undone);
    expect([changed.status, changed.headers.get('location')]).toEqual([205, '/elsewhere']);
  });

  it('is what an error calls its status, where it says the whole of its reply', async () => {
    const reply = await get('rpc/fails');
    expect([reply.status, reply.statusText, reply.headers.get('x-why')]).toEqual([432, 'Out of Tea', 'pot']);
    expect(await errorOf(reply)).toMatchObject({ code: 'T1' });
  });

  it.each([
    { a: 'b' },
    [{ a: 'b', c: 'd' }],
    [{ a: 1 }],
    ['a'],
    [{ 'a b': 'c' }],
    [{ a: 'b\r\nc: d' }],
    [null],
  ])('is refused where the headers are %j', async (headers) => {
    expect(await errorOf(await said(headers))).toMatchObject({ status: 500, code: 'PGRST111' });
  });

  it.each(['nonsense', '99', '200 OK', '1000'])('is refused where the status is %s', async (status) => {
    const reply = await get(`rpc/status?said=${encodeURIComponent(status)}`);
    expect(await errorOf(reply)).toMatchObject({ status: 500, code: 'PGRST112' });
  });
});

describe('a function that runs before each request', () => {
  it('says headers, refuses, and becomes another role, in the transaction of the query', async () => {
    settle({ preRequest: 'public.look' });
    const reply = await get('rpc/who');
    expect([await reply.text(), reply.headers.get('cache-control')]).toEqual(['"authenticated"', 'no-store']);
    const read = await get('things?id=eq.1');
    expect([await read.json(), read.headers.get('cache-control')]).toEqual([
      [{ id: 1, name: 'one' }],
      'no-store',
    ]);
    expect(await errorOf(await get('rpc/refused'))).toMatchObject({ status: 401, message: 'Not you' });
    settle();
    expect(await (await get('rpc/who')).text()).toBe('"anon"');
  });

  it('reads where the request does, and may write where it may', async () => {
    settle({ preRequest: 'write_first' });
    expect(await errorOf(await get('things'))).toMatchObject({ status: 405, code: '25006' });
    const path = `/p/${REF}/rest/v1/rpc/who`;
    expect((await board.call('POST', path, {}, { apikey: ANON })).status).toBe(200);
    const operations = [
      { method: 'select', table: 'things' },
      { method: 'update', table: 'things', query: 'id=eq.2', values: { name: 'two' } },
    ];
    const both = await board.call('POST', `/p/${REF}/tx/v1`, { operations }, { apikey: SERVICE });
    expect(both.status, await both.text()).toBe(200);
    settle();
    const rows = await board.get(`/p/${REF}/rest/v1/asked`, { apikey: SERVICE });
    expect(await rows.text()).toContain('"x"');
  });

  it('that is not there is told as the database tells it', async () => {
    settle({ preRequest: 'missing' });
    expect(await errorOf(await get('things'))).toMatchObject({ status: 404, code: '42883' });
  });
});
