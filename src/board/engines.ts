import type { DocumentServerAddress } from '../actors/storage/documents/server-process.ts';
import type { EngineProvider, NativeAccess } from '../actors/storage/engine.ts';
import type { MysqlAddress } from '../actors/storage/mysql/server.ts';
import type { AdminConnection, PostgresProvider } from '../actors/storage/postgres/provider.ts';
import type { ServerAddress } from '../actors/storage/postgres/server.ts';
import type { RedisTarget } from '../actors/storage/redis/connection.ts';
import { SqliteProvider } from '../actors/storage/sqlite/sqlite-provider.ts';
import { MagError } from '../errors.ts';
import { ENGINE_KINDS, type EngineKind } from '../protocol/project.ts';
import type { ChildSpec, ComponentContext, ComponentService } from '../runtime/spec.ts';
import { component, supervisor } from '../runtime/specs.ts';
import type { ActorSystem } from '../runtime/system.ts';
import { documentServer } from './document-server.ts';
import { ExternalWatch } from './external-server.ts';
import { mysqlServer } from './mysql-server.ts';
import { postgresServer } from './postgres-server.ts';
import { redisServer } from './redis-server.ts';
import { BACKOFF, BRANCH_INTENSITY } from './restarts.ts';
import type { ServerApi } from './server-starter.ts';
import type { Shelf } from './shelf.ts';

type InUse = (kind: EngineKind) => boolean;

/** Engines whose own protocol tools may speak. */
const NATIVE: ReadonlySet<EngineKind> = new Set(['postgres', 'mysql', 'mongodb', 'redis']);

function lateAccess(kind: EngineKind, provider: () => EngineProvider): NativeAccess {
  const access = (): NativeAccess => {
    const now = provider().access;
    if (now !== undefined) return now;
    throw new MagError('MAG_ENGINE_UNSUPPORTED', { engine: kind, what: 'be reached by its native protocol' });
  };
  return {
    grant: async (ref, id, mode, password) => access().grant(ref, id, mode, password),
    revoke: async (ref, id) => access().revoke(ref, id),
  };
}

/** Engines whose projects are made ahead: a database of PostgreSQL is a copy of three hundred files. */
const AHEAD: ReadonlySet<EngineKind> = new Set(['postgres']);

/** Projects of one engine through whichever incarnation of its provider is up: 503 while there is none. */
function lateProvider(system: ActorSystem, kind: EngineKind, inUse: InUse): EngineProvider {
  const provider = (): EngineProvider => system.service<EngineProvider>(kind);
  return {
    kind,
    availability: async () => provider().availability(),
    provision: async (ref) => provider().provision(ref),
    drop: async (ref) => provider().drop(ref),
    connect: async (ref) => provider().connect(ref),
    reclaim: async (live) => (inUse(kind) ? provider().reclaim(live) : []),
    ...(AHEAD.has(kind) ? { stands: async (ref) => (await provider().stands?.(ref)) === true } : {}),
    ...(NATIVE.has(kind) ? { access: lateAccess(kind, provider) } : {}),
    stop: async () => {},
  };
}

export const providers = (system: ActorSystem, inUse: InUse): ReadonlyMap<EngineKind, EngineProvider> =>
  new Map(ENGINE_KINDS.map((kind) => [kind, lateProvider(system, kind, inUse)]));

/** How the feed worker reaches a project's PostgreSQL database as its administrator. */
export const postgresAdmin = (system: ActorSystem, ref: string): Promise<AdminConnection> =>
  system.service<PostgresProvider>('postgres').adminConnection(ref);

/** A provider as a component; an external server is looked at while it runs. */
function serving(
  shelf: Shelf,
  context: ComponentContext,
  provider: EngineProvider,
  external: boolean,
): ComponentService {
  if (!external) return { api: provider, stop: () => provider.stop() };
  const report = (problem: string | null): void => shelf.take('health').note(context.self.path, problem);
  const watch = new ExternalWatch({ context, provider, report });
  return {
    api: provider,
    stop: async () => {
      watch.stop();
      await provider.stop();
    },
  };
}

