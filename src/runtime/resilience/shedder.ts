import { MagError } from '../../errors.ts';
import { CALL_LIMITS } from '../../limits-calls.ts';
import { Shedding } from '../../machines/shedding.ts';
import type { Host } from '../host.ts';
import { checkSettings } from './settings.ts';

export interface ShedderOptions {
  readonly host: Host;
  /** In errors; default `shedder`. */
  readonly name?: string;
  /** Lane 0 is shed last; default 3 lanes. */
  readonly lanes?: number;
  /** Milliseconds; default 5. */
  readonly targetMs?: number;
  /** Milliseconds; default 100. */
  readonly intervalMs?: number;
}

export interface ShedderStats {
  /** Lanes that are shed now, counted from the lowest. */
  readonly level: number;
  readonly shed: number;
}

/** Refuses the less important work while a queue stands. A bulkhead can use one; any other queue can feed one too. */
export interface Shedder {
  /** What left the queue waited so long. */
  observe(lane: number, waitMs: number): void;
  /** What is still queued has waited so long. */
  observeWaiting(lane: number, waitMs: number): void;
  /** Whether work of this lane that would have to wait is refused now. */
  sheds(lane: number): boolean;
  /** Whether work that has waited so long is dropped now. */
  drops(lane: number, waitMs: number): boolean;
  /** Counts one that was shed, and gives the error for it: MAG_OVERLOADED. */
  refusal(lane: number): MagError;
  stats(): ShedderStats;
}

export function createShedder(options: ShedderOptions): Shedder {
  checkSettings(options, { lanes: 1, targetMs: 0, intervalMs: 0 });
  const { host, name = 'shedder' } = options;
  const shedding = new Shedding(
    options.lanes ?? CALL_LIMITS.bulkheadLanes,
    options.targetMs ?? CALL_LIMITS.shedTargetMs,
    options.intervalMs ?? CALL_LIMITS.shedIntervalMs,
  );
  let shed = 0;
  return {
    observe: (lane, waitMs) => shedding.observe(lane, waitMs, host.now()),
    observeWaiting: (lane, waitMs) => shedding.observeWaiting(lane, waitMs, host.now()),
    sheds: (lane) => {
      shedding.advance(host.now());
      return shedding.sheds(lane);
    },
    drops: (lane, waitMs) => {
      shedding.advance(host.now());
      return shedding.drops(lane, waitMs);
    },
    refusal: (lane) => {
      shed += 1;
      return new MagError('MAG_OVERLOADED', { what: `${name} sheds lane ${lane}` });
    },
    stats: () => {
      shedding.advance(host.now());
      return { level: shedding.level, shed };
    },
  };
}
