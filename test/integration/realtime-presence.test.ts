import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { LIMITS } from '../../src/limits.ts';
import type { Host } from '../../src/runtime/host.ts';
import { nodeHost } from '../../src/runtime/host-node.ts';
import { ANON_KEY, MemoryRelay, memoryPorts, projectHandle } from '../support/edge-ports.ts';
import { MemoryFeed } from '../support/memory-feed.ts';
import { PhoenixClient, type RealtimeServer, startRealtime } from '../support/phoenix-client.ts';

const clients: PhoenixClient[] = [];
const servers: RealtimeServer[] = [];
let relay: MemoryRelay;

beforeEach(() => {
  relay = new MemoryRelay();
});

afterEach(async () => {
  for (const client of clients.splice(0)) client.close();
  await Promise.all(servers.splice(0).map((server) => server.close()));
});

async function edge(host: Host = nodeHost()): Promise<RealtimeServer> {
  const ports = memoryPorts({ projects: [projectHandle('demo')], feed: new MemoryFeed(), relay, host });
  const server = await startRealtime(ports);
  servers.push(server);
  return server;
}

interface Member {
  readonly client: PhoenixClient;
  readonly joinRef: string | null;
}

async function enter(server: RealtimeServer, key: string, topic = 'realtime:room'): Promise<Member> {
  const client = await PhoenixClient.open(server, 'demo', { key: ANON_KEY });
  clients.push(client);
  const { joinRef } = await client.join(topic, { presence: { key, enabled: true } });
  return { client, joinRef };
}

const track = ({ client, joinRef }: Member, payload: object) =>
  client.ask('realtime:room', 'presence', { type: 'presence', event: 'track', payload }, joinRef);

type State = Record<string, { metas: { phx_ref: string }[] }>;

/** Who a client takes to be present: presence_state and the diffs since, as clients read them. */
function present({ client }: Member): string[] {
  const refs = new Map<string, string>();
  const add = (state: State): void => {
    for (const [key, { metas }] of Object.entries(state))
      for (const meta of metas) refs.set(meta.phx_ref, key);
  };
  for (const { event, payload } of client.frames) {
    if (event === 'presence_state') add(payload);
    if (event !== 'presence_diff') continue;
    add(payload.joins);
    for (const { metas } of Object.values(payload.leaves as State))
      for (const meta of metas) refs.delete(meta.phx_ref);
  }
  return [...refs.values()].sort();
}

const agree = async (members: readonly Member[], expected: readonly string[]): Promise<void> => {
  for (const member of members) await member.client.until(() => present(member).join() === expected.join());
};

describe('presence', () => {
  it('is one over all edge workers, for those who were there and those who come later', async () => {
    const [first, second] = [await edge(), await edge()];
    const [ann, bob] = [await enter(first, 'ann'), await enter(second, 'bob')];
    await track(ann, { at: 1 });
    await track(bob, { at: 2 });
    await agree([ann, bob], ['ann', 'bob']);
    const third = await edge();
    const cid = await enter(third, 'cid');
    await agree([cid], ['ann', 'bob']);
    ann.client.close();
    await agree([bob, cid], ['bob']);
  });

  it('is replaced by a second track, whose meta names the one before', async () => {
    const server = await edge();
    const [ann, bob] = [await enter(server, 'ann'), await enter(server, 'bob')];
    await track(ann, { mood: 'fine' });
    await track(ann, { mood: 'better' });
    const diff = await bob.client.until(() => bob.client.events('presence_diff')[1]);
    const [joined] = diff.payload.joins.ann.metas;
    const [left] = diff.payload.leaves.ann.metas;
    expect([joined.mood, left.mood, joined.phx_ref_prev]).toEqual(['better', 'fine', left.phx_ref]);
    expect(present(bob)).toEqual(['ann']);
  });

  it('of a worker that fell silent leaves', async () => {
    let clock = 0;
    const sweeps: (() => void)[] = [];
    const host = nodeHost();
    const manual: Host = {
      ...host,
      now: () => clock,
      setTimer: (delay, callback) => {
        if (delay === LIMITS.socketSilenceMs / 4) sweeps.push(callback);
        return host.setTimer(delay, callback);
      },
    };
    const [alive, dying] = [await edge(manual), await edge()];
    const [ann, bob] = [await enter(alive, 'ann'), await enter(dying, 'bob')];
    await track(ann, {});
    await track(bob, {});
    await agree([ann], ['ann', 'bob']);
    clock += LIMITS.presenceSilenceMs + 1;
    sweeps.at(-1)?.();
    await agree([ann], ['ann']);
  });

  it('larger than its bound is refused, alone and together', async () => {
    const server = await edge();
    const ann = await enter(server, 'ann');
    const big = await track(ann, { text: 'x'.repeat(LIMITS.presencePayloadBytes) });
    expect(big.payload.response.code).toBe('MAG_CHANNEL_LIMIT');
    const size = LIMITS.presencePayloadBytes - 100;
    const count = Math.ceil(LIMITS.presenceTopicBytes / size) + 1;
    const replies = [];
    for (let at = 0; at < count; at += 1) {
      replies.push(await track(await enter(server, `p${at}`), { text: 'x'.repeat(size) }));
    }
    expect(replies[0]?.payload.status).toBe('ok');
    expect(replies.at(-1)?.payload.response.code).toBe('MAG_CHANNEL_LIMIT');
  });

  it('with a key like __proto__ is a key like any other', async () => {
    const server = await edge();
    const [odd, ann] = [await enter(server, '__proto__'), await enter(server, 'ann')];
    await track(odd, { here: true });
    await agree([ann], ['__proto__']);
    const late = await enter(server, 'late');
    await agree([late], ['__proto__']);
  });
});

describe('a broadcast', () => {
  it('reaches the members at every edge worker once', async () => {
    const [first, second] = [await edge(), await edge()];
    const [ann, bob, cid] = [
      await enter(first, 'ann'),
      await enter(first, 'bob'),
      await enter(second, 'cid'),
    ];
    ann.client.send('realtime:room', 'broadcast', { event: 'hi', payload: { n: 1 } }, ann.joinRef);
    second.gateway.broadcast('demo', 'room', 'rest', '{"n":2}');
    for (const { client } of [bob, cid]) {
      await client.until(() => client.events('broadcast').length === 2);
      await client.settle();
      expect(
        client
          .events('broadcast')
          .map(({ payload }) => payload.payload.n)
          .sort(),
      ).toEqual([1, 2]);
    }
    expect(ann.client.events('broadcast').map(({ payload }) => payload.event)).toEqual(['rest']);
  });
});
