import { createClient, type SupabaseClient } from '@supabase/supabase-js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Grant } from '../../src/protocol/principal.ts';
import { type EmbeddedPostgres, embeddedPostgres } from '../support/embedded-postgres.ts';
import { ANON, handleOf, REF, SERVICE, startGate, type TestGate } from '../support/gate.ts';

const DDL = `
create table people (id int primary key, first text not null, last text not null);
create table notes (id int primary key, word text, author int references people, about int references people);
insert into people values (1, 'Ann', 'Ash'), (2, 'Bob', 'Birch'), (3, 'Cy', 'Cedar');
insert into notes values (1, 'long', 1, 2), (2, 'longer', 1, 3), (3, 'short', 2, 1);
create view elders as select id, first from people where id < 3;
create function full_name(people) returns text language sql immutable as $$ select $1.first || ' ' || $1.last $$;
create function facts(people) returns jsonb language sql stable as $$ select jsonb_build_object('size', length($1.first)) $$;
create function size(notes) returns int language sql immutable as $$ select length($1.word) $$;
create function written(people) returns setof notes language sql stable as 'select * from notes where author = $1.id order by id';
create function written(elders) returns setof notes language sql stable as 'select * from notes where author = $1.id and id > 1';
create function last_note(people) returns setof notes rows 1 language sql stable
  as 'select * from notes where author = $1.id order by id desc limit 1';
create function some_note(people) returns setof notes rows 1 language sql stable
  as 'select * from notes where author = $1.id order by id';
create function any_note(people) returns notes language sql stable as 'select * from notes where author = $1.id order by id limit 1';
create function everyone() returns setof people language sql stable as 'select * from people order by id';
create table rooms (id int primary key);
create table beds (id int primary key, room int references rooms);
insert into rooms values (1); insert into beds values (1, 1), (2, 1);
create function beds(rooms) returns setof beds language sql stable as 'select * from beds where room = $1.id and id > 1';
`;

let server: EmbeddedPostgres;
let board: TestGate;
let db: SupabaseClient;
const as = (grants: readonly Grant[] = []): void => {
  board.project = { ...handleOf(REF, SERVICE, grants), engine: 'postgres' };
};

beforeAll(async () => {
  server = await embeddedPostgres();
  board = await startGate();
  board.session = await server.engine(REF);
  as();
  const made = await board.call('POST', `/p/${REF}/sql/v1`, { query: DDL }, { apikey: SERVICE });
  expect(made.status, await made.text()).toBe(200);
  db = createClient(`${board.url}/p/${REF}`, SERVICE);
});
afterAll(async () => {
  await board.gate.close();
  await server.stop();
});

describe('a function of a row that gives one value is read as a column', () => {
  it('in a select, a filter, an order, a path and a cast, and not by *', async () => {
    const { data, error } = await db
      .from('people')
      .select('id, name:full_name, facts->size, words:facts::text')
      .like('full_name', '%B%')
      .order('full_name', { ascending: false });
    expect(error).toBeNull();
    expect(data).toEqual([{ id: 2, name: 'Bob Birch', size: 3, words: '{"size": 3}' }]);
    const all = await db.from('people').select().gt('full_name', 'Bz');
    expect(all.data).toEqual([{ id: 3, first: 'Cy', last: 'Cedar' }]);
  });

  it('in an embed, in what a function gives, counted or not, and in what a write gives back', async () => {
    const inside = await db.from('people').select('notes!author(word, size)').eq('id', 2);
    expect(inside.data).toEqual([{ notes: [{ word: 'short', size: 5 }] }]);
    const called = await db.rpc('everyone', {}, { count: 'exact' }).select('full_name').limit(1);
    expect([called.error, called.count, called.data]).toEqual([null, 3, [{ full_name: 'Ann Ash' }]]);
    expect((await db.rpc('everyone').select('full_name').eq('full_name', 'Cy Cedar')).data).toHaveLength(1);
    const changed = await db.from('notes').update({ word: 'tiny' }).eq('size', 5).select('id, size');
    expect([changed.error, changed.data]).toEqual([null, [{ id: 3, size: 4 }]]);
  });

  it('and cannot be written', async () => {
    const { error, status } = await db.from('people').insert({ id: 9, full_name: 'No Body' });
    expect([status, error?.code]).toEqual([400, 'PGRST204']);
    expect((await db.from('people').update({ full_name: 'x' }).eq('id', 1)).error?.code).toBe('PGRST204');
  });
});

