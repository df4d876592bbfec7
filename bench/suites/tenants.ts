/**
 * Many projects on one board, over every engine that is there: what one costs to make and to keep, what a Zipf load over
 * all of them gets done beside the same load on one, and what a quiet project notices of a noisy one.
 */
import { readFileSync } from 'node:fs';
import { startTestBoard, type TestBoard } from '../../test/support/board.ts';
import type { TenantTarget } from '../load/tenants-load.ts';
import { median, paired, type Result, round, type SuiteReport } from '../report.ts';
import { fairness, fairnessNames } from './fairness.ts';
import { drive, type Tenant } from './tenants-board.ts';

const PROJECTS_PER_ENGINE = 40;
const CONNECTIONS = 32;
const SECONDS = 4;
const ROWS = 500;
/** What a project may take to be made, milliseconds, p50. */
const CREATE_MS: Readonly<Record<string, number>> = {
  sqlite: 30,
  postgres: 120,
  mysql: 120,
  redis: 30,
  mongodb: 60,
};

/** Rows in a table or collection `items`, by REST where the engine makes it with the first insert. */
async function fill(board: TestBoard, { project, engine }: Tenant): Promise<void> {
  if (engine !== 'mongodb' && engine !== 'redis') {
    const made = await board.sql(
      project,
      'create table items (id integer primary key, name varchar(100), value integer)',
    );
    if (made.status !== 200) throw new Error(JSON.stringify(made.body));
  }
  const rows = Array.from({ length: ROWS }, (_, at) => ({
    id: at + 1,
    name: `item ${at + 1}`,
    value: at % 50,
  }));
  const reply = await fetch(`${project.url}/rest/v1/items`, {
    method: 'POST',
    headers: { apikey: project.keys.service, 'content-type': 'application/json' },
    body: JSON.stringify(rows),
  });
  if (reply.status !== 201) throw new Error(`${engine}: ${await reply.text()}`);
}

const reading = ({ project }: Tenant, name: string, weight: number): TenantTarget => ({
  name,
  weight,
  path: `/p/${project.ref}/rest/v1/items?id=eq.7`,
  headers: { apikey: project.keys.service },
});

/** Everything of the board and its child processes that is its own, bytes. */
function memory(pid: number): number {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
    .trim()
    .split(' ')
    .filter(Boolean);
  const own = /^Pss:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1] ?? '0';
  return Number(own) * 1_024 + children.reduce((sum, child) => sum + memory(Number(child)), 0);
}

const NAMES = (engine: string) => [`create.${engine}.figure`, `zipf.${engine}.one`, ...fairnessNames(engine)];

/** Whether a result that was asked for is of this engine, or of all. */
const concerns = (only: string, engine: string): boolean =>
  NAMES(engine).some((name) => name.startsWith(only)) || 'zipf.projects.one'.startsWith(only);

async function makeAll(
  board: TestBoard,
  engines: readonly string[],
  each: number,
  say: (line: string) => void,
) {
  const tenants: Tenant[] = [];
  const times = new Map<string, number[]>(engines.map((engine) => [engine, []]));
  for (let at = 0; at < each * engines.length; at += 1) {
    const engine = engines[at % engines.length] as string; // within the list
    const began = performance.now();
    const project = await board.createProject(`tenant-${at}`, engine);
    // The first one starts the engine's server.
    if (at >= engines.length) times.get(engine)?.push(performance.now() - began);
    tenants.push({ project, engine });
  }
  const results: Record<string, Result> = {};
  for (const [engine, taken] of times) {
    const p50 = median(taken);
    const asked = CREATE_MS[engine] ?? 0;
    say(`create.${engine}: ${p50.toFixed(1)} ms, ${asked} asked for`);
    results[`create.${engine}.figure`] = {
      value: round(p50),
      unit: 'ms p50',
      baseline: { name: 'figure', value: asked },
      ratio: round(asked / p50),
    };
  }
  return { tenants, results };
}

/** Connections that the board has opened to the engines' servers so far. */
async function opened(board: TestBoard): Promise<number> {
  const text = await (await fetch(`${board.url}/metrics`)).text();
  return [...text.matchAll(/^mag_pool_leased_total\S* (\d+)$/gm)].reduce((sum, [, n]) => sum + Number(n), 0);
}

