import { createClient, type SupabaseClient } from '@supabase/supabase-js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type EmbeddedPostgres, embeddedPostgres } from '../support/embedded-postgres.ts';
import { ANON, handleOf, REF, SERVICE, startGate, type TestGate } from '../support/gate.ts';

const DDL = `
create table clubs (id int primary key, name text, "odd (name" text);
create table members (id int primary key, name text, club_id int references clubs, boss int references members);
create table games (id int primary key, title text);
create table plays (member int references members, game int references games, primary key (member, game));
insert into clubs values (1, 'chess', 'x'), (2, 'go', 'y');
insert into members values (1, 'Ann', 1, null), (2, 'Bob', 1, 1), (3, 'Cy', null, 1);
insert into games values (1, 'first'), (2, 'second');
insert into plays values (1, 1), (1, 2), (2, 2);
create view club_list as select id as number, "odd (name", upper(name) as loud from clubs;
create view short_list as select number from club_list where number < 2;
create view member_list as
  with named as (select * from members)
  select m.id, m.name, m.club_id as club, (select count(*) from plays p where p.member = m.id) as games
  from named m where m.id in (select id from members);
create view doubled as select id, club_id as one, club_id as two from members;
create materialized view kept as select id, title from games;
create view no_key as select name, club_id + 0 as club_id from members;
create view loud_games as select upper(title) as title from games union select 'x';
create function keep_game() returns trigger language plpgsql as 'begin insert into games values (new.id, new.title); return new; end';
create table logs (id int, at date, primary key (id, at)) partition by range (at);
create table logs_old partition of logs for values from ('2000-01-01') to ('2020-01-01');
create table logs_new partition of logs for values from ('2020-01-01') to ('2040-01-01');
create function peek() returns int language sql stable as 'select 1';
create schema hidden;
create table hidden.secrets (id int primary key, club int references clubs, word text);
insert into hidden.secrets values (1, 2, 'pst');
create view words as select id, club, word from hidden.secrets;
`;

let server: EmbeddedPostgres;
let board: TestGate;
let db: SupabaseClient;

const native = async (query: string): Promise<void> => {
  const made = await board.call('POST', `/p/${REF}/sql/v1`, { query }, { apikey: SERVICE });
  expect(made.status, await made.text()).toBe(200);
};

beforeAll(async () => {
  server = await embeddedPostgres();
  board = await startGate();
  board.session = await server.engine(REF);
  board.project = { ...handleOf(REF, SERVICE), engine: 'postgres' };
  await native(DDL);
  db = createClient(`${board.url}/p/${REF}`, SERVICE);
});
afterAll(async () => {
  await board.gate.close();
  await server.stop();
});

const rows = async (table: string, select: string, order = 'id'): Promise<unknown> => {
  const { data, error } = await db.from(table).select(select).order(order);
  return error?.code ?? data;
};

describe('views are related by the keys of the tables whose columns they show', () => {
  it('to tables, tables to them, and one view to another', async () => {
    const clubs = 'name, clubs(name)';
    expect(await rows('member_list', clubs)).toEqual([
      { name: 'Ann', clubs: { name: 'chess' } },
      { name: 'Bob', clubs: { name: 'chess' } },
      { name: 'Cy', clubs: null },
    ]);
    expect(await rows('clubs', 'id, member_list(id, games)')).toEqual([
      {
        id: 1,
        member_list: [
          { id: 1, games: 2 },
          { id: 2, games: 1 },
        ],
      },
      { id: 2, member_list: [] },
    ]);
    expect(await rows('club_list', 'loud, member_list(name)', 'number')).toEqual([
      { loud: 'CHESS', member_list: [{ name: 'Ann' }, { name: 'Bob' }] },
      { loud: 'GO', member_list: [] },
    ]);
  });

  it('through other views and materialised ones, and through the table in between', async () => {
    expect(await rows('short_list', 'number, members(id)', 'number')).toEqual([
      { number: 1, members: [{ id: 1 }, { id: 2 }] },
    ]);
    expect(await rows('member_list', 'id, kept(title)')).toEqual([
      { id: 1, kept: [{ title: 'first' }, { title: 'second' }] },
      { id: 2, kept: [{ title: 'second' }] },
      { id: 3, kept: [] },
    ]);
    expect(await rows('words', 'word, clubs(name)')).toEqual([{ word: 'pst', clubs: { name: 'go' } }]);
  });

  it('as often as a view shows the column, which a hint tells apart', async () => {
    expect(await rows('doubled', 'id, clubs(id)')).toBe('PGRST201');
    expect(await rows('doubled', 'id, clubs!two(id)')).toEqual([
      { id: 1, clubs: { id: 1 } },
      { id: 2, clubs: { id: 1 } },
      { id: 3, clubs: null },
    ]);
  });

  it('by the name of the view and not by that of a key below it', async () => {
    expect(await rows('members', 'id, club_id(name)')).toHaveLength(3);
    expect(await rows('members', 'club_list!members_club_id_fkey(loud)')).toContainEqual({
      club_list: { loud: 'CHESS' },
    });
  });

  it('and not where a column is made of another', async () => {
    expect(await rows('no_key', 'name, clubs(id)', 'name')).toBe('PGRST200');
  });

  it('from what a view is made anew on', async () => {
    await native('create view late as select id, 0 as club_id from members');
    expect(await rows('late', 'id, clubs(id)')).toBe('PGRST200');
    await native('create or replace view late as select id, club_id from members');
    expect(await rows('late', 'id, clubs(id)')).toContainEqual({ id: 1, clubs: { id: 1 } });
  });
});

