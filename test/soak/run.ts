/**
 * `npm run soak -- [--minutes N] [--seed S] [--runs N] [--restarts N]`: a million restarts with the heap weighed before and
 * after, workers that die in a loop, for so long writers on all engines while servers, actors and the board are killed, then
 * for as long random trees with random faults against the reference model. What fails is printed with its seed;
 * `--seed S --runs 1` runs that one tree again.
 * `npm run soak -- documents DIR` runs the MongoDB drivers' specifications instead: documents.ts says how.
 */
import { parseArgs } from 'node:util';
import fc from 'fast-check';
import { compareClosely } from '../model/comparison.ts';
import { scenario } from '../model/steps.ts';
import { weather } from '../model/storm.ts';
import { runSpecification } from './documents.ts';
import { stormEngines } from './engines.ts';
import { ORDEALS, restartInPlenty } from './restarts.ts';
import { crashWorkers } from './workers.ts';

/** Heap that may come to stay over all restarts: caches of the engine, never a share of each restart. */
const SLACK_BYTES = 2_000_000;

if (process.argv[2] === 'documents') process.exit(await runSpecification(process.argv.slice(3)));

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '5' },
    seed: { type: 'string' },
    runs: { type: 'string' },
    restarts: { type: 'string', default: '1000000' },
  },
});
const minutes = Number(values.minutes);
const restarts = Number(values.restarts);
const first = Number(values.seed ?? Math.floor(Math.random() * 2 ** 31));
const runs = values.runs === undefined ? null : Number(values.runs);
if (![minutes, restarts, first, runs ?? 0].every(Number.isFinite)) {
  process.stderr.write('usage: npm run soak -- [--minutes N] [--seed S] [--runs N] [--restarts N]\n');
  process.exit(2);
}
const say = (line: string): void => void process.stdout.write(`${line}\n`);
let failures = 0;

/** One random scenario by its seed: compared with the model step by step, then once more as a storm. */
async function tree(seed: number): Promise<void> {
  const [given] = fc.sample(scenario, { seed, numRuns: 1 });
  if (given === undefined) return;
  await compareClosely(given, seed);
  await weather(given, seed);
}

async function trees(): Promise<void> {
  const until = performance.now() + minutes * 60_000;
  const more = (done: number): boolean => (runs === null ? performance.now() < until : done < runs);
  let parted = 0;
  let done = 0;
  for (; more(done); done += 1) {
    const seed = first + done;
    try {
      await tree(seed);
    } catch (error) {
      parted += 1;
      say(`✗ seed ${seed}: npm run soak -- --seed ${seed} --runs 1`);
      say(error instanceof Error ? error.message : String(error));
    }
  }
  failures += parted;
  say(`${parted === 0 ? '✓' : '✗'} ${done} random trees from seed ${first}, ${parted} parted from the model`);
}

async function heap(): Promise<void> {
  for (const [name, ordeal] of Object.entries(ORDEALS)) {
    // The restart that all others are built on gets the full number, the slower ways a part of it.
    const count = Math.ceil(restarts * (ordeal.share === 1 ? 1 : ordeal.share / 10));
    const { before, after } = await restartInPlenty(ordeal, count);
    const grown = after - before;
    const flat = grown < SLACK_BYTES;
    if (!flat) failures += 1;
    say(`${flat ? '✓' : '✗'} ${name}: ${count} restarts, heap ${megabytes(before)} → ${megabytes(after)}`);
  }
}

async function workers(): Promise<void> {
  const until = performance.now() + Math.max(10_000, minutes * 6_000);
  const { crashes, before, after } = await crashWorkers(() => performance.now() > until);
  const grown = Object.keys(after).filter((kind) => (after[kind] ?? 0) > (before[kind] ?? 0) + 6);
  if (grown.length > 0) failures += 1;
  say(
    `${grown.length === 0 ? '✓' : '✗'} ${crashes} deaths of workers and processes, resources ${summary(before)} → ${summary(after)}`,
  );
}

async function engines(): Promise<void> {
  const { faults, acknowledged, wrong } = await stormEngines(minutes, first);
  for (const line of wrong) say(line);
  if (wrong.length > 0) failures += 1;
  say(
    `${wrong.length === 0 ? '✓' : '✗'} a storm over the engines by seed ${first}: ${summary(faults)}; acknowledged and there once: ${summary(acknowledged)}`,
  );
}

const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(2)} MB`;
const summary = (counts: Readonly<Record<string, number>>): string =>
  Object.entries(counts)
    .map(([kind, count]) => `${kind} ${count}`)
    .join(', ');

if (runs === null) {
  await heap();
  await workers();
  await engines();
}
await trees();
process.exitCode = failures > 0 ? 1 : 0;