/**
 * The k-th project is asked for 1/k as often as the first. Against the first project of each engine, asked as often as
 * all of its engine together: the same mix, without the many.
 */
async function zipf(
  board: TestBoard,
  tenants: readonly Tenant[],
  rounds: number,
  say: (line: string) => void,
): Promise<Result> {
  const all = tenants.map((tenant, at) => reading(tenant, tenant.project.ref, 1 / (at + 1)));
  const firsts = new Map<string, TenantTarget>();
  for (const [at, { engine }] of tenants.entries()) {
    const target = all[at] as TenantTarget; // made from the same list
    const first = firsts.get(engine);
    firsts.set(engine, first === undefined ? target : { ...first, weight: first.weight + target.weight });
  }
  const few = [...firsts.values()];
  const common = { url: board.url, connections: CONNECTIONS };
  // Every project is awake before the first round, as it is on a board that has been up for a while.
  const evenly = all.map((target) => ({ ...target, weight: 1 }));
  await drive({ ...common, targets: evenly, seconds: 2 * SECONDS });
  const pairs: [number, number][] = [];
  for (let at = 0; at < rounds; at += 1) {
    const one = await drive({ ...common, targets: few, seconds: SECONDS });
    const before = await opened(board);
    const many = await drive({ ...common, targets: all, seconds: SECONDS });
    const churn = (await opened(board)) - before;
    pairs.push([many.perSecond, one.perSecond]);
    say(
      `zipf over ${[...firsts.keys()].join(', ')}, round ${at + 1}: ${Math.round(many.perSecond)} on ${all.length} projects against ${Math.round(one.perSecond)} on ${few.length} (${(many.perSecond / one.perSecond).toFixed(2)}), ${churn} connections opened`,
    );
  }
  return paired('req/s', 'the same load on one project of each engine', pairs);
}

export async function run({
  rounds,
  only,
  progress,
}: {
  readonly rounds: number;
  readonly only: string;
  readonly progress: (line: string) => void;
}): Promise<SuiteReport> {
  const board = await startTestBoard({ env: { MAG_EDGE_WORKERS: '2' } });
  try {
    const listed = await board.admin<readonly { engine: string; available: boolean; why: string | null }[]>(
      'GET',
      '/admin/v1/engines',
    );
    const engines = listed.body
      .filter(({ available, engine }) => available && concerns(only, engine))
      .map(({ engine }) => engine);
    const skipped = Object.fromEntries(
      listed.body.filter(({ available }) => !available).map(({ engine, why }) => [engine, why ?? '']),
    );
    const empty = memory(board.pid);
    const { tenants, results } = await makeAll(
      board,
      engines,
      only.startsWith('fairness') ? 2 : PROJECTS_PER_ENGINE,
      progress,
    );
    for (const tenant of tenants) await fill(board, tenant);
    if ('zipf.projects.one'.startsWith(only)) {
      results['zipf.projects.one'] = await zipf(board, tenants, rounds, progress);
      const each = (memory(board.pid) - empty) / tenants.length / 2 ** 20;
      progress(`memory: ${each.toFixed(2)} MiB for each of ${tenants.length} projects in use`);
      const asked = 8;
      const baseline = { name: 'figure', value: asked };
      results['memory.project.figure'] = {
        value: round(each),
        unit: 'MiB',
        baseline,
        ratio: round(asked / each),
      };
    }
    for (const engine of engines) {
      const name = `zipf.${engine}.one`;
      if (!name.startsWith(only)) continue;
      const own = tenants.filter((tenant) => tenant.engine === engine);
      results[name] = await zipf(board, own, rounds, progress);
    }
    for (const engine of engines) {
      const [quiet, noisy] = tenants.filter((tenant) => tenant.engine === engine);
      const isAsked = fairnessNames(engine).some((name) => name.startsWith(only));
      if (!isAsked || quiet === undefined || noisy === undefined) continue;
      Object.assign(results, await fairness(board, [quiet, noisy], only, rounds, progress));
    }
    return { results, skipped };
  } finally {
    await board.stop();
  }
}
