import fc from 'fast-check';
import { expect } from 'vitest';
import {
  type Breaker,
  type BreakerSnapshot,
  type BreakerTicket,
  createBreaker,
  MagError,
} from '../../../src/index.ts';
import { type VirtualHost, virtualHost } from '../../../src/testing/virtual-host.ts';
import { BreakerModel, type ModelCall, type Outcome } from './breaker-model.ts';

/** A call in flight: what the model knows of it, and how it is ended. */
interface Flight {
  readonly call: ModelCall;
  end(outcome: Outcome): void;
}

/** The breaker under test with everything that is in flight through it. */
export interface Rig {
  readonly host: VirtualHost;
  breaker: Breaker;
  readonly flights: Flight[];
  /** What `run` gave back, to be compared with how its call ended. */
  readonly results: { readonly expected: string; readonly got: Promise<string> }[];
  /** Puts a breaker in place of the last one, which may still draw for calls that outlive it. */
  renew(snapshot: BreakerSnapshot | null): void;
}

export function rig(seed: number): { model: BreakerModel; real: Rig } {
  const host = virtualHost(seed);
  let draws: number[] = [];
  const make = (snapshot: BreakerSnapshot | null): Breaker => {
    const own: number[] = [];
    draws = own;
    const random = (): number => {
      const drawn = host.random();
      own.push(drawn);
      return drawn;
    };
    return createBreaker({ host: { ...host, random }, snapshot });
  };
  const real: Rig = {
    host,
    breaker: make(null),
    flights: [],
    results: [],
    renew: (snapshot) => {
      real.breaker = make(snapshot);
    },
  };
  return { model: new BreakerModel(() => draws.shift() ?? Number.NaN), real };
}

/** Everything that can be seen of a breaker has to be what the model says. */
async function compare(model: BreakerModel, real: Rig): Promise<void> {
  await real.host.runUntilIdle();
  const now = real.host.now();
  const { slowMs: _, ...seen } = real.breaker.stats();
  model.look(now);
  expect(seen).toEqual({
    state: model.state,
    openings: model.openings,
    probesInFlight: model.probes.length,
    ...model.window(now),
    ...model.counts,
  });
  expect(seen.probesInFlight).toBeLessThanOrEqual(3);
  if (model.state === 'open')
    expect(Math.abs((real.breaker.nextChangeIn ?? 0) - (model.until - now))).toBeLessThan(0.01);
}

const refused = (error: unknown): void => {
  expect(error).toBeInstanceOf(MagError);
  expect(error).toMatchObject({ code: 'MAG_CIRCUIT_OPEN', status: 503 });
};

type Way = 'run' | 'signal' | 'ticket';

function byTicket(real: Rig): ((outcome: Outcome) => void) | null {
  let ticket: BreakerTicket;
  try {
    ticket = real.breaker.admit();
  } catch (error) {
    refused(error);
    return null;
  }
  return (outcome) => {
    ticket[outcome]();
    // Only the first outcome counts.
    ticket.failure();
    ticket.cancel();
    ticket.success();
  };
}

function byRun(real: Rig, way: 'run' | 'signal'): ((outcome: Outcome) => void) | null {
  let called = false;
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const controller = new AbortController();
  const fn = (): Promise<string> => {
    called = true;
    return promise;
  };
  const got = real.breaker
    .run(fn, way === 'signal' ? controller.signal : undefined)
    .catch((error: unknown) => {
      if (!called) refused(error);
      return error instanceof Error ? error.message : String(error);
    });
  if (!called) return null;
  return (outcome) => {
    if (outcome === 'cancel' && way === 'signal') controller.abort();
    real.results.push({ expected: outcome, got });
    if (outcome === 'success') resolve('success');
    else if (outcome === 'failure') reject(new Error('failure'));
    else reject(Object.assign(new Error('cancel'), { name: 'AbortError' }));
  };
}

type Command = fc.AsyncCommand<BreakerModel, Rig>;

const command = (name: string, run: (model: BreakerModel, real: Rig) => Promise<void> | void): Command => ({
  check: () => true,
  run: async (model, real) => {
    await run(model, real);
    await compare(model, real);
  },
  toString: () => name,
});

