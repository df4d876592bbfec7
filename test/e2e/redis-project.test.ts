import { createClient } from '@supabase/supabase-js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isAlive } from '../../src/actors/storage/process-table.ts';
import { childPid, type NewProject, startTestBoard, type TestBoard } from '../support/board.ts';
import { writeThroughKill } from '../support/kept-rows.ts';
import { service } from '../support/services/index.ts';

describe.skipIf(!service('redis').available)('a project on Redis in a running board', () => {
  let board: TestBoard;
  let project: NewProject;
  const client = (key: 'anon' | 'service' = 'service') =>
    createClient(`${board.url}/p/${project.ref}`, project.keys[key]);

  beforeAll(async () => {
    board = await startTestBoard({ env: { MAG_EDGE_WORKERS: '2' } });
    project = await board.createProject('documents', 'redis');
  }, 60_000);
  afterAll(() => board.stop(), 60_000);

  const redisPid = () => childPid(board, 'redis');

  it('serves documents to supabase-js as it serves tables', async () => {
    const todos = () => client().from('todos');
    const rows = [
      { id: 1, title: 'a', done: false },
      { id: 2, title: 'b', done: true },
    ];
    expect(await todos().insert(rows).select()).toMatchObject({ status: 201, data: rows });
    expect(await todos().select('*', { count: 'exact' }).eq('done', true)).toMatchObject({
      data: [rows[1]],
      count: 1,
    });
    expect(await todos().update({ done: true }).eq('id', 1).select('id,done').single()).toMatchObject({
      data: { id: 1, done: true },
    });
    expect(await todos().upsert({ id: 2, title: 'c' }).select()).toMatchObject({
      data: [{ id: 2, title: 'c', done: true }],
    });
    expect(await todos().select('title').order('title', { ascending: false }).range(0, 0)).toMatchObject({
      data: [{ title: 'c' }],
    });
    expect(await todos().insert({ id: 1 })).toMatchObject({ status: 409, error: { code: '23505' } });
    expect(await todos().delete().eq('id', 2).select()).toMatchObject({ data: [{ id: 2 }] });
    expect((await todos().select('owners(name)')).error).toMatchObject({ code: 'MAG_ENGINE_UNSUPPORTED' });
    expect((await client('anon').from('todos').select()).error).toMatchObject({ code: 'MAG_FORBIDDEN' });
  });

  it('runs several operations as one, a write once under its key, and commands of its own', async () => {
    const call = async (path: string, body: unknown, more: Record<string, string> = {}) => {
      const reply = await fetch(`${board.url}/p/${project.ref}${path}`, {
        method: 'POST',
        headers: { apikey: project.keys.service, 'content-type': 'application/json', ...more },
        body: JSON.stringify(body),
      });
      const text = await reply.text();
      return { status: reply.status, body: text === '' ? null : JSON.parse(text) };
    };
    const line = { method: 'insert', table: 'lines', values: { order: { $ref: 'order.0.id' }, code: 'c' } };
    const order = { name: 'order', method: 'insert', table: 'orders', values: { id: 'o1', total: 5 } };
    const late = {
      method: 'update',
      table: 'orders',
      values: { total: 6 },
      where: { id: 'o2' },
      expect: { rows: 1 },
    };
    expect((await call('/tx/v1', { operations: [order, line, late] })).status).toBe(409);
    expect((await client().from('orders').select()).data).toEqual([]);
    expect((await call('/tx/v1', { operations: [order, line] })).status).toBe(200);
    expect((await client().from('lines').select('order,code')).data).toEqual([{ order: 'o1', code: 'c' }]);
    await client().from('orders').delete().eq('id', 'o1');
    const once = () => call('/rest/v1/orders', { total: 9 }, { 'idempotency-key': '"k1"' });
    expect([(await once()).status, (await once()).status]).toEqual([201, 201]);
    expect((await client().from('orders').select('total')).data).toEqual([{ total: 9 }]);
    expect(
      await call('/native/v1', { command: ['MAG.INDEX', 'CREATE', 'orders', 'total', 'UNIQUE'] }),
    ).toMatchObject({
      body: { result: 'OK' },
    });
    expect(await call('/rest/v1/orders', { total: 9 })).toMatchObject({ status: 409 });
    expect(await call('/native/v1', { command: ['INCRBY', 'visits', 3] })).toEqual({
      status: 200,
      body: { result: 3 },
    });
    expect(await call('/native/v1', { command: ['FLUSHALL'] })).toMatchObject({ status: 403 });
    expect(
      await call('/native/v1', { command: ['GET', 'visits'] }, { apikey: project.keys.anon }),
    ).toMatchObject({ status: 403 });
    expect(await call('/sql/v1', { query: 'select 1' })).toMatchObject({
      status: 400,
      body: { code: 'MAG_ENGINE_UNSUPPORTED' },
    });
  });

  it('comes back after its server was killed, and after the board was, with everything acknowledged', async () => {
    const { acknowledged, sawOutage } = await writeThroughKill(
      (id) => client().from('kept').insert({ id }),
      () => process.kill(redisPid(), 'SIGKILL'),
    );
    expect(sawOutage).toBe(true);

    const survivor = redisPid();
    board.kill('SIGKILL');
    await board.exited;
    board = await startTestBoard({ folder: board.folder, env: { MAG_EDGE_WORKERS: '2' } });
    const { data } = await client().from('kept').select('id').limit(100_000);
    const kept = new Set((data ?? []).map((row) => row.id));
    expect([...acknowledged].filter((id) => !kept.has(id))).toEqual([]);
    expect(redisPid()).not.toBe(survivor);
    expect(isAlive(survivor)).toBe(false);
  }, 60_000);

  it('is gone with everything when it is deleted', async () => {
    expect((await board.admin('DELETE', `/admin/v1/projects/${project.ref}`)).status).toBe(204);
    const next = await board.createProject('next', 'redis');
    const reply = await fetch(`${board.url}/p/${next.ref}/rest/v1/kept`, {
      headers: { apikey: next.keys.service },
    });
    expect(await reply.json()).toEqual([]);
  });
});
