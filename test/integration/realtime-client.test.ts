import { createClient, type RealtimeChannel, type SupabaseClient } from '@supabase/supabase-js';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ANON_KEY, memoryPorts, projectHandle, SERVICE_KEY, table } from '../support/edge-ports.ts';
import { MemoryFeed } from '../support/memory-feed.ts';
import { type RealtimeServer, startRealtime } from '../support/phoenix-client.ts';

const clients: SupabaseClient[] = [];
let feed: MemoryFeed;
let server: RealtimeServer;

beforeEach(async () => {
  feed = new MemoryFeed();
  const grants = [{ role: 'anon' as const, table: 'open', actions: ['select' as const] }];
  const ports = memoryPorts({
    projects: [projectHandle('demo', grants)],
    feed,
    tables: [table('todos', ['id', 'title', 'tags']), table('open', ['id', 'title'])],
  });
  server = await startRealtime(ports);
});

afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.removeAllChannels()));
  await server.close();
});

function connect(key = SERVICE_KEY, realtime: object = {}): SupabaseClient {
  const client = createClient(`${server.url}/p/demo`, key, { realtime });
  clients.push(client);
  return client;
}

/** Subscribes; rejects with the client's own error. */
const subscribed = (channel: RealtimeChannel): Promise<void> =>
  new Promise((resolve, reject) => {
    channel.subscribe((status, error) => {
      if (status === 'SUBSCRIBED') resolve();
      else reject(error ?? new Error(status));
    });
  });

const next = <Payload>(listen: (take: (payload: Payload) => void) => void): Promise<Payload> =>
  new Promise((resolve) => listen(resolve));

describe.each(['2.0.0', '1.0.0'])('supabase-js over serializer %s', (vsn) => {
  it('receives inserts, updates and deletes with their rows', async () => {
    const seen: unknown[] = [];
    const channel = connect(SERVICE_KEY, { vsn }).channel('changes');
    const three = next<void>((take) => {
      channel.on('postgres_changes', { event: '*', schema: 'public', table: 'todos' }, (payload) => {
        seen.push([payload.eventType, payload.new, payload.old]);
        if (seen.length === 3) take();
      });
    });
    await subscribed(channel);
    feed.append({ type: 'INSERT', table: 'todos', record: { id: 1, title: 'a' } });
    feed.append(
      { type: 'UPDATE', table: 'todos', record: { id: 1, title: 'b' }, old: { id: 1, title: 'a' } },
      { type: 'DELETE', table: 'todos', old: { id: 1, title: 'b' } },
    );
    await three;
    expect(seen).toEqual([
      ['INSERT', { id: 1, title: 'a' }, {}],
      ['UPDATE', { id: 1, title: 'b' }, { id: 1, title: 'a' }],
      ['DELETE', {}, { id: 1, title: 'b' }],
    ]);
  });

  it('exchanges broadcasts with acknowledgement, and its own where it asks for them', async () => {
    const config = { config: { broadcast: { self: true, ack: true } } };
    const sender = connect(ANON_KEY, { vsn }).channel('room', config);
    const receiver = connect(ANON_KEY, { vsn }).channel('room');
    const own = next((take) => sender.on('broadcast', { event: 'say' }, take));
    const other = next((take) => receiver.on('broadcast', { event: 'say' }, take));
    await Promise.all([subscribed(sender), subscribed(receiver)]);
    const payload = { text: 'grüße 🌍', n: [1, null] };
    expect(await sender.send({ type: 'broadcast', event: 'say', payload })).toBe('ok');
    expect(await own).toMatchObject({ type: 'broadcast', event: 'say', payload });
    expect(await other).toMatchObject({ type: 'broadcast', event: 'say', payload });
  });

  it('sees who is present, who comes and who goes', async () => {
    const first = connect(ANON_KEY, { vsn }).channel('lobby', { config: { presence: { key: 'ann' } } });
    const second = connect(ANON_KEY, { vsn }).channel('lobby', { config: { presence: { key: 'bob' } } });
    const joins: string[] = [];
    const bobCame = next<void>((take) => {
      first.on('presence', { event: 'join' }, ({ key }) => {
        joins.push(key);
        if (key === 'bob') take();
      });
    });
    const bobLeft = next<{ key: string }>((take) => first.on('presence', { event: 'leave' }, take));
    await subscribed(first);
    expect(await first.track({ at: 'door' })).toBe('ok');
    const synced = next<void>((take) => second.on('presence', { event: 'sync' }, () => take()));
    await subscribed(second);
    await synced;
    expect(second.presenceState()).toMatchObject({ ann: [{ at: 'door' }] });
    expect(await second.track({ at: 'bar' })).toBe('ok');
    await bobCame;
    expect(first.presenceState()).toMatchObject({ ann: [{ at: 'door' }], bob: [{ at: 'bar' }] });
    await second.untrack();
    expect((await bobLeft).key).toBe('bob');
    expect(Object.keys(first.presenceState())).toEqual(['ann']);
  });
});

