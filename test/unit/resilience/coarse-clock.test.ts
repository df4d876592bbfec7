import { describe, expect, it } from 'vitest';
import type { Host } from '../../../src/index.ts';
import { coarseClock } from '../../../src/runtime/resilience/coarse-clock.ts';
import { virtualHost } from '../../../src/testing/virtual-host.ts';
import { countingHost } from '../../support/counting-host.ts';

/** A host whose event loop the test stalls: time passes, timers wait. */
function stallingHost() {
  let now = 0;
  let due: (() => void)[] = [];
  const host: Host = {
    ...virtualHost(1),
    now: () => now,
    setTimer: (_, callback) => {
      due.push(callback);
      return { id: null };
    },
  };
  const tick = (ms: number): void => {
    now += ms;
    const callbacks = due;
    due = [];
    for (const callback of callbacks) callback();
  };
  const stall = (ms: number): void => {
    now += ms;
  };
  return { host, tick, stall };
}

describe('the coarse clock', () => {
  it('is at most a tick behind the host, and exact after a pause', async () => {
    const host = virtualHost(1);
    const clock = coarseClock(host);
    for (const pause of [7, 30, 1, 24, 25, 3_000, 13, 60_000]) {
      await host.advance(pause);
      clock.read();
      expect(host.now() - clock.now).toBeLessThan(25);
      if (pause > 50) expect(clock.now).toBe(host.now());
    }
    expect(clock.latency).toBe(clock.now);
  });

  it('has no timer while nobody reads it', async () => {
    const host = countingHost();
    const clock = coarseClock(host);
    expect(host.pending()).toBe(0);
    clock.read();
    expect(host.pending()).toBe(1);
    await host.advance(50);
    expect(host.pending()).toBe(0);
  });

  it('is one for all that share a host', () => {
    const host = virtualHost(1);
    expect(coarseClock(host)).toBe(coarseClock(host));
    expect(coarseClock(virtualHost(1))).not.toBe(coarseClock(host));
  });

  it('does not charge a call with a stall of the event loop that it began in', () => {
    const { host, tick, stall } = stallingHost();
    const clock = coarseClock(host);
    clock.read();
    tick(25);
    clock.read();
    stall(3_000);
    const startedAt = clock.read();
    tick(0);
    clock.read();
    tick(25);
    expect(clock.read() - startedAt).toBeLessThanOrEqual(275);
    expect(clock.now).toBe(3_050);
  });
});
