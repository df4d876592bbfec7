import { createClient, type SupabaseClient } from '@supabase/supabase-js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Engine } from '../../src/actors/storage/engine.ts';
import { type EmbeddedPostgres, embeddedPostgres } from '../support/embedded-postgres.ts';
import { ANON, handleOf, REF, SERVICE, startGate, type TestGate } from '../support/gate.ts';
import { SqliteBoard } from '../support/sqlite-board.ts';

interface Opened {
  readonly engine: Engine;
  close(): Promise<void>;
}

async function sqlite(): Promise<Opened> {
  const board = new SqliteBoard();
  return { engine: await board.engine(REF), close: () => board.close() };
}

async function postgres(): Promise<Opened> {
  const server: EmbeddedPostgres = await embeddedPostgres();
  return { engine: await server.engine(REF), close: () => server.stop() };
}

const json = { sqlite: 'json', postgres: 'jsonb' } as const;

const tables = (engine: 'sqlite' | 'postgres'): string => `
create table clients (id integer primary key, name text not null, tier integer);
create table projects (
  id integer primary key, name text not null, data ${json[engine]},
  client_id integer references clients(id)
);
create table tasks (id integer primary key, name text not null, done boolean, project_id integer references projects(id));
create table people (id integer primary key, name text not null, secret text);
create table members (
  person_id integer references people(id), project_id integer references projects(id), role text,
  primary key (person_id, project_id)
);
create table messages (
  id integer primary key, body text,
  sender_id integer references people(id), receiver_id integer references people(id)
);
insert into clients values (1, 'Acme', 2), (2, 'Bolt', 1), (3, 'Idle', 3);
insert into projects values
  (1, 'Anvil', '{"a":{"b":[1,2]},"k":"x"}', 1), (2, 'Rocket', '{"k":"y"}', 1), (3, 'Bolts', null, 2), (4, 'Loose', null, null);
insert into tasks values (1, 'cast', true, 1), (2, 'polish', false, 1), (3, 'fuel', false, 2);
insert into people values (1, 'Ann', 's3'), (2, 'Bob', 's1'), (3, 'Cy', 's2');
insert into members values (1, 1, 'lead'), (2, 1, 'smith'), (2, 2, 'pilot');
insert into messages values (1, 'hi', 1, 2), (2, 'yo', 2, 1);
`;

