import type { EngineProvider } from '../actors/storage/engine.ts';
import type { AdminConnection, PostgresProvider } from '../actors/storage/postgres/provider.ts';
import { SqliteProvider } from '../actors/storage/sqlite/sqlite-provider.ts';
import type { EngineKind } from '../protocol/project.ts';
import type { ChildSpec, ComponentService } from '../runtime/spec.ts';
import { component, supervisor } from '../runtime/specs.ts';
import type { ActorSystem } from '../runtime/system.ts';
import { type PostgresServerApi, postgresServer } from './postgres-server.ts';
import { BACKOFF, BRANCH_INTENSITY } from './restarts.ts';
import type { Shelf } from './shelf.ts';

type InUse = (kind: EngineKind) => boolean;

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
    stop: async () => {},
  };
}

export const providers = (system: ActorSystem, inUse: InUse): ReadonlyMap<EngineKind, EngineProvider> =>
  new Map((['sqlite', 'postgres'] as const).map((kind) => [kind, lateProvider(system, kind, inUse)]));

/** How the feed worker reaches a project's PostgreSQL database as its administrator. */
export const postgresAdmin = (system: ActorSystem, ref: string): Promise<AdminConnection> =>
  system.service<PostgresProvider>('postgres').adminConnection(ref);

function startSqlite(shelf: Shelf): ComponentService {
  return { api: new SqliteProvider(shelf.take('folder').root) };
}

async function startPostgres(shelf: Shelf): Promise<ComponentService> {
  const { PostgresProvider } = await import('../actors/storage/postgres/provider.ts');
  const url = shelf.config.postgresUrl;
  const source =
    url === null
      ? {
          kind: 'embedded' as const,
          address: async () => shelf.system.service<PostgresServerApi>('postgres-server').address(),
        }
      : { kind: 'external' as const, url };
  const provider = new PostgresProvider({ source, masterKey: shelf.take('masterKey'), log: shelf.log });
  return { api: provider, stop: () => provider.stop() };
}

/** One component per engine, and PostgreSQL's server beside its provider where it is ours. */
export function engines(shelf: Shelf): ChildSpec {
  return supervisor('engines', {
    intensity: BRANCH_INTENSITY,
    children: [
      component('sqlite', () => startSqlite(shelf), { backoff: BACKOFF }),
      ...(shelf.config.postgresUrl === null ? [postgresServer(shelf)] : []),
      component('postgres', () => startPostgres(shelf), { backoff: BACKOFF }),
    ],
  });
}
