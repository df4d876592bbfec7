import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { principalOf } from '../../src/actors/psu/project-key-check.ts';
import type { RealtimeDeps } from '../../src/actors/realtime/gateway.ts';
import { MagError } from '../../src/errors.ts';
import { LIMITS } from '../../src/limits.ts';
import type { Grant, Principal } from '../../src/protocol/principal.ts';
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
import { type Frame, PhoenixClient, type RealtimeServer, startRealtime } from '../support/phoenix-client.ts';

const clients: PhoenixClient[] = [];
const sweeps: (() => void)[] = [];
let feed: MemoryFeed;
let ports: MemoryPorts;
let server: RealtimeServer;

/** Tokens as a later sign-in service will issue them: `user:NAME`, or `expired:NAME`. */
const signedIn: RealtimeDeps = {
  principalOf: (handle, apikey, bearer): Principal => {
    const principal = principalOf(handle, apikey, undefined, 0);
    const [kind, sub] = bearer?.split(':') ?? [];
    if (kind === 'user') return { role: 'authenticated', claims: { sub, exp: 4_000_000_000 } };
    if (kind === 'expired') return { role: 'authenticated', claims: { sub, exp: 1_000 } };
    if (bearer !== undefined && bearer !== apikey) throw new MagError('MAG_KEY_INVALID');
    return principal;
  },
};
const owners: readonly Grant[] = [
  { role: 'authenticated', table: 'notes', actions: ['select'], using: 'owner.eq.{sub}' },
];

beforeEach(async () => {
  feed = new MemoryFeed();
  sweeps.length = 0;
  const host = nodeHost();
  const setTimer = (delay: number, callback: () => void) => {
    if (delay === LIMITS.socketSilenceMs / 4) sweeps.push(callback);
    return host.setTimer(delay, callback);
  };
  ports = memoryPorts({
    projects: [projectHandle('demo', owners)],
    feed,
    host: { ...host, setTimer },
    tables: [table('notes', ['id', 'owner', 'text'])],
  });
  server = await startRealtime(ports, signedIn);
});

afterEach(async () => {
  for (const client of clients.splice(0)) client.close();
  await server.close();
});

const TOPIC = 'realtime:notes';
const config = { postgres_changes: [{ event: '*', schema: 'public', table: 'notes' }] };

async function follow(token?: string, key = ANON_KEY): Promise<{ client: PhoenixClient; joined: Frame }> {
  const client = await PhoenixClient.open(server, 'demo', { key });
  clients.push(client);
  return { client, joined: await client.join(TOPIC, config, token) };
}

const shown = (client: PhoenixClient): unknown[] =>
  client.events('postgres_changes').map(({ payload: { data } }) => [data.type, data.record, data.old_record]);
const note = (owner: string, text = 'a') => ({ id: 1, owner, text });

describe('changes', () => {
  it('come to those who may see the row, before and after each by itself', async () => {
    const [ann, bob, service, nobody] = await Promise.all([
      follow('user:ann'),
      follow('user:bob'),
      follow(undefined, SERVICE_KEY),
      follow(),
    ]);
    feed.append({ type: 'INSERT', table: 'notes', record: note('ann') });
    feed.append({ type: 'UPDATE', table: 'notes', record: note('ann', 'b'), old: note('ann') });
    feed.append({ type: 'UPDATE', table: 'notes', record: note('bob', 'b'), old: note('ann', 'b') });
    feed.append({ type: 'DELETE', table: 'notes', old: note('bob', 'b') });
    await service.client.until(() => shown(service.client).length === 4);
    await Promise.all([ann, bob, nobody].map(({ client }) => client.settle()));
    expect(shown(ann.client)).toEqual([
      ['INSERT', note('ann'), undefined],
      ['UPDATE', note('ann', 'b'), note('ann')],
      ['DELETE', undefined, note('ann', 'b')],
    ]);
    expect(shown(bob.client)).toEqual([
      ['UPDATE', note('bob', 'b'), {}],
      ['DELETE', undefined, note('bob', 'b')],
    ]);
    expect(shown(nobody.client)).toEqual([]);
  });

  it('follow a new token from the next change on', async () => {
    const { client, joined } = await follow('user:ann');
    feed.append({ type: 'INSERT', table: 'notes', record: note('ann') });
    client.send(TOPIC, 'access_token', { access_token: 'user:bob' }, joined.joinRef);
    await client.settle();
    feed.append({ type: 'INSERT', table: 'notes', record: note('ann', 'unseen') });
    feed.append({ type: 'INSERT', table: 'notes', record: note('bob') });
    await client.until(() => shown(client).length === 2);
    expect(shown(client)).toEqual([
      ['INSERT', note('ann'), undefined],
      ['INSERT', note('bob'), undefined],
    ]);
  });

  it('follow new grants from the next change on', async () => {
    const { client } = await follow();
    feed.append({ type: 'INSERT', table: 'notes', record: note('ann', 'unseen') });
    ports.setProject(
      'demo',
      projectHandle('demo', [{ role: 'anon', table: 'notes', actions: ['select'] }], 2),
    );
    await client.settle();
    feed.append({ type: 'INSERT', table: 'notes', record: note('ann') });
    await client.until(() => shown(client).length > 0);
    expect(shown(client)).toEqual([['INSERT', note('ann'), undefined]]);
  });

  it('tell of an emptied table only those who may read all of it', async () => {
    const [ann, service] = await Promise.all([follow('user:ann'), follow(undefined, SERVICE_KEY)]);
    feed.append({ type: 'TRUNCATE', table: 'notes' });
    await service.client.until(() => shown(service.client).length === 1);
    await ann.client.settle();
    expect([shown(ann.client), shown(service.client)]).toEqual([[], [['TRUNCATE', undefined, undefined]]]);
  });
});

describe('a token', () => {
  it('that is refused ends the channel, which is told why', async () => {
    const { client, joined } = await follow('user:ann');
    client.send(TOPIC, 'access_token', { access_token: 'forged' }, joined.joinRef);
    const closed = await client.waitFor(({ event }) => event === 'phx_close');
    expect(closed.ref).toBe(joined.joinRef);
    expect(client.events('system').at(-1)?.payload).toMatchObject({ extension: 'system', status: 'error' });
    expect(server.gateway.stats()).toMatchObject({ sockets: 1, channels: 0, groups: 0 });
  });

  it('that has run out ends the channel at the next look', async () => {
    const [expired, lasting] = await Promise.all([follow('expired:ann'), follow('user:bob')]);
    sweeps.at(-1)?.();
    await expired.client.waitFor(({ event }) => event === 'phx_close');
    await lasting.client.settle();
    expect(lasting.client.events('phx_close')).toEqual([]);
  });

  it('that is gone ends a private channel', async () => {
    const { client } = await follow('user:ann');
    const { joinRef } = await client.join('realtime:secret', { private: true }, 'user:ann');
    client.send('realtime:secret', 'access_token', { access_token: null }, joinRef);
    const closed = await client.waitFor(({ event }) => event === 'phx_close');
    expect(closed.topic).toBe('realtime:secret');
  });
});
