import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { FeedListener } from '../../src/actors/feed/feed-log.ts';
import { HubThread } from '../support/feed-hub-thread.ts';
import { until } from '../support/feed-postgres.ts';

let folder: string;
let db: DatabaseSync;
let hub: HubThread;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'feed-restart-'));
  mkdirSync(join(folder, 'projects', 'one'), { recursive: true });
  const file = join(folder, 'projects', 'one', 'data.sqlite');
  db = new DatabaseSync(file, { timeout: 5_000 });
  db.exec('PRAGMA journal_mode = WAL; CREATE TABLE t(id INTEGER PRIMARY KEY, a TEXT)');
  hub = new HubThread(folder, { one: { engine: 'sqlite', file } });
});
afterEach(async () => {
  await hub.stop();
  db.close();
  rmSync(folder, { recursive: true, force: true });
});

interface Collected {
  readonly ids: number[];
  readonly interruptions: string[];
  readonly listener: FeedListener;
  consumed: (count: number) => void;
}

function collector(): Collected {
  const self: Collected = {
    ids: [],
    interruptions: [],
    consumed: () => {},
    listener: {
      changes: (_epoch, changes) => {
        self.ids.push(...changes.map(({ record }) => Number(record?.['id'])));
        self.consumed(changes.length);
      },
      interrupted: (error) => self.interruptions.push(error.message),
    },
  };
  return self;
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const upTo = (count: number): number[] => Array.from({ length: count }, (_, place) => place + 1);

describe('a follow whose hub dies', () => {
  it('goes on from its last offset with the next hub: nothing missed, nothing repeated', async () => {
    const one = collector();
    const subscription = await hub.client.follow('one', one.listener);
    one.consumed = (count) => subscription.consumed(count);
    const insert = db.prepare("INSERT INTO t(a) VALUES ('x')");
    const restarts = (async () => {
      for (let round = 0; round < 3; round += 1) {
        await pause(40);
        await hub.kill();
        await pause(20);
        hub.start();
        hub.client.reconnect();
        await pause(150);
      }
    })();
    for (let row = 0; row < 3_000; row += 1) {
      insert.run();
      hub.client.nudge('one');
      if (row % 10 === 0) await pause(1);
    }
    await restarts;
    await until(() => one.ids.length >= 3_000);
    expect(one.ids).toEqual(upTo(3_000));
    expect(one.interruptions).toEqual([]);
  });

  it('finds batches that were lost on their way', async () => {
    const one = collector();
    const subscription = await hub.client.follow('one', one.listener);
    one.consumed = (count) => subscription.consumed(count);
    let sent = 0;
    hub.delivers = () => {
      sent += 1;
      return sent % 3 !== 0;
    };
    const insert = db.prepare("INSERT INTO t(a) VALUES ('x')");
    for (let row = 0; row < 200; row += 1) {
      insert.run();
      hub.client.nudge('one');
      await pause(1);
    }
    await until(() => one.ids.length >= 200);
    expect(one.ids).toEqual(upTo(200));
  });

  it('is told when the log it stood in is gone, and goes on in the new one', async () => {
    const one = collector();
    await hub.client.follow('one', one.listener);
    db.exec("INSERT INTO t(a) VALUES ('x')");
    await until(() => one.ids.length === 1);
    await hub.kill();
    rmSync(join(folder, 'projects', 'one', 'data.sqlite-feed'));
    hub.start();
    hub.client.reconnect();
    await until(() => one.interruptions.length === 1);
    db.exec("INSERT INTO t(a) VALUES ('y')");
    await until(() => one.ids.length === 2);
    expect(one.ids).toEqual([1, 2]);
  });
});

describe('a hub that starts', () => {
  it('takes up what was activated before without being asked, and leaves the others alone', async () => {
    await hub.client.activate('one');
    expect(existsSync(join(folder, 'projects', 'one', 'feed.active'))).toBe(true);
    await hub.kill();
    db.exec('CREATE TABLE made_meanwhile(a)');
    hub.start();
    await until(
      () => db.prepare("SELECT 1 FROM _mag_shapes WHERE tbl = 'made_meanwhile'").get() !== undefined,
    );
    await hub.drop('one');
    expect(existsSync(join(folder, 'projects', 'one', 'feed.active'))).toBe(false);
  });
});

describe('a slow follower', () => {
  it('is sent no more than its window, and everything once it consumes', async () => {
    const one = collector();
    const subscription = await hub.client.follow('one', one.listener);
    db.exec(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000)
      INSERT INTO t(a) SELECT 'x' FROM n`);
    const quick = collector();
    const other = await hub.client.follow('one', quick.listener);
    quick.consumed = (count) => other.consumed(count);
    await until(() => one.ids.length === 1_024);
    db.exec("INSERT INTO t(a) VALUES ('last')");
    await until(() => quick.ids.length >= 1);
    expect(one.ids.length).toBe(1_024);
    one.consumed = (count) => subscription.consumed(count);
    subscription.consumed(1_024);
    await until(() => one.ids.length === 5_001);
    expect(one.ids).toEqual(upTo(5_001));
  });

  it('reads from any offset that is still held', async () => {
    const from = await hub.client.activate('one');
    db.exec("INSERT INTO t(a) VALUES ('x'), ('y')");
    await until(async () => (await hub.client.activate('one')).offset === from.offset + 2);
    const changes = await hub.client.read('one', { ...from, offset: from.offset + 1 }, 10);
    expect(changes.map(({ record }) => record)).toEqual([{ id: 2, a: 'y' }]);
    await expect(hub.client.read('one', { epoch: 'other', offset: 0 }, 10)).rejects.toMatchObject({
      code: 'MAG_RESUME_EXPIRED',
    });
    await expect(hub.client.activate('none')).rejects.toMatchObject({ code: 'MAG_PROJECT_NOT_FOUND' });
  });
});
