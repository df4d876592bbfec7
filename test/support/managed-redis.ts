import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ExecuteContext } from '../../src/actors/storage/engine.ts';
import { ManagedChildren } from '../../src/actors/storage/managed-children.ts';
import { localPermits } from '../../src/actors/storage/permits.ts';
import { RedisConnection, type RedisTarget } from '../../src/actors/storage/redis/connection.ts';
import {
  openRedisEngine,
  type RedisEngine,
  type RedisProjectConnection,
} from '../../src/actors/storage/redis/engine.ts';
import { RedisProvider } from '../../src/actors/storage/redis/provider.ts';
import { RedisServer } from '../../src/actors/storage/redis/server.ts';
import type { Host } from '../../src/runtime/host.ts';
import { nodeHost } from '../../src/runtime/host-node.ts';
import { silentLog } from '../../src/runtime/log.ts';

/** A redis-server of the board's own with a provider, in a temporary folder, and engines on its projects. */
export interface ManagedRedis {
  readonly folder: string;
  readonly host: Host;
  readonly children: ManagedChildren;
  readonly masterKey: Uint8Array;
  server: RedisServer;
  readonly provider: RedisProvider;
  address(): Promise<RedisTarget>;
  /** Starts a new incarnation after the last one ended. */
  restart(): Promise<RedisTarget>;
  connection(ref: string): Promise<RedisProjectConnection>;
  /** A project with a session of its own. */
  engine(ref: string, onLost?: (why: string) => void): Promise<RedisEngine>;
  /** A connection as the server's own user. */
  admin(): Promise<RedisConnection>;
  context(ref: string, budgetMs?: number, signal?: AbortSignal): ExecuteContext;
  stop(): Promise<void>;
}

export async function managedRedis(): Promise<ManagedRedis> {
  const folder = mkdtempSync(join(tmpdir(), 'mag-redis-'));
  const host = nodeHost();
  const masterKey = host.randomBytes(32);
  const children = new ManagedChildren(join(folder, 'run', 'children.json'));
  const make = () =>
    new RedisServer({
      ...{ dataFolder: folder, secretsFolder: join(folder, 'secrets') },
      ...{ children, host, log: silentLog },
    });
  let starting: Promise<RedisTarget>;
  const engines: RedisEngine[] = [];
  const opened: RedisConnection[] = [];
  const permits = localPermits({ perKey: 10, total: 80, waiters: 1_000, host });
  const self: ManagedRedis = {
    ...{ folder, host, children, masterKey, server: make() },
    address: () => starting,
    restart: () => {
      self.server = make();
      starting = self.server.start();
      return starting;
    },
    provider: new RedisProvider({
      source: { kind: 'managed', address: () => starting },
      ...{ masterKey, host, log: silentLog },
    }),
    connection: async (ref) => {
      const connection = await self.provider.provision(ref);
      if (connection.engine !== 'redis') throw new Error('not Redis');
      return connection;
    },
    engine: async (ref, onLost) => {
      const connection = await self.connection(ref);
      const lost = onLost === undefined ? {} : { onLost };
      const engine = openRedisEngine({ connection, ref, host, log: silentLog, permits, ...lost });
      engines.push(engine);
      return engine;
    },
    admin: async () => {
      const connection = await RedisConnection.open(await starting, host);
      opened.push(connection);
      return connection;
    },
    context: (ref, budgetMs = 10_000, signal) => ({
      principal: { role: 'service_role', claims: {} },
      tenant: ref,
      deadline: host.now() + budgetMs,
      ...(signal === undefined ? {} : { signal }),
    }),
    stop: async () => {
      await Promise.all(engines.map((engine) => engine.close()));
      for (const connection of opened) connection.close();
      await self.provider.stop();
      await self.server.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
  starting = self.server.start();
  try {
    await starting;
  } catch (error) {
    rmSync(folder, { recursive: true, force: true });
    throw error;
  }
  return self;
}