const call = (way: Way): Command =>
  command(`call(${way})`, (model, real) => {
    const end = way === 'ticket' ? byTicket(real) : byRun(real, way);
    const expected = model.call(real.host.now());
    expect(end !== null, 'admitted').toBe(expected !== null);
    if (end !== null && expected !== null) real.flights.push({ call: expected, end });
  });

const settle = (pick: number, outcome: Outcome): Command =>
  command(`settle(${pick}, ${outcome})`, async (model, real) => {
    const [flight] = real.flights.splice(pick % Math.max(1, real.flights.length), 1);
    if (flight === undefined) return;
    const { slowMs } = real.breaker.stats();
    flight.end(outcome);
    await real.host.runUntilIdle();
    model.settle(flight.call, outcome, real.host.now(), slowMs);
  });

const burst = (calls: number, failing: number): Command =>
  command(`burst(${calls}, ${failing} failing)`, (model, real) => {
    for (let n = 0; n < calls; n += 1) {
      const fails = n < failing;
      const now = real.host.now();
      const { slowMs } = real.breaker.stats();
      let called = false;
      try {
        real.breaker.runSync(() => {
          called = true;
          if (fails) throw new Error('failure');
        });
      } catch (error) {
        if (!called) refused(error);
      }
      const expected = model.call(now);
      expect(called).toBe(expected !== null);
      if (expected !== null) model.settle(expected, fails ? 'failure' : 'success', now, slowMs);
    }
  });

/** Many calls that end together after so long. */
const flock = (calls: number, ms: number): Command =>
  command(`flock(${calls}, ${ms} ms)`, async (model, real) => {
    const started = Array.from({ length: calls }, () => ({
      end: byTicket(real),
      expected: model.call(real.host.now()),
    }));
    await real.host.advance(ms);
    for (const { end, expected } of started) {
      expect(end !== null).toBe(expected !== null);
      const { slowMs } = real.breaker.stats();
      model.look(real.host.now());
      end?.('success');
      if (expected !== null) model.settle(expected, 'success', real.host.now(), slowMs);
    }
  });

/** Whole ticks of the coarse clock: between them its reading is up to one tick old. */
const advance = (ticks: number): Command =>
  command(`advance(${ticks * 25} ms)`, (_, real) => real.host.advance(ticks * 25));

const operator = (order: 'forceOpen' | 'disable' | 'reset'): Command =>
  command(order, (model, real) => {
    real.breaker[order]();
    if (order === 'reset') model.enter('closed');
    else if (order === 'forceOpen' && model.state !== 'forced_open') model.enter('forced_open');
    else if (order === 'disable' && model.state !== 'disabled') model.enter('disabled');
  });

const restart = (): Command =>
  command('restart', (model, real) => {
    real.renew(real.breaker.snapshot());
    model.look(real.host.now());
    model.restart();
  });

const outcome = fc.constantFrom<Outcome>('success', 'success', 'success', 'success', 'failure', 'cancel');
const ticks = fc.oneof(
  { weight: 3, arbitrary: fc.integer({ min: 0, max: 100 }) },
  fc.constantFrom(40, 41, 160, 200, 240, 399, 400, 401, 800, 2_880, 4_000),
);

const way = fc.constantFrom<Way>('run', 'signal', 'ticket');
const often = <T>(times: number, arbitrary: T): T[] => Array.from({ length: times }, () => arbitrary);

/** What can happen to a breaker. Failures come in bursts, else it would hardly ever trip. */
export const breakerCommands = fc.commands(
  [
    ...often(6, way.map(call)),
    ...often(
      6,
      fc.tuple(fc.nat(20), outcome).map(([pick, ends]) => settle(pick, ends)),
    ),
    fc.tuple(fc.integer({ min: 1, max: 30 }), fc.nat(30)).map(([calls, failing]) => burst(calls, failing)),
    ...often(
      2,
      fc.integer({ min: 15, max: 30 }).map((calls) => burst(calls, calls)),
    ),
    fc
      .tuple(fc.integer({ min: 1, max: 30 }), fc.constantFrom(25, 975, 1_000, 1_025, 4_000))
      .map(([n, ms]) => flock(n, ms)),
    ...often(5, ticks.map(advance)),
    fc
      .constantFrom('forceOpen' as const, 'disable' as const, 'reset' as const, 'reset' as const)
      .map(operator),
    fc.constant(null).map(restart),
  ],
  { maxCommands: 80, size: 'max' },
);
