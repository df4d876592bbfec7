import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { LIMITS } from '../../src/limits.ts';
import { type MemoryPorts, memoryPorts, projectHandle, table } from '../support/edge-ports.ts';
import { MemoryFeed } from '../support/memory-feed.ts';
import { type Frame, PhoenixClient, type RealtimeServer, startRealtime } from '../support/phoenix-client.ts';

const clients: PhoenixClient[] = [];
let feed: MemoryFeed;
let ports: MemoryPorts;
let server: RealtimeServer;

beforeEach(async () => {
  feed = new MemoryFeed();
  ports = memoryPorts({ projects: [projectHandle('demo')], feed, tables: [table('todos', ['id'])] });
  server = await startRealtime(ports);
});

afterEach(async () => {
  for (const client of clients.splice(0)) client.close();
  await server.close();
});

const TOPIC = 'realtime:todos';
const bindings = [{ event: '*', schema: 'public', table: 'todos' }];

async function open(): Promise<PhoenixClient> {
  const client = await PhoenixClient.open(server, 'demo');
  clients.push(client);
  return client;
}

async function follow(
  magmobo?: object,
): Promise<{ client: PhoenixClient; reply: Frame; joinRef: string | null }> {
  const client = await open();
  const config = { postgres_changes: bindings, ...(magmobo === undefined ? {} : { magmobo }) };
  const reply = await client.join(TOPIC, config);
  return { client, reply, joinRef: reply.joinRef };
}

const insert = (...ids: readonly number[]): void =>
  feed.append(...ids.map((id) => ({ type: 'INSERT' as const, table: 'todos', record: { id } })));

const idsOf = (client: PhoenixClient): number[] =>
  client.events('postgres_changes').map(({ payload }) => payload.data.record.id);
const offsetsOf = (client: PhoenixClient): number[] =>
  client.events('postgres_changes').map(({ payload }) => payload.offset);
const received = (client: PhoenixClient, count: number): Promise<unknown> =>
  client.until(() => client.events('postgres_changes').length >= count);
const range = (from: number, to: number): number[] =>
  Array.from({ length: to - from + 1 }, (_, at) => from + at);

describe('positions', () => {
  it('are on every change for those who ask, and on none for others', async () => {
    const [plain, positioned] = [await follow(), await follow({})];
    expect(positioned.reply.payload.response.magmobo).toEqual({ epoch: 'epoch-1', offset: 0 });
    insert(1, 2);
    await Promise.all([received(plain.client, 2), received(positioned.client, 2)]);
    const [first] = positioned.client.events('postgres_changes');
    expect(first?.payload).toMatchObject({ epoch: 'epoch-1', offset: 1 });
    expect(plain.client.events('postgres_changes')[0]?.payload).not.toHaveProperty('offset');
  });
});

describe('a resume', () => {
  it('brings what was missed and then what comes, each once and in order', async () => {
    insert(...range(1, 700));
    const { client } = await follow({ resume: { epoch: 'epoch-1', offset: 100 } });
    insert(...range(701, 705));
    await received(client, 605);
    insert(706);
    await received(client, 606);
    await client.settle();
    expect(offsetsOf(client)).toEqual(range(101, 706));
  });

  it('repeats nothing that the log showed before it was told live', async () => {
    const plain = await follow();
    feed.late = true;
    insert(...range(1, 5));
    const { client } = await follow({ resume: { epoch: 'epoch-1', offset: 1 } });
    await received(client, 4);
    feed.release();
    insert(6);
    feed.release();
    await Promise.all([received(client, 5), received(plain.client, 6)]);
    expect([offsetsOf(client), idsOf(plain.client)]).toEqual([range(2, 6), range(1, 6)]);
  });

  it('misses and repeats nothing while writes go on', async () => {
    insert(...range(1, 300));
    let written = 300;
    const writer = setInterval(() => {
      insert(written + 1, written + 2);
      written += 2;
    }, 0);
    const { client } = await follow({ resume: { epoch: 'epoch-1', offset: 0 } });
    await received(client, 500);
    clearInterval(writer);
    await received(client, written);
    await client.settle();
    expect(offsetsOf(client)).toEqual(range(1, written));
  });

  it.each([
    ['that is no longer held', { epoch: 'epoch-1', offset: 3 }],
    ['of another epoch', { epoch: 'epoch-0', offset: 8 }],
    ['that was never reached', { epoch: 'epoch-1', offset: 99 }],
  ])('from an offset %s is refused as resume_expired', async (_what, resume) => {
    insert(...range(1, 10));
    feed.trim(5);
    const { client, reply } = await follow({ resume });
    expect(reply.payload).toMatchObject({
      status: 'error',
      response: { reason: 'resume_expired', code: 'MAG_RESUME_EXPIRED' },
    });
    expect((await client.join(TOPIC, { postgres_changes: bindings, magmobo: {} })).payload.status).toBe('ok');
    expect(server.gateway.stats()).toMatchObject({ channels: 1, groups: 1 });
  });

  it('goes on over a feed that cannot be read for a while', async () => {
    insert(...range(1, 5));
    const { client } = await follow({ resume: { epoch: 'epoch-1', offset: 2 } });
    feed.failingReads = 2;
    await received(client, 3);
    expect(offsetsOf(client)).toEqual([3, 4, 5]);
  });
});

