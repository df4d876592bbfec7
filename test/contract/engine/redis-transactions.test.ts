import { afterAll, beforeAll, beforeEach, describe } from 'vitest';
import { localPermits } from '../../../src/actors/storage/permits.ts';
import { openRedisEngine, type RedisEngine } from '../../../src/actors/storage/redis/engine.ts';
import { silentLog } from '../../../src/runtime/log.ts';
import { type ManagedRedis, managedRedis } from '../../support/managed-redis.ts';
import { service } from '../../support/services/index.ts';
import { Subject } from './subject.ts';
import { transactions } from './transactions.ts';

const REF = 'transactions';
const none = { autoKey: '', json: '', bytes: '', slow: '', placeholder: () => '', series: () => '' };

describe.skipIf(!service('redis').available)('transactions on Redis', () => {
  let redis: ManagedRedis;
  let engine: RedisEngine;
  beforeAll(async () => {
    redis = await managedRedis();
    engine = await redis.engine(REF);
    await engine.native?.(['MAG.INDEX', 'CREATE', 'items', 'name', 'UNIQUE'], redis.context(REF));
  });
  beforeEach(async () => {
    await engine.execute({ kind: 'delete', schema: 'public', table: 'items' }, redis.context(REF));
  });
  afterAll(() => redis.stop());

  const another = async () => {
    const connection = await redis.connection(REF);
    const permits = localPermits({ perKey: 10, total: 80, waiters: 100, host: redis.host });
    return openRedisEngine({ connection, ref: REF, host: redis.host, log: silentLog, permits });
  };
  transactions(
    () =>
      new Subject({
        ...{ engine, another, words: none, close: async () => {} },
        context: ({ ms, signal } = {}) => redis.context(REF, ms, signal),
      }),
  );
});
