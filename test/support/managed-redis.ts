import type { ExecuteContext } from '../../src/actors/storage/engine.ts';
import type { ManagedChildren } from '../../src/actors/storage/managed-children.ts';
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
import { type Log, silentLog } from '../../src/runtime/log.ts';
import { ServerIncarnations } from './server-incarnations.ts';
import { serviceContext } from './service-context.ts';

/** A redis-server of the board's own with a provider, in a temporary folder, and engines on its projects. */
export interface ManagedRedis {
  readonly folder: string;
  readonly host: Host;
  readonly children: ManagedChildren;
  readonly masterKey: Uint8Array;
  /** The incarnation of now. */
  readonly server: RedisServer;
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

/** @param log what its server says goes there. */
export async function managedRedis(log: Log = silentLog): Promise<ManagedRedis> {
  const incarnations = await ServerIncarnations.start<RedisServer, RedisTarget>(
    'mag-redis-',
    (parts) => new RedisServer({ ...parts, log }),
  );
  const { folder, host, children, address, restart } = incarnations;
  const masterKey = host.randomBytes(32);
  const engines: RedisEngine[] = [];
  const opened: RedisConnection[] = [];
  const permits = localPermits({ perKey: 10, total: 80, waiters: 1_000, host });
  const self: ManagedRedis = {
    ...{ folder, host, children, masterKey, address, restart },
    get server() {
      return incarnations.server;
    },
    provider: new RedisProvider({
      source: { kind: 'managed', address },
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
      const connection = await RedisConnection.open(await address(), host);
      opened.push(connection);
      return connection;
    },
    context: serviceContext(host),
    stop: async () => {
      await Promise.all(engines.map((engine) => engine.close()));
      for (const connection of opened) connection.close();
      await self.provider.stop();
      await incarnations.stop();
    },
  };
  return self;
}
