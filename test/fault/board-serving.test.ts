import { readdirSync, readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ActorNode } from '../../src/protocol/actor-node.ts';
import { eventually, findNode, type NewProject, startTestBoard, type TestBoard } from '../support/board.ts';

let board: TestBoard;
let quiet: NewProject;

beforeAll(async () => {
  board = await startTestBoard();
  quiet = await board.createProject('quiet');
  await board.sql(quiet, 'create table t (id integer primary key)');
});
afterAll(async () => {
  await board.stop();
});

/** Asks the path on new connections while `during` runs; gives the worst wait and the statuses seen. */
async function watch(
  path: string,
  during: Promise<unknown>,
): Promise<{ worst: number; statuses: Set<number> }> {
  let over = false;
  const end = (): void => {
    over = true;
  };
  during.then(end, end);
  const statuses = new Set<number>();
  let worst = 0;
  while (!over) {
    const started = performance.now();
    const reply = await fetch(board.url + path, {
      headers: { apikey: quiet.keys.service, connection: 'close' },
    });
    await reply.text();
    statuses.add(reply.status);
    worst = Math.max(worst, performance.now() - started);
    await sleep(20);
  }
  return { worst, statuses };
}

const MINUTE: Readonly<Record<string, string>> = {
  sqlite:
    'with recursive c(n) as (select 1 union all select n + 1 from c where n < 100000000000) select count(*) from c',
  postgres: 'select pg_sleep(60)',
};

describe.each(['sqlite', 'postgres'])('a statement that would run for a minute on %s', (engine) => {
  it('is cancelled at its deadline, and other projects do not notice', async () => {
    const project = await board.createProject(`slow-${engine}`, engine);
    const slow = board.sql(project, MINUTE[engine] ?? '');
    const { worst, statuses } = await watch(`/p/${quiet.ref}/rest/v1/t`, slow);
    const reply = await slow;
    expect(reply.status).toBe(504);
    expect(reply.body.code).toBe('57014');
    expect([...statuses]).toEqual([200]);
    // Far below the statement's own run: nobody waited for it.
    expect(worst).toBeLessThan(5_000);
    const after = await board.sql(project, 'select 1 as one');
    expect(after.body.rows).toEqual([{ one: 1 }]);
  }, 60_000);
});

describe('an edge worker', () => {
  const edges = (tree: ActorNode): readonly ActorNode[] => findNode(tree, 'board/edges')?.children ?? [];

  it.each(['exit', 'spin'])(
    'that does %s: the other one and /livez go on answering, and it comes back',
    async (fault) => {
      const before = edges(await board.tree());
      expect(before.length).toBeGreaterThanOrEqual(2);
      const victim = before[0];
      if (victim === undefined) throw new Error('no edge worker');
      const done = (async () => {
        const reply = await board.admin('POST', `/admin/v1/actors/${victim.path}/crash`, {
          reason: 'test',
          fault,
        });
        expect(reply.status, JSON.stringify(reply.body)).toBeLessThan(300);
        await eventually(async () => {
          const now = edges(await board.tree()).find((edge) => edge.path === victim.path);
          return now !== undefined && now.restarts > victim.restarts && now.status === 'running';
        }, 'the restart');
      })();
      const answers = { ok: 0, lost: 0 };
      let over = false;
      const end = (): void => {
        over = true;
      };
      done.then(end, end);
      while (!over) {
        try {
          const reply = await fetch(`${board.url}/livez`, {
            headers: { connection: 'close' },
            signal: AbortSignal.timeout(500),
          });
          if (reply.ok) answers.ok += 1;
        } catch {
          answers.lost += 1; // A connection that the kernel had handed to the dead or spinning worker.
        }
        await sleep(10);
      }
      await done;
      expect(answers.ok).toBeGreaterThan(answers.lost);
      const reply = await fetch(`${board.url}/livez`);
      expect(reply.status).toBe(200);
    },
  );
});

describe('a component', () => {
  it('that is crashed fails, backs off and comes back with its restart counted and audited', async () => {
    const path = 'board/storage';
    const before = findNode(await board.tree(), path);
    const crash = await board.admin('POST', `/admin/v1/actors/${path}/crash`, { reason: 'try it' });
    expect(crash.status).toBeLessThan(300);
    const after = await eventually(async () => {
      const node = findNode(await board.tree(), path);
      return node !== undefined && node.restarts === (before?.restarts ?? 0) + 1 && node.status === 'running'
        ? node
        : undefined;
    }, 'the restart');
    expect(after.lastError).toContain('try it');
    const trail = readAudit(board.folder).filter((entry) => entry.target === path);
    expect(trail.map((entry) => entry.action)).toEqual(
      expect.arrayContaining(['actor.crash', 'actor.failed']),
    );
    const scan = await fetch(`${quiet.url}/rest/v1/t?id=gt.0`, { headers: { apikey: quiet.keys.service } });
    expect(scan.status).toBe(200);
  });
});

describe('10,000 half-open sockets', () => {
  it('do not keep the board from answering', async () => {
    const port = Number(new URL(board.url).port);
    const sockets: Socket[] = [];
    for (let made = 0; made < 10_000; made += 500) {
      await Promise.all(
        Array.from({ length: 500 }, () => halfOpen(port).then((socket) => sockets.push(socket))),
      );
    }
    expect(sockets).toHaveLength(10_000);
    for (let tries = 0; tries < 20; tries += 1) {
      const reply = await fetch(`${board.url}/livez`, { headers: { connection: 'close' } });
      expect(reply.status).toBe(200);
    }
    const rows = await fetch(`${quiet.url}/rest/v1/t`, { headers: { apikey: quiet.keys.service } });
    expect(rows.status).toBe(200);
    for (const socket of sockets) socket.destroy();
  }, 60_000);
});

/** Entries of the audit trail, oldest first. */
const readAudit = (folder: string): readonly { action: string; target: string }[] =>
  readdirSync(join(folder, 'audit'))
    .flatMap((file) =>
      readFileSync(join(folder, 'audit', file), 'utf8')
        .trim()
        .split('\n'),
    )
    .map((line) => JSON.parse(line));

const halfOpen = (port: number): Promise<Socket> =>
  new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.write('GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ');
      resolve(socket);
    });
    socket.on('error', () => resolve(socket));
  });
