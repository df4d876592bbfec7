import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PermitClient } from '../../src/actors/storage/permit-client.ts';
import { PermitOwner } from '../../src/actors/storage/permit-owner.ts';
import { POOL_LIMITS } from '../../src/limits-pools.ts';
import { countingHost } from '../support/counting-host.ts';

function make(perKey: number, total: number, waiters = 100) {
  const host = countingHost();
  const recalls: string[] = [];
  /** How long connections have been idle, by worker; the longest first. */
  const idle = new Map<string, number[]>();
  const owner = new PermitOwner({
    ...{ perKey, total, waiters, host },
    holders: {
      idle: async (who, wanted) => (idle.get(who) ?? []).slice(0, wanted),
      take: (who, count) => recalls.push(`${who} ${idle.get(who)?.splice(0, count)} taken`),
      recall: (who, key, urgency) => recalls.push(`${who} ${key} ${urgency}`),
    },
  });
  return { owner, host, recalls, idle };
}
const settled = async (promise: Promise<number>) => Promise.race([promise, Promise.resolve('waits')]);

describe('permits over all workers', () => {
  it('grant at most what a key and the server have, together', async () => {
    const { owner } = make(10, 12);
    expect(await owner.lease('edge-1', 'a', 7, 100)).toBe(7);
    expect(await owner.lease('edge-2', 'a', 7, 100)).toBe(3);
    expect(await owner.lease('edge-1', 'b', 7, 100)).toBe(2);
    expect([owner.used, owner.usedBy('a'), owner.usedBy('b')]).toEqual([12, 10, 2]);
  });

  it('serve waiters first come first served, past one whose key is exhausted', async () => {
    const { owner } = make(1, 2);
    await owner.lease('edge-1', 'a', 1, 100);
    await owner.lease('edge-1', 'b', 1, 100);
    const a = owner.lease('edge-2', 'a', 1, 100);
    const first = owner.lease('edge-2', 'c', 1, 100);
    const second = owner.lease('edge-3', 'c', 1, 100);
    owner.release('edge-1', 'b', 1);
    expect(await first).toBe(1);
    expect(await settled(a)).toBe('waits');
    owner.release('edge-1', 'a', 1);
    expect(await a).toBe(1);
    expect(await settled(second)).toBe('waits');
  });

  it('go to the worker that holds least of a key, then to the one that waits longest', async () => {
    const { owner } = make(3, 100);
    await owner.lease('edge-1', 'a', 2, 100);
    await owner.lease('edge-2', 'a', 1, 100);
    const rich = owner.lease('edge-1', 'a', 1, 100);
    const poor = owner.lease('edge-3', 'a', 1, 100);
    owner.release('edge-1', 'a', 1);
    expect(await poor).toBe(1);
    expect(await settled(rich)).toBe('waits');
    owner.release('edge-2', 'a', 1);
    expect(await rich).toBe(1);
  });

  it('answer 0 at the deadline and forget the waiter', async () => {
    const { owner, host } = make(1, 1);
    await owner.lease('edge-1', 'a', 1, 100);
    const late = owner.lease('edge-2', 'a', 1, 100);
    await host.advance(100);
    expect(await late).toBe(0);
    owner.release('edge-1', 'a', 1);
    expect([owner.used, owner.waiting, host.pending()]).toEqual([0, 0, 0]);
  });

  it('answer 0 at once where too many wait', async () => {
    const { owner } = make(1, 1, 1);
    await owner.lease('edge-1', 'a', 1, 100);
    void owner.lease('edge-2', 'a', 1, 100);
    expect(await owner.lease('edge-3', 'a', 1, 100)).toBe(0);
  });

  it('come back from a worker that died, and its waiting requests with them', async () => {
    const { owner } = make(10, 10);
    await owner.lease('edge-1', 'a', 6, 100);
    await owner.lease('edge-1', 'b', 4, 100);
    const own = owner.lease('edge-1', 'c', 1, 100);
    const other = owner.lease('edge-2', 'c', 1, 100);
    owner.releaseOwner('edge-1');
    expect([await own, await other, owner.used]).toEqual([0, 1, 1]);
    owner.release('edge-1', 'a', 3);
    expect(owner.used).toBe(1);
  });

  it('ask for idle ones back while somebody waits, and for busy ones only from whoever holds more', async () => {
    const { owner, recalls } = make(4, 100);
    await owner.lease('edge-1', 'a', 3, 100);
    await owner.lease('edge-2', 'a', 1, 100);
    void owner.lease('edge-2', 'a', 1, 100);
    expect(recalls).toEqual(['edge-1 a idle', 'edge-1 a next']);
    recalls.length = 0;
    void owner.lease('edge-1', 'a', 1, 100);
    expect(recalls).toEqual(['edge-2 a idle']);
  });

  it('take no more than is missing, from where it was idle longest', async () => {
    const { owner, recalls, idle } = make(4, 4);
    await owner.lease('edge-1', 'a', 2, 100);
    await owner.lease('edge-2', 'b', 2, 100);
    idle.set('edge-1', [40, 10]).set('edge-2', [30, 20]);
    const waiters = [owner.lease('edge-1', 'c', 1, 100), owner.lease('edge-2', 'c', 1, 100)];
    await settled(Promise.all(waiters).then(() => 0));
    await new Promise(setImmediate);
    expect(recalls).toEqual(['edge-1 40 taken', 'edge-2 30 taken']);
    owner.release('edge-1', 'a', 1);
    owner.release('edge-2', 'b', 1);
    expect(await Promise.all(waiters)).toEqual([1, 1]);
    expect(owner.taken).toBe(2);
  });

  it('let a project that has none come before one that wants more, which gets only what rests', async () => {
    const { owner, recalls, idle, host } = make(4, 2);
    await owner.lease('edge-1', 'a', 1, 1_000);
    await owner.lease('edge-1', 'b', 1, 1_000);
    idle.set('edge-1', [POOL_LIMITS.restMs - 1]);
    const more = owner.lease('edge-1', 'a', 1, 1_000);
    await new Promise(setImmediate);
    expect(recalls).toEqual([]);
    const first = owner.lease('edge-2', 'c', 1, 1_000);
    await new Promise(setImmediate);
    expect(recalls).toEqual([`edge-1 ${POOL_LIMITS.restMs - 1} taken`]);
    owner.release('edge-1', 'b', 1);
    expect(await first).toBe(1);
    idle.set('edge-2', [POOL_LIMITS.restMs]);
    await host.advance(POOL_LIMITS.lookMs);
    await new Promise(setImmediate);
    expect(recalls.slice(1)).toEqual([`edge-2 ${POOL_LIMITS.restMs} taken`]);
    owner.release('edge-2', 'c', 1);
    expect(await more).toBe(1);
  });

  it('ask again where what was asked for did not come, and where all are busy, for the next of who holds most', async () => {
    const { owner, recalls, host } = make(4, 3);
    await owner.lease('edge-1', 'a', 2, 1_000);
    await owner.lease('edge-1', 'b', 1, 1_000);
    const first = owner.lease('edge-2', 'c', 1, 1_000);
    await new Promise(setImmediate);
    expect(recalls).toEqual(['edge-1 a next']);
    await host.advance(POOL_LIMITS.lookMs);
    await new Promise(setImmediate);
    expect(recalls).toEqual(['edge-1 a next', 'edge-1 a next']);
    owner.release('edge-1', 'a', 1);
    expect(await first).toBe(1);
    expect(host.pending()).toBe(0);
  });

  it('are asked for again, too, where a project has as many as it may, and go round where workers are more', async () => {
    const { owner, recalls, host } = make(2, 100);
    await owner.lease('edge-1', 'a', 1, 1_000);
    await owner.lease('edge-2', 'a', 1, 1_000);
    const third = owner.lease('edge-3', 'a', 1, 1_000);
    expect(recalls).toEqual(['edge-1 a idle', 'edge-2 a idle']);
    recalls.length = 0;
    await host.advance(POOL_LIMITS.lookMs);
    expect(recalls).toEqual(['edge-1 a idle', 'edge-2 a idle', 'edge-1 a next']);
    owner.release('edge-1', 'a', 1);
    expect(await third).toBe(1);
    expect(host.pending()).toBe(0);
  });

  it('hold their bounds under any history', async () => {
    const step = fc.oneof(
      fc.record({
        kind: fc.constant('lease' as const),
        owner: fc.nat(2),
        key: fc.nat(2),
        n: fc.integer({ min: 1, max: 5 }),
      }),
      fc.record({
        kind: fc.constant('release' as const),
        owner: fc.nat(2),
        key: fc.nat(2),
        n: fc.integer({ min: 1, max: 5 }),
      }),
      fc.record({ kind: fc.constant('die' as const), owner: fc.nat(2), key: fc.nat(2), n: fc.constant(0) }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
        const { owner, host } = make(4, 7);
        const held = new Map<string, number>();
        const pending: Promise<void>[] = [];
        for (const { kind, owner: who, key, n } of steps) {
          const id = `${who} ${key}`;
          if (kind === 'lease') {
            const grant = owner.lease(`${who}`, `${key}`, n, 100);
            pending.push(grant.then((got) => void held.set(id, (held.get(id) ?? 0) + got)));
          } else if (kind === 'release') {
            const back = Math.min(n, held.get(id) ?? 0);
            held.set(id, (held.get(id) ?? 0) - back);
            owner.release(`${who}`, `${key}`, back);
          } else {
            owner.releaseOwner(`${who}`);
            for (const other of held.keys()) if (other.startsWith(`${who} `)) held.set(other, 0);
          }
          await Promise.resolve();
          await Promise.resolve();
          expect(owner.used).toBe([...held.values()].reduce((a, b) => a + b, 0));
          expect(owner.used).toBeLessThanOrEqual(7);
          for (const each of ['0', '1', '2']) expect(owner.usedBy(each)).toBeLessThanOrEqual(4);
        }
        await host.advance(100);
        await Promise.all(pending);
        expect(owner.waiting).toBe(0);
      }),
    );
  });
});

describe('permits over the restart of their owner', () => {
  it('are reported by who holds them, with the last release that the report takes into account', async () => {
    const released: string[] = [];
    const client = new PermitClient(countingHost(), {
      lease: async (_key, wanted) => wanted,
      release: (key, count, serial) => void released.push(`${key} ${count} #${serial}`),
    });
    await client.lease('a', 3, 100);
    await client.lease('b', 1, 100);
    client.release('a', 1);
    client.release('b', 1);
    expect(released).toEqual(['a 1 #1', 'b 1 #2']);
    expect(client.report()).toEqual({ held: { a: 2 }, serial: 2 });
  });

  it('count against the limits of the new owner, even beyond them', async () => {
    const { owner } = make(10, 12);
    owner.adopt('edge-1', 'a', 11);
    owner.adopt('edge-2', 'b', 0);
    expect([owner.used, owner.usedBy('a')]).toEqual([11, 11]);
    expect(await owner.lease('edge-2', 'a', 1, 0)).toBe(0);
    owner.release('edge-1', 'a', 2);
    expect(await owner.lease('edge-2', 'a', 5, 0)).toBe(1);
    owner.releaseOwner('edge-1');
    expect(owner.used).toBe(1);
  });
});
