/**
 * What the two sides of a comparison share: each is a file run in a process of its own as `node FILE METRIC`, which
 * prints `{"value": number}` and ends with 0. Whatever goes wrong ends it otherwise, and fails the run.
 */

export type Metrics = Readonly<Record<string, () => number | Promise<number>>>;

/** Runs the metric that the command line names, and prints its value. */
export async function measure(metrics: Metrics): Promise<void> {
  const [, , name = ''] = process.argv;
  const metric = metrics[name];
  if (metric === undefined) throw new Error(`no metric ${name}: ${Object.keys(metrics).join(', ')}`);
  const value = await metric();
  if (!Number.isFinite(value)) throw new Error(`${name} measured ${value}`);
  process.stdout.write(`${JSON.stringify({ value })}\n`, () => process.exit(0));
}

/** Runs `work` once for its compiled code, then once more on the clock: so many things per second. */
export async function rate(
  count: number,
  work: (count: number) => void | Promise<void>,
  warmUp = Math.ceil(count / 5),
): Promise<number> {
  await work(warmUp);
  const started = performance.now();
  await work(count);
  return count / ((performance.now() - started) / 1_000);
}

/** A run that lost, doubled or refused something has measured nothing. */
export function expectEqual(what: string, got: unknown, wanted: unknown): void {
  if (!Object.is(got, wanted)) throw new Error(`${what}: ${String(got)} where ${String(wanted)} was due`);
}

export const percentile = (values: readonly number[], share: number): number => {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
};

/** After the turn's timers, sockets and messages from other threads. */
export const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Bytes of JavaScript objects and buffers after a full collection; needs --expose-gc. */
export function heldBytes(): number {
  if (globalThis.gc === undefined) throw new Error('run it with --expose-gc');
  // What finalizers of the first pass let go of is collected by the next.
  for (let pass = 0; pass < 3; pass += 1) globalThis.gc();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}
