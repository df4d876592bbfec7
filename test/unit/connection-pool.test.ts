import { expect, it } from 'vitest';
import { ConnectionPool, type PooledConnection } from '../../src/actors/storage/connection-pool.ts';
import { localPermits } from '../../src/actors/storage/permits.ts';
import { POOL_LIMITS } from '../../src/limits-pools.ts';
import { countingHost } from '../support/counting-host.ts';

function connection(): PooledConnection {
  return {
    ...{ closed: false, poisoned: false, native: false },
    ...{ onClosed: () => {}, cancel: () => {}, destroy: () => {}, end: async () => {} },
  };
}

function pool() {
  const host = countingHost();
  const permits = localPermits({ perKey: 10, total: 80, waiters: 100, host });
  const options = { engine: 'postgres' as const, key: 'p', isNoRoom: () => false };
  return { host, pool: new ConnectionPool({ ...options, host, permits, connect: async () => connection() }) };
}

it('a request that is served soon by a connection of its project opens no other', async () => {
  const { host, pool: connections } = pool();
  const first = await connections.wait(host.now() + 1_000);
  const second = connections.wait(host.now() + 1_000);
  await host.advance(POOL_LIMITS.growMs - 1);
  connections.give(first);
  expect(await second).toBe(first);
  await host.advance(POOL_LIMITS.growMs);
  expect(connections.stats().open).toBe(1);
  connections.give(first);
});

it('one that waits for longer does, and a queue does at once', async () => {
  const { host, pool: connections } = pool();
  await connections.wait(host.now() + 1_000);
  const second = connections.wait(host.now() + 1_000);
  expect(connections.stats().open).toBe(1);
  await host.advance(POOL_LIMITS.growMs);
  await second;
  expect(connections.stats().open).toBe(2);
  const queue = Promise.all(Array.from({ length: 4 }, () => connections.wait(host.now() + 1_000)));
  await new Promise(setImmediate);
  expect(connections.stats()).toMatchObject({ open: 5, waiting: 1 });
  await host.advance(POOL_LIMITS.growMs);
  await queue;
  expect(connections.stats().open).toBe(6);
});
