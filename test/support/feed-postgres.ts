import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import type { AdminConnection } from '../../src/actors/feed/postgres/source.ts';
import { ManagedChildren } from '../../src/actors/storage/managed-children.ts';
import { PostgresServer, type ServerAddress } from '../../src/actors/storage/postgres/server.ts';
import { nodeHost } from '../../src/runtime/host-node.ts';
import { silentLog } from '../../src/runtime/log.ts';

/** An embedded server in a temporary folder, for tests of the change feed. */
export interface FeedServer {
  readonly folder: string;
  /** Superuser access to a database, at whatever port the server has now. */
  admin(database: string): AdminConnection;
  /** Makes a database and opens a client on it. */
  database(name: string): Promise<pg.Client>;
  client(name: string): Promise<pg.Client>;
  /** kill -9, then a new incarnation. */
  crash(): Promise<void>;
  stop(): Promise<void>;
}

export async function startFeedServer(): Promise<FeedServer> {
  const folder = mkdtempSync(join(tmpdir(), 'mag-feed-'));
  const host = nodeHost();
  const children = new ManagedChildren(join(folder, 'run', 'children.json'));
  const make = () =>
    new PostgresServer({
      dataFolder: folder,
      secretsFolder: join(folder, 'secrets'),
      children,
      host,
      log: silentLog,
    });
  let server = make();
  let address: ServerAddress = await server.start();
  const clients: pg.Client[] = [];
  const client = async (database: string): Promise<pg.Client> => {
    const made = new pg.Client({ ...address, database });
    made.on('error', () => {});
    await made.connect();
    clients.push(made);
    return made;
  };
  return {
    folder,
    admin: (database) => ({ engine: 'postgres', ...address, database }),
    client,
    database: async (name) => {
      const maintenance = await client('postgres');
      await maintenance.query(`CREATE DATABASE "${name}"`);
      return client(name);
    },
    crash: async () => {
      process.kill(server.pid!, 'SIGKILL');
      await server.exited;
      server = make();
      address = await server.start();
    },
    stop: async () => {
      await Promise.all(clients.map((one) => one.end().catch(() => {})));
      await server.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Resolves when `check` holds; the test's own timeout bounds it. */
export async function until(check: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await check())) await new Promise((resolve) => setTimeout(resolve, 5));
}
