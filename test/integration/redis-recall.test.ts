import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { PermitHolder, Permits } from '../../src/actors/storage/permits.ts';
import { RedisSession } from '../../src/actors/storage/redis/session.ts';
import { silentLog } from '../../src/runtime/log.ts';
import { type ManagedRedis, managedRedis } from '../support/managed-redis.ts';
import { service } from '../support/services/index.ts';

describe.skipIf(!service('redis').available)('a connection to Redis that is asked back', () => {
  let redis: ManagedRedis;
  beforeAll(async () => {
    redis = await managedRedis();
  });
  afterAll(() => redis.stop());

  it('while it is being opened serves who waits for it, and then goes', async () => {
    const target = await redis.connection('recalled');
    let holder: PermitHolder | null = null;
    let released: () => void = () => {};
    const gone = new Promise<void>((resolve) => {
      released = resolve;
    });
    const permits: Permits = {
      lease: async () => {
        holder?.recall('next', 1);
        return 1;
      },
      release: () => released(),
      join: (_key, joined) => {
        holder = joined;
        return () => {};
      },
    };
    const session = new RedisSession({ target, key: 'recalled', host: redis.host, log: silentLog, permits });
    expect(await session.run({ deadline: redis.host.now() + 10_000 }, 'PING', [])).toBe('PONG');
    await gone;
    expect(session.stats().open).toBe(0);
    await session.close();
  });
});
