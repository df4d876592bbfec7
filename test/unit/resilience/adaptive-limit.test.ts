import { describe, expect, it } from 'vitest';
import { createAdaptiveLimit, MagError } from '../../../src/index.ts';
import { virtualHost } from '../../../src/testing/virtual-host.ts';

/** Works on ten calls at once, 10 ms each; more of them share it. */
function dependency(host: ReturnType<typeof virtualHost>) {
  let inFlight = 0;
  let most = 0;
  const call = (): Promise<void> => {
    inFlight += 1;
    most = Math.max(most, inFlight);
    return new Promise((resolve) =>
      host.setTimer(10 * Math.max(1, inFlight / 10), () => {
        inFlight -= 1;
        resolve();
      }),
    );
  };
  const peak = (): number => {
    const seen = most;
    most = 0;
    return seen;
  };
  return { call, peak };
}

describe('an adaptive limit', () => {
  it('lets about as many calls run as the dependency works on, and holds the rest back', async () => {
    const host = virtualHost(1);
    const limit = createAdaptiveLimit({ host, queue: 100 });
    const { call, peak } = dependency(host);
    const more = (): void => {
      while (limit.stats().waiting < 50) limit.run(call, { waitMs: 60_000 }).catch(() => {});
    };
    for (let round = 0; round < 500; round += 1) {
      more();
      await host.advance(10);
      if (round === 300) peak();
    }
    const { concurrency } = limit.stats();
    expect(concurrency).toBeGreaterThanOrEqual(10);
    expect(concurrency).toBeLessThan(25);
    expect(peak()).toBeLessThan(25);
  });

  it('falls to its floor of four where every call ends in an overload', async () => {
    const host = virtualHost(1);
    const limit = createAdaptiveLimit({ host, waitMs: 60_000, queue: 1_000 });
    const { call } = dependency(host);
    for (let n = 0; n < 100; n += 1) void limit.run(call);
    await host.advance(1_000);
    expect(limit.stats().concurrency).toBeGreaterThan(4);
    const refuse = async (): Promise<never> => {
      await call();
      throw new MagError('MAG_OVERLOADED', { what: 'the test' });
    };
    for (let round = 0; round < 100; round += 1) {
      for (let n = 0; n < 10; n += 1) limit.run(refuse).catch(() => {});
      await host.advance(100);
    }
    expect(limit.stats().concurrency).toBe(4);
  });
});
