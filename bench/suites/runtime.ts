/**
 * The actor runtime beside what it is measured against: Erlang, raw XState actors, raw postMessage, Piscina, cockatiel, a
 * hand-written SQLite log, and the figures that were asked for. All through the public API.
 */
import { Erlang, node, type Program } from '../launch.ts';
import { paired, type Result, type SuiteReport } from '../report.ts';

/** What several results are measured against. */
interface Comparison {
  readonly baseline: { readonly name: string; readonly program: Program | null };
  readonly unit: string;
  /** Latencies and sizes. */
  readonly lowerIsBetter?: boolean;
  readonly subjects: Readonly<Record<string, Program>>;
}

const LIGHT = 'subjects/runtime/light.ts';
const MACHINE = 'subjects/runtime/machine.ts';
const CHILDREN = 'subjects/runtime/children.ts';
const WORKER = 'subjects/runtime/worker.ts';
const XSTATE = 'baselines/runtime/machine-xstate.ts';
const POST = 'baselines/runtime/postmessage.ts';
const GC = ['--expose-gc'];

function againstErlang(erlang: Erlang | null): readonly Comparison[] {
  const otp = (
    name: string,
    module: string,
    entry = 'main',
    better: (...values: number[]) => number = Math.max,
  ): Comparison['baseline'] => ({ name, program: erlang?.program(module, entry, better) ?? null });
  return [
    {
      baseline: otp('Erlang processes', 'pingpong'),
      unit: 'round trips/s',
      subjects: { 'light.pingpong.erlang': node(LIGHT, 'pingpong') },
    },
    {
      baseline: otp('Erlang processes', 'oneway'),
      unit: 'messages/s',
      subjects: { 'light.oneway.erlang': node(LIGHT, 'oneway') },
    },
    {
      baseline: otp('gen_server:call', 'ask'),
      unit: 'asks/s',
      subjects: { 'light.ask.erlang': node(LIGHT, 'ask') },
    },
    {
      baseline: otp('Erlang spawn', 'spawned'),
      unit: 'children/s',
      subjects: {
        'light.spawn.erlang': node(CHILDREN, 'light.spawn'),
        'machine.spawn.erlang': node(CHILDREN, 'machine.spawn'),
      },
    },
    {
      baseline: otp('OTP dynamic supervisor', 'supervised'),
      unit: 'children/s',
      subjects: {
        'light.spawn.otp': node(CHILDREN, 'light.spawn'),
        'machine.spawn.otp': node(CHILDREN, 'machine.spawn'),
      },
    },
    {
      baseline: otp('OTP supervisor', 'restart', 'main', Math.min),
      unit: 'µs p50',
      lowerIsBetter: true,
      subjects: { 'light.restart.erlang': node(LIGHT, 'restart') },
    },
    {
      baseline: otp('Erlang process', 'spawned', 'memory', Math.min),
      unit: 'bytes',
      lowerIsBetter: true,
      subjects: { 'light.memory.erlang': node(CHILDREN, 'light.memory', GC) },
    },
  ];
}

const against = (
  name: string,
  file: string,
  metric: string,
  unit: string,
  subjects: Comparison['subjects'],
  lowerIsBetter = false,
): Comparison => ({ baseline: { name, program: node(file, metric) }, unit, subjects, lowerIsBetter });

/** A number that was asked for. */
const figure = (value: number, unit: string, result: string, subject: Program): Comparison => ({
  baseline: { name: 'figure', program: { name: `figure ${value}`, run: async () => value } },
  unit,
  lowerIsBetter: true,
  subjects: { [result]: subject },
});

const WITHIN_THREAD: readonly Comparison[] = [
  figure(6, 'µs p50', 'light.restart.figure', node(LIGHT, 'restart')),
  figure(1_024, 'bytes', 'light.memory.figure', node(CHILDREN, 'light.memory', GC)),
  against('raw XState actors', XSTATE, 'pingpong', 'round trips/s', {
    'machine.pingpong.xstate': node(MACHINE, 'pingpong'),
  }),
  against('raw XState actors', XSTATE, 'oneway', 'messages/s', {
    'machine.oneway.xstate': node(MACHINE, 'oneway'),
  }),
  against('raw XState actor', XSTATE, 'send', 'events/s', { 'machine.send.xstate': node(MACHINE, 'send') }),
  against('raw XState actor', XSTATE, 'toggle', 'events/s', {
    'machine.toggle.xstate': node(MACHINE, 'toggle'),
  }),
  figure(25, 'µs p50', 'machine.restart.figure', node(MACHINE, 'restart')),
  figure(3_072, 'bytes', 'machine.memory.figure', node(CHILDREN, 'machine.memory', GC)),
  // Of 100,000 children over of 1,000: what starting and stopping one of them takes.
  figure(10, 'times', 'light.spawn.linear', node(CHILDREN, 'light.linear')),
  figure(10, 'times', 'machine.spawn.linear', node(CHILDREN, 'machine.linear')),
  figure(150, 'ns a call', 'breaker.figure', node('subjects/runtime/breaker.ts', 'overhead')),
  against(
    'cockatiel',
    'baselines/runtime/breaker-cockatiel.ts',
    'overhead',
    'ns a call',
    { 'breaker.cockatiel': node('subjects/runtime/breaker.ts', 'overhead') },
    true,
  ),
];