describe('a view that shows a whole primary key has it', () => {
  it('for an upsert and for a PUT', async () => {
    await native('create view game_list as select title, id as key from games');
    const made = await db.from('game_list').upsert({ key: 2, title: 'again' }).select();
    expect([made.error, made.data]).toEqual([null, [{ title: 'again', key: 2 }]]);
    const put = await board.call(
      'PUT',
      `/p/${REF}/rest/v1/game_list?key=eq.3`,
      { key: 3, title: 'new' },
      { apikey: SERVICE },
    );
    expect(put.status, await put.text()).toBe(204);
    expect((await db.from('games').select('title').order('id')).data).toEqual([
      { title: 'first' },
      { title: 'again' },
      { title: 'new' },
    ]);
  });
});

describe('what may be done, OPTIONS and the description say', () => {
  const allowed = async (path: string, apikey = SERVICE): Promise<string | null> =>
    (await board.call('OPTIONS', `/p/${REF}/rest/v1/${path}`, undefined, { apikey })).headers.get('allow');
  const described = async (apikey = SERVICE): Promise<Record<string, object>> => {
    const reply = await board.get(`/p/${REF}/rest/v1/`, { apikey });
    return ((await reply.json()) as { paths: Record<string, object> }).paths;
  };

  it('of a view by which writes it takes, by itself or by its triggers', async () => {
    expect(await allowed('no_key')).toBe('OPTIONS,GET,HEAD,POST,PATCH,DELETE');
    await native('create or replace view game_titles as select id, title from games');
    expect(await allowed('game_titles')).toBe('OPTIONS,GET,HEAD,POST,PUT,PATCH,DELETE');
    expect(await allowed('loud_games')).toBe('OPTIONS,GET,HEAD');
    expect(await allowed('kept')).toBe('OPTIONS,GET,HEAD');
    const paths = await described();
    expect(Object.keys(paths['/loud_games'] ?? {})).toEqual(['get']);
    expect(Object.keys(paths['/doubled'] ?? {})).toEqual(['get', 'post', 'patch', 'delete']);
    await native(
      'create trigger keep instead of insert on loud_games for each row execute function keep_game()',
    );
    expect(await allowed('loud_games')).toBe('OPTIONS,GET,HEAD,POST');
  });

  it('of a function by whether it may write, and of the whole', async () => {
    expect(await allowed('rpc/peek')).toBe('OPTIONS,GET,HEAD,POST');
    expect(await allowed('rpc/nothing')).toBe('OPTIONS,GET,HEAD,POST');
    await native('create function poke() returns int language sql volatile as $$ select 1 $$');
    expect(await allowed('rpc/poke')).toBe('OPTIONS,POST');
    expect(await allowed('')).toBe('OPTIONS,GET,HEAD');
  });

  it('by what grants cover', async () => {
    const grant = { role: 'anon', table: 'clubs', actions: ['select', 'update'] } as const;
    board.project = { ...board.project, settings: { grants: [grant] } };
    expect(await allowed('clubs', ANON)).toBe('OPTIONS,GET,HEAD,PATCH');
    board.project = { ...board.project, settings: { grants: [] } };
  });

  it('of a partitioned table, and not of its partitions, which are reached through it', async () => {
    expect(await allowed('logs')).toBe('OPTIONS,GET,HEAD,POST,PUT,PATCH,DELETE');
    expect(Object.keys(await described()).filter((path) => path.startsWith('/logs'))).toEqual(['/logs']);
    expect(
      (
        await db.from('logs').insert([
          { id: 1, at: '2010-01-01' },
          { id: 2, at: '2030-01-01' },
        ])
      ).error,
    ).toBeNull();
    expect((await db.from('logs').select('id').order('id')).data).toEqual([{ id: 1 }, { id: 2 }]);
    const part = await db.from('logs_old').select();
    expect([part.status, part.error?.code]).toEqual([404, 'PGRST205']);
  });
});
