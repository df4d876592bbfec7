import { describe, expect, it } from 'vitest';
import { createFeedClient } from '../../src/actors/feed/feed-client.ts';
import type { FeedPush } from '../../src/actors/feed/feed-messages.ts';
import { ProjectFeed } from '../../src/actors/feed/project-feed.ts';
import { nodeHost } from '../../src/runtime/host-node.ts';
import { silentLog } from '../../src/runtime/log.ts';
import type { SendResult } from '../../src/runtime/system.ts';
import { until } from '../support/feed-postgres.ts';
import { ScriptedLog } from '../support/feed-scripted-log.ts';

function setUp(send: (path: string, push: FeedPush) => SendResult = () => 'sent') {
  const pushes: { path: string; push: FeedPush }[] = [];
  const logs: ScriptedLog[] = [];
  const feed = new ProjectFeed({
    host: nodeHost(),
    log: silentLog,
    ref: 'one',
    makeLog: async () => {
      const made = new ScriptedLog();
      logs.push(made);
      return made;
    },
    send: (path, push) => {
      const result = send(path, push);
      if (result === 'sent') pushes.push({ path, push });
      return result;
    },
  });
  const offsets = (id: string): number[] =>
    pushes.flatMap(({ push }) =>
      push.id === id && push.type === 'FEED_CHANGES' ? push.changes.map(({ offset }) => offset) : [],
    );
  return { feed, logs, pushes, offsets };
}

const settle = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 30));
const upTo = (count: number): number[] => Array.from({ length: count }, (_, place) => place + 1);

describe("a project's feed in the hub", () => {
  it('reads once for all followers at the head', async () => {
    const { feed, logs, offsets } = setUp();
    for (let n = 0; n < 50; n += 1) await feed.follow(`f${n}`, 'edge', 100, undefined);
    logs[0]?.append(10);
    await until(() => offsets('f49').length === 10);
    expect(logs[0]?.reads).toBe(1);
    expect(offsets('f0')).toEqual(upTo(10));
    await feed.close();
  });

  it('sends no more than the credit, and goes on where it stopped', async () => {
    const { feed, logs, offsets } = setUp();
    await feed.follow('slow', 'edge', 3, undefined);
    await feed.follow('quick', 'edge', 1_000, undefined);
    logs[0]?.append(600);
    await until(() => offsets('quick').length === 600);
    expect(offsets('slow')).toEqual([1, 2, 3]);
    feed.consumed('slow', 500);
    await until(() => offsets('slow').length === 503);
    expect(offsets('slow')).toEqual(upTo(503));
    await feed.close();
  });

  it('tells a follower that fell behind what is held, and goes on from the head', async () => {
    const { feed, logs, pushes, offsets } = setUp();
    await feed.follow('slow', 'edge', 1, undefined);
    logs[0]?.append(1);
    await until(() => offsets('slow').length === 1);
    logs[0]!.append(10);
    logs[0]!.floor = 5;
    feed.consumed('slow', 10);
    await until(() => pushes.some(({ push }) => push.type === 'FEED_INTERRUPTED'));
    logs[0]?.append(1);
    await until(() => offsets('slow').length === 2);
    expect(offsets('slow')).toEqual([1, 12]);
    await feed.close();
  });

  it('tells of a new epoch before any change of it', async () => {
    const { feed, logs, pushes } = setUp();
    await feed.follow('one', 'edge', 10, undefined);
    logs[0]!.epoch = 'e2';
    logs[0]!.append(0);
    await until(() => pushes.length === 1);
    logs[0]!.append(1);
    await until(() => pushes.length === 2);
    expect(pushes.map(({ push }) => push.type)).toEqual(['FEED_INTERRUPTED', 'FEED_CHANGES']);
    expect(pushes[1]?.push).toMatchObject({ epoch: 'e2', after: 0 });
    await feed.close();
  });

  it('opens a log that failed again, and its followers miss nothing', async () => {
    const { feed, logs, offsets } = setUp();
    await feed.follow('one', 'edge', 100, undefined);
    logs[0]!.append(2);
    await until(() => offsets('one').length === 2);
    logs[0]!.fail(new Error('disk gone'));
    await until(() => logs.length === 2);
    expect(logs[0]!.closed).toBe(true);
    await settle();
    logs[1]!.append(4);
    await until(() => offsets('one').length === 4);
    expect(offsets('one')).toEqual([1, 2, 3, 4]);
    await feed.close();
  });

  it('tries a full mailbox again and forgets a dead one', async () => {
    let result: SendResult = 'rejected';
    const { feed, logs, offsets } = setUp(() => result);
    await feed.follow('one', 'edge', 100, undefined);
    logs[0]!.append(3);
    await settle();
    expect(offsets('one')).toEqual([]);
    result = 'sent';
    await until(() => offsets('one').length === 3);
    result = 'dead';
    logs[0]!.append(1);
    await until(() => feed.followers === 0);
    expect(logs[0]!.followed).toBe(false);
    await feed.close();
  });
});

describe('a nudge', () => {
  it('goes to the hub once a turn, for all projects that were written and are followed here', async () => {
    const sent: unknown[] = [];
    let answers = true;
    const client = createFeedClient({
      host: nodeHost(),
      log: silentLog,
      path: 'edge',
      hub: {
        // The hub's answer to FEED_FOLLOW.
        ask: async <Reply>() => {
          if (!answers) throw new Error('none');
          return { from: { epoch: 'e', offset: 0 } } as Reply;
        },
        send: (message) => {
          if (message.type === 'FEED_NUDGE') sent.push(message);
          return 'sent';
        },
      },
    });
    const ignore = { changes: () => {}, interrupted: () => {} };
    const follows = [await client.follow('a', ignore), await client.follow('b', ignore)];
    for (let n = 0; n < 5; n += 1) client.nudge('a');
    client.nudge('b');
    client.nudge('nobody follows it');
    await settle();
    client.nudge('a');
    await settle();
    const expected = [
      { type: 'FEED_NUDGE', refs: ['a', 'b'] },
      { type: 'FEED_NUDGE', refs: ['a'] },
    ];
    expect(sent).toEqual(expected);
    for (const follow of follows) follow.stop();
    client.nudge('a');
    await settle();
    expect(sent).toEqual(expected);
    answers = false;
    await expect(client.activate('a')).rejects.toMatchObject({ code: 'MAG_FEED_UNAVAILABLE' });
  });
});
