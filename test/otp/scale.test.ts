import { describe, expect, it } from 'vitest';
import { component } from '../../src/index.ts';
import type { Host } from '../../src/runtime/host.ts';
import { child, Sup, UNLIMITED } from '../support/runtime/otp.ts';
import { bench } from '../support/runtime/probe.ts';

/** Counts the timers that are set on a host while something is done. */
async function timersSet(host: Host, run: () => Promise<unknown>): Promise<number> {
  const setTimer = host.setTimer.bind(host);
  let count = 0;
  host.setTimer = (delayMs, callback) => {
    count += 1;
    return setTimer(delayMs, callback);
  };
  await run();
  host.setTimer = setTimer;
  return count;
}

const add = (sup: Sup, count: number, restart: 'permanent' | 'temporary'): Promise<unknown> =>
  sup.bench.settle(
    Promise.all(
      Array.from({ length: count }, (_, index) => sup.api().startChild(child(`c${index}`, { restart }))),
    ),
  );

describe('scale_start_stop_many_children and simple_one_for_one_scale_many_temporary_children', () => {
  it.each([
    ['one_for_one', 'permanent', 20_000],
    ['dynamic', 'temporary', 100_000],
  ] as const)(
    '%s starts %s children, %i of them, and terminates each, in any order',
    async (strategy, restart, many) => {
      const sup = await Sup.start({ strategy, intensity: UNLIMITED });
      await add(sup, many, restart);
      expect(sup.counts()).toEqual([many, many, 0, many]);
      const api = sup.api();
      // Neither first to last nor last to first: 7 shares no factor with their number.
      const ended = Array.from({ length: many }, (_, index) => api.terminateChild(`c${(index * 7) % many}`));
      await sup.bench.settle(Promise.all(ended));
      const kept = restart === 'permanent' ? many : 0;
      expect(sup.counts()).toEqual([kept, 0, 0, kept]);
    },
    300_000,
  );

  it('the limits of all that stop together cost one timer each, not one for each child', async () => {
    const b = bench();
    const sup = await Sup.start({ strategy: 'dynamic', intensity: UNLIMITED }, b);
    const limits = [500, 1_000, 'infinity', 'brutal'] as const;
    const slow = (index: number) =>
      component(
        `c${index}`,
        ({ host }) => ({ stop: () => new Promise((resolve) => void host.setTimer(50, resolve)) }),
        { shutdown: limits[index % 4] ?? 500 },
      );
    await b.settle(Promise.all(Array.from({ length: 400 }, (_, index) => sup.api().startChild(slow(index)))));
    const count = await timersSet(b.host, async () => {
      void sup.ref.stop('shutdown');
      await b.host.advance(60);
    });
    expect(sup.end(sup.ref)).toBe('shutdown');
    // Each sets one of its own while it stops, those that are killed too.
    expect(count).toBe(400 + 2);
  });

  it('crashes of many at once are one restart each and a few edges for the chart', async () => {
    const sup = await Sup.start({ strategy: 'dynamic', intensity: { max: 20_000, within: 1_000 } });
    await add(sup, 10_000, 'permanent');
    for (const { ref } of sup.api().children()) ref?.send({ type: 'DIE', how: 'abnormal' });
    await sup.bench.host.runUntilIdle();
    expect(sup.counts()[1]).toBe(10_000);
    expect(
      new Set(
        sup
          .api()
          .children()
          .map((info) => info.restarts),
      ),
    ).toEqual(new Set([1]));
    expect(sup.alive).toBe(true);
  });
});
