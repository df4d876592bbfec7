/** Broadcasts to many subscribers: our gateway against bare `ws`, one thread each, the same clients in another process. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { startTestBoard } from '../../test/support/board.ts';
import { SERVICE_KEY } from '../../test/support/edge-ports.ts';
import { median, paired, type Result, round, type SuiteReport } from '../report.ts';

const SUBSCRIBERS = 1_000;
const PAYLOAD_BYTES = 250;
const WINDOW = 100;
const SECONDS = 2;
const PACE = 40_000;
const PACED_SECONDS = 4;
/** What the paced p99 must stay under, milliseconds. */
const P99_ASKED = 20;

const execute = promisify(execFile);

export interface FanoutOptions {
  readonly rounds: number;
  readonly progress: (line: string) => void;
  /** `gateway`: the gateway alone in its process. Default: a whole board with one edge worker, as many as the baseline has threads. */
  readonly subject?: 'board' | 'gateway';
}

interface Target {
  readonly url: string;
  readonly protocol: 'phoenix' | 'plain';
}

interface Measured {
  readonly perSecond: number;
  readonly p99: number;
}

async function measure(target: Target, seconds: number, rate: number): Promise<Measured> {
  const load = {
    ...target,
    seconds,
    rate,
    subscribers: SUBSCRIBERS,
    payloadBytes: PAYLOAD_BYTES,
    window: WINDOW,
  };
  const file = join(import.meta.dirname, '../load/fanout-clients.ts');
  const { stdout } = await execute(process.execPath, [file, JSON.stringify(load)]);
  return JSON.parse(stdout) as Measured; // printed by the load process
}

async function start(file: string): Promise<{ port: string; child: ChildProcess }> {
  const child = spawn(process.execPath, [join(import.meta.dirname, file)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const port = await new Promise<string>((resolve, reject) => {
    child.stdout.once('data', (chunk: Buffer) => resolve(chunk.toString().trim()));
    child.once('exit', (code) => reject(new Error(`${file} ended with ${code}`)));
  });
  return { port, child };
}

const socketOf = (project: string, key: string): string =>
  `${project.replace(/^http/, 'ws')}/realtime/v1/websocket?apikey=${encodeURIComponent(key)}&vsn=2.0.0`;

interface Subject {
  /** Of a project: `http://HOST:PORT/p/REF`. */
  readonly url: string;
  readonly key: string;
  stop(): Promise<unknown>;
}

async function startSubject(kind: 'board' | 'gateway'): Promise<Subject> {
  if (kind === 'gateway') {
    const { port, child } = await start('../subjects/fanout-gateway.ts');
    return { url: `http://127.0.0.1:${port}/p/bench`, key: SERVICE_KEY, stop: async () => child.kill() };
  }
  const board = await startTestBoard({ env: { MAG_EDGE_WORKERS: '1' } });
  const project = await board.createProject('fanout');
  return { url: project.url, key: project.keys.service, stop: () => board.stop() };
}

export async function run(options: FanoutOptions): Promise<SuiteReport> {
  const baseline = await start('../baselines/fanout-ws.ts');
  const subject = await startSubject(options.subject ?? 'board');
  const ours: Target = { url: socketOf(subject.url, subject.key), protocol: 'phoenix' };
  const theirs: Target = { url: `ws://127.0.0.1:${baseline.port}/`, protocol: 'plain' };
  const pairs: [number, number][] = [];
  const p99s: number[] = [];
  try {
    for (let index = 0; index < options.rounds; index += 1) {
      const bare = await measure(theirs, SECONDS, 0);
      const board = await measure(ours, SECONDS, 0);
      const paced = await measure(ours, PACED_SECONDS, PACE);
      pairs.push([board.perSecond, bare.perSecond]);
      p99s.push(paced.p99);
      options.progress(
        `fanout: ${Math.round(board.perSecond)} against ${Math.round(bare.perSecond)} deliveries/s; ` +
          `paced ${Math.round(paced.perSecond)}/s p99 ${paced.p99.toFixed(1)} ms`,
      );
    }
  } finally {
    baseline.child.kill();
    await subject.stop();
  }
  const p99 = median(p99s);
  const results: Record<string, Result> = {
    [`fanout.${SUBSCRIBERS}.ws`]: paired('deliveries/s', 'ws, one frame per write', pairs),
    [`fanout.${SUBSCRIBERS}.p99`]: {
      value: round(p99),
      unit: `ms at ${PACE}/s`,
      baseline: { name: 'figure', value: P99_ASKED },
      ratio: round(P99_ASKED / p99),
    },
  };
  return {
    results,
    skipped: { [`fanout.${SUBSCRIBERS}.socketio`]: 'socket.io is no dependency of this package' },
  };
}
