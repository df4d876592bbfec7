import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createClient } from '@supabase/supabase-js';
import { afterEach, describe, expect, it } from 'vitest';
import { eventually, findNode, type NewProject, startTestBoard, type TestBoard } from '../support/board.ts';

let board: TestBoard | undefined;
afterEach(async () => {
  await board?.stop();
  board = undefined;
});

const TABLE: Readonly<Record<string, string>> = {
  sqlite: 'create table rows (id integer primary key, a text not null, b text not null)',
  postgres: 'create table rows (id bigint primary key, a text not null, b text not null)',
};

/** Enough for a kill to find writes at each of their steps, with some before and some after it. */
const ENOUGH = 60;

/** Writes until the board dies, which is killed once enough is acknowledged; gives the ids that were. */
async function writeUntilDeath(project: NewProject, from: number, kill: () => void): Promise<number[]> {
  const acknowledged: number[] = [];
  const writer = async (offset: number): Promise<void> => {
    for (let id = from + offset; ; id += 4) {
      try {
        const reply = await fetch(`${project.url}/rest/v1/rows`, {
          method: 'POST',
          headers: { apikey: project.keys.service, 'content-type': 'application/json' },
          body: JSON.stringify({ id, a: `left ${id}`, b: `right ${id}` }),
        });
        if (reply.status !== 201) return;
        acknowledged.push(id);
        if (acknowledged.length === ENOUGH) kill();
      } catch {
        return; // The board is gone: what was not acknowledged may or may not be there.
      }
    }
  };
  await Promise.all([writer(0), writer(1), writer(2), writer(3)]);
  return acknowledged;
}

const moved = (project: NewProject, url: string): NewProject => ({
  ...project,
  url: `${url}/p/${project.ref}`,
});

describe.each(['sqlite', 'postgres'])(
  'kill -9 of the board in the middle of a write load on %s',
  (engine) => {
    it('loses no acknowledged row, keeps no half one, and takes up its feed where it was', async () => {
      board = await startTestBoard();
      let project = await board.createProject('load', engine);
      expect((await board.sql(project, TABLE[engine] ?? '')).status).toBe(200);
      const client = createClient(project.url, project.keys.service);
      const joined: string[] = [];
      client
        .channel('load')
        .on('postgres_changes', { event: 'INSERT', schema: 'public', table: 'rows' }, () => {})
        .subscribe((status) => joined.push(status));
      await eventually(async () => joined.includes('SUBSCRIBED'), 'subscription');

      let next = 1;
      for (let round = 0; round < 2; round += 1) {
        const current = board;
        const acknowledged = await writeUntilDeath(project, next, () => current.kill('SIGKILL'));
        expect(acknowledged.length).toBeGreaterThanOrEqual(ENOUGH);
        await current.exited;
        board = await startTestBoard({ folder: current.folder });
        project = moved(project, board.url);
        const { body } = await board.sql(project, 'select id, a, b from rows order by id');
        const found = new Map(body.rows.map((row) => [Number(row.id), row]));
        expect(acknowledged.filter((id) => !found.has(id))).toEqual([]);
        for (const [id, row] of found) expect([row.a, row.b]).toEqual([`left ${id}`, `right ${id}`]);
        next = Math.max(...found.keys()) + 1;
      }
      await client.removeAllChannels();
    });
  },
);

describe('the PostgreSQL child', () => {
  it('outlives a kill -9 of the board’s own pid, and is stopped or taken over at the next start', async () => {
    const first = await startTestBoard();
    board = first;
    const project = await first.createProject('orphan', 'postgres');
    await first.sql(project, TABLE.postgres ?? '');
    const recorded = postgresPid(first.folder);
    first.kill('SIGKILL');
    await first.exited;
    expect(alive(recorded)).toBe(true);
    board = await startTestBoard({ folder: first.folder });
    const reply = await board.sql(
      moved(project, board.url),
      "insert into rows values (1, 'a', 'b') returning id",
    );
    expect(reply.status, JSON.stringify(reply.body)).toBe(200);
    const now = postgresPid(first.folder);
    if (now !== recorded) expect(alive(recorded)).toBe(false);
    const exit = await board.stop();
    expect(exit.code).toBe(0);
    expect(alive(now)).toBe(false);
    board = undefined;
  });

  it('killed with -9 while serving: 503 with retry-after, then it works again, nothing acknowledged lost', async () => {
    board = await startTestBoard();
    const current = board;
    const project = await current.createProject('crash', 'postgres');
    const bystander = await current.createProject('bystander', 'sqlite');
    await current.sql(project, TABLE.postgres ?? '');
    await current.sql(bystander, TABLE.sqlite ?? '');
    const acknowledged: number[] = [];
    const refusals: { status: number; retryAfter: string | null }[] = [];
    let stop = false;
    const load = (async () => {
      for (let id = 1; !stop; id += 1) {
        const reply = await fetch(`${project.url}/rest/v1/rows`, {
          method: 'POST',
          headers: { apikey: project.keys.service, 'content-type': 'application/json' },
          body: JSON.stringify({ id, a: 'a', b: 'b' }),
        });
        await reply.text();
        if (reply.status === 201) acknowledged.push(id);
        else refusals.push({ status: reply.status, retryAfter: reply.headers.get('retry-after') });
      }
    })();
    await eventually(async () => acknowledged.length > 50, 'a load');
    process.kill(postgresPid(current.folder), 'SIGKILL');
    await eventually(async () => refusals.length > 0, 'a refusal');
    const beside = await fetch(`${bystander.url}/rest/v1/rows`, {
      headers: { apikey: bystander.keys.service },
    });
    expect(beside.status).toBe(200);
    const before = acknowledged.length;
    await eventually(async () => acknowledged.length > before + 50, 'writes again', 25_000);
    stop = true;
    await load;
    expect(refusals.filter((refusal) => refusal.status !== 503 || refusal.retryAfter === null)).toEqual([]);
    const { body } = await current.sql(project, 'select id from rows');
    const found = new Set(body.rows.map((row) => Number(row.id)));
    expect(acknowledged.filter((id) => !found.has(id))).toEqual([]);
    const tree = await current.tree();
    expect(findNode(tree, 'board/engines/postgres')?.status).toBe('running');
  });
});

function postgresPid(folder: string): number {
  const recorded = JSON.parse(readFileSync(join(folder, 'run/children.json'), 'utf8')); // written by the board
  const children: { kind: string; pid: number }[] = Array.isArray(recorded) ? recorded : recorded.children;
  return children.find((child) => child.kind === 'postgres')?.pid ?? -1;
}

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    // A killed child nobody reaps is a zombie: it holds nothing any more.
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}
