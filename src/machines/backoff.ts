/** Milliseconds. */
export interface BackoffRange {
  readonly base: number;
  readonly cap: number;
  /** After running for so long the next delay starts from base again. */
  readonly resetAfter: number;
}

/**
 * The next delay by decorrelated jitter, `min(cap, rand(base, previous × 3))`: grows on average, and spreads actors
 * that fell together (AWS Architecture Blog, "Exponential Backoff And Jitter").
 *
 * @param previous the last delay, or 0 for the first one
 * @param random uniform in [0, 1)
 */
export function nextDelay(range: BackoffRange, previous: number, random: number): number {
  const upper = Math.max(range.base, previous * 3);
  return Math.min(range.cap, range.base + random * (upper - range.base));
}

/** The delay before a child that ran for `ranFor` milliseconds is tried again. */
export function restartDelay(
  range: BackoffRange | undefined,
  previous: number,
  ranFor: number,
  random: number,
): number {
  if (range === undefined) return 0;
  return nextDelay(range, ranFor >= range.resetAfter ? 0 : previous, random);
}
