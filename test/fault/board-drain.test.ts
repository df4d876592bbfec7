import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { LIMITS } from '../../src/limits.ts';
import { eventually, type NewProject, startTestBoard, type TestBoard } from '../support/board.ts';
import { childrenOf, isRunning } from '../support/child-processes.ts';

let board: TestBoard | undefined;
afterEach(async () => {
  await board?.stop();
  board = undefined;
});

/** Runs for a second or two. */
const LONG: Readonly<Record<string, string>> = {
  sqlite:
    'with recursive c(n) as (select 1 union all select n + 1 from c where n < 1500000) select 1 as one, count(*) from c',
  postgres: 'select 1 as one, pg_sleep(1.5)',
};
const FOR_EVER: Readonly<Record<string, string>> = {
  sqlite: 'with recursive c(n) as (select 1 union all select n + 1 from c) select count(*) from c',
  postgres: 'select pg_sleep(60)',
};

/** Several at a time, each on a connection of its own, so that more than one edge worker has some. */
const inFlight = (from: TestBoard, project: NewProject, query: string): Promise<string>[] =>
  Array.from({ length: 4 }, async () => {
    try {
      const reply = await fetch(`${from.url}/p/${project.ref}/sql/v1`, {
        method: 'POST',
        headers: { apikey: project.keys.service, 'content-type': 'application/json', connection: 'close' },
        body: JSON.stringify({ query }),
      });
      const { rows } = (await reply.json()) as { rows?: { one: number }[] };
      return `${reply.status} ${rows?.[0]?.one ?? ''}`.trim();
    } catch {
      return 'cut off';
    }
  });

function openSocket(project: NewProject): Promise<{ socket: WebSocket; closed: Promise<number> }> {
  const url = `${project.url.replace('http', 'ws')}/realtime/v1/websocket?apikey=${project.keys.service}&vsn=2.0.0`;
  const socket = new WebSocket(url);
  const closed = new Promise<number>((resolve) => socket.once('close', resolve));
  return new Promise((resolve, reject) => {
    socket.once('open', () => resolve({ socket, closed }));
    socket.once('error', reject);
  });
}

describe.each(['sqlite', 'postgres'])('SIGTERM while statements run on %s', (engine) => {
  it('lets them finish, closes sockets with 1001, takes no new work, and exits with 0', async () => {
    board = await startTestBoard({ env: { MAG_DRAIN_SECONDS: '60' } });
    const project = await board.createProject('busy', engine);
    const { closed } = await openSocket(project);
    const running = inFlight(board, project, LONG[engine] ?? '');
    await sleep(300);
    const children = childrenOf(board.pid);
    board.kill('SIGTERM');
    expect(await closed).toBe(1001);
    await eventually(
      async () => {
        const answer = await fetch(`${board?.url}/livez`, { headers: { connection: 'close' } }).catch(
          () => null,
        );
        return answer === null || answer.status === 503;
      },
      'the end of new work',
      1_000,
    );
    expect(await Promise.all(running)).toEqual(['200 1', '200 1', '200 1', '200 1']);
    expect(await board.exited).toEqual({ code: 0, signal: null });
    await eventually(async () => !children.some(isRunning), 'the end of its children');
  });

  it('cuts off what does not end, and is gone with all of its children when MAG_DRAIN_SECONDS are over', async () => {
    board = await startTestBoard({ env: { MAG_DRAIN_SECONDS: '6' } });
    const project = await board.createProject('stuck', engine);
    const running = inFlight(board, project, FOR_EVER[engine] ?? '');
    await sleep(500);
    const { pid } = board;
    await eventually(async () => childrenOf(pid).length > 0, 'its children');
    const children = childrenOf(pid);
    const asked = performance.now();
    board.kill('SIGTERM');
    expect(await board.exited).toEqual({ code: 0, signal: null });
    expect(performance.now() - asked).toBeLessThan(10_000);
    expect((await Promise.all(running)).filter((outcome) => outcome.startsWith('200'))).toEqual([]);
    expect(board.output()).not.toContain('not drained within');
    await eventually(async () => !children.some(isRunning), 'the end of its children');
    expect(JSON.parse(readFileSync(join(board.folder, 'run/children.json'), 'utf8'))).toEqual([]);
  });
});

describe('SIGTERM while clients do not play along', () => {
  /** A connection that sent this and then nothing more. */
  const stuck = (from: TestBoard, text: string): Promise<Socket> =>
    new Promise((resolve) => {
      const socket = connect(Number(new URL(from.url).port), '127.0.0.1', () => {
        socket.write(text);
        resolve(socket);
      });
      socket.on('error', () => {});
    });

  it('waits seconds, not the whole time, for requests that never arrive and closes that nobody answers', async () => {
    board = await startTestBoard();
    const project = await board.createProject('rude');
    const { socket } = await openSocket(project);
    socket.pause();
    const head = 'POST /p/x/sql/v1 HTTP/1.1\r\nHost: x\r\ncontent-type: application/json\r\n';
    const sockets = await Promise.all([
      stuck(board, ''),
      stuck(board, head),
      stuck(board, `${head}content-length: 100\r\n\r\n{`),
    ]);
    await sleep(300);
    const asked = performance.now();
    board.kill('SIGTERM');
    expect(await board.exited).toEqual({ code: 0, signal: null });
    expect(performance.now() - asked).toBeLessThan(LIMITS.drainSeconds * 900);
    for (const each of sockets) each.destroy();
    socket.terminate();
  });
});
