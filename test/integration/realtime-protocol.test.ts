import { connect } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { LIMITS } from '../../src/limits.ts';
import { decodeBroadcast, encodePush } from '../../src/protocol/phoenix-frame.ts';
import { nodeHost } from '../../src/runtime/host-node.ts';
import {
  ANON_KEY,
  type MemoryPorts,
  memoryPorts,
  projectHandle,
  SERVICE_KEY,
  table,
} from '../support/edge-ports.ts';
import { MemoryFeed } from '../support/memory-feed.ts';
import { PhoenixClient, type RealtimeServer, socketUrl, startRealtime } from '../support/phoenix-client.ts';

const clients: PhoenixClient[] = [];
let feed: MemoryFeed;
let ports: MemoryPorts;
let server: RealtimeServer;

beforeEach(async () => {
  feed = new MemoryFeed();
  ports = memoryPorts({
    projects: [projectHandle('demo'), projectHandle('other')],
    feed,
    tables: [table('todos', ['id', 'title'])],
  });
  server = await startRealtime(ports);
});

afterEach(async () => {
  for (const client of clients.splice(0)) client.close();
  await server.close();
});

async function open(options: { key?: string; vsn?: string; ref?: string } = {}): Promise<PhoenixClient> {
  const client = await PhoenixClient.open(server, options.ref ?? 'demo', options);
  clients.push(client);
  return client;
}

/** What an upgrade request is answered with where it is refused. */
function refusal(url: string): Promise<{ status: number; body: { code: string } }> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(url);
    socket.on('error', () => {});
    socket.on('open', () => reject(new Error('it was let in')));
    socket.on('unexpected-response', (_request, response) => {
      let text = '';
      response.on('data', (chunk) => {
        text += chunk;
      });
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body: JSON.parse(text) }));
    });
  });
}

