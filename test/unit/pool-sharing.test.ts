import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ConnectionPool, type PooledConnection } from '../../src/actors/storage/connection-pool.ts';
import { PermitClient } from '../../src/actors/storage/permit-client.ts';
import { PermitOwner } from '../../src/actors/storage/permit-owner.ts';
import { LIMITS } from '../../src/limits.ts';
import { POOL_LIMITS } from '../../src/limits-pools.ts';
import { countingHost } from '../support/counting-host.ts';

class Connection implements PooledConnection {
  closed = false;
  readonly poisoned = false;
  readonly native = false;
  onClosed = (): void => {};
  cancel(): void {}
  destroy(): void {
    this.closed = true;
    this.onClosed();
  }
  async end(): Promise<void> {
    await Promise.resolve();
    this.destroy();
  }
}

const turn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));

/** Workers' pools of one project over one owner of its permits; connections open when the test says so, or in time. */
function share(workers: number, perKey: number, openMs: number | null = null) {
  const host = countingHost();
  const clients = new Map<string, PermitClient>();
  const owner = new PermitOwner({
    ...{ perKey, total: 100, waiters: 100, host },
    holders: {
      idle: async (who, wanted) => clients.get(who)?.idle(wanted) ?? [],
      take: (who, count) => clients.get(who)?.take(count),
      recall: (who, key, urgency, wanted) => clients.get(who)?.recalled(key, urgency, wanted),
    },
  });
  const opening: (() => void)[] = [];
  const connect = (): Promise<Connection> =>
    new Promise((resolve) => {
      const open = (): void => resolve(new Connection());
      if (openMs === null) opening.push(open);
      else host.setTimer(openMs, open);
    });
  const pools = Array.from({ length: workers }, (_, n) => {
    const name = `edge-${n + 1}`;
    const permits = new PermitClient(host, {
      lease: async (key, wanted, waitMs) => owner.lease(name, key, wanted, waitMs),
      release: (key, count) => owner.release(name, key, count),
    });
    clients.set(name, permits);
    return new ConnectionPool({
      ...{ engine: 'postgres' as const, key: 'p', isNoRoom: () => false, host, permits, connect },
    });
  });
  const openAll = async (): Promise<void> => {
    for (const open of opening.splice(0)) open();
    await turn();
  };
  return { host, owner, pools, opening, openAll };
}

describe('the connections of a project over the workers that share them', () => {
  it('a worker without any gets one of those that another one is still opening', async () => {
    const { host, owner, pools, opening, openAll } = share(2, 4);
    const [first, second] = pools;
    const many = Array.from({ length: 30 }, () => first?.wait(host.now() + LIMITS.poolWaitMs));
    await turn();
    expect([opening.length, owner.usedBy('p')]).toEqual([4, 4]);
    const starved = second?.wait(host.now() + LIMITS.poolWaitMs);
    await turn();
    await openAll();
    expect(second?.stats()).toMatchObject({ waiting: 1, open: 0 });
    expect([opening.length, first?.stats().open]).toEqual([1, 3]);
    await openAll();
    expect((await starved)?.closed).toBe(false);
    // What the first one has is in use: nothing else was given up for it.
    expect((await Promise.all(many.slice(0, 3))).every((each) => each?.closed === false)).toBe(true);
  });

  it('one that is asked for again and again while all are in use owes no more than is waited for', async () => {
    const { host, pools, openAll } = share(2, 3);
    const [first, second] = pools;
    const waits = Array.from({ length: 3 }, () => first?.wait(host.now() + LIMITS.poolWaitMs));
    await turn();
    await openAll();
    const [one, two, three] = await Promise.all(waits);
    const starved = second?.wait(host.now() + LIMITS.poolWaitMs);
    await host.advance(POOL_LIMITS.lookMs * 4);
    for (const each of [one, two, three]) if (each !== undefined) first?.give(each);
    await turn();
    await openAll();
    expect((await starved)?.closed).toBe(false);
    expect([one?.closed, two?.closed, three?.closed]).toEqual([true, false, false]);
  });

  it('a worker with many waiters takes only a few at a time, so that the next one finds some', async () => {
    const { host, owner, pools, openAll } = share(2, 10);
    const waits = (pool = pools[0]) => Array.from({ length: 30 }, () => pool?.wait(host.now() + 1_000));
    const all = waits();
    await turn();
    all.push(...waits(pools[1]));
    for (let round = 0; round < 8; round += 1) {
      await turn();
      await openAll();
    }
    expect(pools.map((pool) => pool.stats().open)).toEqual([5, 5]);
    expect(owner.leased).toBe(10); // None was opened to be closed.
    const settled = Promise.allSettled(all);
    await host.advance(1_000);
    await settled;
  });

  it('whoever came while no permit was to be had has it asked for anew', async () => {
    const { host, owner, pools, openAll } = share(1, 1);
    const [only] = pools;
    owner.adopt('edge-2', 'p', 1); // It never gives it back by itself.
    const early = only?.wait(host.now() + LIMITS.poolWaitMs).catch((error: Error) => error.message);
    await turn();
    await host.advance(LIMITS.poolWaitMs - 100);
    const late = only?.wait(host.now() + LIMITS.poolWaitMs);
    await host.advance(100);
    expect(await early).toContain('became free');
    owner.release('edge-2', 'p', 1);
    await host.advance(POOL_LIMITS.lookMs);
    await openAll();
    expect((await late)?.closed).toBe(false);
  });

  it('serve whoever waits in time, whatever the order, while nobody keeps one for long', async () => {
    const arrival = fc.record({ worker: fc.nat(3), after: fc.nat(40), keeps: fc.nat(60) });
    const arrivals = fc.array(arrival, { minLength: 1, maxLength: 60 });
    await fc.assert(
      fc.asyncProperty(arrivals, fc.integer({ min: 1, max: 4 }), fc.nat(80), async (all, perKey, openMs) => {
        const { host, owner, pools } = share(4, perKey, openMs);
        const failed: string[] = [];
        const waits: Promise<void>[] = [];
        for (const { worker, after, keeps } of all) {
          await host.advance(after);
          const pool = pools[worker];
          if (pool === undefined) continue;
          const use = async (): Promise<void> => {
            const connection = pool.take(false) ?? (await pool.wait(host.now() + LIMITS.poolWaitMs));
            await new Promise<void>((resolve) => void host.setTimer(keeps, resolve));
            pool.give(connection);
          };
          waits.push(use().catch((error: Error) => void failed.push(`${worker}: ${error.message}`)));
        }
        for (let passed = 0; passed < 12_000; passed += 50) await host.advance(50);
        await Promise.all(waits);
        expect(failed).toEqual([]);
        expect(owner.usedBy('p')).toBeLessThanOrEqual(perKey);
      }),
      { numRuns: 40 },
    );
  });
});
