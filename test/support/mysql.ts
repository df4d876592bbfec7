import type { ExecuteContext } from '../../src/actors/storage/engine.ts';
import type { ManagedChildren } from '../../src/actors/storage/managed-children.ts';
import { MysqlConnection } from '../../src/actors/storage/mysql/connection.ts';
import {
  type MysqlEngine,
  type MysqlProjectConnection,
  openMysqlEngine,
} from '../../src/actors/storage/mysql/engine.ts';
import { MysqlProvider, type MysqlSource } from '../../src/actors/storage/mysql/provider.ts';
import { type MysqlAddress, MysqlServer } from '../../src/actors/storage/mysql/server.ts';
import { localPermits } from '../../src/actors/storage/permits.ts';
import type { Host } from '../../src/runtime/host.ts';
import { nodeHost } from '../../src/runtime/host-node.ts';
import { silentLog } from '../../src/runtime/log.ts';
import { ServerIncarnations } from './server-incarnations.ts';
import { serviceContext } from './service-context.ts';
import { service } from './services/index.ts';

/** A provider on a MariaDB server, and engines on its projects. */
export interface MysqlRig {
  readonly host: Host;
  readonly masterKey: Uint8Array;
  readonly provider: MysqlProvider;
  /** One that has not looked at any project yet, as after the board's restart. */
  anotherProvider(): MysqlProvider;
  connection(ref: string): Promise<MysqlProjectConnection>;
  /** A project with a session of its own. */
  engine(ref: string, onLost?: (why: string) => void): Promise<MysqlEngine>;
  /** A connection as the server's administrator. */
  admin(): Promise<MysqlConnection>;
  context(ref: string, budgetMs?: number, signal?: AbortSignal): ExecuteContext;
  /** Drops every project, and closes what was opened. */
  stop(): Promise<void>;
}

function rig(source: MysqlSource, address: () => Promise<MysqlAddress>): MysqlRig {
  const host = nodeHost();
  const masterKey = host.randomBytes(32);
  const permits = localPermits({ perKey: 10, total: 80, waiters: 1_000, host });
  const engines: MysqlEngine[] = [];
  const opened: MysqlConnection[] = [];
  const self: MysqlRig = {
    ...{ host, masterKey },
    provider: new MysqlProvider({ source, masterKey }),
    anotherProvider: () => new MysqlProvider({ source, masterKey }),
    connection: async (ref) => {
      const connection = await self.provider.provision(ref);
      if (connection.engine !== 'mysql') throw new Error('not MySQL');
      return connection;
    },
    engine: async (ref, onLost) => {
      const connection = await self.connection(ref);
      const lost = onLost === undefined ? {} : { onLost };
      const engine = openMysqlEngine({ connection, ref, host, log: silentLog, permits, ...lost });
      engines.push(engine);
      return engine;
    },
    admin: async () => {
      const connection = await MysqlConnection.open({ ...(await address()), database: '' });
      opened.push(connection);
      return connection;
    },
    context: serviceContext(host),
    stop: async () => {
      await Promise.all(engines.map((engine) => engine.close()));
      await self.provider.reclaim(new Set());
      for (const connection of opened) await connection.end();
      await self.provider.stop();
    },
  };
  return self;
}

/** On the MariaDB server that the test run found or started. */
export function externalMysql(): MysqlRig {
  const found = service('mariadb');
  if (!found.available) throw new Error(found.why);
  const { url } = found;
  const { hostname, port, username, password } = new URL(url);
  const address = { host: hostname, port: Number(port), user: username, password };
  return rig({ kind: 'external', url }, async () => address);
}

/** With a server of its own, in a temporary folder. */
export interface ManagedMysql extends MysqlRig {
  readonly folder: string;
  readonly children: ManagedChildren;
  /** The incarnation of now. */
  readonly server: MysqlServer;
  address(): Promise<MysqlAddress>;
  /** Starts a new incarnation after the last one ended. */
  restart(): Promise<MysqlAddress>;
}

export async function managedMysql(): Promise<ManagedMysql> {
  const incarnations = await ServerIncarnations.start<MysqlServer, MysqlAddress>(
    'mag-mysql-',
    (parts) => new MysqlServer(parts),
  );
  const { folder, children, address, restart } = incarnations;
  const base = rig({ kind: 'managed', address }, address);
  return {
    ...base,
    ...{ folder, children, address, restart },
    get server() {
      return incarnations.server;
    },
    stop: async () => {
      await base.stop().catch(() => {}); // The server may be down; it goes with its folder.
      await incarnations.stop();
    },
  };
}
