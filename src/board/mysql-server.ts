import type { MysqlAddress } from '../actors/storage/mysql/server.ts';
import type { ChildSpec } from '../runtime/spec.ts';
import { engineServer } from './server-starter.ts';
import type { Shelf } from './shelf.ts';

/** A MariaDB server of this machine. */
export const mysqlServer = (shelf: Shelf): ChildSpec =>
  engineServer<MysqlAddress>('mysql', shelf, async ({ host, log }) => {
    const { MysqlServer } = await import('../actors/storage/mysql/server.ts');
    const { root, secrets } = shelf.take('folder');
    const children = shelf.take('children');
    return new MysqlServer({ dataFolder: root, secretsFolder: secrets, children, host, log });
  });
