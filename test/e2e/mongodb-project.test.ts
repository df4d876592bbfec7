import { createClient } from '@supabase/supabase-js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { childPid, type NewProject, startTestBoard, type TestBoard } from '../support/board.ts';
import { writeThroughKill } from '../support/kept-rows.ts';

describe('a project on mongodb in a running board', () => {
  let board: TestBoard;
  let project: NewProject;
  const client = (key: 'anon' | 'service' = 'service') =>
    createClient(`${board.url}/p/${project.ref}`, project.keys[key]);

  beforeAll(async () => {
    board = await startTestBoard({ env: { MAG_EDGE_WORKERS: '2' } });
    project = await board.createProject('documents', 'mongodb');
  }, 60_000);
  afterAll(() => board.stop(), 60_000);

  const serverPid = () => childPid(board, 'documents');
  const native = async (command: object, key: 'anon' | 'service' = 'service') => {
    const reply = await fetch(`${board.url}/p/${project.ref}/native/v1`, {
      method: 'POST',
      headers: { apikey: project.keys[key], 'content-type': 'application/json' },
      body: JSON.stringify({ command }),
    });
    return { status: reply.status, body: await reply.json() };
  };

  it('serves documents to supabase-js as it serves tables', async () => {
    const todos = () => client().from('todos');
    const rows = [
      { id: 1, title: 'a', done: false },
      { id: 2, title: 'b', done: true, tags: ['x', 'y'], extra: { depth: { a: 1 } } },
    ];
    expect(await todos().insert(rows).select()).toMatchObject({ status: 201, data: rows });
    expect(await todos().select('*', { count: 'exact' }).eq('done', true)).toMatchObject({
      data: [rows[1]],
      count: 1,
    });
    expect(await todos().select('id,a:extra->depth->a').contains('tags', ['y'])).toMatchObject({
      data: [{ id: 2, a: 1 }],
    });
    expect(await todos().update({ done: true }).eq('id', 1).select('id,done').single()).toMatchObject({
      data: { id: 1, done: true },
    });
    expect(await todos().upsert({ id: 2, title: 'c' }).select('id,title,done')).toMatchObject({
      data: [{ id: 2, title: 'c', done: true }],
    });
    expect(await todos().select('title').order('title', { ascending: false }).range(0, 0)).toMatchObject({
      data: [{ title: 'c' }],
    });
    expect(await todos().insert({ id: 1 })).toMatchObject({ status: 409, error: { code: '23505' } });
    expect(await todos().delete().eq('id', 2).select('id')).toMatchObject({ data: [{ id: 2 }] });
    expect((await todos().select('owners(name)')).error).toMatchObject({ code: 'MAG_ENGINE_UNSUPPORTED' });
    expect((await client('anon').from('todos').select()).error).toMatchObject({ code: 'MAG_FORBIDDEN' });
  });

  it('runs native commands for the service key, and describes its collections', async () => {
    expect(await native({ count: 'todos' })).toEqual({ status: 200, body: { n: 1, ok: 1 } });
    expect(await native({ count: 'todos' }, 'anon')).toMatchObject({ status: 403 });
    expect(await native({ dropDatabase: 1 })).toMatchObject({
      status: 403,
      body: { code: 'MAG_STATEMENT_FORBIDDEN' },
    });
    expect((await board.sql(project, 'select 1')).status).toBe(400);
    const described = await fetch(`${board.url}/p/${project.ref}/rest/v1/`, {
      headers: { apikey: project.keys.service },
    });
    expect(await described.json()).toMatchObject({ paths: { '/todos': {} } });
  });

  it('says of itself how it is provided, and that its changes are not followed yet', async () => {
    const { body } = await board.admin<{ engine: string }[]>('GET', '/admin/v1/engines');
    expect(body.find(({ engine }) => engine === 'mongodb')).toMatchObject({
      available: true,
      provider: expect.stringContaining('document server'),
      feed: { available: false },
    });
  });

  it('comes back after its server was killed, and after the board was, with everything acknowledged', async () => {
    const { acknowledged } = await writeThroughKill(
      (id) => client().from('kept').insert({ id }),
      () => process.kill(serverPid(), 'SIGKILL'),
    );

    board.kill('SIGKILL');
    await board.exited;
    board = await startTestBoard({ folder: board.folder, env: { MAG_EDGE_WORKERS: '2' } });
    const { data } = await client().from('kept').select('id').limit(100_000);
    const kept = new Set((data ?? []).map((row) => row.id));
    expect([...acknowledged].filter((id) => !kept.has(id))).toEqual([]);
  }, 90_000);
});
