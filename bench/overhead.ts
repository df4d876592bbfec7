/**
 * What a guard adds to a call, nanoseconds: runs with and without it in turn, and the lower quartile of the ones less
 * that of the others, since whatever else the machine does can only make a run longer.
 */
import { percentile, turn } from './program.ts';

const CALLS = 50_000;
/** Calls between two turns of the event loop: a guard's timers run as they do in a service. */
const CALLS_PER_TURN = 1_000;
const WARM_UP = 6;
const PASSES = 24;

let calls = 0;
const bareSync = (): number => {
  calls += 1;
  return calls;
};
const bare = async (): Promise<number> => bareSync();

async function difference(alone: () => Promise<number>, guarded: () => Promise<number>): Promise<number> {
  const without: number[] = [];
  const within: number[] = [];
  for (let pass = 0; pass < WARM_UP + PASSES; pass += 1) {
    const times = [await alone(), await guarded()] as const;
    if (pass < WARM_UP) continue;
    without.push(times[0]);
    within.push(times[1]);
  }
  return percentile(within, 0.25) - percentile(without, 0.25);
}

const nanoseconds = (began: number): number => ((performance.now() - began) * 1e6) / CALLS;

// Each loop below exists twice: shared, it would be compiled for both callees, and be slower than either alone.

async function timeBare(): Promise<number> {
  const began = performance.now();
  for (let done = 0; done < CALLS; done += CALLS_PER_TURN) {
    for (let n = 0; n < CALLS_PER_TURN; n += 1) await bare();
    await turn();
  }
  return nanoseconds(began);
}

async function timeBareSync(): Promise<number> {
  const began = performance.now();
  for (let done = 0; done < CALLS; done += CALLS_PER_TURN) {
    for (let n = 0; n < CALLS_PER_TURN; n += 1) bareSync();
    await turn();
  }
  return nanoseconds(began);
}

export function overhead(guard: (call: () => Promise<number>) => Promise<unknown>): Promise<number> {
  return difference(timeBare, async () => {
    const began = performance.now();
    for (let done = 0; done < CALLS; done += CALLS_PER_TURN) {
      for (let n = 0; n < CALLS_PER_TURN; n += 1) await guard(bare);
      await turn();
    }
    return nanoseconds(began);
  });
}

export function overheadSync(guard: (call: () => number) => unknown): Promise<number> {
  return difference(timeBareSync, async () => {
    const began = performance.now();
    for (let done = 0; done < CALLS; done += CALLS_PER_TURN) {
      for (let n = 0; n < CALLS_PER_TURN; n += 1) guard(bareSync);
      await turn();
    }
    return nanoseconds(began);
  });
}
