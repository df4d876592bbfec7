import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Engine, ExecuteContext } from '../../src/actors/storage/engine.ts';
import type { Grant } from '../../src/protocol/principal.ts';
import { embeddedPostgres } from '../support/embedded-postgres.ts';
import { ANON, handleOf, REF, SERVICE, startGate, type TestGate } from '../support/gate.ts';
import { SqliteBoard } from '../support/sqlite-board.ts';

const SETUP = `
create table owners (id integer primary key, name text, secret boolean default false);
create table pets (id integer primary key, name text, born integer, data json,
  owner_id integer references owners (id), vet_id integer references owners (id));
create table tags (id integer primary key, word text);
create table pet_tags (pet_id integer references pets (id), tag_id integer references tags (id),
  primary key (pet_id, tag_id));
insert into owners values (1, 'ann', false), (2, 'bob', true);
insert into pets values (1, 'rex', 2019, '{"legs":4}', 1, 2), (2, 'tom', 2020, null, 2, null), (3, 'kit', 2021, null, null, 1);
insert into tags values (1, 'good'), (2, 'big');
insert into pet_tags values (1, 1), (1, 2), (2, 2)`;

const SELECT = ['select'] as const;
const everything: readonly Grant[] = ['pets', 'tags', 'pet_tags'].map((table) => ({
  ...{ role: 'anon', table, actions: SELECT },
}));

const ENGINES = {
  sqlite: async () => {
    const board = new SqliteBoard();
    return { engine: await board.engine(), context: board.context(), close: () => board.close() };
  },
  postgres: async () => {
    const pg = await embeddedPostgres();
    return { engine: await pg.engine('gate'), context: pg.context('gate'), close: () => pg.stop() };
  },
} satisfies Record<
  string,
  () => Promise<{ engine: Engine; context: ExecuteContext; close: () => Promise<void> }>
>;

/** Related tables as clients ask for them, through the gate to both SQL engines, under grants. */
describe.each(['sqlite', 'postgres'] as const)('REST with related tables on %s', (kind) => {
  let test: TestGate;
  let close: () => Promise<void>;
  beforeAll(async () => {
    const made = await ENGINES[kind]();
    close = made.close;
    await made.engine.sql(SETUP, [], made.context);
    test = await startGate();
    test.session = made.engine;
  });
  afterAll(async () => {
    await test.gate.close();
    await close();
  });

  const grant = (grants: readonly Grant[]) => {
    test.project = { ...handleOf(REF, SERVICE, grants), engine: kind };
  };
  const get = async (query: string, apikey = SERVICE, headers: Record<string, string> = {}) => {
    const reply = await test.get(`/p/${REF}/rest/v1/${query}`, { apikey, ...headers });
    return { status: reply.status, body: await reply.json(), range: reply.headers.get('content-range') };
  };

  it('one, many, many to many, nested, filtered, sorted and spread', async () => {
    grant([]);
    const query =
      'pets?select=name,owner:owners!owner_id(name),tags(word)&tags.order=word.desc&tags.limit=1&order=id';
    expect((await get(query)).body).toEqual([
      { name: 'rex', owner: { name: 'ann' }, tags: [{ word: 'good' }] },
      { name: 'tom', owner: { name: 'bob' }, tags: [{ word: 'big' }] },
      { name: 'kit', owner: null, tags: [] },
    ]);
    const nested = 'owners?select=name,pets!owner_id(name,tags(word))&pets.tags.word=eq.big&order=id&limit=1';
    expect((await get(nested)).body).toEqual([
      { name: 'ann', pets: [{ name: 'rex', tags: [{ word: 'big' }] }] },
    ]);
    const spread = 'pets?select=name,...owners!owner_id(owner:name)&order=owners(name).desc.nullslast';
    expect((await get(spread)).body).toEqual([
      { name: 'tom', owner: 'bob' },
      { name: 'rex', owner: 'ann' },
      { name: 'kit', owner: null },
    ]);
    const inner = await get('pets?select=name,tags!inner()&tags.word=eq.good', SERVICE, {
      prefer: 'count=exact',
    });
    expect(inner).toEqual({ status: 200, body: [{ name: 'rex' }], range: '0-0/1' });
    expect((await get('pets?select=id,tags(word)&tags=is.null')).body).toEqual([{ id: 3, tags: [] }]);
    expect((await get('pets?select=data->legs,text:data->>legs&id=eq.1')).body).toEqual([
      { legs: 4, text: '4' },
    ]);
    expect((await get('pets?select=id&name=like(any).{r*,t*}&order=id')).body).toEqual([
      { id: 1 },
      { id: 2 },
    ]);
  });

  it('lists are bounded at every depth by the setting maxRows', async () => {
    grant([]);
    test.project = { ...test.project, settings: { grants: [], maxRows: 1 } };
    const lists = await get('owners?select=id,pets!owner_id(id,tags(id))&pets.tags.order=id.desc&order=id');
    expect(lists.body).toEqual([{ id: 1, pets: [{ id: 1, tags: [{ id: 2 }] }] }]);
  });

  it('says which relationship was not found, or between which it cannot choose', async () => {
    grant([]);
    expect(await get('pets?select=owners(name)')).toMatchObject({
      status: 300,
      body: { code: 'PGRST201', details: [{ cardinality: 'many-to-one' }, { cardinality: 'many-to-one' }] },
    });
    expect(await get('tags?select=owners(name)')).toMatchObject({ status: 400, body: { code: 'PGRST200' } });
    expect(await get('pets?select=*&order=owners(name)')).toMatchObject({
      status: 400,
      body: { code: 'PGRST108' },
    });
  });

  it('a grant holds for each table: none is a 403, and rows that it does not cover are not there', async () => {
    const query = 'pets?select=name,owners!owner_id(name)&order=id';
    grant(everything);
    expect(await get(query, ANON)).toMatchObject({ status: 403, body: { code: 'MAG_FORBIDDEN' } });
    grant([...everything, { role: 'anon', table: 'owners', actions: SELECT, using: 'secret.is.false' }]);
    expect((await get(query, ANON)).body).toEqual([
      { name: 'rex', owners: { name: 'ann' } },
      { name: 'tom', owners: null },
      { name: 'kit', owners: null },
    ]);
    const hidden = 'pets?select=name,owners!owner_id!inner()&owners.name=eq.bob';
    expect((await get(hidden, ANON)).body).toEqual([]);
    const sorted = 'pets?select=id,owners!owner_id()&order=owners(name).asc.nullslast,id';
    expect((await get(sorted, ANON)).body).toEqual([{ id: 1 }, { id: 2 }, { id: 3 }]);
    grant(everything.filter(({ table }) => table !== 'pet_tags'));
    expect((await get('pets?select=tags(word)', ANON)).status).toBe(403);
  });

  it('a write gives related rows back, and several in one transaction as well', async () => {
    grant([]);
    const path = `/p/${REF}/rest/v1/pets?select=name,owners!owner_id(name)`;
    const headers = { apikey: SERVICE, prefer: 'return=representation' };
    const made = await test.call('POST', path, { id: 7, name: 'new', owner_id: 2 }, headers);
    expect([made.status, await made.json()]).toEqual([201, [{ name: 'new', owners: { name: 'bob' } }]]);
    const gone = await test.call('DELETE', `${path}&id=eq.7`, undefined, headers);
    expect(await gone.json()).toEqual([{ name: 'new', owners: { name: 'bob' } }]);
  });
});