function startSqlite(shelf: Shelf): ComponentService {
  return { api: new SqliteProvider(shelf.take('folder').root) };
}

async function startPostgres(shelf: Shelf, context: ComponentContext): Promise<ComponentService> {
  const { PostgresProvider } = await import('../actors/storage/postgres/provider.ts');
  const url = shelf.config.postgresUrl;
  const source =
    url === null
      ? {
          kind: 'embedded' as const,
          address: async () => shelf.system.service<ServerApi<ServerAddress>>('postgres-server').address(),
        }
      : { kind: 'external' as const, url };
  const provider = new PostgresProvider({
    ...{ source, masterKey: shelf.take('masterKey') },
    ...{ host: shelf.host, log: shelf.log },
  });
  return serving(shelf, context, provider, url !== null);
}

async function startMongodb(shelf: Shelf, context: ComponentContext): Promise<ComponentService> {
  const { MongodbProvider } = await import('../actors/storage/mongodb/provider.ts');
  const url = shelf.config.mongodbUrl;
  const source =
    url === null
      ? {
          kind: 'embedded' as const,
          provider: 'embedded document server (node:sqlite)',
          address: async () =>
            shelf.system.service<ServerApi<DocumentServerAddress>>('mongodb-server').address(),
        }
      : { kind: 'external' as const, url };
  const provider = new MongodbProvider({ source, masterKey: shelf.take('masterKey'), log: shelf.log });
  return serving(shelf, context, provider, url !== null);
}

async function startMysql(shelf: Shelf, context: ComponentContext): Promise<ComponentService> {
  const { MysqlProvider } = await import('../actors/storage/mysql/provider.ts');
  const url = shelf.config.mysqlUrl;
  const source =
    url === null
      ? {
          kind: 'managed' as const,
          address: async () => shelf.system.service<ServerApi<MysqlAddress>>('mysql-server').address(),
        }
      : { kind: 'external' as const, url };
  const provider = new MysqlProvider({ source, masterKey: shelf.take('masterKey') });
  return serving(shelf, context, provider, url !== null);
}

async function startRedis(shelf: Shelf, context: ComponentContext): Promise<ComponentService> {
  const { RedisProvider } = await import('../actors/storage/redis/provider.ts');
  const url = shelf.config.redisUrl;
  const source =
    url === null
      ? {
          kind: 'managed' as const,
          address: async () => shelf.system.service<ServerApi<RedisTarget>>('redis-server').address(),
        }
      : { kind: 'external' as const, url };
  const { host, log } = shelf;
  const provider = new RedisProvider({ source, masterKey: shelf.take('masterKey'), host, log });
  return serving(shelf, context, provider, url !== null);
}

/** One component per engine, and its server beside its provider where that is ours. */
export function engines(shelf: Shelf): ChildSpec {
  return supervisor('engines', {
    intensity: BRANCH_INTENSITY,
    children: [
      component('sqlite', () => startSqlite(shelf), { backoff: BACKOFF }),
      ...(shelf.config.postgresUrl === null ? [postgresServer(shelf)] : []),
      component('postgres', (context) => startPostgres(shelf, context), { backoff: BACKOFF }),
      ...(shelf.config.mongodbUrl === null ? [documentServer(shelf)] : []),
      component('mongodb', (context) => startMongodb(shelf, context), { backoff: BACKOFF }),
      ...(shelf.config.mysqlUrl === null ? [mysqlServer(shelf)] : []),
      component('mysql', (context) => startMysql(shelf, context), { backoff: BACKOFF }),
      ...(shelf.config.redisUrl === null ? [redisServer(shelf)] : []),
      component('redis', (context) => startRedis(shelf, context), { backoff: BACKOFF }),
    ],
  });
}
