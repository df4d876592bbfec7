import pg from 'pg';
import type { AdminConnection } from '../../src/actors/feed/postgres/source.ts';
import { PostgresServer, type ServerAddress } from '../../src/actors/storage/postgres/server.ts';
import { ServerIncarnations } from './server-incarnations.ts';

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
  const incarnations = await ServerIncarnations.start<PostgresServer, ServerAddress>(
    'mag-feed-',
    (parts) => new PostgresServer(parts),
  );
  let address = await incarnations.address();
  const clients: pg.Client[] = [];
  const client = async (database: string): Promise<pg.Client> => {
    const made = new pg.Client({ ...address, database });
    made.on('error', () => {});
    await made.connect();
    clients.push(made);
    return made;
  };
  return {
    folder: incarnations.folder,
    admin: (database) => ({ engine: 'postgres', ...address, database }),
    client,
    database: async (name) => {
      const maintenance = await client('postgres');
      await maintenance.query(`CREATE DATABASE "${name}"`);
      return client(name);
    },
    crash: async () => {
      const { server } = incarnations;
      process.kill(server.pid ?? 0, 'SIGKILL');
      await server.exited;
      address = await incarnations.restart();
    },
    stop: async () => {
      await Promise.all(clients.map((one) => one.end().catch(() => {})));
      await incarnations.stop();
    },
  };
}

/** Resolves when `check` holds; the test's own timeout bounds it. */
export async function until(check: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await check())) await new Promise((resolve) => setTimeout(resolve, 5));
}
