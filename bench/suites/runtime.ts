/**
 * The actor runtime beside what it is measured against: Erlang, raw XState actors, raw postMessage, Piscina, cockatiel, a
 * hand-written SQLite log, and the figures that were asked for. All through the public API.
 */
import { Erlang, node, type Program } from '../launch.ts';
import { paired, type Result, type SuiteReport } from '../report.ts';

/** What several results are measured against: run once a round, before them. */
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
  baseline: { name: 'figure', program: async () => value },
  unit,
  lowerIsBetter: true,
  subjects: { [result]: subject },
});

const WITHIN_THREAD: readonly Comparison[] = [
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
  figure(6, 'µs p50', 'light.restart.figure', node(LIGHT, 'restart')),
  figure(25, 'µs p50', 'machine.restart.figure', node(MACHINE, 'restart')),
  figure(1_024, 'bytes', 'light.memory.figure', node(CHILDREN, 'light.memory', GC)),
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

/** Baseline and subjects in turn, each round. */
async function compare(
  { baseline, unit, lowerIsBetter = false }: Comparison,
  program: Program,
  subjects: readonly (readonly [string, Program])[],
  { rounds, progress }: Plan,
): Promise<Record<string, Result>> {
  const pairs = new Map<string, [number, number][]>(subjects.map(([name]) => [name, []]));
  for (let round = 1; round <= rounds; round += 1) {
    const theirs = await program();
    for (const [name, subject] of subjects) {
      const ours = await subject();
      pairs.get(name)?.push([ours, theirs]);
      progress(`${name} round ${round}: ${ours.toPrecision(4)} against ${theirs.toPrecision(4)} ${unit}`);
    }
  }
  return Object.fromEntries(
    [...pairs].map(([name, measured]) => [name, paired(unit, baseline.name, measured, lowerIsBetter)]),
  );
}

export async function run(plan: Plan): Promise<SuiteReport> {
  const erlang = await Erlang.find();
  const results: Record<string, Result> = {};
  const skipped: Record<string, string> = {};
  try {
    for (const comparison of [...againstErlang(erlang), ...WITHIN_THREAD, ...ACROSS_THREADS]) {
      const subjects = Object.entries(comparison.subjects).filter(([name]) => name.startsWith(plan.only));
      const { program } = comparison.baseline;
      if (program === null) for (const [name] of subjects) skipped[name] = 'erl is not on PATH';
      else if (subjects.length > 0)
        Object.assign(results, await compare(comparison, program, subjects, plan));
    }
  } finally {
    erlang?.remove();
  }
  return { results, skipped };
}
