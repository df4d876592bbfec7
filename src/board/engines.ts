import type { EngineProvider } from '../actors/storage/engine.ts';
import type { AdminConnection, PostgresProvider } from '../actors/storage/postgres/provider.ts';
import type { ServerAddress } from '../actors/storage/postgres/server.ts';
import { SqliteProvider } from '../actors/storage/sqlite/sqlite-provider.ts';
import { MagError } from '../errors.ts';
import type { EngineKind } from '../protocol/project.ts';
import type { ChildSpec, ComponentContext, ComponentService } from '../runtime/spec.ts';
import { component, supervisor } from '../runtime/specs.ts';
import type { ActorSystem } from '../runtime/system.ts';
import { BACKOFF, INTENSITY } from './restarts.ts';
import type { Shelf } from './shelf.ts';

/** The embedded server, started by its first use. */
interface PostgresServerApi {
  address(): Promise<ServerAddress>;
}

/** The first start makes the cluster. */
const SERVER_START_MS = 60_000;

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

/**
 * PostgreSQL as a child process. Nothing is started until somebody asks for its address; after a crash it is
 * started at once, since somebody did.
 */
function postgresServer(shelf: Shelf): (context: ComponentContext) => Promise<ComponentService> {
  let wanted = false;
  return async (context) => {
    const { PostgresServer } = await import('../actors/storage/postgres/server.ts');
    const folder = shelf.take('folder');
    const server = new PostgresServer({
      dataFolder: folder.root,
      secretsFolder: folder.secrets,
      children: shelf.take('children'),
      host: context.host,
      log: context.log,
    });
    let starting: Promise<ServerAddress> | null = null;
    const address = (): Promise<ServerAddress> => {
      wanted = true;
      starting ??= server.start().then(
        (found) => {
          context.degraded(server.detail);
          return found;
        },
        (error: unknown) => {
          context.fail(error);
          throw error;
        },
      );
      return starting;
    };
    void server.exited.then((reason) => {
      if (reason !== 'stopped')
        context.fail(new MagError('MAG_PROCESS_EXITED', { name: 'postgres', cause: reason }));
    });
    if (wanted) await address();
    const api: PostgresServerApi = { address };
    return { api, process: () => server.pid, stop: () => server.stop() };
  };
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
  const server = component('postgres-server', postgresServer(shelf), {
    backoff: BACKOFF,
    startTimeout: SERVER_START_MS,
    shutdown: SERVER_START_MS,
  });
  return supervisor('engines', {
    intensity: INTENSITY,
    children: [
      component('sqlite', () => startSqlite(shelf), { backoff: BACKOFF }),
      ...(shelf.config.postgresUrl === null ? [server] : []),
      component('postgres', () => startPostgres(shelf), { backoff: BACKOFF }),
    ],
  });
}
