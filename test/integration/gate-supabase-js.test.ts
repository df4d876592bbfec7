import { createClient, type SupabaseClient } from '@supabase/supabase-js';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { ANON, REF, SERVICE, startGate, type TestGate } from '../support/gate.ts';
import { SqliteBoard } from '../support/sqlite-board.ts';

let database: SqliteBoard;
let board: TestGate;
let service: SupabaseClient;

const DDL = `create table todos
  (id integer primary key, title text, owner text, public boolean, rank integer)`;

beforeAll(async () => {
  database = new SqliteBoard();
  board = await startGate([{ role: 'anon', table: 'todos', actions: ['select'], using: 'public.is.true' }]);
  board.session = await database.engine();
  const made = await board.call('POST', `/p/${REF}/sql/v1`, { query: DDL }, { apikey: SERVICE });
  expect(made.status).toBe(200);
  service = createClient(`${board.url}/p/${REF}`, SERVICE);
});

afterAll(async () => {
  await board.gate.close();
  await database.close();
});

beforeEach(async () => {
  await service.from('todos').delete().gte('id', 0);
  await service.from('todos').insert([
    { id: 1, title: 'buy milk', owner: 'ann', public: true, rank: 3 },
    { id: 2, title: 'write, (tests)', owner: 'bob', public: false, rank: 1 },
    { id: 3, title: 'sleep', owner: 'ann', public: false, rank: null },
  ]);
});

const ids = (rows: readonly unknown[] | null): number[] =>
  (rows ?? []).map((row) => Number(Reflect.get(Object(row), 'id')));

describe('the unmodified supabase-js client, on SQLite', () => {
  it('inserts and gets the rows back', async () => {
    const { data, error, status } = await service
      .from('todos')
      .insert({ id: 9, title: 'new' })
      .select()
      .single();
    expect(error).toBeNull();
    expect(status).toBe(201);
    expect(data).toEqual({ id: 9, title: 'new', owner: null, public: null, rank: null });
    expect(board.nudged.at(-1)).toBe(REF);
  });

  it('inserts without asking anything back', async () => {
    const { data, error, status } = await service.from('todos').insert({ id: 10, title: 'quiet' });
    expect([data, error, status]).toEqual([null, null, 201]);
  });

  it('selects with filters of every kind', async () => {
    const todos = (): ReturnType<ReturnType<typeof service.from>['select']> =>
      service.from('todos').select('id');
    const cases: [ReturnType<typeof todos>, number[]][] = [
      [todos().eq('id', 2), [2]],
      [todos().neq('owner', 'ann'), [2]],
      [todos().gt('rank', 1), [1]],
      [todos().gte('rank', 1).lt('rank', 3), [2]],
      [todos().lte('id', 2), [1, 2]],
      [todos().like('title', 'buy%'), [1]],
      [todos().ilike('title', '%SLEEP'), [3]],
      [todos().is('rank', null), [3]],
      [todos().not('rank', 'is', null), [1, 2]],
      [todos().in('title', ['sleep', 'write, (tests)']), [2, 3]],
      [todos().or('owner.eq.bob,and(rank.is.null,owner.eq.ann)'), [2, 3]],
      [todos().not('id', 'in', '(1,2)'), [3]],
    ];
    for (const [query, expected] of cases) {
      const { data, error } = await query;
      expect(error).toBeNull();
      expect(ids(data)).toEqual(expected);
    }
  });

  it('renames, orders, ranges and counts', async () => {
    const { data, count, status } = await service
      .from('todos')
      .select('nr:id,title', { count: 'exact' })
      .order('id', { ascending: false })
      .range(0, 1);
    expect(data).toEqual([
      { nr: 3, title: 'sleep' },
      { nr: 2, title: 'write, (tests)' },
    ]);
    expect(count).toBe(3);
    expect(status).toBe(206);
  });

  it('counts without rows', async () => {
    const { data, count, status } = await service.from('todos').select('*', { count: 'exact', head: true });
    expect([data, count, status]).toEqual([null, 3, 200]);
  });

  it('updates, upserts and deletes', async () => {
    const updated = await service.from('todos').update({ owner: 'cat' }).eq('id', 1).select('id,owner');
    expect(updated.data).toEqual([{ id: 1, owner: 'cat' }]);
    const upserted = await service
      .from('todos')
      .upsert([
        { id: 1, title: 'again' },
        { id: 4, title: 'more' },
      ])
      .select('id,title');
    expect(upserted.data).toEqual([
      { id: 1, title: 'again' },
      { id: 4, title: 'more' },
    ]);
    const kept = await service
      .from('todos')
      .upsert({ id: 1, title: 'not' }, { ignoreDuplicates: true })
      .select();
    expect(kept.data).toEqual([]);
    const deleted = await service.from('todos').delete({ count: 'exact' }).lt('id', 3);
    expect([deleted.error, deleted.count, deleted.status]).toEqual([null, 2, 204]);
    expect(ids((await service.from('todos').select('id')).data)).toEqual([3, 4]);
  });

  it('gets one row, none or an error, as it asks for', async () => {
    const one = await service.from('todos').select().eq('id', 1).maybeSingle();
    expect(one.data).toMatchObject({ id: 1 });
    const none = await service.from('todos').select().eq('id', 99).maybeSingle();
    expect([none.data, none.error]).toEqual([null, null]);
    const missing = await service.from('todos').select().eq('id', 99).single();
    expect(missing.error).toMatchObject({ code: 'PGRST116', details: 'The result contains 0 rows' });
    expect(missing.status).toBe(406);
  });

  it('changes nothing when it wanted one row and would have changed two', async () => {
    const { error } = await service.from('todos').update({ title: 'x' }).eq('owner', 'ann').select().single();
    expect(error).toMatchObject({ code: 'PGRST116' });
    expect((await service.from('todos').select().eq('title', 'x')).data).toEqual([]);
  });

  it('reads CSV', async () => {
    const { data } = await service.from('todos').select('id,title').lte('id', 2).csv();
    expect(data).toBe('id,title\n1,"buy milk"\n2,"write, (tests)"');
  });

  it('sees with the public key what the grants show, and no more', async () => {
    const anon = createClient(`${board.url}/p/${REF}`, ANON);
    expect(ids((await anon.from('todos').select('id')).data)).toEqual([1]);
    const refused = await anon.from('todos').insert({ id: 77 });
    expect(refused.error).toMatchObject({ code: 'MAG_FORBIDDEN' });
    expect(refused.status).toBe(403);
  });

  it('is told of an unknown column or table', async () => {
    const unknown = await service.from('nothing').select();
    expect(unknown.error).toMatchObject({ code: 'PGRST205' });
    expect(unknown.status).toBe(404);
    const column = await service.from('todos').insert({ nope: 1 });
    expect(column.error).toMatchObject({ code: 'PGRST204' });
  });

  it('is refused with the key of another project', async () => {
    const stranger = createClient(`${board.url}/p/otherproject`, SERVICE);
    const { error, status } = await stranger.from('todos').select();
    expect(status).toBe(401);
    expect(error).toMatchObject({ code: 'MAG_KEY_INVALID' });
  });
});
