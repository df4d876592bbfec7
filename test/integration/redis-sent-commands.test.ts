import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { expect, it } from 'vitest';
import { RedisSession } from '../../src/actors/storage/redis/session.ts';
import { REDIS_LIMITS } from '../../src/limits-redis.ts';
import { nodeHost } from '../../src/runtime/host-node.ts';
import { silentLog } from '../../src/runtime/log.ts';

const COMMANDS = 50;

/** Speaks just enough of Redis' protocol: says yes to the login, and answers a GET in each turn. */
async function slowServer() {
  let unanswered = 0;
  let most = 0;
  const server = createServer((socket: Socket) => {
    socket.on('error', () => {});
    const answer = (): void => {
      unanswered -= 1;
      socket.write('$1\r\nx\r\n');
      if (unanswered > 0) setImmediate(answer);
    };
    socket.on('data', (chunk: Buffer) => {
      const words = chunk.toString().split('\r\n');
      for (const word of words) if (/^auth$/i.test(word)) socket.write('+OK\r\n');
      const got = words.filter((word) => word === 'GET').length;
      if (got === 0) return;
      if (unanswered === 0) setImmediate(answer);
      unanswered += got;
      most = Math.max(most, unanswered);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo; // it listens on a port
  return { port, most: () => most, close: () => server.close() };
}

it('sends Redis no more commands of a project than others may find before theirs, and each in its order', async () => {
  const server = await slowServer();
  const host = nodeHost();
  const session = new RedisSession({
    target: { host: '127.0.0.1', port: server.port, user: 'u', password: 'p' },
    ...{ key: 'ref', host, log: silentLog },
    permits: { lease: async () => 1, release: () => {}, join: () => () => {} },
  });
  const answered: number[] = [];
  const budget = { deadline: host.now() + 60_000 };
  const run = async (at: number): Promise<void> => {
    await session.run(budget, 'GET', [`key-${at}`]);
    answered.push(at);
  };
  await run(0);
  await Promise.all(Array.from({ length: COMMANDS }, (_, at) => run(at + 1)));
  expect(server.most()).toBe(REDIS_LIMITS.sentCommands);
  expect(answered).toEqual(Array.from({ length: COMMANDS + 1 }, (_, at) => at));
  await session.close();
  server.close();
});
