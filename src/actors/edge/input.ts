/** What an edge worker is started with. Cloneable. */
export interface EdgeInput {
  /** `edge-1`, … */
  readonly name: string;
  readonly host: string;
  readonly port: number;
  /** How many edge workers share the port, and with it the limits that are divided among them. */
  readonly edges: number;
  readonly domain: string | null;
  /** What the whole board has to stop, MAG_DRAIN_SECONDS. */
  readonly drainSeconds: number;
  readonly uiDirectory: string;
}

/** What the board behind the edges needs to stop, a PostgreSQL server's last checkpoint with it, of a short drain half. */
const REST_MS = 3_000;

/** Until when each part may take, milliseconds from the board's signal. */
export interface DrainPlan {
  /** For requests in flight. */
  readonly requests: number;
  /** Until the gate is given up for hung. */
  readonly gate: number;
  /** Until the whole worker is. */
  readonly worker: number;
}

/** @param seconds MAG_DRAIN_SECONDS: what the plan leaves of it is for what stops after the edges. */
export function drainPlan(seconds: number): DrainPlan {
  const all = seconds * 1_000;
  const rest = Math.min(REST_MS, all / 2);
  const requests = all - rest;
  return { requests, gate: requests + rest * 0.15, worker: requests + rest * 0.3 };
}
