import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { tokenKeys } from '../../src/actors/psu/token-keys.ts';
import { mintToken } from '../../src/actors/psu/token-mint.ts';
import { type EmbeddedPostgres, embeddedPostgres } from '../support/embedded-postgres.ts';
import { ANON, REF, SERVICE, startGate, type TestGate } from '../support/gate.ts';

let pg: EmbeddedPostgres;
let board: TestGate;
let signedIn: string;

interface Description {
  readonly info: { readonly version: string };
  readonly paths: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  readonly components: {
    readonly schemas: Readonly<Record<string, { readonly properties: Readonly<Record<string, unknown>> }>>;
  };
}

async function described(headers: Record<string, string>): Promise<Description> {
  const reply = await board.get(`/p/${REF}/rest/v1/`, headers);
  expect(reply.status, await reply.clone().text()).toBe(200);
  return (await reply.json()) as Description; // What is asserted of it, it either has or the test fails.
}

/** What each path can be asked for. */
const methods = ({ paths }: Description): Record<string, string[]> =>
  Object.fromEntries(Object.entries(paths).map(([path, item]) => [path, Object.keys(item)]));

async function sql(query: string): Promise<void> {
  const made = await board.call('POST', `/p/${REF}/sql/v1`, { query }, { apikey: SERVICE });
  expect(made.status, await made.clone().text()).toBe(200);
}

beforeAll(async () => {
  pg = await embeddedPostgres();
  board = await startGate();
  board.session = await pg.engine('shop');
  const connection = await pg.provider.connect('shop');
  const masterKey = Buffer.alloc(32, 7);
  const settings = { grants: [], access: 'policies' as const, schemas: ['public', 'other'] };
  board.project = {
    ...board.project,
    ...{ engine: 'postgres', connection, settings, tokenKeys: tokenKeys(masterKey, REF, 1) },
  };
  const signer = { masterKey, ref: REF, version: 1, url: `${board.url}/p/${REF}`, now: Date.now() };
  signedIn = mintToken(signer, { role: 'authenticated', claims: { sub: 'alice' } }).token;
  await sql(`
    create schema other;
    create table items (id int primary key, spent interval, tags text[], cost int);
    revoke all on items from anon, authenticated;
    grant select (id, tags) on items to anon; grant select, insert, update on items to authenticated;
    create table internal (a int); revoke all on internal from anon, authenticated;
    create table other.far (a int); grant select on other.far to anon;
    create function add(a int, b int default 1) returns int immutable language sql return a + b;
    create function add(a text, variadic b text[]) returns setof text volatile language sql return a;
    revoke all on function add(text, text[]) from public, anon, authenticated;
    grant execute on function add(text, text[]) to service_role;
    create function low(items) returns boolean language sql stable return $1.cost < 3;
    create function secret() returns void language sql as 'select'; 
    revoke all on function secret from public, anon, authenticated`);
});
afterAll(async () => {
  await board.gate.close();
  await pg.stop();
});

