/** The board's own figures, each against the number that was asked for: warm start, idle memory, recovery, change latency. */
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import WebSocket from 'ws';
import type { LifecycleEvent, ScopeFrame } from '../../src/protocol/actor-node.ts';
import {
  ADMIN_KEY,
  eventually,
  findNode,
  launch,
  type NewProject,
  startTestBoard,
  type TestBoard,
  temporaryFolder,
} from '../../test/support/board.ts';
import { postgresUrl } from '../../test/support/foreign-writer.ts';
import { median, type Result, round, type SuiteReport } from '../report.ts';

const PORT = '46123';
const CHANGES = 300;

const figure = (value: number, unit: string, asked: number): Result => ({
  value: round(value),
  unit,
  baseline: { name: 'figure', value: asked },
  ratio: round(asked / value),
});

/** From the process's start to the first 200 of /readyz, with the data folder of an earlier run. */
async function warmStart(folder: string): Promise<number> {
  const started = performance.now();
  const { child, exited } = launch(folder, { env: { MAG_PORT: PORT, MAG_LOG_LEVEL: 'warn' } });
  for (;;) {
    try {
      const reply = await fetch(`http://127.0.0.1:${PORT}/readyz`);
      if (reply.status === 200) break;
    } catch {
      // Not listening yet.
    }
    await sleep(10);
  }
  const took = performance.now() - started;
  child.kill('SIGTERM');
  await exited;
  return took;
}

/** PSS of a process and all below it, in MiB. */
function treePss(pid: number): number {
  const children = new Map<number, number[]>();
  for (const entry of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      const stat = readFileSync(`/proc/${entry}/stat`, 'utf8');
      const parent = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
      children.set(parent, [...(children.get(parent) ?? []), Number(entry)]);
    } catch {
      // It ended while we looked.
    }
  }
  const pss = (id: number): number => {
    const own = Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${id}/smaps_rollup`, 'utf8'))?.[1] ?? 0);
    return own + (children.get(id) ?? []).map(pss).reduce((sum, value) => sum + value, 0);
  };
  return pss(pid) / 1024;
}

/** From a crash of the feed worker until it is healthy again, less the backoff that its supervisor announced. */
async function recovery(board: TestBoard): Promise<number> {
  const path = 'board/feed';
  const before = findNode(await board.tree(), path)?.restarts ?? 0;
  const socket = new WebSocket(`${board.url.replace('http', 'ws')}/admin/v1/scope`, {
    headers: { authorization: `Bearer ${ADMIN_KEY}` },
  });
  let backoff = 0;
  let failed = 0;
  const back = new Promise<number>((resolve) => {
    socket.on('message', (data) => {
      const frame = JSON.parse(data.toString()) as ScopeFrame; // our own protocol
      if (frame.type !== 'event' || frame.event.path !== path) return;
      const event: LifecycleEvent = frame.event;
      if (event.type === 'failed') failed = performance.now();
      if (event.type === 'backing_off') backoff = event.delay ?? 0;
      if (event.type === 'ready' && failed > 0) resolve(performance.now() - failed - backoff);
    });
  });
  await new Promise((resolve) => socket.once('message', resolve));
  await board.admin('POST', `/admin/v1/actors/${path}/crash`, { reason: 'bench' });
  const took = await back;
  socket.close();
  await eventually(
    async () => (findNode(await board.tree(), path)?.restarts ?? 0) > before,
    'the restart to be counted',
  );
  return took;
}

/** One commit at a time over a plain driver connection, until its frame is on the subscriber's socket: the p50, milliseconds. */
async function changeLatency(board: TestBoard, project: NewProject, round: number): Promise<number> {
  await board.sql(
    project,
    round === 0 ? 'create table ticks (id bigint primary key, at text)' : 'truncate ticks',
  );
  const socket = new WebSocket(
    `${board.url.replace('http', 'ws')}/p/${project.ref}/realtime/v1/websocket?apikey=${project.keys.service}&vsn=2.0.0`,
  );
  await new Promise((resolve) => socket.once('open', resolve));
  const config = {
    broadcast: {},
    presence: {},
    postgres_changes: [{ event: 'INSERT', schema: 'public', table: 'ticks' }],
  };
  let onTick: ((id: number) => void) | undefined;
  const joined = new Promise((resolve) => {
    socket.on('message', (data) => {
      const [, , , event, payload] = JSON.parse(data.toString());
      if (event === 'phx_reply') resolve(payload);
      if (event === 'postgres_changes') onTick?.(Number(payload.data.record.id));
    });
  });
  socket.send(JSON.stringify(['1', '1', 'realtime:ticks', 'phx_join', { config }]));
  await joined;
  await sleep(500);
  const db = new pg.Client({ connectionString: await postgresUrl(board, project) });
  await db.connect();
  const waits: number[] = [];
  for (let id = 1; id <= CHANGES; id += 1) {
    const arrived = new Promise<number>((resolve) => {
      onTick = (tick) => {
        if (tick === id) resolve(performance.now());
      };
    });
    await db.query('insert into public.ticks values ($1, $2)', [id, 'now']);
    const committed = performance.now();
    // The frame may be there before the writer has its reply: then it took no time at all.
    waits.push(Math.max(0, (await arrived) - committed));
  }
  socket.close();
  await db.end();
  return median(waits);
}

export async function run({
  rounds,
  progress,
}: {
  rounds: number;
  progress: (line: string) => void;
}): Promise<SuiteReport> {
  const results: Record<string, Result> = {};
  const folder = temporaryFolder();
  const starts: number[] = [];
  await warmStart(folder);
  for (let index = 0; index < rounds; index += 1) {
    starts.push(await warmStart(folder));
    progress(`warm start ${Math.round(starts.at(-1) ?? 0)} ms`);
  }
  results['start.warm'] = figure(median(starts), 'ms', 1_500);

  const board = await startTestBoard({ folder });
  await sleep(3_000);
  if (process.platform === 'linux') results['memory.idle'] = figure(treePss(board.pid), 'MiB PSS', 220);
  const recoveries: number[] = [];
  for (let index = 0; index < Math.min(rounds, 4); index += 1) recoveries.push(await recovery(board));
  results['recovery.worker'] = figure(median(recoveries), 'ms', 250);
  const project = await board.createProject(`latency-${Date.now()}`, 'postgres');
  const latencies: number[] = [];
  for (let index = 0; index < rounds; index += 1) latencies.push(await changeLatency(board, project, index));
  results['change.postgres'] = figure(median(latencies), 'ms p50', 3);
  await board.stop({ keep: true });
  rmSync(folder, { recursive: true, force: true });
  return { results, skipped: {} };
}
