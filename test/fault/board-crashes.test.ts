import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createClient, type SupabaseClient } from '@supabase/supabase-js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ActorNode } from '../../src/protocol/actor-node.ts';
import type { BoardStatus } from '../../src/protocol/board-status.ts';
import { eventually, findNode, type NewProject, startTestBoard, type TestBoard } from '../support/board.ts';
import { childrenOf, isRunning } from '../support/child-processes.ts';

interface Subject {
  readonly project: NewProject;
  readonly client: SupabaseClient;
  /** Ids of the rows whose insertion arrived over the socket. */
  readonly heard: Set<number>;
}

let board: TestBoard;
const subjects: Subject[] = [];
let nextId = 1;

async function subject(engine: string, type: string): Promise<Subject> {
  const project = await board.createProject(`crashes-${engine}`, engine);
  const made = await board.sql(project, `create table rows (id ${type} primary key, a text)`);
  expect(made.status, JSON.stringify(made.body)).toBe(200);
  const client = createClient(project.url, project.keys.service);
  const heard = new Set<number>();
  let joined = false;
  client
    .channel('rows')
    .on('postgres_changes', { event: 'INSERT', schema: 'public', table: 'rows' }, (change) =>
      heard.add(Number(change.new.id)),
    )
    .subscribe((status) => {
      joined ||= status === 'SUBSCRIBED';
    });
  await eventually(async () => joined, `subscription on ${engine}`);
  return { project, client, heard };
}

beforeAll(async () => {
  board = await startTestBoard();
  subjects.push(await subject('sqlite', 'integer'), await subject('postgres', 'bigint'));
});
afterAll(async () => {
  for (const { client } of subjects) client.realtime.disconnect();
  await board.stop();
});

const readyz = async (): Promise<BoardStatus> =>
  (await (await fetch(`${board.url}/readyz`)).json()) as BoardStatus; // contracts: /readyz

/** REST (a write and a scan), native SQL and the change feed. */
async function works({ project, heard }: Subject): Promise<void> {
  const headers = { apikey: project.keys.service, 'content-type': 'application/json' };
  await eventually(
    async () => {
      const id = nextId;
      nextId += 1;
      const body = JSON.stringify({ id, a: `row ${id}` });
      const wrote = await fetch(`${project.url}/rest/v1/rows`, { method: 'POST', headers, body });
      if (wrote.status !== 201) throw new Error(`write ${wrote.status}: ${await wrote.text()}`);
      const scan = await fetch(`${project.url}/rest/v1/rows?a=eq.row ${id}&select=id`, { headers });
      expect(await scan.json()).toEqual([{ id }]);
      const { body: counted } = await board.sql(project, 'select 1 as one');
      expect(counted.rows).toEqual([{ one: 1 }]);
      // A client that reconnects has no place to resume from: it hears what comes after it has joined again.
      return eventually(async () => heard.has(id), 'the change', 300).catch(() => false);
    },
    'REST, SQL and realtime',
    20_000,
  );
}

function paths(node: ActorNode): string[] {
  return [node.path, ...node.children.flatMap(paths)];
}

async function auditedTargets(): Promise<Set<string>> {
  const folder = join(board.folder, 'audit');
  const lines = readdirSync(folder).flatMap((file) => readFileSync(join(folder, file), 'utf8').split('\n'));
  const entries = lines.filter((line) => line.includes('"actor.crash"')).map((line) => JSON.parse(line));
  return new Set(entries.map((entry: { target: string }) => entry.target));
}

async function metric(name: string): Promise<number> {
  const text = await (await fetch(`${board.url}/metrics`)).text();
  const lines = text.split('\n').filter((line) => line.startsWith(`${name} `) || line.startsWith(`${name}{`));
  return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0);
}

const crash = (path: string) =>
  board.admin('POST', `/admin/v1/actors/${path}/crash`, { reason: 'each in turn' });

describe('every part of a board, crashed in turn', () => {
  it('comes back, counted and audited, and everything works again on both engines; nothing leaks', async () => {
    for (const each of subjects) await works(each);
    const all = paths(await board.tree()).filter((path) => path !== 'board');
    expect(all.length).toBeGreaterThan(15);
    for (const path of all) {
      const before = findNode(await board.tree(), path);
      // A storage process may have gone with what was crashed before it.
      if (before === undefined) continue;
      expect((await crash(path)).status, path).toBe(202);
      if (path.startsWith('board/storage/process-')) {
        await eventually(async () => findNode(await board.tree(), path) === undefined, `the end of ${path}`);
      } else {
        await eventually(async () => {
          const now = findNode(await board.tree(), path);
          return now?.status === 'running' && now.incarnation !== before.incarnation;
        }, `the restart of ${path}`);
        const now = findNode(await board.tree(), path);
        expect(now?.restarts, path).toBe(before.restarts + 1);
        expect(now?.lastError, path).toContain('each in turn');
      }
      await eventually(async () => (await readyz()).status === 'ready', `ready after ${path}`);
      for (const each of subjects) await works(each);
      expect(await auditedTargets()).toContain(path);
    }
    const processes = findNode(await board.tree(), 'board/storage')?.children ?? [];
    const sockets = readdirSync(join(board.folder, 'run')).filter((file) => file.endsWith('.sock'));
    expect(sockets.length).toBe(processes.length - 1);
    // What the edges hold, and no more: each crash would have left its connections behind.
    expect(await metric('mag_pool_permits')).toBeLessThanOrEqual(8);
  }, 120_000);

  it('leaves a board that drains, exits with 0, and leaves no process and no socket behind', async () => {
    const children = childrenOf(board.pid);
    expect(children.length).toBeGreaterThan(0);
    board.kill('SIGTERM');
    expect(await board.exited).toEqual({ code: 0, signal: null });
    await eventually(async () => !children.some(isRunning), 'their end');
    expect(readdirSync(join(board.folder, 'run')).filter((file) => /sock$|^board.json$/.test(file))).toEqual(
      [],
    );
    expect(JSON.parse(readFileSync(join(board.folder, 'run/children.json'), 'utf8'))).toEqual([]);
  });
});
