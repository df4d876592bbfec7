import { createClient } from '@supabase/supabase-js';
import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { main } from '../../src/cli/main.ts';
import type { EngineAvailability } from '../../src/protocol/project.ts';
import { ADMIN_KEY, eventually, type NewProject, startTestBoard, type TestBoard } from '../support/board.ts';
import { TlsFolder, type TlsPostgres, tlsPostgres } from '../support/tls-servers.ts';

const folder = new TlsFolder();
let server: TlsPostgres;
beforeAll(async () => {
  server = await tlsPostgres(folder);
  await server.onlyTls('');
});
afterAll(async () => {
  await server.stop();
  folder.remove();
});

describe('a board over an external PostgreSQL that takes TLS alone', () => {
  let board: TestBoard;
  let project: NewProject;
  beforeAll(async () => {
    const url = `${server.url}?sslmode=verify-full&sslrootcert=${folder.authority.file}`;
    board = await startTestBoard({ env: { MAG_POSTGRES_URL: url, MAG_EDGE_WORKERS: '1' } });
    project = await board.createProject('sealed', 'postgres');
    await board.sql(project, 'create table notes (id int primary key, body text)');
  });
  afterAll(() => board.stop());

  it('serves a project, and follows its changes', async () => {
    const db = createClient(project.url, project.keys.service);
    const heard: unknown[] = [];
    let status = '';
    db.channel('notes')
      .on('postgres_changes', { event: 'INSERT', schema: 'public', table: 'notes' }, (change) =>
        heard.push(change.new),
      )
      .subscribe((now) => {
        status = now;
      });
    await eventually(async () => status === 'SUBSCRIBED', 'the subscription');
    expect((await db.from('notes').insert({ id: 1, body: 'sealed' })).error).toBeNull();
    expect(await eventually(async () => heard[0], 'the change')).toEqual({ id: 1, body: 'sealed' });
    await db.removeAllChannels();
  });

  it('prints credentials that say how', async () => {
    let out = '';
    const write = (text: string): void => {
      out += text;
    };
    const code = await main(['project', 'connect', project.ref], {
      ...{ env: { MAG_URL: board.url, MAG_ADMIN_KEY: ADMIN_KEY }, cwd: folder.path, interactive: false },
      ...{ out: write, err: write },
    });
    expect(code, out).toBe(0);
    const [line = ''] = out.split('\n');
    expect(line).toContain(`sslmode=verify-full&sslrootcert=${encodeURIComponent(folder.authority.file)}`);
    const client = new Client({ connectionString: line });
    await client.connect();
    expect((await client.query('select body from notes')).rows).toEqual([{ body: 'sealed' }]);
    await client.end();
  });
});

describe('a board whose external PostgreSQL is not signed by the CA it was told', () => {
  let board: TestBoard;
  beforeAll(async () => {
    const url = `${server.url}?sslmode=verify-full&sslrootcert=${folder.stranger.file}`;
    board = await startTestBoard({ env: { MAG_POSTGRES_URL: url, MAG_EDGE_WORKERS: '1' } });
  });
  afterAll(() => board.stop());

  it('says at its boot where, why and what to set, and serves the other engines', async () => {
    const why = /the server’s certificate is not signed by a CA of the file in sslrootcert/;
    const said = await eventually(
      async () =>
        board
          .output()
          .split('\n')
          .find((line) => line.includes('an external server cannot be used')),
      'the diagnosis',
    );
    expect(JSON.parse(said)).toMatchObject({
      ...{ level: 'error', stage: 'storage', component: 'engines/postgres' },
      cause: expect.stringMatching(why),
      hint: expect.stringContaining('MAG_POSTGRES_URL, as sslrootcert=FILE'),
    });
    // The banner is printed once the board is ready.
    await eventually(
      async () => /postgres +CANNOT BE USED: the server’s certificate/.test(board.output()),
      'the banner',
    );
    const ready = await board.admin<{ status: string }>('GET', '/readyz');
    expect(ready.status).toBe(200);
    expect(ready.body.status).toBe('degraded');
    expect(JSON.stringify(ready.body)).toMatch(why);
    const engines = (await board.admin<readonly EngineAvailability[]>('GET', '/admin/v1/engines')).body;
    expect(engines.find(({ engine }) => engine === 'postgres')).toMatchObject({ available: false });
    const refused = await board.admin('POST', '/admin/v1/projects', { name: 'no', engine: 'postgres' });
    expect(refused.status).toBe(503);
    expect((await board.createProject('yes', 'sqlite')).status).toBe('ready');
  });
});