describe.each([
  ['sqlite', sqlite],
  ['postgres', postgres],
] as const)('the unmodified supabase-js client on %s', (engine, open) => {
  let opened: Opened;
  let board: TestGate;
  let db: SupabaseClient;
  let anon: SupabaseClient;

  beforeAll(async () => {
    opened = await open();
    board = await startGate();
    board.session = opened.engine;
    const grants = [
      { role: 'anon', table: 'projects', actions: ['select', 'update'] },
      { role: 'anon', table: 'tasks', actions: ['select'], using: 'done.is.false' },
      { role: 'anon', table: 'messages', actions: ['select'] },
      { role: 'anon', table: 'people', actions: ['select'], using: 'name.neq.Bob' },
    ] as const;
    board.project = { ...handleOf(REF, SERVICE, grants), engine };
    const made = await board.call('POST', `/p/${REF}/sql/v1`, { query: tables(engine) }, { apikey: SERVICE });
    expect(made.status, await made.text()).toBe(200);
    db = createClient(`${board.url}/p/${REF}`, SERVICE);
    anon = createClient(`${board.url}/p/${REF}`, ANON);
  });
  afterAll(async () => {
    await board.gate.close();
    await opened.close();
  });

  it('embeds to-one, to-many and many-to-many tables, nested and aliased', async () => {
    const { data, error } = await db
      .from('projects')
      .select('name, client:clients(name), tasks(name), people(name)')
      .order('id')
      .order('id', { referencedTable: 'tasks' })
      .order('id', { referencedTable: 'people' });
    expect(error).toBeNull();
    expect(data).toEqual([
      {
        name: 'Anvil',
        client: { name: 'Acme' },
        tasks: [{ name: 'cast' }, { name: 'polish' }],
        people: [{ name: 'Ann' }, { name: 'Bob' }],
      },
      { name: 'Rocket', client: { name: 'Acme' }, tasks: [{ name: 'fuel' }], people: [{ name: 'Bob' }] },
      { name: 'Bolts', client: { name: 'Bolt' }, tasks: [], people: [] },
      { name: 'Loose', client: null, tasks: [], people: [] },
    ]);
    const deep = await db.from('clients').select('name, projects(name, tasks(name))').eq('id', 2);
    expect(deep.data).toEqual([{ name: 'Bolt', projects: [{ name: 'Bolts', tasks: [] }] }]);
  });

  it('filters, orders and limits inside embeds, and leaves rows without one out where told', async () => {
    const open = await db
      .from('projects')
      .select('name, tasks(name)')
      .eq('tasks.done', false)
      .lte('id', 2)
      .order('id');
    expect(open.data).toEqual([
      { name: 'Anvil', tasks: [{ name: 'polish' }] },
      { name: 'Rocket', tasks: [{ name: 'fuel' }] },
    ]);
    const inner = await db.from('projects').select('name, tasks!inner(name)').eq('tasks.done', true);
    expect(inner.data).toEqual([{ name: 'Anvil', tasks: [{ name: 'cast' }] }]);
    const one = await db
      .from('projects')
      .select('name, tasks(name)')
      .eq('id', 1)
      .order('id', { referencedTable: 'tasks', ascending: false })
      .limit(1, { referencedTable: 'tasks' });
    expect(one.data).toEqual([{ name: 'Anvil', tasks: [{ name: 'polish' }] }]);
    const either = await db
      .from('projects')
      .select('id, tasks!inner()')
      .or('name.eq.fuel,done.is.true', { referencedTable: 'tasks' })
      .order('id');
    expect(either.data).toEqual([{ id: 1 }, { id: 2 }]);
  });

  it('asks whether an embed has rows, and orders by a column of one', async () => {
    const idle = await db.from('clients').select('name, projects()').is('projects', null);
    expect([idle.error, idle.data]).toEqual([null, [{ name: 'Idle' }]]);
    const busy = await db.from('clients').select('name, projects()').not('projects', 'is', null).order('id');
    expect(busy.data).toEqual([{ name: 'Acme' }, { name: 'Bolt' }]);
    const ordered = await db.from('projects').select('id, clients(tier)').order('clients(tier)').order('id');
    expect(ordered.data?.map((row: { id: number }) => row.id)).toEqual([3, 1, 2, 4]);
  });

  it('spreads a related row into the row', async () => {
    const { data } = await db.from('projects').select('name, ...clients(client:name, tier)').lte('id', 1);
    expect(data).toEqual([{ name: 'Anvil', client: 'Acme', tier: 2 }]);
  });

  it('tells which of several relationships could be meant, and takes a hint', async () => {
    const { error, status } = await db.from('messages').select('body, people(name)');
    expect([status, error?.code]).toEqual([300, 'PGRST201']);
    const hinted = await db
      .from('messages')
      .select('body, from:people!sender_id(name), to:people!receiver_id(name)')
      .eq('id', 1);
    expect(hinted.data).toEqual([{ body: 'hi', from: { name: 'Ann' }, to: { name: 'Bob' } }]);
    const none = await db.from('clients').select('people(name)');
    expect([none.status, none.error?.code]).toEqual([400, 'PGRST200']);
    const wrong = await db.from('clients').select('projects(name)').order('projects(id)');
    expect([wrong.status, wrong.error?.code]).toEqual([400, 'PGRST118']);
  });

  it('reads JSON paths, as columns, filters and orders, and casts', async () => {
    const { data, error } = await db
      .from('projects')
      .select('data->a->b, data->>k, id::text')
      .eq('data->>k', 'x')
      .order('data->>k');
    expect([error, data]).toEqual([null, [{ b: [1, 2], k: 'x', id: '1' }]]);
    const place = await db.from('projects').select('second:data->a->b->>1').eq('id', 1);
    expect(place.data).toEqual([{ second: '2' }]);
  });

  it('compares with any and all of a list, and with isdistinct', async () => {
    const any = await db.from('projects').select('id').likeAnyOf('name', ['A%', 'B%']).order('id');
    expect(any.data).toEqual([{ id: 1 }, { id: 3 }]);
    const all = await db.from('projects').select('id').ilikeAllOf('name', ['%o%', '%e%']);
    expect(all.data).toEqual([{ id: 2 }, { id: 4 }]);
    const distinct = await db.from('projects').select('id').filter('client_id', 'isdistinct', 1).order('id');
    expect(distinct.data).toEqual([{ id: 3 }, { id: 4 }]);
  });

  it('gives embeds back from a write, and undoes what affects too much or is rolled back', async () => {
    const added = await db
      .from('tasks')
      .insert({ id: 9, name: 'ship', done: false, project_id: 2 })
      .select('name, projects(name, clients(name))')
      .single();
    expect([added.error, added.data]).toEqual([
      null,
      { name: 'ship', projects: { name: 'Rocket', clients: { name: 'Acme' } } },
    ]);
    const many = await db
      .from('tasks')
      .delete()
      .gte('id', 1)
      .setHeader('Prefer', 'handling=strict,max-affected=2');
    expect([many.status, many.error?.code]).toEqual([400, 'PGRST124']);
    const undone = await db.from('tasks').delete().eq('id', 9).rollback().select('id');
    expect(undone.data).toEqual([{ id: 9 }]);
    expect((await db.from('tasks').select('id', { count: 'exact', head: true })).count).toBe(4);
    await db.from('tasks').delete().eq('id', 9);
  });

  it('shows another key of each embedded table only what that table grants', async () => {
    const { data, error } = await anon
      .from('projects')
      .select('id, tasks(name)')
      .lte('id', 2)
      .order('id')
      .order('id', { referencedTable: 'tasks' });
    expect(error).toBeNull();
    expect(data).toEqual([
      { id: 1, tasks: [{ name: 'polish' }] },
      { id: 2, tasks: [{ name: 'fuel' }] },
    ]);
    // A row that is hidden is as one that is not there.
    const done = await anon.from('projects').select('id, tasks!inner()').eq('tasks.done', true);
    expect(done.data).toEqual([]);
    const written = await anon.from('projects').update({ name: 'Anvil' }).eq('id', 1).select('tasks(name)');
    expect(written.data).toEqual([{ tasks: [{ name: 'polish' }] }]);
  });

  it('orders by no column of a row that is hidden', async () => {
    const ids = async (client: SupabaseClient): Promise<unknown> => {
      const { data } = await client
        .from('messages')
        .select('id, from:people!sender_id(id)')
        .order('from(secret)');
      return data?.map((row: { id: number }) => row.id);
    };
    expect(await ids(db)).toEqual([2, 1]);
    expect(await ids(anon)).toEqual([1, 2]);
  });

  it.each([
    'id, clients(name)',
    'id, people(name)',
    'id, tasks(projects(clients(name)))',
    'id, nothing(name)',
  ])('lets that key not reach other tables: %s', async (select) => {
    const { error } = await anon.from('projects').select(select);
    expect(['MAG_FORBIDDEN', 'PGRST200']).toContain(error?.code);
  });

  it('refuses aggregates until the project allows them, and functions to any but the service key', async () => {
    const sum = await db.from('projects').select('id.sum()');
    expect([sum.status, sum.error?.code]).toEqual([400, 'PGRST123']);
    const call = await anon.rpc('anything');
    expect(['MAG_FORBIDDEN', 'MAG_ENGINE_UNSUPPORTED']).toContain(call.error?.code);
  });
});
