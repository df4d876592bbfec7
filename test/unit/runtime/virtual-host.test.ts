import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type ChildSpec, sleep, supervisor } from '../../../src/index.ts';
import { virtualHost } from '../../../src/testing/virtual-host.ts';
import { bench, probe } from '../../support/runtime/probe.ts';

describe('a virtual host', () => {
  it('runs timers at their own times, in order, and those of the same time as they were set', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(100)), async (delays) => {
        const host = virtualHost(1);
        const fired: { at: number; index: number }[] = [];
        delays.forEach((delay, index) => {
          host.setTimer(delay, () => fired.push({ at: host.now(), index }));
        });
        await host.advance(100);
        const expected = delays
          .map((at, index) => ({ at, index }))
          .sort((a, b) => a.at - b.at || a.index - b.index);
        expect(fired).toEqual(expected);
      }),
    );
  });

  it('never moves by itself, and lets promises settle at each step', async () => {
    const host = virtualHost(1);
    const log: string[] = [];
    void sleep(host, 10)
      .then(() => sleep(host, 10))
      .then(() => log.push(`at ${host.now()}`));
    await host.runUntilIdle();
    expect(host.now()).toBe(0);
    await host.advance(15);
    expect(log).toEqual([]);
    await host.advance(15);
    expect(log).toEqual(['at 20']);
  });

  it('forgets a timer that was cleared', async () => {
    const host = virtualHost(1);
    let fired = false;
    host.clearTimer(
      host.setTimer(5, () => {
        fired = true;
      }),
    );
    await host.advance(10);
    expect(fired).toBe(false);
  });

  it('draws the same from the same seed, and otherwise from another', () => {
    const draw = (seed: number): unknown[] => {
      const host = virtualHost(seed);
      return [host.random(), host.random(), [...host.randomBytes(8)]];
    };
    expect(draw(3)).toEqual(draw(3));
    expect(draw(3)).not.toEqual(draw(4));
  });

  it('runs a whole tree to the same trace, whatever the seed and the crashes', async () => {
    const backoff = { base: 10, cap: 500, resetAfter: 1_000 };
    const crashes = fc.array(fc.record({ child: fc.nat(2), after: fc.nat(200) }), { maxLength: 12 });
    const run = async (seed: number, sequence: { child: number; after: number }[]): Promise<string> => {
      const b = bench(seed);
      const children: ChildSpec[] = ['c0', 'c1', 'c2'].map((id) => probe(id, [], { backoff }));
      await b.start(
        supervisor('board', { strategy: 'rest_for_one', intensity: { max: 100, within: 1 }, children }),
      );
      for (const { child, after } of sequence) {
        b.system.slot(`board/c${child}`).send({ type: 'BOOM' });
        await b.host.advance(after);
      }
      return JSON.stringify([b.events, await b.system.tree()]);
    };
    await fc.assert(
      fc.asyncProperty(fc.nat(), crashes, async (seed, sequence) => {
        expect(await run(seed, sequence)).toBe(await run(seed, sequence));
      }),
      { numRuns: 50 },
    );
  });
});
