import { cpus, totalmem } from 'node:os';

/** One figure: ours, the baseline's from the same run, and how many times better ours is (>1 is better). */
export interface Result {
  readonly value: number;
  readonly unit: string;
  readonly baseline: { readonly name: string; readonly value: number };
  readonly ratio: number;
}

export interface SuiteReport {
  readonly results: Readonly<Record<string, Result>>;
  /** Baselines that were not available here, with the reason. */
  readonly skipped: Readonly<Record<string, string>>;
}

export const median = (values: readonly number[]): number => {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1
    ? (sorted[middle] ?? 0)
    : ((sorted[middle - 1] ?? 0) + (sorted[middle] ?? 0)) / 2;
};

export const round = (value: number): number => Number(value.toPrecision(4));

/** From pairs measured in turn: the median of each side, and the median of the pairs' own ratios. */
export function paired(
  unit: string,
  baseline: string,
  pairs: readonly (readonly [ours: number, theirs: number])[],
  lowerIsBetter = false,
): Result {
  const ratios = pairs.map(([ours, theirs]) => (lowerIsBetter ? theirs / ours : ours / theirs));
  return {
    value: round(median(pairs.map(([ours]) => ours))),
    unit,
    baseline: { name: baseline, value: round(median(pairs.map(([, theirs]) => theirs))) },
    ratio: round(median(ratios)),
  };
}

export const machine = (): object => ({
  node: process.version,
  platform: `${process.platform}-${process.arch}`,
  cpus: cpus().length,
  cpu: cpus()[0]?.model ?? 'unknown',
  memoryGiB: Math.round(totalmem() / 2 ** 30),
});
