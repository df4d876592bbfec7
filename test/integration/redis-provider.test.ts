import { afterEach, describe, expect, it, vi } from 'vitest';
import { localPermits } from '../../src/actors/storage/permits.ts';
import { RedisConnection } from '../../src/actors/storage/redis/connection.ts';
import { openRedisEngine } from '../../src/actors/storage/redis/engine.ts';
import { RedisProvider } from '../../src/actors/storage/redis/provider.ts';
import { nodeHost } from '../../src/runtime/host-node.ts';
import { silentLog } from '../../src/runtime/log.ts';
import { insert, select } from '../contract/engine/subject.ts';
import { managedRedis } from '../support/managed-redis.ts';
import { recordingLog } from '../support/recording-log.ts';
import { service } from '../support/services/index.ts';

const found = service('redis');

describe.skipIf(!found.available)('projects on a Redis that is not the board’s', () => {
  const host = nodeHost();
  const url = found.available ? found.url : '';
  const providers: RedisProvider[] = [];
  const board = (where = url, masterKey = host.randomBytes(32)): RedisProvider => {
    const provider = new RedisProvider({
      source: { kind: 'external', url: where },
      masterKey,
      host,
      log: silentLog,
    });
    providers.push(provider);
    return provider;
  };
  afterEach(async () => {
    for (const provider of providers.splice(0)) {
      if ((await provider.availability()).available) await provider.reclaim(new Set());
      await provider.stop();
    }
  });

  it('are made, served and dropped, and a second board takes none of them for its own', async () => {
    const [mine, theirs] = [board(), board()];
    expect(await mine.availability()).toMatchObject({
      ...{ available: true, provider: expect.stringMatching(/^external Redis \d/), why: null },
      feed: { available: false },
    });
    const connection = await mine.provision('shared');
    await theirs.provision('shared');
    if (connection.engine !== 'redis') throw new Error('not Redis');
    const permits = localPermits({ perKey: 10, total: 80, waiters: 100, host });
    const engine = openRedisEngine({ connection, ref: 'shared', host, log: silentLog, permits });
    const context = () => ({
      principal: { role: 'service_role', claims: {} } as const,
      ...{ tenant: 'shared', deadline: host.now() + 10_000 },
    });
    await engine.execute(insert([{ id: 1 }]), context());
    expect(await theirs.reclaim(new Set())).toHaveLength(1);
    expect((await engine.execute(select(), context())).json).toBe('[{"id":1}]');
    expect(await mine.reclaim(new Set(['shared']))).toEqual([]);
    await mine.drop('shared');
    await expect(engine.execute(select(), context())).rejects.toMatchObject({
      code: 'MAG_ENGINE_UNAVAILABLE',
      status: 503,
    });
    await engine.close();
    expect(await mine.reclaim(new Set())).toEqual([]);
    const { hostname, port } = new URL(url);
    const target = { host: hostname, port: Number(port), user: 'default', password: '' };
    const admin = await RedisConnection.open(target, host);
    const own = connection.prefix.replace(/shared:$/, '');
    const users = (await admin.call('ACL', 'USERS')) as string[];
    expect(users.filter((user) => user.startsWith(own))).toEqual([]);
    expect(await admin.call('KEYS', `${own}*`)).toEqual([]);
    admin.close();
  });

  it.each([
    ['redis://127.0.0.1:1', /ECONNREFUSED/],
    [`${url}/3`, /database 0/],
    [url.replace('redis://', 'redis://nobody:wrong@'), /WRONGPASS|invalid username/],
  ])('are not to be had at %s, and the provider says why', async (where, why) => {
    const provider = board(where);
    expect(await provider.availability()).toMatchObject({
      available: false,
      why: expect.stringMatching(why),
    });
    await expect(provider.provision('x')).rejects.toMatchObject({
      code: 'MAG_ENGINE_UNAVAILABLE',
      status: 503,
    });
  });

  it('refuses what is no project', async () => {
    await expect(board().provision('a b*')).rejects.toMatchObject({ code: 'MAG_PROJECT_NOT_FOUND' });
  });
});

describe.skipIf(!service('redis').available)('the log of a managed server', () => {
  it('holds no warning for each project whose user may call the board’s functions alone', async () => {
    const { log, lines } = recordingLog();
    const redis = await managedRedis(log);
    try {
      await redis.provider.provision('quiet');
      const told = ({ message }: { message: string }): boolean => message.includes('Deprecation warning');
      await vi.waitFor(() => expect(lines.some(told)).toBe(true));
      expect(lines.filter((line) => told(line) && line.level !== 'debug')).toEqual([]);
    } finally {
      await redis.stop();
    }
  });
});
