import type { Host } from '../runtime/host.ts';
import { type DueTimer, TimerHeap } from './timer-heap.ts';

export interface VirtualHost extends Host {
  /** Runs everything that is due now, and what follows from it, without moving the clock. */
  runUntilIdle(): Promise<void>;
  /** Moves the clock, running each timer at its own time and settling in between. */
  advance(ms: number): Promise<void>;
}

/** Turns of promise reactions to wait before nothing more is to be expected: longer than any chain of awaits here. */
const SETTLE_ROUNDS = 64;
/** 2026-01-01T00:00:00Z. */
const EPOCH_MS = 1_767_225_600_000;

/** Uniform in [0, 1): mulberry32, small and good enough for schedules. */
function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

const notSimulated = (what: string): never => {
  throw new Error(`A virtual host has no ${what}`);
};

/** A world in which time only moves when told to, and everything that is drawn follows from the seed. */
export function virtualHost(seed: number): VirtualHost {
  const random = seeded(seed);
  const timers = new TimerHeap();
  let jobs: (() => void)[] = [];
  let clock = 0;
  let order = 0;

  const runJobs = (): boolean => {
    const due = jobs;
    jobs = [];
    for (const job of due) job();
    return due.length > 0;
  };
  const settle = async (): Promise<void> => {
    for (let quiet = 0; quiet < SETTLE_ROUNDS; quiet += 1) {
      if (runJobs()) quiet = 0;
      await null;
    }
  };
  const add = (delayMs: number, callback: () => void): DueTimer => {
    order += 1;
    const timer = { at: clock + Math.max(0, delayMs), order, callback, cancelled: false };
    timers.push(timer);
    return timer;
  };

  return {
    now: () => clock,
    wallTime: () => EPOCH_MS + clock,
    random,
    randomBytes: (size) => Uint8Array.from({ length: size }, () => Math.floor(random() * 256)),
    setTimer: (delayMs, callback) => ({ id: add(delayMs, callback) }),
    clearTimer: (timer) => {
      (timer.id as DueTimer).cancelled = true; // only setTimer above makes them
    },
    defer: (callback) => void jobs.push(callback),
    soon: (callback) => void jobs.push(callback),
    channel: () => notSimulated('threads'),
    spawnProcess: () => notSimulated('processes'),
    runUntilIdle: settle,
    advance: async (ms) => {
      const end = clock + ms;
      await settle();
      for (let next = timers.peek(); next !== undefined && next.at <= end; next = timers.peek()) {
        timers.pop();
        clock = next.at;
        next.callback();
        await settle();
      }
      clock = end;
    },
  };
}
