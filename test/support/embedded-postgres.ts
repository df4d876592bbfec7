import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ExecuteContext } from '../../src/actors/storage/engine.ts';
import { ManagedChildren } from '../../src/actors/storage/managed-children.ts';
import { localPermits } from '../../src/actors/storage/permits.ts';
import { openPostgresEngine, type PostgresEngine } from '../../src/actors/storage/postgres/engine.ts';
import { PostgresProvider } from '../../src/actors/storage/postgres/provider.ts';
import { PostgresServer, type ServerAddress } from '../../src/actors/storage/postgres/server.ts';
import type { Host } from '../../src/runtime/host.ts';
import { nodeHost } from '../../src/runtime/host-node.ts';
import { silentLog } from '../../src/runtime/log.ts';

/** An embedded server with a provider in a temporary folder, and engines on its projects. */
export interface EmbeddedPostgres {
  readonly folder: string;
  readonly host: Host;
  readonly children: ManagedChildren;
  server: PostgresServer;
  readonly provider: PostgresProvider;
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
  const folder = mkdtempSync(join(tmpdir(), 'mag-postgres-'));
  const remove = () => rmSync(folder, { recursive: true, force: true });
  const host = nodeHost();
  const masterKey = host.randomBytes(32);
  const children = new ManagedChildren(join(folder, 'run', 'children.json'));
  const make = () =>
    new PostgresServer({
      dataFolder: folder,
      secretsFolder: join(folder, 'secrets'),
      children,
      host,
      log: silentLog,
    });
  let starting: Promise<ServerAddress>;
  const engines: PostgresEngine[] = [];
  const permits = localPermits({ perKey: 10, total: 80, waiters: 1_000, host });
  const self: EmbeddedPostgres = {
    ...{ folder, host, children, masterKey, server: make() },
    address: () => starting,
    restart: () => {
      self.server = make();
      starting = self.server.start();
      return starting;
    },
    provider: new PostgresProvider({
      source: { kind: 'embedded', address: () => starting },
      ...{ masterKey, log: silentLog },
    }),
    engine: async (ref, onLost) => {
      const connection = await self.provider.provision(ref);
      if (connection.engine !== 'postgres') throw new Error('not PostgreSQL');
      const lost = onLost === undefined ? {} : { onLost };
      const engine = openPostgresEngine({ connection, ref, host, log: silentLog, permits, ...lost });
      engines.push(engine);
      return engine;
    },
    context: (ref, budgetMs = 10_000, signal) => ({
      principal: { role: 'service_role', claims: {} },
      tenant: ref,
      deadline: host.now() + budgetMs,
      ...(signal === undefined ? {} : { signal }),
    }),
    stop: async () => {
      await Promise.all(engines.map((engine) => engine.close()));
      await self.server.stop();
      remove();
    },
  };
  starting = self.server.start();
  try {
    await starting;
  } catch (error) {
    remove();
    throw error;
  }
  return self;
}
