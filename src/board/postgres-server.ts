import type { ServerAddress } from '../actors/storage/postgres/server.ts';
import type { ChildSpec } from '../runtime/spec.ts';
import { engineServer } from './server-starter.ts';
import type { Shelf } from './shelf.ts';

/** The embedded PostgreSQL. */
export const postgresServer = (shelf: Shelf): ChildSpec =>
  engineServer<ServerAddress>('postgres', shelf, async ({ host, log }) => {
    const { PostgresServer } = await import('../actors/storage/postgres/server.ts');
    const { root, secrets } = shelf.take('folder');
    const children = shelf.take('children');
    return new PostgresServer({ dataFolder: root, secretsFolder: secrets, children, host, log });
  });
