import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BreakerWindow } from '../../../src/machines/breaker-window.ts';

interface Call {
  readonly after: number;
  readonly failed: boolean;
  readonly slow: boolean;
}

/** Steps within a bucket, over some, over the whole window, and exactly onto the edges. */
const step = fc.oneof(
  fc.integer({ min: 0, max: 50 }),
  fc.double({ min: 0, max: 3_000, noNaN: true }),
  fc.constantFrom(999, 1_000, 1_001, 9_000, 9_999, 10_000, 10_001, 25_000),
);
const calls = fc.array(fc.record({ after: step, failed: fc.boolean(), slow: fc.boolean() }), {
  maxLength: 120,
});

/** Every call kept in a list, and counted anew each time. */
function recount(log: readonly (Call & { at: number })[], now: number) {
  const oldest = Math.floor(now / 1_000) - 9;
  const held = log.filter((call) => Math.floor(call.at / 1_000) >= oldest);
  return {
    calls: held.length,
    failures: held.filter((call) => call.failed).length,
    successes: held.filter((call) => !call.failed).length,
    slow: held.filter((call) => call.slow).length,
  };
}

const read = ({ calls, failures, successes, slow }: BreakerWindow) => ({ calls, failures, successes, slow });

describe("the breaker's window", () => {
  it('counts what a naive recount counts, at any time and from any zero of the clock', () => {
    fc.assert(
      fc.property(calls, fc.double({ min: -1e6, max: 1e9, noNaN: true }), step, (sequence, zero, later) => {
        const window = new BreakerWindow(10_000, 10);
        const log: (Call & { at: number })[] = [];
        let now = zero;
        for (const call of sequence) {
          now += call.after;
          window.record(call.failed, call.slow, now);
          log.push({ ...call, at: now });
          expect(read(window)).toEqual(recount(log, now));
        }
        now += later;
        window.advance(now);
        expect(read(window)).toEqual(recount(log, now));
      }),
    );
  });

  it('holds nothing once it is cleared, and counts on from there', () => {
    fc.assert(
      fc.property(calls, calls, (before, after) => {
        const window = new BreakerWindow(10_000, 10);
        let now = 0;
        for (const call of before) {
          now += call.after;
          window.record(call.failed, call.slow, now);
        }
        window.clear();
        expect(read(window)).toEqual({ calls: 0, failures: 0, successes: 0, slow: 0 });
        const log: (Call & { at: number })[] = [];
        for (const call of after) {
          now += call.after;
          window.record(call.failed, call.slow, now);
          log.push({ ...call, at: now });
        }
        expect(read(window)).toEqual(recount(log, now));
      }),
    );
  });
});
