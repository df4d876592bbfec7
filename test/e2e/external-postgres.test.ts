import { createClient } from '@supabase/supabase-js';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { EngineAvailability } from '../../src/protocol/project.ts';
import { eventually, type NewProject, startTestBoard, type TestBoard } from '../support/board.ts';
import { service } from '../support/services/index.ts';

const postgres = service('postgres');

describe.skipIf(!postgres.available)('a board on an external PostgreSQL', () => {
  const url = postgres.available ? postgres.url : '';
  let board: TestBoard;
  let project: NewProject;
  /** Of the names of this board's databases. */
  let prefix: string;

  beforeAll(async () => {
    board = await startTestBoard({ env: { MAG_POSTGRES_URL: url, MAG_PROJECT_CONNECTIONS: '2' } });
    project = await board.createProject('external', 'postgres');
  });
  afterAll(async () => {
    await board.stop();
  });

  const databases = async (): Promise<readonly string[]> => {
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    const { rows } = await client.query<{ datname: string }>('select datname from pg_database');
    await client.end();
    return rows.map((row) => row.datname);
  };

  it('serves a project from a database of its own there, and starts no server', async () => {
    const made = await board.sql(project, 'create table notes (id bigint primary key, body text)');
    expect(made.status, JSON.stringify(made.body)).toBe(200);
    const db = createClient(project.url, project.keys.service);
    expect((await db.from('notes').insert({ id: 1, body: 'there' })).error).toBeNull();
    expect((await db.from('notes').select('body').eq('id', 1).single()).data).toEqual({ body: 'there' });
    expect((await databases()).some((name) => name.includes(project.ref))).toBe(true);
    expect(JSON.stringify(await board.tree())).not.toContain('postgres-server');
  });

  it('holds a project to the connections that it was given, and serves all that wait', async () => {
    const query = `select pg_sleep(0.1), (select count(*)::int from pg_stat_activity
      where usename = current_user and backend_type = 'client backend') as mine`;
    const replies = await Promise.all(Array.from({ length: 8 }, () => board.sql(project, query)));
    expect(replies.map(({ status }) => status)).toEqual(Array(8).fill(200));
    expect(Math.max(...replies.map(({ body }) => Number(body.rows[0]?.mine)))).toBe(2);
  });

  it('follows changes where the server can, and says why where it cannot', async () => {
    const engines = await board.admin<readonly EngineAvailability[]>('GET', '/admin/v1/engines');
    const found = engines.body.find((engine) => engine.engine === 'postgres');
    expect(found).toMatchObject({ available: true, provider: 'external' });
    const db = createClient(project.url, project.keys.service);
    const seen: { status: string; error: string | undefined }[] = [];
    db.channel('notes')
      .on('postgres_changes', { event: '*', schema: 'public', table: 'notes' }, () => {})
      .subscribe((status, error) => seen.push({ status, error: error?.message }));
    const first = await eventually(async () => seen[0], 'an answer to the join');
    if (found?.feed.available === true) expect(first.status).toBe('SUBSCRIBED');
    else {
      expect(found?.feed.why).toContain('wal_level');
      expect(first.status).toBe('CHANNEL_ERROR');
    }
    await db.removeAllChannels();
  });

  it('makes another project of the database that it made ahead', async () => {
    const own = (await databases()).find((name) => name.includes(project.ref)) ?? '';
    prefix = own.slice(0, -project.ref.length);
    const boards = async () => (await databases()).filter((name) => name.startsWith(prefix));
    const ahead = await eventually(
      async () => (await boards()).find((name) => name !== own),
      'a database ahead',
    );
    // It is listed before it is whole; whoever asks meanwhile waits for the rest.
    const other = await board.createProject('another', 'postgres');
    expect(ahead).toBe(`${prefix}${other.ref}`);
    expect((await board.sql(other, 'create table t (a int)')).status).toBe(200);
    expect((await board.admin('DELETE', `/admin/v1/projects/${other.ref}`)).status).toBe(204);
  });

  it('leaves nothing behind when the last project is deleted', async () => {
    const gone = await board.admin('DELETE', `/admin/v1/projects/${project.ref}`);
    expect(gone.status).toBe(204);
    expect((await databases()).filter((name) => name.startsWith(prefix))).toEqual([]);
  });
});