describe('a function of a row that gives rows is embedded as a table is', () => {
  it('many as an array, filtered and nested; one as an object, by ROWS 1 or by itself', async () => {
    const { data, error } = await db
      .from('people')
      .select('id, written(word, people!author(full_name)), last_note(id), any_note(id, word)')
      .neq('written.id', 1)
      .order('id');
    expect(error).toBeNull();
    expect(data).toEqual([
      {
        id: 1,
        written: [{ word: 'longer', people: { full_name: 'Ann Ash' } }],
        last_note: { id: 2 },
        any_note: { id: 1, word: 'long' },
      },
      {
        id: 2,
        written: [{ word: expect.any(String), people: { full_name: 'Bob Birch' } }],
        last_note: { id: 3 },
        any_note: { id: 3, word: expect.any(String) },
      },
      // No row of a set is none; a function that gives a row gives one of nulls.
      { id: 3, written: [], last_note: null, any_note: { id: null, word: null } },
    ]);
    const inner = await db.from('people').select('id, written!inner()').order('id');
    expect(inner.data).toEqual([{ id: 1 }, { id: 2 }]);
    const ordered = await db.from('people').select('id, ...last_note(word)').order('last_note(id)').limit(1);
    expect(ordered.data).toEqual([{ id: 1, word: 'longer' }]);
  });

  it('by its first row where it gives more than the one that it says, as what is asked of its rows has it', async () => {
    const read = async (select: string, query = '') => {
      const path = `/p/${REF}/rest/v1/people?id=lt.3&order=id&select=id,${select}${query}`;
      const reply = await board.call('GET', path, undefined, { apikey: SERVICE });
      return { status: reply.status, body: await reply.json() };
    };
    const first = [
      { id: 1, some_note: { id: 1 } },
      { id: 2, some_note: { id: 3 } },
    ];
    expect(await read('some_note(id)')).toEqual({ status: 200, body: first });
    expect(await read('some_note(id)', '&some_note.limit=5')).toEqual({ status: 200, body: first });
    expect(await read('some_note(id)', '&some_note.order=id.desc&id=eq.1')).toEqual({
      status: 200,
      body: [{ id: 1, some_note: { id: 2 } }],
    });
    const spread = [
      { id: 1, note: 1 },
      { id: 2, note: 3 },
    ];
    expect(await read('...some_note(note:id)')).toEqual({ status: 200, body: spread });
  });

  it('by what it is a row of, also of a view, of what a function gives and of what is written', async () => {
    const elders = await db.from('elders').select('id, written(id)').order('id').limit(1);
    expect(elders.data).toEqual([{ id: 1, written: [{ id: 2 }] }]);
    const called = await db.rpc('everyone').select('id, last_note(id)').limit(1);
    expect(called.data).toEqual([{ id: 1, last_note: { id: 2 } }]);
    const counted = await db.rpc('everyone', {}, { count: 'exact' }).select('id, written(id)').limit(1);
    expect([counted.count, counted.data]).toEqual([3, [{ id: 1, written: [{ id: 1 }, { id: 2 }] }]]);
    const made = await db
      .from('people')
      .update({ last: 'Aspen' })
      .eq('id', 1)
      .select('full_name, written(id)');
    expect(made.data).toEqual([{ full_name: 'Ann Aspen', written: [{ id: 1 }, { id: 2 }] }]);
  });

  it('in the place of the keys that lead to a table of its name', async () => {
    expect((await db.from('rooms').select('beds(id)')).data).toEqual([{ beds: [{ id: 2 }] }]);
  });
});

