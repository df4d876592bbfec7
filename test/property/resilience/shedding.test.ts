import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Shedding } from '../../../src/machines/shedding.ts';

const LANES = 3;
const waits = fc.array(
  fc.record({
    after: fc.oneof(fc.integer({ min: 0, max: 30 }), fc.constantFrom(100, 101, 250, 1_000)),
    lane: fc.nat(LANES - 1),
    wait: fc.oneof(fc.double({ min: 0, max: 10, noNaN: true }), fc.constantFrom(5, 5.1, 500)),
    whole: fc.boolean(),
  }),
  { maxLength: 150 },
);

/** Interval by interval from a list of everything that was seen. */
function naiveLevel(
  seen: readonly { at: number; lane: number; wait: number }[],
  begin: number,
  now: number,
): number {
  let level = 0;
  for (let from = begin; from + 100 <= now; from += 100) {
    const inside = seen.filter(({ at }) => at >= from && at < from + 100);
    const standing = [0, 1, 2].filter((lane) => {
      const own = inside.filter((entry) => entry.lane === lane).map(({ wait }) => wait);
      return own.length > 0 && Math.min(...own) > 5;
    });
    if (standing.some((lane) => lane < LANES - level)) level += 1;
    else if (standing.length === 0) level = Math.max(0, level - 1);
  }
  return level;
}

describe('shedding by queue time', () => {
  it('moves by one lane an interval, as the shortest waits of its lanes say', () => {
    fc.assert(
      fc.property(waits, fc.integer({ min: 0, max: 700 }), (sequence, later) => {
        const shedding = new Shedding(LANES, 5, 100);
        const seen: { at: number; lane: number; wait: number }[] = [];
        const begin = 1_000;
        let now = begin;
        shedding.advance(now);
        for (const { after, lane, wait, whole } of sequence) {
          now += after;
          if (whole) shedding.observe(lane, wait, now);
          else shedding.observeWaiting(lane, wait, now);
          if (whole || wait > 5) seen.push({ at: now, lane, wait });
          expect(shedding.level).toBe(naiveLevel(seen, begin, now));
        }
        now += later;
        shedding.advance(now);
        expect(shedding.level).toBe(naiveLevel(seen, begin, now));
      }),
    );
  });

  it('sheds the lowest lanes first, and drops only what has waited over the target', () => {
    const shedding = new Shedding(LANES, 5, 100);
    const shed = (): boolean[] => [0, 1, 2].map((lane) => shedding.sheds(lane));
    shedding.advance(0);
    const seen: boolean[][] = [];
    for (let interval = 0; interval < 4; interval += 1) {
      seen.push(shed());
      shedding.observe(interval === 2 ? 0 : 1, 80, interval * 100 + 50);
      shedding.advance((interval + 1) * 100);
    }
    expect(seen).toEqual([
      [false, false, false],
      [false, false, true],
      [false, true, true],
      [true, true, true],
    ]);
    expect([shedding.drops(0, 5), shedding.drops(0, 5.1)]).toEqual([false, true]);
    shedding.advance(700);
    expect(shed()).toEqual([false, false, false]);
  });

  it('takes a burst for no overload: some of its waits are short', () => {
    const shedding = new Shedding(1, 5, 100);
    for (let now = 0; now < 1_000; now += 10) shedding.observe(0, now % 100 === 0 ? 4 : 60, now);
    expect(shedding.level).toBe(0);
  });
});
