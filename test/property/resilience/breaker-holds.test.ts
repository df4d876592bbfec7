import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Breaker, createBreaker, type Host } from '../../../src/index.ts';
import { type VirtualHost, virtualHost } from '../../../src/testing/virtual-host.ts';

const boom = (): never => {
  throw new Error('down');
};

const trip = (breaker: Breaker): void => {
  for (let call = 0; call < 20; call += 1) expect(() => breaker.runSync(boom)).toThrow();
  expect(breaker.state).toBe('open');
};

const isAdmitted = (breaker: Breaker): boolean => {
  try {
    breaker.admit();
    return true;
  } catch {
    return false;
  }
};

/** What the dependency does to the calls that begin in a step; `null`: it never answers. */
interface Step {
  readonly calls: number;
  readonly answersIn: number | null;
  readonly fails: boolean;
  readonly pause: number;
}

const step = fc.record({
  calls: fc.nat(25),
  answersIn: fc.oneof(
    fc.constantFrom(null, 25, 1_500, 9_975, 10_000, 10_025),
    fc.integer({ min: 1, max: 400 }).map((n) => n * 25),
  ),
  fails: fc.boolean(),
  pause: fc.oneof(fc.integer({ min: 1, max: 100 }), fc.integer({ min: 100, max: 4_000 })),
});

function begin(host: VirtualHost, breaker: Breaker, { answersIn, fails }: Step): boolean {
  let called = false;
  const fn = (): Promise<void> => {
    called = true;
    return new Promise((resolve, reject) => {
      if (answersIn !== null) host.setTimer(answersIn, () => (fails ? reject(new Error('down')) : resolve()));
    });
  };
  breaker.run(fn).catch(() => {});
  return called;
}

/** Plays a script and tells which of its calls were let through. */
async function play(seed: number, script: readonly Step[], polled: boolean): Promise<boolean[]> {
  const host = virtualHost(seed);
  const breaker = createBreaker({ host });
  const admitted: boolean[] = [];
  for (const one of script) {
    for (let call = 0; call < one.calls; call += 1) admitted.push(begin(host, breaker, one));
    if (!polled) await host.advance(one.pause * 25);
    else
      for (let tick = 0; tick < one.pause; tick += 20) {
        await host.advance(Math.min(20, one.pause - tick) * 25);
        expect(breaker.state).toBeDefined();
      }
  }
  return admitted;
}

const script = fc.array(step, { minLength: 1, maxLength: 12 });

