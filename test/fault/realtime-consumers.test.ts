import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { visible } from '../../src/actors/psu/access.ts';
import { LIMITS } from '../../src/limits.ts';
import { nodeHost } from '../../src/runtime/host-node.ts';
import { ANON_KEY, memoryPorts, projectHandle, SERVICE_KEY, table } from '../support/edge-ports.ts';
import { MemoryFeed } from '../support/memory-feed.ts';
import { PhoenixClient, type RealtimeServer, startRealtime } from '../support/phoenix-client.ts';

const clients: PhoenixClient[] = [];
let feed: MemoryFeed;
let server: RealtimeServer;

const anonymousReads = [{ role: 'anon' as const, table: 'todos', actions: ['select' as const] }];
const newPorts = (host = nodeHost()) =>
  memoryPorts({
    projects: [projectHandle('demo', anonymousReads)],
    feed,
    host,
    tables: [table('todos', ['id'])],
  });

beforeEach(() => {
  feed = new MemoryFeed();
});

afterEach(async () => {
  for (const client of clients.splice(0)) client.close();
  await server.close();
});

async function open(key = SERVICE_KEY): Promise<PhoenixClient> {
  const client = await PhoenixClient.open(server, 'demo', { key });
  clients.push(client);
  return client;
}

describe('a reader that stalls', () => {
  it('is closed with 3008 within its bound, while the others get everything', async () => {
    server = await startRealtime(newPorts());
    const [stalled, quick] = [await open(), await open()];
    await Promise.all([stalled.join('realtime:room'), quick.join('realtime:room')]);
    stalled.socket.pause();
    const payload = JSON.stringify('x'.repeat(64 * 1024));
    let sent = 0;
    while (server.gateway.stats().slowConsumers === 0) {
      server.gateway.broadcast('demo', 'room', 'big', payload);
      sent += 1;
      await quick.until(() => quick.events('broadcast').length === sent);
      // The kernel's buffers take some megabytes before ours begin to fill.
      expect(sent * payload.length).toBeLessThan(16 * LIMITS.outboxBytes);
    }
    expect(server.gateway.stats().channels).toBe(1);
    server.gateway.broadcast('demo', 'room', 'after', '{}');
    await quick.waitFor(({ payload: seen }) => seen.event === 'after');
    stalled.socket.resume();
    expect((await stalled.whenClosed()).code).toBe(3008);
    expect(stalled.events('broadcast').length).toBeLessThan(sent);
    await expect.poll(() => server.gateway.stats().sockets).toBe(1);
  });

  it('does not hold up a replay for others, nor is it flooded by its own', async () => {
    server = await startRealtime(newPorts());
    const rows = Array.from({ length: 400 }, (_, id) => ({
      type: 'INSERT' as const,
      table: 'todos',
      record: { id, text: 'x'.repeat(32 * 1024) },
    }));
    feed.append(...rows);
    const [stalled, quick] = [await open(), await open()];
    const config = {
      postgres_changes: [{ event: '*', schema: 'public', table: 'todos' }],
      magmobo: { resume: { epoch: 'epoch-1', offset: 0 } },
    };
    await stalled.join('realtime:todos', config);
    stalled.socket.pause();
    await quick.join('realtime:todos', config);
    await quick.until(() => quick.events('postgres_changes').length === 400);
    stalled.socket.resume();
    await stalled.until(() => stalled.events('postgres_changes').length === 400);
    expect(server.gateway.stats().slowConsumers).toBe(0);
  });
});

describe('an access rule that raises', () => {
  it('stops delivery to its own subscribers only, who are told once', async () => {
    let raising = true;
    server = await startRealtime(newPorts(), {
      visible: (principal, ...rest) => {
        if (raising && principal.role === 'anon') throw new Error('the policy raised');
        return visible(principal, ...rest);
      },
    });
    const [broken, healthy] = [await open(ANON_KEY), await open()];
    const config = { postgres_changes: [{ event: '*', schema: 'public', table: 'todos' }] };
    await Promise.all([broken.join('realtime:todos', config), healthy.join('realtime:todos', config)]);
    const insert = (id: number): void => feed.append({ type: 'INSERT', table: 'todos', record: { id } });
    insert(1);
    insert(2);
    await healthy.until(() => healthy.events('postgres_changes').length === 2);
    await broken.settle();
    expect(broken.events('postgres_changes')).toEqual([]);
    expect(broken.events('system').filter(({ payload }) => payload.status === 'error').length).toBe(1);
    raising = false;
    insert(3);
    const [frame] = await broken.until(
      () => broken.events('postgres_changes').length > 0 && broken.events('postgres_changes'),
    );
    expect(frame?.payload.data.record).toEqual({ id: 3 });
    expect(server.gateway.stats().policyFailures).toBe(2);
  });
});

describe('a socket that falls silent', () => {
  it('is closed after the silence timeout, one that beats is not', async () => {
    const sweeps: (() => void)[] = [];
    const host = nodeHost();
    const setTimer = (delay: number, callback: () => void) => {
      if (delay === LIMITS.socketSilenceMs / 4) sweeps.push(callback);
      return host.setTimer(delay, callback);
    };
    server = await startRealtime(newPorts({ ...host, setTimer }));
    const [silent, beating] = [await open(), await open()];
    for (let count = 0; count < 5; count += 1) {
      await beating.settle();
      sweeps.at(-1)?.();
    }
    expect((await silent.whenClosed()).code).toBe(3009);
    expect((await beating.ask('phoenix', 'heartbeat', {})).payload.status).toBe('ok');
    expect(server.gateway.stats()).toMatchObject({ sockets: 1, silentSockets: 1 });
  });
});

describe('a peer that does not answer the close', () => {
  it('is cut soon, so that it does not hold up the drain', async () => {
    const host = nodeHost();
    const setTimer = (delay: number, callback: () => void) =>
      host.setTimer(delay === LIMITS.socketCloseMs ? 50 : delay, callback);
    server = await startRealtime(newPorts({ ...host, setTimer }));
    const client = await open();
    client.socket.pause();
    await server.gateway.drain();
    client.socket.resume();
    await client.whenClosed();
    expect(server.gateway.stats().sockets).toBe(0);
  });
});