describe('functions of a row under grants', () => {
  it('are for the service role: a function may do anything, and no grant covers one', async () => {
    as(['people', 'notes'].map((table) => ({ role: 'anon', table, actions: ['select', 'update'] })));
    const anon = createClient(`${board.url}/p/${REF}`, ANON);
    expect((await anon.from('people').select('first, notes!author(word)').limit(1)).error).toBeNull();
    const refused = [
      await anon.from('people').select('full_name'),
      await anon.from('people').select('id').eq('full_name', 'x'),
      await anon.from('people').select('id').order('full_name'),
      await anon.from('people').select('written(id)'),
      await anon.from('people').select('id, notes!author(size)'),
      await anon.from('people').update({ last: 'x' }).eq('id', 1).select('full_name'),
    ];
    as();
    expect(refused.map(({ status, error }) => [status, error?.code])).toEqual(
      refused.map(() => [403, 'MAG_FORBIDDEN']),
    );
    expect((await db.from('people').select('last').eq('id', 1)).data).toEqual([{ last: 'Aspen' }]);
  });
});

describe('functions of a row where policies decide', () => {
  const POLICIES = `
    create table owned (id int primary key, owner int references people, word text);
    insert into owned values (1, 1, 'mine'), (2, 1, 'kept'), (3, 2, 'yours');
    alter table owned enable row level security;
    create policy shown on owned for select using (word <> 'kept');
    create policy changed on owned for update using (owner = 1);
    create function loud(owned) returns text language sql stable as 'select upper($1.word)';
    create function quiet(owned) returns text language sql stable as 'select lower($1.word)';
    create function owns(people) returns setof owned language sql stable as 'select * from owned where owner = $1.id order by id';
    create function counts(people) returns bigint language sql stable as 'select count(*) from owned where owner = $1.id';
    create function counts_all(people) returns bigint language sql stable security definer
      as 'select count(*) from owned where owner = $1.id';
    revoke execute on function quiet(owned) from public, anon;`;
  let anon: SupabaseClient;

  beforeAll(async () => {
    const made = await board.call('POST', `/p/${REF}/sql/v1`, { query: POLICIES }, { apikey: SERVICE });
    expect(made.status, await made.text()).toBe(200);
    const connection = await server.provider.connect(REF);
    const settings = { grants: [], access: 'policies' } as const;
    board.project = { ...handleOf(REF, SERVICE), engine: 'postgres', connection, settings };
    anon = createClient(`${board.url}/p/${REF}`, ANON);
  });
  afterAll(() => as());

  it('run as the role of the key: on the rows that its policies show, and see what they show', async () => {
    const loud = await anon.from('owned').select('id, loud').gt('loud', 'A').order('loud');
    expect([loud.error, loud.data]).toEqual([
      null,
      [
        { id: 1, loud: 'MINE' },
        { id: 3, loud: 'YOURS' },
      ],
    ]);
    const people = await anon
      .from('people')
      .select('id, owns(id, loud), counts, counts_all')
      .lt('id', 3)
      .order('id');
    expect([people.error, people.data]).toEqual([
      null,
      [
        // What one of its definer's rights sees is that definer's.
        { id: 1, owns: [{ id: 1, loud: 'MINE' }], counts: 1, counts_all: 2 },
        { id: 2, owns: [{ id: 3, loud: 'YOURS' }], counts: 1, counts_all: 1 },
      ],
    ]);
    const changed = await anon.from('owned').update({ word: 'ours' }).gte('id', 1).select('id, loud');
    expect([changed.error, changed.data]).toEqual([null, [{ id: 1, loud: 'OURS' }]]);
  });

  it('are refused where the role may not execute them, wherever they stand', async () => {
    const refused = [
      await anon.from('owned').select('quiet'),
      await anon.from('owned').select('id').eq('quiet', 'x'),
      await anon.from('owned').select('id').order('quiet'),
      await anon.from('people').select('id, owns(quiet)'),
      await anon.from('owned').update({ word: 'gone' }).eq('id', 1).select('quiet'),
    ];
    expect(refused.map(({ error }) => error?.code)).toEqual(refused.map(() => '42501'));
    expect((await anon.from('owned').select('word').eq('id', 1)).data).toEqual([{ word: 'ours' }]);
    const service = await db.from('owned').select('id, quiet').eq('id', 2);
    expect([service.error, service.data]).toEqual([null, [{ id: 2, quiet: 'kept' }]]);
  });
});
