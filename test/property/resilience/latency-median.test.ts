import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LatencyMedian } from '../../../src/machines/latency-median.ts';

const latency = fc.oneof(
  fc.double({ min: 0.01, max: 10, noNaN: true }),
  fc.double({ min: 1, max: 60_000, noNaN: true }),
);

interface Sample {
  readonly ms: number;
  readonly period: number;
}

/** The samples sorted, each with the weight it has left, and the lowest at which half of the weight is reached. */
function naiveMedian(samples: readonly Sample[], period: number): number {
  const weighted = samples
    .map(({ ms, period: then }) => ({ ms, weight: 0.85 ** (period - then) }))
    .sort((a, b) => a.ms - b.ms);
  const total = weighted.reduce((sum, { weight }) => sum + weight, 0);
  let below = 0;
  for (const { ms, weight } of weighted) {
    below += weight;
    // Weights are sums of powers here and products there: where both halves are equal, either one is right.
    if (below * 2 >= total * (1 - 1e-9)) return ms;
  }
  return 0;
}

describe('the median latency', () => {
  it('is within an eighth of the exact weighted median, whatever came in which period', () => {
    fc.assert(
      fc.property(
        fc.array(fc.array(latency, { minLength: 1, maxLength: 31 }), { minLength: 1, maxLength: 8 }),
        (periods) => {
          const median = new LatencyMedian(10_000);
          median.advance(0);
          const samples: Sample[] = [];
          periods.forEach((latencies, period) => {
            // An odd number of samples: the median of an even one may fall between two far apart.
            const odd = latencies.length % 2 === 0 ? latencies.slice(1) : latencies;
            for (const ms of odd) {
              median.add(ms);
              samples.push({ ms, period });
            }
            median.advance((period + 1) * 10_000);
            const exact = naiveMedian(samples, period);
            expect(median.value / exact).toBeGreaterThan(0.87);
            expect(median.value / exact).toBeLessThan(1.13);
          });
        },
      ),
    );
  });

  it('knows the first calls at once: what is slow by nature is not slow', () => {
    const median = new LatencyMedian(10_000);
    median.advance(0);
    expect(median.value).toBe(0);
    median.add(3_000);
    expect(median.value).toBeGreaterThan(2_600);
  });

  it('does not follow a dependency that turns slow, however much traffic there is', () => {
    const median = new LatencyMedian(10_000);
    for (let second = 0; second < 120; second += 1) {
      median.advance(second * 1_000);
      for (let call = 0; call < 100; call += 1) median.add(10);
    }
    for (let second = 120; second < 130; second += 1) {
      median.advance(second * 1_000);
      for (let call = 0; call < 100; call += 1) median.add(5_000);
      expect(median.value).toBeLessThan(12);
    }
  });

  it('takes what lasts for normal after some minutes, and forgets what nobody calls', () => {
    const median = new LatencyMedian(10_000);
    for (let second = 0; second < 300; second += 1) {
      median.advance(second * 1_000);
      median.add(second < 120 ? 10 : 5_000);
    }
    expect(median.value).toBeGreaterThan(4_300);
    median.advance(3_600_000);
    expect(median.value).toBeGreaterThan(4_300);
    median.advance(3_700_000);
    expect(median.value).toBe(0);
    median.add(700);
    expect(median.value).toBeGreaterThan(600);
  });

  it('takes any number of milliseconds, none and too many included', () => {
    const median = new LatencyMedian(10_000);
    for (const ms of [0, -1, 1e-9, 1e12, Number.MAX_VALUE]) median.add(ms);
    median.advance(0);
    expect(Number.isFinite(median.value)).toBe(true);
  });
});