describe('a circuit breaker', () => {
  it('lets the same calls through whether somebody looks all the time or only calls do', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer(), script, async (seed, steps) => {
        expect(await play(seed, steps, false)).toEqual(await play(seed, steps, true));
      }),
      { numRuns: 40 },
    );
  });

  it('is closed in the end over a dependency that is well again, whatever happened before', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer(), script, fc.integer({ min: 1, max: 20 }), async (seed, steps, every) => {
        const host = virtualHost(seed);
        const breaker = createBreaker({ host });
        for (const one of steps) {
          for (let call = 0; call < one.calls; call += 1) begin(host, breaker, one);
          await host.advance(one.pause * 25);
        }
        const well = { calls: 1, answersIn: 50, fails: false, pause: 0 };
        // The longest opening, what hangs from before and answers badly, and an opening after that.
        const end = host.now() + 72_000 + 20_000 + 72_000 + 10 * every * 250;
        while (host.now() < end) {
          begin(host, breaker, well);
          await host.advance(every * 250);
        }
        expect(breaker.state).toBe('closed');
      }),
      { numRuns: 40 },
    );
  });

  it('never trips on fewer than 20 calls in ten seconds, however they end', async () => {
    const gaps = fc.array(fc.integer({ min: 21, max: 200 }), { minLength: 20, maxLength: 80 });
    await fc.assert(
      fc.asyncProperty(gaps, async (ticks) => {
        const host = virtualHost(1);
        const breaker = createBreaker({ host });
        for (const tick of ticks) {
          await host.advance(tick * 25);
          expect(() => breaker.runSync(boom)).toThrow('down');
          expect(breaker.stats().calls).toBeLessThan(20);
        }
        expect(breaker.state).toBe('closed');
      }),
      { numRuns: 30 },
    );
  });

  it('lets nothing through before its deadline, then three at once, and tells callers when to come back', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer(), fc.double({ min: 0, max: 0.999, noNaN: true }), async (seed, part) => {
        const host = virtualHost(seed);
        const breaker = createBreaker({ host, name: 'mail' });
        trip(breaker);
        const opensFor = breaker.nextChangeIn ?? 0;
        expect(opensFor).toBeGreaterThanOrEqual(4_000);
        expect(opensFor).toBeLessThanOrEqual(6_000);
        await host.advance(opensFor * part);
        expect(() => breaker.admit()).toThrow(
          expect.objectContaining({
            code: 'MAG_CIRCUIT_OPEN',
            retryAfter: Math.max(1, Math.ceil((breaker.nextChangeIn ?? 0) / 1_000)),
          }),
        );
        await host.advance(breaker.nextChangeIn ?? 0);
        expect(Array.from({ length: 6 }, () => isAdmitted(breaker))).toEqual([
          true,
          true,
          true,
          false,
          false,
          false,
        ]);
      }),
    );
  });

  it('leaves half-open ten seconds after a probe that never returns, and lets new ones through in time', async () => {
    const host = virtualHost(3);
    const breaker = createBreaker({ host });
    trip(breaker);
    await host.advance(breaker.nextChangeIn ?? 0);
    breaker.run(() => new Promise(() => {})).catch(() => {});
    expect(breaker.state).toBe('half_open');
    await host.advance(9_999);
    expect(breaker.state).toBe('half_open');
    await host.advance(1);
    expect(breaker.state).toBe('open');
    // The second opening lasts twice as long, from the probe's deadline on.
    await host.advance(7_999);
    expect(breaker.state).toBe('open');
    await host.advance(4_001);
    expect(breaker.state).toBe('half_open');
  });

  it('takes the answer of a probe for late although nobody has looked since its deadline', async () => {
    const host = virtualHost(3);
    const breaker = createBreaker({ host });
    trip(breaker);
    await host.advance(breaker.nextChangeIn ?? 0);
    const probes = [breaker.admit(), breaker.admit(), breaker.admit()];
    await host.advance(10_000);
    for (const probe of probes) probe.success();
    expect(breaker.stats()).toMatchObject({ state: 'open', openings: 2, ignored: 3 });
  });

  it('keeps its deadline in another process, whose monotonic clock has another zero', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer(),
        fc.nat(3_900),
        fc.integer({ min: -1e9, max: 1e9 }),
        async (seed, later, zero) => {
          const first = virtualHost(seed);
          const before = createBreaker({ host: first });
          trip(before);
          const deadline = before.nextChangeIn ?? 0;
          const snapshot = structuredClone(before.snapshot());
          await first.advance(later);
          const host: Host = { ...first, now: () => first.now() + zero };
          const after = createBreaker({ host, snapshot });
          expect(after.state).toBe('open');
          await first.advance(deadline - later - 1);
          expect(isAdmitted(after)).toBe(false);
          await first.advance(2);
          expect(isAdmitted(after)).toBe(true);
          expect(after.stats()).toMatchObject({ state: 'half_open', openings: 1 });
        },
      ),
    );
  });

  it('is not kept open for longer than any opening lasts by a wall clock that was set back', () => {
    const host = virtualHost(1);
    const snapshot = { state: 'open', openings: 1, openUntil: host.wallTime() + 86_400_000 } as const;
    expect(createBreaker({ host, snapshot }).nextChangeIn).toBe(72_000);
  });

  it('has one outcome for each call that it let through', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer(), script, async (seed, steps) => {
        const host = virtualHost(seed);
        const breaker = createBreaker({ host });
        let hanging = 0;
        for (const one of steps) {
          for (let call = 0; call < one.calls; call += 1)
            if (begin(host, breaker, one) && one.answersIn === null) hanging += 1;
          await host.advance(one.pause * 25);
        }
        await host.advance(11_000);
        expect(breaker.stats().inFlight).toBe(hanging);
      }),
      { numRuns: 40 },
    );
  });

  it('is not made without a probe, a minimum of calls, or a window', () => {
    const host = virtualHost(1);
    for (const setting of ['probes', 'minimumCalls', 'windowMs'])
      expect(() => createBreaker({ host, [setting]: 0 })).toThrow(
        expect.objectContaining({ code: 'MAG_CONFIG_INVALID' }),
      );
  });
});
