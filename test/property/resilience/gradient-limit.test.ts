import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { GradientLimit } from '../../../src/machines/gradient-limit.ts';

const OPTIONS = {
  floor: 4,
  ceiling: 500,
  initial: 20,
  windowMs: 100,
  windowSamples: 10,
  remeasureMs: 60_000,
};

/** A dependency that works on `capacity` calls at once, each `base` ms; more of them share it. Callers use all there is. */
class Dependency {
  now = 0;
  readonly limit = new GradientLimit(OPTIONS);
  readonly #inFlight: { startedAt: number; endsAt: number }[] = [];

  run(ms: number, capacity: number, base: number, demand = Number.POSITIVE_INFINITY): void {
    const end = this.now + ms;
    while (this.now < end) {
      while (this.#inFlight.length < Math.min(this.limit.limit, demand)) {
        const load = Math.max(1, (this.#inFlight.length + 1) / capacity);
        const call = { startedAt: this.now, endsAt: this.now + base * load };
        const place = this.#inFlight.findLastIndex(({ endsAt }) => endsAt <= call.endsAt) + 1;
        this.#inFlight.splice(place, 0, call);
      }
      const next = this.#inFlight[0]!;
      this.now = next.endsAt;
      this.limit.sample(next.endsAt - next.startedAt, this.#inFlight.length, false, this.now);
      this.#inFlight.shift();
    }
  }
}

const capacity = fc.integer({ min: 8, max: 200 });
const base = fc.integer({ min: 10, max: 50 });

describe('the adaptive limit', () => {
  it('never leaves its bounds, whatever it is told', () => {
    const sample = fc.record({
      latency: fc.oneof(fc.double({ min: 0, max: 1e5, noNaN: true }), fc.constantFrom(0, 1e9)),
      inFlight: fc.nat(600),
      overloaded: fc.boolean(),
      after: fc.integer({ min: 0, max: 200 }),
    });
    fc.assert(
      fc.property(fc.array(sample, { maxLength: 300 }), (samples) => {
        const limit = new GradientLimit({ ...OPTIONS, remeasureMs: 2_000 });
        let now = 0;
        for (const { latency, inFlight, overloaded, after } of samples) {
          now += after;
          limit.sample(latency, inFlight, overloaded, now);
          expect(limit.limit).toBeGreaterThanOrEqual(4);
          expect(limit.limit).toBeLessThanOrEqual(500);
        }
      }),
    );
  });

  it('finds what a dependency can do, uses it, and queues little in it', () => {
    fc.assert(
      fc.property(capacity, base, (c, ms) => {
        const dependency = new Dependency();
        dependency.run(10_000, c, ms);
        const seen = dependency.limit.limit;
        expect(seen).toBeGreaterThanOrEqual(c);
        // The fixed point of limit × 1.25·c ÷ limit + √limit.
        expect(seen).toBeLessThanOrEqual(1.25 * c + 2 * Math.sqrt(1.25 * c) + 4);
      }),
      { numRuns: 15 },
    );
  });

  it('follows a dependency that loses most of what it could do, and one that gets it back', () => {
    fc.assert(
      fc.property(fc.integer({ min: 40, max: 200 }), base, (c, ms) => {
        const dependency = new Dependency();
        dependency.run(8_000, c, ms);
        dependency.run(10_000, c / 5, ms);
        expect(dependency.limit.limit).toBeLessThan(c * 0.75);
        dependency.run(8_000, c, ms);
        expect(dependency.limit.limit).toBeGreaterThanOrEqual(c);
      }),
      { numRuns: 15 },
    );
  });

  it('measures the latency without load anew, and goes on from where it was', () => {
    const dependency = new Dependency();
    dependency.run(59_000, 50, 10);
    const before = dependency.limit.limit;
    let measured = false;
    for (let step = 0; step < 40; step += 1) {
      dependency.run(100, 50, 20);
      if (dependency.limit.measuring) {
        measured = true;
        expect(dependency.limit.limit).toBe(4);
      }
    }
    expect(measured).toBe(true);
    dependency.run(5_000, 50, 20);
    expect(dependency.limit.measuring).toBe(false);
    // The dependency is slower for good, not loaded: the limit stays what it was.
    expect(dependency.limit.limit).toBeGreaterThanOrEqual(before * 0.8);
  });

  it('does not take the load from before for the latency without load', () => {
    const limit = new GradientLimit(OPTIONS);
    let now = 0;
    const calls = (count: number, latency: number): void => {
      for (let call = 0; call < count; call += 1) {
        now += 10;
        limit.sample(latency, limit.limit, false, now);
      }
    };
    calls(6_100, 10);
    while (!limit.measuring) calls(1, 10);
    // What was under way when the measuring began ends during it.
    calls(50, 2_000);
    expect(limit.measuring).toBe(true);
    calls(20, 10);
    expect(limit.measuring).toBe(false);
    const before = limit.limit;
    calls(200, 40);
    expect(limit.limit).toBeLessThan(before / 4);
  });

  it('does not grow while its callers ask for less', () => {
    const dependency = new Dependency();
    dependency.run(20_000, 200, 10, 6);
    expect(dependency.limit.limit).toBeLessThanOrEqual(OPTIONS.initial);
  });

  it('shrinks to its floor where every call ends in an overload', () => {
    const limit = new GradientLimit(OPTIONS);
    for (let now = 0; now < 20_000; now += 20) limit.sample(10, limit.limit, now > 2_000, now);
    expect(limit.limit).toBe(4);
  });
});
