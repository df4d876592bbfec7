import { connect, createServer, type Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RedisProvider } from '../../src/actors/storage/redis/provider.ts';
import { silentLog } from '../../src/runtime/log.ts';
import { insert } from '../contract/engine/subject.ts';
import { type ManagedRedis, managedRedis } from '../support/managed-redis.ts';
import { service } from '../support/services/index.ts';

/** Passes so many messages on to the server, and is then gone, as a board that was killed between two steps. */
async function cutAfter(
  messages: number,
  redis: ManagedRedis,
): Promise<{ provider: RedisProvider; close: () => void }> {
  const target = await redis.address();
  const sockets: Socket[] = [];
  let left = messages;
  const proxy = createServer((client) => {
    if (left <= 0) return void client.destroy();
    const server = connect(target.port, target.host);
    sockets.push(client, server);
    client.on('data', (chunk) => {
      left -= 1;
      if (left < 0) client.destroy();
      else server.write(chunk);
    });
    server.on('data', (chunk) => client.write(chunk));
    for (const socket of [client, server]) socket.on('error', () => {});
    client.on('close', () => server.destroy());
    server.on('close', () => client.destroy());
    return undefined;
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  const bound = proxy.address();
  const port = typeof bound === 'object' && bound !== null ? bound.port : 0;
  const source = { kind: 'managed', address: async () => ({ ...target, port }) } as const;
  const provider = new RedisProvider({
    source,
    masterKey: redis.masterKey,
    host: redis.host,
    log: silentLog,
  });
  const close = (): void => {
    for (const socket of sockets) socket.destroy();
    proxy.close();
  };
  return { provider, close };
}

describe.skipIf(!service('redis').available)('a board that ends between two steps', () => {
  let redis: ManagedRedis;
  beforeAll(async () => {
    redis = await managedRedis();
    await redis.connection('kept');
  });
  afterAll(() => redis.stop());

  const traces = async (ref: string): Promise<readonly string[]> => {
    const admin = await redis.admin();
    const users = (await admin.call('ACL', 'USERS')) as string[];
    const keys = (await admin.call('KEYS', `*_${ref}:*`)) as string[];
    const begun = (await admin.call('KEYS', 'mag_*_projects')) as string[];
    const members = (await admin.call('SMEMBERS', begun[0] ?? '')) as string[];
    return [
      ...users.filter((user) => user.endsWith(`_${ref}`)),
      ...keys,
      ...members.filter((each) => each === ref),
    ];
  };

  it.each([1, 2, 3, 4, 5, 6, 7])(
    'of making a project leaves what is finished, or undone (after %d messages)',
    async (messages) => {
      const ref = `made${messages}`;
      const { provider, close } = await cutAfter(messages, redis);
      await provider.provision(ref).catch(() => {});
      await provider.stop();
      close();
      const engine = await redis.engine(ref);
      const { rowCount } = await engine.execute(insert([{ id: 1 }]), redis.context(ref));
      expect(rowCount).toBe(1);
      await redis.provider.drop(ref);

      const again = await cutAfter(messages, redis);
      await again.provider.provision(ref).catch(() => {});
      again.close();
      await redis.provider.reclaim(new Set(['kept']));
      expect(await traces(ref)).toEqual([]);
    },
  );

  it.each([1, 2, 3, 4, 5])(
    'of dropping one leaves what is dropped again (after %d messages)',
    async (messages) => {
      const ref = `dropped${messages}`;
      const engine = await redis.engine(ref);
      await engine.execute(insert([{ id: 1 }]), redis.context(ref));
      const { provider, close } = await cutAfter(messages, redis);
      await provider.drop(ref).catch(() => {});
      close();
      await redis.provider.reclaim(new Set(['kept']));
      expect(await traces(ref)).toEqual([]);
      expect(await traces('kept')).toHaveLength(2);
    },
  );
});