describe('an interruption of the feed', () => {
  it('costs nobody a change while the epoch goes on', async () => {
    const [plain, positioned] = [await follow(), await follow({})];
    insert(1);
    await Promise.all([received(plain.client, 1), received(positioned.client, 1)]);
    feed.deaf = true;
    insert(2, 3);
    feed.failingReads = 2;
    feed.interrupt();
    feed.deaf = false;
    insert(4);
    await Promise.all([received(plain.client, 4), received(positioned.client, 4)]);
    insert(5);
    await Promise.all([received(plain.client, 5), received(positioned.client, 5)]);
    expect([idsOf(plain.client), offsetsOf(positioned.client)]).toEqual([range(1, 5), range(1, 5)]);
    expect(server.gateway.stats()).toMatchObject({ feedInterruptions: 1, feedGaps: 0 });
  });

  it('fills what was written between the last read and the first live batch', async () => {
    const { client } = await follow();
    insert(1);
    await received(client, 1);
    feed.interrupt();
    await client.settle();
    feed.deaf = true;
    insert(2, 3);
    feed.deaf = false;
    insert(4);
    await received(client, 4);
    expect(idsOf(client)).toEqual(range(1, 4));
  });

  it('that ends the epoch is told: with positions the channel ends, without it goes on', async () => {
    const [plain, positioned] = [await follow(), await follow({})];
    insert(1);
    await Promise.all([received(plain.client, 1), received(positioned.client, 1)]);
    feed.interrupt('epoch-2');
    const ended = await positioned.client.waitFor(({ event }) => event === 'phx_close');
    expect(ended.ref).toBe(positioned.joinRef);
    expect(positioned.client.events('system').at(-1)?.payload).toMatchObject({
      status: 'error',
      code: 'MAG_RESUME_EXPIRED',
    });
    await plain.client.waitFor(({ event, payload }) => event === 'system' && payload.status === 'error');
    insert(9);
    await received(plain.client, 2);
    expect(idsOf(plain.client)).toEqual([1, 9]);
    expect(server.gateway.stats().feedGaps).toBe(1);
  });
});

describe('credit', () => {
  const grant = async (client: PhoenixClient, joinRef: string | null, n: number): Promise<Frame> =>
    await client.ask(TOPIC, 'credit', { n }, joinRef);

  it('parks a consumer: the log keeps what comes, and a grant brings all of it in order', async () => {
    const { client, joinRef } = await follow({ credit: 2, overflow: 'park' });
    insert(...range(1, 500));
    await client.settle();
    expect(offsetsOf(client)).toEqual([1, 2]);
    await grant(client, joinRef, 3);
    await received(client, 5);
    await client.settle();
    expect(offsetsOf(client)).toEqual(range(1, 5));
    await grant(client, joinRef, 1_000);
    await received(client, 500);
    insert(501);
    await received(client, 501);
    expect(offsetsOf(client)).toEqual(range(1, 501));
  });

  it('ends a parked channel when the log no longer holds its next change', async () => {
    const { client, joinRef } = await follow({ credit: 1 });
    insert(...range(1, 10));
    feed.trim(5);
    await grant(client, joinRef, 5);
    await client.waitFor(({ event }) => event === 'phx_close');
    expect(client.events('system').at(-1)?.payload.code).toBe('MAG_RESUME_EXPIRED');
    expect(offsetsOf(client)).toEqual([1]);
  });

  it('latest keeps the newest change and says how many it dropped', async () => {
    const { client, joinRef } = await follow({ credit: 1, overflow: 'latest' });
    insert(...range(1, 10));
    await client.settle();
    await grant(client, joinRef, 1);
    await received(client, 2);
    expect(offsetsOf(client)).toEqual([1, 10]);
    expect(client.events('system').at(-1)?.payload).toMatchObject({ extension: 'magmobo', dropped: 8 });
    expect(server.gateway.stats().changesDropped).toBe(8);
  });

  it('drop_oldest keeps a bounded number of the newest', async () => {
    const { client, joinRef } = await follow({ credit: 0, overflow: 'drop_oldest' });
    const count = LIMITS.creditBuffer + 44;
    insert(...range(1, count));
    await client.settle();
    await grant(client, joinRef, 1_000);
    await received(client, LIMITS.creditBuffer);
    await client.settle();
    expect(offsetsOf(client)).toEqual(range(45, count));
  });

  it('disconnect closes the socket with 3008', async () => {
    const { client } = await follow({ credit: 1, overflow: 'disconnect' });
    insert(1, 2);
    expect((await client.whenClosed()).code).toBe(3008);
    expect(offsetsOf(client)).toEqual([1]);
  });

  it('is refused where it is no number, or the channel has none', async () => {
    const [with_, without] = [await follow({ credit: 1 }), await follow()];
    const bad = await with_.client.ask(TOPIC, 'credit', { n: 'many' }, with_.joinRef);
    expect(bad.payload.response.code).toBe('MAG_BAD_REQUEST');
    expect((await grant(without.client, without.joinRef, 1)).payload.response.code).toBe(
      'MAG_CHANNEL_EVENT_UNKNOWN',
    );
  });
});
