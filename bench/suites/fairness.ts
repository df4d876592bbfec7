/**
 * What a quiet project notices of a noisy one: p99 of its reads beside the other's load over its p99 alone, on the board
 * and, in turn with it, on bare Fastify and the driver over the very same rows, which tells what of it is the machine's.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import type { TestBoard } from '../../test/support/board.ts';
import type { TenantsBaseline } from '../baselines/tenants-fastify.ts';
import type { TenantTarget } from '../load/tenants-load.ts';
import { median, type Result, round } from '../report.ts';
import { drive, type Tenant } from './tenants-board.ts';

/** How much slower a quiet project may be beside a noisy one, p99. */
const FIGURE = 4;
/** The last one is the figure's. */
const NOISES = [1, 8, 32, 64] as const;
const QUIET_CONNECTIONS = 2;
const SECONDS = 3;
/** Before anything is measured: connections open, and code gets warm, on both ends. */
const WARM_SECONDS = 1;

interface Side {
  readonly url: string;
  readonly quiet: TenantTarget;
  readonly noisy: TenantTarget;
}

interface Times {
  readonly p50: number;
  readonly p99: number;
}

const figureOf = (engine: string): string => `fairness.${engine}.figure`;
const againstBare = (engine: string, noise: number): string => `fairness.${engine}.beside-${noise}`;

/** All results of an engine. */
export const fairnessNames = (engine: string): readonly string[] => [
  figureOf(engine),
  ...NOISES.map((noise) => againstBare(engine, noise)),
];

/** What the baseline reaches a project's rows by: its file, or a credential for tools. */
async function targetOf(board: TestBoard, { project, engine }: Tenant): Promise<string> {
  if (engine === 'sqlite') return join(board.folder, 'projects', project.ref, 'data.sqlite');
  const path = `/admin/v1/projects/${project.ref}/credentials`;
  const made = await board.admin<{ url: string; database: string }>('POST', path, {
    name: 'baseline',
    mode: 'read',
  });
  if (made.status !== 201) throw new Error(JSON.stringify(made.body));
  return engine === 'redis' ? `${made.body.url} ${made.body.database}` : made.body.url;
}

async function startBare(baseline: TenantsBaseline): Promise<{ url: string; child: ChildProcess }> {
  const file = join(import.meta.dirname, '../baselines/tenants-fastify.ts');
  const child = spawn(process.execPath, [file, JSON.stringify(baseline)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const port = await new Promise<string>((resolve, reject) => {
    child.stdout.once('data', (chunk: Buffer) => resolve(chunk.toString().trim()));
    child.once('exit', (code) => reject(new Error(`the baseline ended with ${code}`)));
  });
  return { url: `http://127.0.0.1:${port}`, child };
}

/** Times of the quiet project beside so many connections of the noisy one. */
async function timesBeside(side: Side, noise: number): Promise<Times> {
  const quiet = {
    ...{ url: side.url, targets: [side.quiet], connections: QUIET_CONNECTIONS },
    ...{ seconds: SECONDS, warmSeconds: WARM_SECONDS },
  };
  const loud = { ...quiet, targets: [side.noisy], connections: noise, seconds: SECONDS + 1 };
  const noisy = noise === 0 ? null : drive(loud);
  const { targets } = await drive(quiet);
  await noisy;
  return targets.quiet ?? { p50: 0, p99: 0 };
}

const shown = ({ p50, p99 }: Times): string => `${p50.toFixed(2)}/${p99.toFixed(2)}`;

/** p99 beside each number of connections over p99 alone. */
async function ratios(side: Side, noises: readonly number[], say: (line: string) => void): Promise<number[]> {
  const alone = await timesBeside(side, 0);
  const found: number[] = [];
  const line = [`alone ${shown(alone)}`];
  for (const noise of noises) {
    const beside = await timesBeside(side, noise);
    found.push(beside.p99 / alone.p99);
    line.push(`beside ${noise} ${shown(beside)}`);
  }
  say(`${line.join(', ')} ms p50/p99`);
  return found;
}

async function sidesOf(board: TestBoard, quiet: Tenant, noisy: Tenant) {
  const reading = ({ project }: Tenant, name: string, query: string): TenantTarget => ({
    ...{ name, weight: 1, path: `/p/${project.ref}/rest/v1/items?${query}` },
    headers: { apikey: project.keys.service },
  });
  const ours: Side = {
    url: board.url,
    quiet: reading(quiet, 'quiet', 'id=eq.7'),
    noisy: reading(noisy, 'noisy', 'order=id&limit=100'),
  };
  const targets = { quiet: await targetOf(board, quiet), noisy: await targetOf(board, noisy) };
  const { url, child } = await startBare({ engine: quiet.engine, targets });
  const bare = (name: string, path: string): TenantTarget => ({ name, weight: 1, path, headers: {} });
  const theirs: Side = { url, quiet: bare('quiet', '/quiet/one'), noisy: bare('noisy', '/noisy/list') };
  return { ours, theirs, child };
}

export async function fairness(
  board: TestBoard,
  tenants: readonly [quiet: Tenant, noisy: Tenant],
  only: string,
  rounds: number,
  say: (line: string) => void,
): Promise<Record<string, Result>> {
  const { engine } = tenants[0];
  const last = NOISES[NOISES.length - 1] ?? 0;
  const isFigure = figureOf(engine).startsWith(only);
  const noises = NOISES.filter(
    (noise) => againstBare(engine, noise).startsWith(only) || (noise === last && isFigure),
  );
  const { ours, theirs, child } = await sidesOf(board, ...tenants);
  const board99: number[][] = [];
  const bare99: number[][] = [];
  try {
    for (let at = 1; at <= rounds; at += 1) {
      bare99.push(
        await ratios(theirs, noises, (line) => say(`fairness.${engine} bare, round ${at}: ${line}`)),
      );
      board99.push(
        await ratios(ours, noises, (line) => say(`fairness.${engine} board, round ${at}: ${line}`)),
      );
    }
  } finally {
    child.kill('SIGTERM');
  }
  const middle = (all: readonly (readonly number[])[], at: number): number =>
    round(median(all.map((each) => each[at] ?? 0)));
  const results: Record<string, Result> = {};
  for (const [at, noise] of noises.entries()) {
    const value = middle(board99, at);
    const compare = (name: string, against: number): Result => ({
      ...{ value, unit: 'times', baseline: { name, value: against }, ratio: round(against / value) },
    });
    if (againstBare(engine, noise).startsWith(only))
      results[againstBare(engine, noise)] = compare('bare Fastify and the driver', middle(bare99, at));
    if (noise === last && isFigure) results[figureOf(engine)] = compare('figure', FIGURE);
  }
  return results;
}
