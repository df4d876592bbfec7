import { describe, expect, it } from 'vitest';
import { LIMITS } from '../../../src/limits.ts';
import { Watchdog } from '../../../src/runtime/placement/watchdog.ts';
import { virtualHost } from '../../../src/testing/virtual-host.ts';

/** A thread as the watchdog sees it: it beats while `alive`; `used` tells its processor time, in microseconds. */
function patient(used: (now: number) => Promise<number>) {
  const host = virtualHost(1);
  const pulse = new Int32Array(new SharedArrayBuffer(8));
  const cpuUsage = async () => ({ user: await used(host.now()), system: 0 });
  const hung: number[] = [];
  const watchdog = new Watchdog(host);
  watchdog.watch({ pulse, thread: () => ({ cpuUsage }) as never, hung: (ms) => void hung.push(ms) });
  const live = { alive: true };
  const beat = (): void => {
    if (live.alive) Atomics.add(pulse, 0, 1);
    host.setTimer(LIMITS.heartbeatMs / 2, beat);
  };
  return { host, hung, live, beat };
}

const busy = async (now: number): Promise<number> => now * 1_000;
const starved = async (now: number): Promise<number> => now * 20;
const unreachable = (): Promise<number> => new Promise(() => {});

describe('the watchdog', () => {
  it('finds a thread that spins within its limit and one beat', async () => {
    const { host, hung, live, beat } = patient(busy);
    beat();
    await host.advance(10_000);
    expect(hung).toEqual([]);
    live.alive = false;
    await host.advance(LIMITS.hungMs + LIMITS.heartbeatMs);
    expect(hung).toEqual([LIMITS.hungMs]);
    await host.advance(10_000);
    expect(hung).toHaveLength(1);
  });

  it('finds it within two seconds, wherever between two beats it began', async () => {
    for (let offset = 0; offset < LIMITS.heartbeatMs; offset += 10) {
      const { host, hung, live, beat } = patient(busy);
      beat();
      await host.advance(1_000 + offset);
      live.alive = false;
      await host.advance(2_000 - 1);
      expect(hung, `${offset} ms after a look`).toHaveLength(1);
    }
  });

  it('leaves a thread alone that is silent because it gets no processor time', async () => {
    const { host, hung, live, beat } = patient(starved);
    beat();
    await host.advance(1_000);
    live.alive = false;
    await host.advance(LIMITS.blockedMs - LIMITS.heartbeatMs);
    expect(hung).toEqual([]);
  });

  it('gives up a thread that is blocked in native code, where it cannot be asked', async () => {
    const { host, hung, live, beat } = patient(unreachable);
    beat();
    await host.advance(1_000);
    live.alive = false;
    await host.advance(LIMITS.blockedMs + LIMITS.heartbeatMs);
    expect(hung).toEqual([LIMITS.blockedMs]);
  });

  it('leaves a thread alone that has not begun to beat: its start has a deadline', async () => {
    const { host, hung } = patient(busy);
    await host.advance(60_000);
    expect(hung).toEqual([]);
  });
});