/** Calls of functions, through the gate. */
describe('REST calls on PostgreSQL', () => {
  let test: TestGate;
  let close: () => Promise<void>;
  beforeAll(async () => {
    const made = await ENGINES.postgres();
    close = made.close;
    const functions = `
      create function add(a integer, b integer default 1) returns integer language sql as 'select a + b';
      create function pets_of(who text) returns setof pets language sql stable as
        'select p.* from pets p join owners o on o.id = p.owner_id where o.name = who';
      create function quiet() returns void language sql as 'select 1';
      create function make() returns integer language sql volatile as 'insert into tags values (9) returning id'`;
    await made.engine.sql(`${SETUP};${functions}`, [], made.context);
    test = await startGate();
    test.session = made.engine;
    test.project = { ...handleOf(REF, SERVICE), engine: 'postgres' };
  });
  afterAll(async () => {
    await test.gate.close();
    await close();
  });
  const call = async (method: string, name: string, body?: unknown, headers: Record<string, string> = {}) => {
    const reply = await test.call(method, `/p/${REF}/rest/v1/rpc/${name}`, body, {
      apikey: SERVICE,
      ...headers,
    });
    const text = await reply.text();
    return [reply.status, text === '' ? null : JSON.parse(text)];
  };

  it('by GET and by POST, with one value, rows and nothing', async () => {
    expect(await call('GET', 'add?a=2')).toEqual([200, 3]);
    expect(await call('POST', 'add', { a: 2, b: 5 })).toEqual([200, 7]);
    expect(await call('POST', 'quiet', {})).toEqual([204, null]);
    expect(await call('GET', 'pets_of?who=ann&select=name,owners!owner_id(name)&born=lt.2020')).toEqual([
      200,
      [{ name: 'rex', owners: { name: 'ann' } }],
    ]);
    const object = { accept: 'application/vnd.pgrst.object+json' };
    expect(await call('GET', 'pets_of?who=bob&select=id', undefined, object)).toEqual([200, { id: 2 }]);
  });

  it('refuses by PostgREST’s codes', async () => {
    expect(await call('GET', 'make')).toMatchObject([405, { code: '25006' }]);
    expect(await call('GET', 'nothing_like_it')).toMatchObject([404, { code: 'PGRST202' }]);
    expect(await call('POST', 'add', { c: 1 })).toMatchObject([404, { code: 'PGRST202' }]);
    const anon = await test.get(`/p/${REF}/rest/v1/rpc/add?a=1`, { apikey: ANON });
    expect(anon.status).toBe(403);
  });
});
