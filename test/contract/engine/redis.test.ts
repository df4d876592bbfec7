import { describe } from 'vitest';
import { localPermits } from '../../../src/actors/storage/permits.ts';
import { openRedisEngine } from '../../../src/actors/storage/redis/engine.ts';
import { silentLog } from '../../../src/runtime/log.ts';
import { managedRedis } from '../../support/managed-redis.ts';
import { service } from '../../support/services/index.ts';
import { documentContract } from './documents.ts';

describe.skipIf(!service('redis').available)('on a server of the board’s', () => {
  documentContract('redis', async () => {
    const ref = 'contract';
    const redis = await managedRedis();
    const engine = await redis.engine(ref);
    return {
      engine,
      another: async () => {
        const connection = await redis.connection(ref);
        const permits = localPermits({ perKey: 10, total: 80, waiters: 100, host: redis.host });
        return openRedisEngine({ connection, ref, host: redis.host, log: silentLog, permits });
      },
      context: ({ ms, signal, rollback } = {}) => ({
        ...redis.context(ref, ms, signal),
        ...(rollback === undefined ? {} : { rollback }),
      }),
      unique: async (table, field) => {
        await engine.native?.(['MAG.INDEX', 'CREATE', table, field, 'UNIQUE'], redis.context(ref));
      },
      close: () => redis.stop(),
    };
  });
});
