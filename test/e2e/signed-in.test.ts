import { execFile } from 'node:child_process';
import { resolve } from 'node:path';
import { promisify } from 'node:util';
import { createClient, type SupabaseClient } from '@supabase/supabase-js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ADMIN_KEY, eventually, type NewProject, startTestBoard, type TestBoard } from '../support/board.ts';

const MAG = resolve(import.meta.dirname, '../../bin/mag.ts');
const run = promisify(execFile);

let board: TestBoard;
let project: NewProject;

beforeAll(async () => {
  board = await startTestBoard({ env: { MAG_EDGE_WORKERS: '2' } });
  project = await board.createProject('diary', 'sqlite');
  const made = await board.sql(project, 'create table notes (id integer primary key, owner text, body text)');
  expect(made.status).toBe(200);
  const own = {
    role: 'authenticated',
    table: 'notes',
    actions: ['select', 'insert'],
    using: 'owner.eq.{sub}',
  };
  const set = await board.admin('PUT', `/admin/v1/projects/${project.ref}/settings`, { grants: [own] });
  expect(set.status).toBe(200);
});
afterAll(() => board.stop());

async function tokenOf(sub: string, algorithm = 'EdDSA'): Promise<string> {
  const body = { role: 'authenticated', claims: { sub }, algorithm };
  const path = `/admin/v1/projects/${project.ref}/tokens`;
  const made = await board.admin<{ token: string }>('POST', path, body);
  expect(made.status).toBe(201);
  return made.body.token;
}

const signedIn = (token: string): SupabaseClient =>
  createClient(project.url, project.keys.anon, { accessToken: async () => token });

describe('people who are signed in, on a board of two edge workers', () => {
  it('read and write what the grants give to their claims, over REST and on the socket', async () => {
    const ann = signedIn(await tokenOf('ann'));
    const bob = signedIn(await tokenOf('bob', 'HS256'));
    const heard: unknown[] = [];
    await new Promise<void>((done, fail) => {
      ann
        .channel('notes')
        .on('postgres_changes', { event: '*', schema: 'public', table: 'notes' }, ({ new: row }) =>
          heard.push(row),
        )
        .subscribe((status, error) => (status === 'SUBSCRIBED' ? done() : fail(error ?? new Error(status))));
    });
    expect((await bob.from('notes').insert({ id: 1, owner: 'bob', body: 'his' })).error).toBeNull();
    expect((await bob.from('notes').insert({ id: 2, owner: 'ann', body: 'forged' })).error?.code).toBe(
      'MAG_FORBIDDEN',
    );
    expect((await ann.from('notes').insert({ id: 3, owner: 'ann', body: 'hers' })).error).toBeNull();
    // Both workers answer alike: each verifies by itself.
    for (let n = 0; n < 8; n += 1) {
      expect((await ann.from('notes').select('id')).data).toEqual([{ id: 3 }]);
      expect((await bob.from('notes').select('id')).data).toEqual([{ id: 1 }]);
    }
    await eventually(async () => heard.length > 0, 'a change');
    expect(heard).toEqual([{ id: 3, owner: 'ann', body: 'hers' }]);
    await ann.removeAllChannels();
  });

  it('sign in from the command line, and are out when the keys are rotated', async () => {
    const mag = async (...args: string[]): Promise<string> => {
      const env = { ...process.env, MAG_ADMIN_KEY: ADMIN_KEY, MAG_URL: board.url };
      return (await run(process.execPath, [MAG, 'project', ...args], { env })).stdout.trim();
    };
    const token = await mag('token', project.ref, '--claim', 'sub=bob');
    const status = async (apikey: string): Promise<unknown[]> => {
      const headers = { apikey, authorization: `Bearer ${token}` };
      const reply = await fetch(`${project.url}/rest/v1/notes`, { headers });
      const body = (await reply.json()) as { code?: string };
      return [reply.status, body.code];
    };
    expect(await status(project.keys.anon)).toEqual([200, undefined]);
    const rotated = JSON.parse(await mag('keys', project.ref, '--rotate', '--json')) as NewProject;
    await eventually(async () => (await status(rotated.keys.anon))[0] === 401, 'the token ends');
    for (let n = 0; n < 8; n += 1) expect(await status(rotated.keys.anon)).toEqual([401, 'PGRST301']);
    expect(board.output()).not.toContain(token.split('.')[2]);
  });
});
