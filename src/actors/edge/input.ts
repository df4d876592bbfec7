/** What an edge worker is started with. Cloneable. */
export interface EdgeInput {
  /** `edge-1`, … */
  readonly name: string;
  readonly host: string;
  readonly port: number;
  /** How many edge workers share the port, and with it the limits that are divided among them. */
  readonly edges: number;
  readonly domain: string | null;
  readonly drainSeconds: number;
  readonly uiDirectory: string;
}