const ACROSS_THREADS: readonly Comparison[] = [
  ...(['objects', 'binary'] as const).flatMap((kind) => [
    against('postMessage one by one', POST, `${kind}.single`, 'messages/s', {
      [`worker.oneway.${kind}.single`]: node(WORKER, kind),
    }),
    against('postMessage in batches, ring', POST, `${kind}.batch`, 'messages/s', {
      [`worker.oneway.${kind}.batch`]: node(WORKER, kind),
    }),
    against('postMessage in batches, no credit', POST, `${kind}.free`, 'items/s', {
      [`flow.port.${kind}.batch`]: node('subjects/runtime/flow.ts', kind),
    }),
  ]),
  ...([1, 64] as const).map((inFlight) =>
    against('postMessage', POST, `roundtrip.${inFlight}`, 'round trips/s', {
      [`worker.ask.${inFlight}.postmessage`]: node(WORKER, `roundtrip.${inFlight}`),
    }),
  ),
  against('Piscina task', 'baselines/runtime/task-piscina.ts', 'call', 'calls/s', {
    'worker.ask.64.piscina': node(WORKER, 'roundtrip.64'),
  }),
  figure(6, 'ms p50', 'worker.restart.figure', node(WORKER, 'restart')),
  against('64 appends a transaction', 'baselines/runtime/append-sqlite.ts', 'append', 'appends/s', {
    'append.64.sqlite': node('subjects/runtime/append.ts', 'append'),
  }),
];

interface Plan {
  readonly rounds: number;
  /** Only the results whose names begin with it. */
  readonly only: string;
  readonly progress: (line: string) => void;
}

type Pair = readonly [ours: number, theirs: number];

/** One run of everything, the baseline before what is measured against it. */
async function measureRound(
  comparisons: readonly Comparison[],
  progress: (line: string) => void,
): Promise<ReadonlyMap<string, Pair>> {
  const known = new Map<string, number>();
  const measureOnce = async ({ name, run }: Program): Promise<number> => {
    const value = known.get(name) ?? (await run());
    known.set(name, value);
    return value;
  };
  const pairs = new Map<string, Pair>();
  for (const { baseline, subjects, unit } of comparisons) {
    if (baseline.program === null) continue;
    const theirs = await measureOnce(baseline.program);
    for (const [name, subject] of Object.entries(subjects)) {
      const ours = await measureOnce(subject);
      pairs.set(name, [ours, theirs]);
      progress(`${name}: ${ours.toPrecision(4)} against ${theirs.toPrecision(4)} ${unit}`);
    }
  }
  return pairs;
}

const matching = (comparisons: readonly Comparison[], only: string): readonly Comparison[] =>
  comparisons
    .map((comparison) => ({
      ...comparison,
      subjects: Object.fromEntries(
        Object.entries(comparison.subjects).filter(([name]) => name.startsWith(only)),
      ),
    }))
    .filter(({ subjects }) => Object.keys(subjects).length > 0);

export async function run({ rounds, only, progress }: Plan): Promise<SuiteReport> {
  const erlang = await Erlang.find();
  const comparisons = matching([...againstErlang(erlang), ...WITHIN_THREAD, ...ACROSS_THREADS], only);
  const measured: ReadonlyMap<string, Pair>[] = [];
  try {
    for (let round = 1; round <= rounds; round += 1) {
      progress(`round ${round} of ${rounds}`);
      measured.push(await measureRound(comparisons, progress));
    }
  } finally {
    erlang?.remove();
  }
  const results: Record<string, Result> = {};
  const skipped: Record<string, string> = {};
  for (const { baseline, unit, subjects, lowerIsBetter } of comparisons) {
    for (const name of Object.keys(subjects)) {
      const pairs = measured.map((round) => round.get(name)).filter((pair) => pair !== undefined);
      if (baseline.program === null) skipped[name] = 'erl is not on PATH';
      else results[name] = paired(unit, baseline.name, pairs, lowerIsBetter);
    }
  }
  return { results, skipped };
}
