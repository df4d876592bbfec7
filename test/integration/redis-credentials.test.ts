import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RedisConnection } from '../../src/actors/storage/redis/connection.ts';
import type { NativeAddress } from '../../src/protocol/credentials.ts';
import { insert } from '../contract/engine/subject.ts';
import { type ManagedRedis, managedRedis } from '../support/managed-redis.ts';
import { service } from '../support/services/index.ts';

const REF = 'tools';

describe.skipIf(!service('redis').available)('a credential for tools beside the board, on Redis', () => {
  let redis: ManagedRedis;
  let prefix: string;
  const opened: RedisConnection[] = [];

  beforeAll(async () => {
    redis = await managedRedis();
    const engine = await redis.engine(REF);
    await engine.execute(insert([{ id: 1 }]), redis.context(REF));
    await engine.native?.(['MSET', 'k', 'v', 'cart', 'full', 'c', 'sea'], redis.context(REF));
    ({ prefix } = await redis.connection(REF));
  });
  afterAll(async () => {
    for (const connection of opened) connection.close();
    await redis.stop();
  });

  const connect = async ({ host, port, user, password }: NativeAddress): Promise<RedisConnection> => {
    const connection = await RedisConnection.open({ host, port, user, password }, redis.host);
    opened.push(connection);
    return connection;
  };
  const grant = (mode: 'read' | 'write', id: string, password = 'first'): Promise<NativeAddress> =>
    redis.provider.access.grant(REF, id, mode, password);
  const refused = /NOPERM|permission/;

  it('reads documents and other keys of its project, and with `read` writes nothing', async () => {
    const wire = await connect(await grant('read', 'reader'));
    expect(await wire.call('GET', `${prefix}c:items:1`)).toBe('{"id":1}');
    expect(await wire.call('MGET', `${prefix}k`, `${prefix}cart`, `${prefix}c`)).toEqual([
      'v',
      'full',
      'sea',
    ]);
    await expect(wire.call('SET', `${prefix}k`, 'x')).rejects.toThrow(refused);
    await expect(wire.call('GET', 'mag_other:k')).rejects.toThrow(refused);
    await expect(wire.call('HGETALL', `${prefix}$collections`)).rejects.toThrow(refused);
    await expect(wire.call('GET', `${prefix}$record:key`)).rejects.toThrow(refused);
    await expect(wire.call('ZRANGE', `${prefix}$records`, 0, -1)).rejects.toThrow(refused);
    await expect(wire.call('KEYS', '*')).rejects.toThrow(refused);
  });

  it('may with `write` change what is no document, and no index', async () => {
    const wire = await connect(await grant('write', 'writer'));
    for (const key of ['k', 'cart', 'c', 'new', 'cc:x'])
      expect(await wire.call('SET', prefix + key, 'y')).toBe('OK');
    for (const key of ['c:items:1', 'c:', '$ids:items', '$record:key', '$records', '$x']) {
      await expect(wire.call('SET', prefix + key, 'y')).rejects.toThrow(refused);
      await expect(wire.call('RENAME', `${prefix}k`, prefix + key)).rejects.toThrow(refused);
    }
  });

  it('is cut off when it is rotated or revoked, and lives on over a restart of the server', async () => {
    const first = await grant('read', 'turning');
    const wire = await connect(first);
    const second = await grant('read', 'turning', 'second');
    await wire.gone;
    await expect(connect(first)).rejects.toThrow('WRONGPASS');
    await redis.server.stop();
    await redis.restart();
    const again = await connect({ ...second, port: (await redis.address()).port });
    expect(await again.call('GET', `${prefix}c:items:1`)).toBe('{"id":1}');
    await redis.provider.access.revoke(REF, 'turning');
    await again.gone;
    await expect(connect(second)).rejects.toThrow('WRONGPASS');
  });

  it('goes with its project', async () => {
    const kept = await grant('write', 'last');
    await redis.provider.drop(REF);
    await expect(connect(kept)).rejects.toThrow('WRONGPASS');
    const admin = await redis.admin();
    expect(((await admin.call('ACL', 'USERS')) as string[]).filter((user) => user.includes(REF))).toEqual([]);
  });
});