describe('supabase-js', () => {
  it('sends and receives bytes', async () => {
    const sender = connect().channel('bytes');
    const receiver = connect().channel('bytes');
    const got = next<{ payload: ArrayBuffer }>((take) =>
      receiver.on('broadcast', { event: 'raw' }, (message) => take(message as never)),
    );
    await Promise.all([subscribed(sender), subscribed(receiver)]);
    await sender.send({ type: 'broadcast', event: 'raw', payload: new Uint8Array([0, 255, 7]).buffer });
    expect([...new Uint8Array((await got).payload)]).toEqual([0, 255, 7]);
  });

  it('accepts several bindings with filters and selected columns, in its own order', async () => {
    const channel = connect().channel('many');
    const seen: unknown[] = [];
    channel.on(
      'postgres_changes',
      { event: 'INSERT', schema: 'public', table: 'todos', filter: 'id=gt.5' },
      (change) => seen.push(['filtered', change.new]),
    );
    channel.on(
      'postgres_changes',
      { event: 'INSERT', schema: 'public', table: 'todos', select: ['id'] },
      (change) => seen.push(['selected', change.new]),
    );
    const last = next<void>((take) => {
      channel.on('postgres_changes', { event: 'DELETE', schema: '*' }, () => take());
    });
    await subscribed(channel);
    feed.append(
      { type: 'INSERT', table: 'todos', record: { id: 1, title: 'low' } },
      { type: 'INSERT', table: 'todos', record: { id: 9, title: 'high' } },
      { type: 'DELETE', table: 'open', old: { id: 1 } },
    );
    await last;
    expect(seen).toEqual([
      ['selected', { id: 1 }],
      ['filtered', { id: 9, title: 'high' }],
      ['selected', { id: 9 }],
    ]);
  });

  it('decodes array columns from PostgreSQL text', async () => {
    const channel = connect().channel('arrays');
    const row = next<unknown>((take) => {
      channel.on('postgres_changes', { event: 'INSERT', schema: 'public', table: 'todos' }, (change) =>
        take(change.new),
      );
    });
    await subscribed(channel);
    const columns = [
      { name: 'id', type: 'int4' },
      { name: 'tags', type: '_text' },
    ];
    feed.append({ type: 'INSERT', table: 'todos', columns, record: { id: 1, tags: ['a,b', 'c'] } });
    expect(await row).toEqual({ id: 1, tags: ['a,b', 'c'] });
  });

  it('is told when the table does not exist', async () => {
    const channel = connect().channel('nowhere');
    channel.on('postgres_changes', { event: '*', schema: 'public', table: 'nope' }, () => {});
    await expect(subscribed(channel)).rejects.toThrow(/public\.nope/);
  });

  it('without a grant joins, is told why no rows come, and gets none', async () => {
    const channel = connect(ANON_KEY).channel('hidden');
    const rows: unknown[] = [];
    const told = next<{ status: string; message: string }>((take) => channel.on('system', {}, take));
    channel.on('postgres_changes', { event: '*', schema: 'public', table: 'todos' }, (change) =>
      rows.push(change),
    );
    const open = next<unknown>((take) => {
      channel.on('postgres_changes', { event: '*', schema: 'public', table: 'open' }, (change) =>
        take(change.new),
      );
    });
    await subscribed(channel);
    expect(await told).toMatchObject({
      status: 'ok',
      message: expect.stringContaining('until the role anon is granted'),
    });
    feed.append(
      { type: 'INSERT', table: 'todos', record: { id: 1 } },
      { type: 'INSERT', table: 'open', record: { id: 2 } },
    );
    expect(await open).toEqual({ id: 2 });
    expect(rows).toEqual([]);
  });

  it('survives a frame that is no JSON: its channels stay', async () => {
    const client = connect();
    const channel = client.channel('steady');
    const heard = next((take) => channel.on('broadcast', { event: 'still' }, take));
    await subscribed(channel);
    // The client keeps its WebSocket to itself.
    const adapter = Reflect.get(client.realtime, 'socketAdapter') as { getSocket(): { conn: WebSocket } };
    const socket = adapter.getSocket().conn;
    socket.send('this is no JSON');
    await expect.poll(() => server.gateway.stats().framesInvalid).toBe(1);
    server.gateway.broadcast('demo', 'steady', 'still', '{"here":true}');
    expect(await heard).toMatchObject({ payload: { here: true } });
    expect(channel.state).toBe('joined');
  });

  it('leaves a channel for good', async () => {
    const client = connect();
    const channel = client.channel('leaving');
    await subscribed(channel);
    expect(await client.removeChannel(channel)).toBe('ok');
    await expect.poll(() => server.gateway.stats().channels).toBe(0);
  });
});
