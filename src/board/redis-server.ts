import type { RedisTarget } from '../actors/storage/redis/connection.ts';
import type { ChildSpec } from '../runtime/spec.ts';
import { engineServer } from './server-starter.ts';
import type { Shelf } from './shelf.ts';

/** A redis-server of this machine. */
export const redisServer = (shelf: Shelf): ChildSpec =>
  engineServer<RedisTarget>('redis', shelf, async ({ host, log }) => {
    const { RedisServer } = await import('../actors/storage/redis/server.ts');
    const { root, secrets } = shelf.take('folder');
    const children = shelf.take('children');
    return new RedisServer({ dataFolder: root, secretsFolder: secrets, children, host, log });
  });