describe("a project's description where the database's privileges decide", () => {
  it('shows each key the tables, columns and functions that its role may use', async () => {
    const anon = await described({ apikey: ANON });
    expect(methods(anon)).toEqual({
      '/items': ['get'],
      '/rpc/add': ['get', 'post'],
      '/rpc/low': ['get', 'post'],
    });
    expect(Object.keys(anon.components.schemas.items?.properties ?? {})).toEqual(['id', 'tags']);

    const alice = await described({ apikey: ANON, authorization: `Bearer ${signedIn}` });
    expect(methods(alice)['/items']).toEqual(['get', 'post', 'patch']);
    expect(alice.components.schemas.items?.properties).toMatchObject({
      id: { type: 'integer' },
      spent: { description: 'interval' },
      tags: { type: 'array', items: { type: 'string' } },
    });
    expect(alice.components.schemas.items?.properties.spent).not.toHaveProperty('type');

    const all = methods(await described({ apikey: SERVICE }));
    expect(Object.keys(all)).toEqual(['/internal', '/items', '/rpc/add', '/rpc/low', '/rpc/secret']);
    expect(all['/internal']).toEqual(['get', 'post', 'patch', 'delete']);
    expect(all['/rpc/secret']).toEqual(['post']);
  });

  it('is the same to HEAD, of which it tells no length', async () => {
    for (const path of ['', '/']) {
      const head = await board.call('HEAD', `/p/${REF}/rest/v1${path}`, undefined, { apikey: ANON });
      const { headers } = head;
      expect([head.status, headers.get('content-length'), await head.text()]).toEqual([200, null, '']);
      expect([headers.get('content-type'), headers.get('content-profile')]).toEqual([
        'application/json; charset=utf-8',
        'public',
      ]);
    }
  });

  it('tells whoever may not see it all that the schema changed, and nothing else of it', async () => {
    const before = (await described({ apikey: ANON })).info.version;
    expect(before).toMatch(/^[\w-]{22}$/);
    expect((await described({ apikey: ANON })).info.version).toBe(before);
    await sql('alter table items add column later int');
    expect((await described({ apikey: ANON })).info.version).not.toBe(before);
  });

  it('says what a function takes and gives, and only of those of a name that may be called', async () => {
    const { paths } = await described({ apikey: ANON });
    const body = (schema: object): object => ({ content: { 'application/json': { schema } } });
    const add = {
      type: 'object',
      required: ['a'],
      properties: { a: { type: 'integer' }, b: { type: 'integer' } },
    };
    expect(paths['/rpc/add']).toMatchObject({
      get: {
        parameters: [
          { name: 'a', in: 'query', required: true, schema: { type: 'integer' } },
          { name: 'b', in: 'query', required: false },
        ],
        responses: { 200: body({ type: 'integer' }) },
      },
      post: { requestBody: body(add) },
    });
    const all = await described({ apikey: SERVICE });
    const other = { properties: { b: { type: 'array', items: { type: 'string' } } } };
    expect(all.paths['/rpc/add']).toMatchObject({
      post: {
        requestBody: body({ oneOf: [add, other] }),
        responses: {
          200: body({ oneOf: [{ type: 'integer' }, { type: 'array', items: { type: 'string' } }] }),
        },
      },
    });
  });

  it('is of one schema, and of none that the role may not use', async () => {
    const other = { apikey: ANON, 'accept-profile': 'other' };
    expect(methods(await described(other))).toEqual({});
    await sql('grant usage on schema other to anon');
    expect(methods(await described(other))).toEqual({ '/far': ['get'] });
    const reply = await board.get(`/p/${REF}/rest/v1/`, other);
    expect(reply.headers.get('content-profile')).toBe('other');
    const none = await board.get(`/p/${REF}/rest/v1/`, { apikey: ANON, 'accept-profile': 'x' });
    expect([none.status, ((await none.json()) as { code: string }).code]).toEqual([406, 'PGRST106']);
  });

  it('follows what is granted and revoked', async () => {
    await sql('grant delete on internal to anon; revoke select (id, tags) on items from anon');
    expect(methods(await described({ apikey: ANON }))).toEqual({
      ...{ '/internal': ['delete'], '/rpc/add': ['get', 'post'], '/rpc/low': ['get', 'post'] },
    });
    await sql('revoke execute on function low from public, anon; revoke delete on internal from anon');
    expect(Object.keys(methods(await described({ apikey: ANON })))).toEqual(['/rpc/add']);
  });

  it('is refused where the database has no role to ask about', async () => {
    const { project } = board;
    const connection = { ...project.connection, requestRoles: [] };
    board.project = { ...project, connection };
    const reply = await board.get(`/p/${REF}/rest/v1/`, { apikey: ANON });
    expect([reply.status, ((await reply.json()) as { code: string }).code]).toEqual([
      503,
      'MAG_ENGINE_UNAVAILABLE',
    ]);
    board.project = project;
  });
});
