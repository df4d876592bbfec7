import { createClient } from '@supabase/supabase-js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { childPid, type NewProject, startTestBoard, type TestBoard } from '../support/board.ts';
import { writeThroughKill } from '../support/kept-rows.ts';
import { service } from '../support/services/index.ts';

describe.skipIf(!service('mariadb').available)('a project on MySQL in a running board', () => {
  let board: TestBoard;
  let project: NewProject;
  const client = (key: 'anon' | 'service' = 'service') =>
    createClient(`${board.url}/p/${project.ref}`, project.keys[key]);

  beforeAll(async () => {
    board = await startTestBoard({ env: { MAG_EDGE_WORKERS: '2' } });
    project = await board.createProject('tables', 'mysql');
    const { status } = await board.sql(
      project,
      `create table todos (id int auto_increment primary key, title varchar(100) not null unique,
         done boolean not null default false, meta json);
       create table kept (id int primary key)`,
    );
    expect(status).toBe(200);
  }, 60_000);
  afterAll(() => board.stop(), 60_000);

  const serverPid = () => childPid(board, 'mysql');

  it('serves tables to supabase-js as PostgreSQL does', async () => {
    const todos = () => client().from('todos');
    const inserted = await todos()
      .insert([{ title: 'a', meta: { tags: ['x'] } }, { title: 'b' }])
      .select('id,title,done,meta');
    expect(inserted).toMatchObject({
      status: 201,
      data: [
        { id: 1, title: 'a', done: false, meta: { tags: ['x'] } },
        { id: 2, title: 'b', done: false, meta: null },
      ],
    });
    expect(await todos().update({ done: true }).eq('id', 1).select('id,done').single()).toMatchObject({
      data: { id: 1, done: true },
    });
    expect(await todos().select('*', { count: 'exact' }).eq('done', true).range(0, 0)).toMatchObject({
      data: [{ id: 1 }],
      count: 1,
    });
    expect(
      await todos().upsert({ title: 'b', done: true }, { onConflict: 'title' }).select('id,done'),
    ).toMatchObject({ data: [{ id: 2, done: true }] });
    expect(await todos().insert({ title: 'a' })).toMatchObject({ status: 409, error: { code: '23505' } });
    expect(await todos().delete().eq('id', 2).select('id')).toMatchObject({ data: [{ id: 2 }] });
    expect((await client('anon').from('todos').select()).error).toMatchObject({ code: 'MAG_FORBIDDEN' });
  });

  it('comes back after its server was killed, and after the board was, with everything acknowledged', async () => {
    const { acknowledged, sawOutage } = await writeThroughKill(
      (id) => client().from('kept').insert({ id }),
      () => process.kill(serverPid(), 'SIGKILL'),
    );
    expect(sawOutage).toBe(true);

    board.kill('SIGKILL');
    await board.exited;
    board = await startTestBoard({ folder: board.folder, env: { MAG_EDGE_WORKERS: '2' } });
    const { data } = await client().from('kept').select('id').limit(100_000);
    const kept = new Set((data ?? []).map((row) => row.id));
    expect([...acknowledged].filter((id) => !kept.has(id))).toEqual([]);
  }, 60_000);

  it('says how it is provided, and is gone when it is deleted', async () => {
    const { body } = await board.admin<{ engine: string; provider: string }[]>('GET', '/admin/v1/engines');
    expect(body.find(({ engine }) => engine === 'mysql')).toMatchObject({
      available: true,
      provider: expect.stringMatching(/^managed .*(mariadbd|mysqld)$/),
      feed: { available: false },
    });
    expect((await board.admin('DELETE', `/admin/v1/projects/${project.ref}`)).status).toBe(204);
    expect((await client().from('kept').select()).status).toBe(404);
  });
});
