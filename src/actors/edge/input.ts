/** What an edge worker is started with. Cloneable. */
export interface EdgeInput {
  /** `edge-1`, … */
  readonly name: string;
  readonly host: string;
  readonly port: number;
  /** How many edge workers share the port, and with it the limits that are divided among them. */
  readonly edges: number;
  readonly domain: string | null;
  /** How long requests in flight may take to finish when the worker stops. */
  readonly drainSeconds: number;
  readonly uiDirectory: string;
}

/** What each level above the gate grants it beyond its drain, to cut off what is left and close, milliseconds. */
export const DRAIN_GRACE_MS = 400;
