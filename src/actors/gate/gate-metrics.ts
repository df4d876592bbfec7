import type { TurnStats } from './project-turns.ts';

/** Which part of the gate answered. */
export const ROUTE_CLASSES = ['rest', 'sql', 'realtime', 'admin', 'health', 'ui', 'other'] as const;
export type RouteClass = (typeof ROUTE_CLASSES)[number];

/** Upper bounds of the latency buckets, seconds; one more holds what is slower. */
export const LATENCY_BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15];

interface RouteStats {
  /** Replies by hundreds of their status: 1xx at index 1 to 5xx at index 5. */
  readonly statuses: readonly number[];
  /** Replies per bucket of LATENCY_BUCKETS, not cumulated; the last one is beyond them all. */
  readonly buckets: readonly number[];
  readonly seconds: number;
}

/** The gate's counters since it started; plain numbers, so that they cross a thread and add up over workers. */
export interface GateStats {
  readonly routes: Readonly<Record<RouteClass, RouteStats>>;
  readonly sockets: number;
  readonly halfOpen: number;
  readonly turns: TurnStats;
  /** Half-open sockets that gave way to newer ones. */
  readonly halfOpenEvicted: number;
  /** Sockets refused because as many as allowed were open. */
  readonly refused: number;
  readonly upgrades: number;
  readonly malformed: number;
  readonly uptimeSeconds: number;
}

interface Counts {
  statuses: number[];
  buckets: number[];
  seconds: number;
}

const fresh = (): Counts => ({
  statuses: new Array<number>(6).fill(0),
  buckets: new Array<number>(LATENCY_BUCKETS.length + 1).fill(0),
  seconds: 0,
});

/** Always-on counters: an addition per request, no labels made at run time. */
export class GateMetrics {
  readonly #routes: Record<RouteClass, Counts> = {
    rest: fresh(),
    sql: fresh(),
    realtime: fresh(),
    admin: fresh(),
    health: fresh(),
    ui: fresh(),
    other: fresh(),
  };
  halfOpenEvicted = 0;
  refused = 0;
  upgrades = 0;
  malformed = 0;

  count(route: RouteClass, status: number, milliseconds: number): void {
    const counts = this.#routes[route];
    const hundreds = Math.floor(status / 100);
    counts.statuses[hundreds] = (counts.statuses[hundreds] ?? 0) + 1;
    const seconds = milliseconds / 1000;
    let bucket = 0;
    for (; bucket < LATENCY_BUCKETS.length; bucket += 1) {
      if (seconds <= (LATENCY_BUCKETS[bucket] ?? 0)) break;
    }
    counts.buckets[bucket] = (counts.buckets[bucket] ?? 0) + 1;
    counts.seconds += seconds;
  }

  read(now: {
    readonly sockets: number;
    readonly halfOpen: number;
    readonly turns: TurnStats;
    readonly uptimeSeconds: number;
  }): GateStats {
    return {
      routes: structuredClone(this.#routes),
      ...now,
      halfOpenEvicted: this.halfOpenEvicted,
      refused: this.refused,
      upgrades: this.upgrades,
      malformed: this.malformed,
    };
  }
}
