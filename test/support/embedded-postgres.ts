import type { ExecuteContext } from '../../src/actors/storage/engine.ts';
import type { ManagedChildren } from '../../src/actors/storage/managed-children.ts';
import { localPermits } from '../../src/actors/storage/permits.ts';
import { openPostgresEngine, type PostgresEngine } from '../../src/actors/storage/postgres/engine.ts';
import { PostgresProvider } from '../../src/actors/storage/postgres/provider.ts';
import { PostgresServer, type ServerAddress } from '../../src/actors/storage/postgres/server.ts';
import type { Host } from '../../src/runtime/host.ts';
import { silentLog } from '../../src/runtime/log.ts';
import { ServerIncarnations } from './server-incarnations.ts';
import { serviceContext } from './service-context.ts';

/** An embedded server with a provider in a temporary folder, and engines on its projects. */
export interface EmbeddedPostgres {
  readonly folder: string;
  readonly host: Host;
  readonly children: ManagedChildren;
  /** The incarnation of now. */
  readonly server: PostgresServer;
  readonly provider: PostgresProvider;
  /** One that has not looked at any project yet, as after the board's restart. */
  anotherProvider(): PostgresProvider;
  readonly masterKey: Uint8Array;
  address(): Promise<ServerAddress>;
  /** Starts a new incarnation after the last one ended. */
  restart(): Promise<ServerAddress>;
  /** A project with a session of its own. */
  engine(ref: string, onLost?: (why: string) => void): Promise<PostgresEngine>;
  context(ref: string, budgetMs?: number, signal?: AbortSignal): ExecuteContext;
  stop(): Promise<void>;
}

export async function embeddedPostgres(): Promise<EmbeddedPostgres> {
  const incarnations = await ServerIncarnations.start<PostgresServer, ServerAddress>(
    'mag-postgres-',
    (parts) => new PostgresServer(parts),
  );
  const { folder, host, children, address, restart } = incarnations;
  const masterKey = host.randomBytes(32);
  const engines: PostgresEngine[] = [];
  const permits = localPermits({ perKey: 10, total: 80, waiters: 1_000, host });
  const provider = (): PostgresProvider =>
    new PostgresProvider({
      source: { kind: 'embedded', address },
      ...{ masterKey, host, log: silentLog },
    });
  const self: EmbeddedPostgres = {
    ...{ folder, host, children, masterKey, address, restart },
    get server() {
      return incarnations.server;
    },
    provider: provider(),
    anotherProvider: provider,
    engine: async (ref, onLost) => {
      const connection = await self.provider.provision(ref);
      if (connection.engine !== 'postgres') throw new Error('not PostgreSQL');
      const lost = onLost === undefined ? {} : { onLost };
      const engine = openPostgresEngine({ connection, ref, host, log: silentLog, permits, ...lost });
      engines.push(engine);
      return engine;
    },
    context: serviceContext(host),
    stop: async () => {
      await Promise.all(engines.map((engine) => engine.close()));
      await self.provider.stop();
      await incarnations.stop();
    },
  };
  return self;
}
