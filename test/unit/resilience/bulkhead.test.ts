import { describe, expect, it } from 'vitest';
import { createBulkhead, createShedder } from '../../../src/index.ts';
import { virtualHost } from '../../../src/testing/virtual-host.ts';

const never = (): Promise<never> => new Promise(() => {});
const code = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'done',
    (error: { code?: string }) => error.code ?? String(error),
  );

describe('a bulkhead', () => {
  it('gives the place of a call that throws, rejects or is released twice back once', async () => {
    const host = virtualHost(1);
    const bulkhead = createBulkhead({ host, concurrency: 1, queue: 0 });
    await expect(bulkhead.run(() => Promise.reject(new Error('no')))).rejects.toThrow('no');
    await expect(
      bulkhead.run(() => {
        throw new Error('thrown');
      }),
    ).rejects.toThrow('thrown');
    const release = await bulkhead.acquire();
    release();
    release();
    expect(bulkhead.running).toBe(0);
    const held = await bulkhead.acquire();
    release();
    expect(bulkhead.running).toBe(1);
    expect(await code(bulkhead.run(never))).toBe('MAG_BULKHEAD_FULL');
    held();
  });

  it('does not call a function whose signal was aborted in the turn in which its place came', async () => {
    const host = virtualHost(1);
    const bulkhead = createBulkhead({ host, concurrency: 1 });
    const release = await bulkhead.acquire();
    const controller = new AbortController();
    let called = false;
    const run = bulkhead.run(
      async () => {
        called = true;
      },
      { signal: controller.signal },
    );
    release();
    controller.abort(new Error('changed my mind'));
    await expect(run).rejects.toThrow('changed my mind');
    expect(called).toBe(false);
    expect(bulkhead.running).toBe(0);
    await expect(bulkhead.acquire({ signal: controller.signal })).rejects.toThrow('changed my mind');
  });

  it('sheds the lowest lane of a queue that stands, and not what need not wait', async () => {
    const host = virtualHost(1);
    const shedder = createShedder({ host });
    const bulkhead = createBulkhead({ host, concurrency: 1, queue: 1_000, waitMs: 60_000, shedder });
    const outcomes: Record<string, number> = {};
    const call = (lane: number): void => {
      void code(
        bulkhead.run(() => new Promise((resolve) => host.setTimer(2, () => resolve(1))), { lane }),
      ).then((ended) => {
        outcomes[`${lane} ${ended}`] = (outcomes[`${lane} ${ended}`] ?? 0) + 1;
      });
    };
    // Lane 0 asks for half of what there is, lane 2 for twice as much as is left.
    for (let round = 0; round < 200; round += 1) {
      call(2);
      call(2);
      call(0);
      await host.advance(4);
    }
    await host.advance(60_000);
    expect(outcomes['0 done']).toBeGreaterThanOrEqual(198);
    expect(outcomes['2 MAG_OVERLOADED']).toBeGreaterThan(150);
    expect(outcomes['2 done']).toBeGreaterThan(100);
    expect(bulkhead.stats().shed).toBe(shedder.stats().shed);
    // Quiet again: one that finds a place is served, whatever its lane.
    expect(shedder.stats().level).toBe(0);
    expect(await code(bulkhead.run(async () => 1, { lane: 2 }))).toBe('done');
  });

  it('notices a queue that does not move at all', async () => {
    const host = virtualHost(1);
    const shedder = createShedder({ host, lanes: 1 });
    const bulkhead = createBulkhead({ host, concurrency: 1, lanes: 1, waitMs: 60_000, shedder });
    void code(bulkhead.run(never));
    const outcomes: string[] = [];
    for (let round = 0; round < 30; round += 1) {
      void code(bulkhead.run(never)).then((ended) => outcomes.push(ended));
      await host.advance(10);
    }
    expect(outcomes.length).toBeGreaterThan(10);
    expect(new Set(outcomes)).toEqual(new Set(['MAG_OVERLOADED']));
  });
});