describe('the way in', () => {
  it.each([
    ['a wrong key', 'demo', 'wrong', '2.0.0', 401, 'MAG_KEY_INVALID'],
    ['no key', 'demo', '', '2.0.0', 401, 'MAG_KEY_MISSING'],
    ['an unknown project', 'nope', SERVICE_KEY, '2.0.0', 404, 'MAG_PROJECT_NOT_FOUND'],
    ['an unknown serializer', 'demo', SERVICE_KEY, '3.0.0', 400, 'MAG_BAD_REQUEST'],
  ])('refuses %s over HTTP', async (_what, ref, key, vsn, status, code) => {
    const answer = await refusal(socketUrl(server, ref, key, vsn));
    expect([answer.status, answer.body.code]).toEqual([status, code]);
    expect(server.gateway.stats().sockets).toBe(0);
  });

  it('survives a peer that resets while it is being let in', async () => {
    const { port, hostname } = new URL(server.url);
    const socket = connect(Number(port), hostname);
    socket.on('error', () => {});
    const path = `/p/demo/realtime/v1/websocket?apikey=${SERVICE_KEY}&vsn=2.0.0`;
    socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n`);
    socket.resetAndDestroy();
    const client = await open();
    expect((await client.ask('phoenix', 'heartbeat', {})).payload).toEqual({ status: 'ok', response: {} });
  });
});

describe('a join', () => {
  it('lists the bindings in order, then presence_state, then system', async () => {
    const client = await open();
    const bindings = [
      { event: 'INSERT', schema: 'public', table: 'todos', filter: 'id=eq.1' },
      { event: '*', schema: '*' },
    ];
    const reply = await client.join('realtime:room', {
      postgres_changes: bindings,
      presence: { enabled: true },
    });
    const listed = reply.payload.response.postgres_changes;
    expect(listed).toMatchObject(bindings);
    expect(new Set(listed.map(({ id }: { id: number }) => id)).size).toBe(2);
    await client.settle();
    const order = client.frames.filter(({ topic }) => topic === 'realtime:room').map(({ event }) => event);
    expect(order).toEqual(['phx_reply', 'presence_state', 'system']);
    const [system] = client.events('system');
    expect(system?.payload).toMatchObject({ extension: 'postgres_changes', status: 'ok', channel: 'room' });
  });

  it.each([
    ['an unknown table', { postgres_changes: [{ event: '*', table: 'nope' }] }, 'PGRST205'],
    [
      'an unknown column in a filter',
      { postgres_changes: [{ table: 'todos', filter: 'x=eq.1' }] },
      'PGRST204',
    ],
    ['a bad filter', { postgres_changes: [{ table: 'todos', filter: 'id~1' }] }, 'MAG_FILTER_INVALID'],
    ['a bad event', { postgres_changes: [{ event: 'UPSERT', table: 'todos' }] }, 'MAG_BAD_REQUEST'],
    ['bindings that are no list', { postgres_changes: 7 }, 'MAG_BAD_REQUEST'],
    ['a bad overflow policy', { magmobo: { overflow: 'explode' } }, 'MAG_BAD_REQUEST'],
    [
      'bindings that are too long',
      { postgres_changes: Array(30).fill({ table: 'todos', filter: `title=eq.${'x'.repeat(10_000)}` }) },
      'MAG_CHANNEL_LIMIT',
    ],
    ['too many bindings', { postgres_changes: Array(101).fill({ table: 'todos' }) }, 'MAG_CHANNEL_LIMIT'],
  ])('is refused for %s, and the socket goes on', async (_what, config, code) => {
    const client = await open();
    const reply = await client.join('realtime:room', config);
    expect(reply.payload).toMatchObject({ status: 'error', response: { code } });
    expect((await client.join('realtime:room')).payload.status).toBe('ok');
    expect(server.gateway.stats().channels).toBe(1);
  });

  it('is refused where the feed cannot be followed', async () => {
    feed.unavailable = 'the slot is gone';
    const client = await open();
    const reply = await client.join('realtime:room', { postgres_changes: [{ table: 'todos' }] });
    expect(reply.payload).toMatchObject({ status: 'error', response: { code: 'MAG_FEED_UNAVAILABLE' } });
    feed.unavailable = null;
    const again = await client.join('realtime:room', { postgres_changes: [{ table: 'todos' }] });
    expect(again.payload.status).toBe('ok');
  });

  it('of a private channel needs more than the anonymous key', async () => {
    const [anonymous, service] = [await open({ key: ANON_KEY }), await open()];
    const refused = await anonymous.join('realtime:room', { private: true });
    expect(refused.payload.response.code).toBe('MAG_CHANNEL_PRIVATE');
    expect((await service.join('realtime:room', { private: true })).payload.status).toBe('ok');
  });

  it('with a token that is no key of the project is refused', async () => {
    const client = await open({ key: ANON_KEY });
    const reply = await client.join('realtime:room', {}, 'not-a-key');
    expect(reply.payload).toMatchObject({ status: 'error', response: { code: 'MAG_KEY_INVALID' } });
  });

  it('replaces an earlier join of the same topic', async () => {
    const client = await open();
    await client.join('realtime:room');
    await client.join('realtime:room');
    expect(client.events('phx_close')).toMatchObject([{ joinRef: '1', ref: '1' }]);
    expect(server.gateway.stats().channels).toBe(1);
  });

  it('that is still being answered takes no message but a leave, which leaves nothing behind', async () => {
    const client = await open();
    const config = { postgres_changes: [{ event: '*', table: 'todos' }] };
    let start = (): void => {};
    feed.startsAfter = new Promise((resolve) => {
      start = resolve;
    });
    const joining = client.send('realtime:room', 'phx_join', { config });
    const early = await client.ask('realtime:room', 'broadcast', { event: 'x' });
    expect(early.payload.response.code).toBe('MAG_CHANNEL_UNKNOWN');
    const again = client.send('realtime:hall', 'phx_join', { config });
    expect((await client.ask('realtime:hall', 'phx_leave', {})).payload.status).toBe('ok');
    start();
    await client.waitFor(({ ref }) => ref === joining);
    await client.ask('realtime:room', 'phx_leave', {});
    await client.settle();
    expect(client.frames.filter(({ ref, event }) => ref === again && event === 'phx_reply')).toEqual([]);
    expect([server.gateway.stats().channels, server.gateway.stats().groups, feed.followers]).toEqual([
      0, 0, 0,
    ]);
  });

  it('beyond the channels a socket may have is refused', async () => {
    const client = await open();
    const joins = Array.from({ length: LIMITS.channelsPerSocket }, (_, at) => client.join(`realtime:${at}`));
    expect((await Promise.all(joins)).every(({ payload }) => payload.status === 'ok')).toBe(true);
    expect((await client.join('realtime:more')).payload.response.code).toBe('MAG_CHANNEL_LIMIT');
  });
});

describe('a message', () => {
  it('to a channel that is not joined, or of an unknown event, is answered with an error', async () => {
    const client = await open();
    const unknown = await client.ask('realtime:none', 'broadcast', { event: 'x', payload: {} });
    expect(unknown.payload).toMatchObject({ status: 'error', response: { code: 'MAG_CHANNEL_UNKNOWN' } });
    const { joinRef } = await client.join('realtime:room');
    const event = await client.ask('realtime:room', 'dance', {}, joinRef);
    expect(event.payload).toMatchObject({ status: 'error', response: { code: 'MAG_CHANNEL_EVENT_UNKNOWN' } });
    const stale = await client.ask('realtime:room', 'broadcast', { event: 'x' }, '999');
    expect(stale.payload.status).toBe('error');
  });

  it.each(['no JSON', '[1,2]', '{"a":1}', '[null,null,7,"x",{}]'])('%s is told and counted', async (text) => {
    const client = await open();
    client.socket.send(text);
    const told = await client.waitFor(({ topic, ref }) => topic === 'phoenix' && ref === null);
    expect(told.payload).toMatchObject({ status: 'error', response: { code: 'MAG_FRAME_INVALID' } });
    expect(server.gateway.stats().framesInvalid).toBe(1);
  });

  it('that is no message over and over ends the socket with 1007', async () => {
    const client = await open();
    for (let count = 0; count <= LIMITS.invalidFramesPerSocket; count += 1) client.socket.send('no JSON');
    expect((await client.whenClosed()).code).toBe(1007);
  });

  it('larger than a frame may be ends the socket with 1009', async () => {
    const client = await open();
    client.socket.send('x'.repeat(LIMITS.frameBytes + 1));
    expect((await client.whenClosed()).code).toBe(1009);
    expect((await (await open()).ask('phoenix', 'heartbeat', {})).payload.status).toBe('ok');
  });

  it('beyond the rate slows its sender down, and loses nothing', async () => {
    let frozen = true;
    await server.close();
    const host = { ...nodeHost(), now: () => (frozen ? 0 : performance.now() * 1_000) };
    server = await startRealtime(memoryPorts({ projects: [projectHandle('demo')], feed, host }));
    const [client, other] = [await open(), await open()];
    const count = LIMITS.socketMessageBurst * 3;
    for (let at = 0; at < count; at += 1) client.send('phoenix', 'heartbeat', {});
    await client.until(() => server.gateway.stats().throttled > 0);
    for (let turn = 0; turn < 5; turn += 1) await other.settle();
    // What one read brought along is still answered.
    expect(client.frames.length).toBeLessThan(LIMITS.socketMessageBurst * 2);
    frozen = false;
    await client.until(() => client.frames.length === count);
  });
});

describe('a broadcast', () => {
  it('reaches the members of its topic in its project only, in both serializers', async () => {
    const [sender, modern, old] = [await open(), await open(), await open({ vsn: '1.0.0' })];
    const [elsewhere, foreign] = [await open(), await open({ ref: 'other' })];
    old.socket.send('{"topic":"realtime:room","event":"phx_join","payload":{},"ref":"1","join_ref":"1"}');
    await old.waitFor(({ event }) => event === 'phx_reply');
    const { joinRef } = await sender.join('realtime:room');
    await Promise.all([
      modern.join('realtime:room'),
      elsewhere.join('realtime:hall'),
      foreign.join('realtime:room'),
    ]);
    sender.send(
      'realtime:room',
      'broadcast',
      { type: 'broadcast', event: 'say', payload: { a: 1 } },
      joinRef,
    );
    const expected = { type: 'broadcast', event: 'say', payload: { a: 1 } };
    for (const receiver of [modern, old]) {
      const frame = await receiver.waitFor(({ event }) => event === 'broadcast');
      expect([frame.topic, frame.payload]).toEqual(['realtime:room', expected]);
    }
    await Promise.all([elsewhere.settle(), foreign.settle(), sender.settle()]);
    expect([elsewhere, foreign, sender].flatMap((client) => client.events('broadcast'))).toEqual([]);
  });

  it('keeps its order among everything that a connection is sent', async () => {
    const [sender, receiver] = [await open(), await open()];
    const { joinRef } = await sender.join('realtime:room');
    await receiver.join('realtime:room');
    for (let n = 0; n < 300; n += 1)
      sender.send('realtime:room', 'broadcast', { event: 'n', payload: { n } }, joinRef);
    await receiver.until(() => receiver.events('broadcast').length === 300);
    const order = receiver.events('broadcast').map(({ payload }) => payload.payload.n);
    expect(order).toEqual(Array.from({ length: 300 }, (_, n) => n));
    expect(server.gateway.stats().writes).toBeLessThan(server.gateway.stats().framesOut);
  });

  it('of JSON in a binary frame is passed on as text, and refused where it is none', async () => {
    const [sender, receiver] = [await open(), await open()];
    const { joinRef } = await sender.join('realtime:room');
    await receiver.join('realtime:room');
    const push = {
      joinRef,
      ref: '77',
      topic: 'realtime:room',
      event: 'say',
      metadata: '',
      encoding: 'json' as const,
    };
    sender.socket.send(encodePush({ ...push, payload: Buffer.from('{"n":1}') }));
    const frame = await receiver.waitFor(({ event }) => event === 'broadcast');
    expect(frame.payload.payload).toEqual({ n: 1 });
    sender.socket.send(encodePush({ ...push, payload: Buffer.from('{"n":') }));
    const reply = await sender.waitFor(({ ref }) => ref === '77');
    expect(reply.payload.response.code).toBe('MAG_FRAME_INVALID');
  });

  it('of bytes reaches clients of serializer 2.0.0, and is counted for the others', async () => {
    const [sender, receiver, old] = [await open(), await open(), await open({ vsn: '1.0.0' })];
    old.socket.send('{"topic":"realtime:room","event":"phx_join","payload":{},"ref":"1"}');
    await old.waitFor(({ event }) => event === 'phx_reply');
    const { joinRef } = await sender.join('realtime:room');
    await receiver.join('realtime:room');
    const payload = Buffer.from([1, 0, 255]);
    const head = { joinRef, ref: null, topic: 'realtime:room', event: 'raw', metadata: '' };
    sender.socket.send(encodePush({ ...head, encoding: 'binary', payload }));
    const [frame] = await receiver.until(() => receiver.binary.length > 0 && receiver.binary);
    expect(decodeBroadcast(frame ?? Buffer.of())).toMatchObject({
      topic: 'realtime:room',
      event: 'raw',
      payload,
    });
    expect(server.gateway.stats().broadcastsUndeliverable).toBe(1);
  });

  it('from REST reaches the public or the private channel of its name, not both', async () => {
    const [open1, secret] = [await open(), await open()];
    await open1.join('realtime:room');
    await secret.join('realtime:room', { private: true });
    server.gateway.broadcast('demo', 'room', 'a', '1');
    server.gateway.broadcast('demo', 'room', 'b', '2', { isPrivate: true });
    await Promise.all([open1.settle(), secret.settle()]);
    expect(open1.events('broadcast').map(({ payload }) => payload.event)).toEqual(['a']);
    expect(secret.events('broadcast').map(({ payload }) => payload.event)).toEqual(['b']);
  });
});

describe('a project', () => {
  it('that is dropped takes its sockets along, and no other', async () => {
    const [gone, stays] = [await open(), await open({ ref: 'other' })];
    ports.setProject('demo', null);
    expect((await gone.whenClosed()).code).toBe(3500);
    expect((await stays.ask('phoenix', 'heartbeat', {})).payload.status).toBe('ok');
  });

  it('whose keys are rotated lets go of sockets with the old ones', async () => {
    const client = await open();
    const handle = projectHandle('demo', [], 2);
    ports.setProject('demo', { ...handle, keyDigests: { anon: '0'.repeat(64), service: '1'.repeat(64) } });
    expect((await client.whenClosed()).code).toBe(3501);
  });

  it('admits no more sockets than its bound', async () => {
    await server.close();
    server = await startRealtime(ports, { socketsPerProject: 2 });
    await Promise.all([open(), open()]);
    const answer = await refusal(socketUrl(server, 'demo', SERVICE_KEY));
    expect([answer.status, answer.body.code]).toEqual([429, 'MAG_RATE_LIMITED']);
    expect(server.gateway.stats().sockets).toBe(2);
  });
});

describe('the gateway', () => {
  it('drains: what waits is sent, every socket is closed with 1001, and none is let in', async () => {
    const client = await open();
    await client.join('realtime:room');
    server.gateway.broadcast('demo', 'room', 'last', '{}');
    await server.gateway.drain();
    expect((await client.whenClosed()).code).toBe(1001);
    expect(client.events('broadcast').length).toBe(1);
    expect((await refusal(socketUrl(server, 'demo', SERVICE_KEY))).status).toBe(503);
    expect(server.gateway.stats()).toMatchObject({ sockets: 0, channels: 0, topics: 0 });
  });
});
