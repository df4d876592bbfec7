import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { nextDelay } from '../../../src/machines/backoff.ts';
import { RetryBudget } from '../../../src/machines/retry-budget.ts';

const moves = fc.array(
  fc.record({
    after: fc.oneof(fc.integer({ min: 0, max: 400 }), fc.constantFrom(1_000, 9_999, 10_000)),
    retry: fc.boolean(),
  }),
  { maxLength: 400 },
);

describe('the retry budget', () => {
  it('grants a retry exactly where a tenth of the first attempts, or the reserve, has room for it', () => {
    fc.assert(
      fc.property(moves, fc.integer({ min: 0, max: 4 }), (sequence, reserve) => {
        const budget = new RetryBudget(0.1, reserve, 10_000, 10);
        const log: { at: number; retry: boolean }[] = [];
        let now = 0;
        for (const { after, retry } of sequence) {
          now += after;
          const held = log.filter(({ at }) => Math.floor(at / 1_000) >= Math.floor(now / 1_000) - 9);
          const retries = held.filter((entry) => entry.retry).length;
          const firsts = held.length - retries;
          if (retry) {
            const granted = budget.spend(now);
            expect(granted).toBe(retries + 1 <= Math.max(reserve, firsts * 0.1));
            if (granted) log.push({ at: now, retry: true });
          } else {
            budget.first(now);
            log.push({ at: now, retry: false });
          }
        }
      }),
    );
  });

  it('keeps the retries of a total outage within a tenth of the traffic', () => {
    const budget = new RetryBudget(0.1, 0, 10_000, 10);
    let retries = 0;
    for (let call = 0; call < 100_000; call += 1) {
      budget.first(call);
      for (let attempt = 0; attempt < 3; attempt += 1) if (budget.spend(call)) retries += 1;
    }
    expect(retries).toBeGreaterThan(9_000);
    expect(retries).toBeLessThanOrEqual(10_000);
  });
});

describe('the delay before a retry', () => {
  it('lies between the base and the cap, and within three times the one before', () => {
    const range = { base: 50, cap: 10_000, resetAfter: Number.POSITIVE_INFINITY };
    fc.assert(
      fc.property(
        fc.array(fc.double({ min: 0, max: 0.999_999, noNaN: true }), { maxLength: 30 }),
        (draws) => {
          let previous = 0;
          for (const random of draws) {
            const delay = nextDelay(range, previous, random);
            expect(delay).toBeGreaterThanOrEqual(50);
            expect(delay).toBeLessThanOrEqual(Math.min(10_000, Math.max(50, previous * 3)));
            previous = delay;
          }
        },
      ),
    );
  });
});
