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

/**
 * Shares of MAG_DRAIN_SECONDS: for requests in flight, until the gate is given up for hung, and the whole worker. What
 * is left is for the rest of the board, a PostgreSQL server with it, which stops after its edges.
 */
export const DRAIN_SHARE = { requests: 0.7, gate: 0.75, worker: 0.8 };
