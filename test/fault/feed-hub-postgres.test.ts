import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { HubThread } from '../support/feed-hub-thread.ts';
import { type FeedServer, startFeedServer, until } from '../support/feed-postgres.ts';

let server: FeedServer;
let db: pg.Client;
let hub: HubThread;

beforeAll(async () => {
  server = await startFeedServer();
  db = await server.database('two');
  await db.query('CREATE TABLE t(id int PRIMARY KEY)');
  hub = new HubThread(server.folder, { two: server.admin('two') });
});
afterAll(async () => {
  await hub?.stop();
  await server?.stop();
});

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

describe('a follow of a PostgreSQL project', () => {
  it('misses and repeats nothing while its hub is killed in the middle of the writes', async () => {
    const ids: number[] = [];
    const interruptions: string[] = [];
    const subscription = await hub.client.follow('two', {
      changes: (_epoch, changes) => {
        ids.push(...changes.map(({ record }) => Number(record?.['id'])));
        subscription.consumed(changes.length);
      },
      interrupted: (error) => interruptions.push(error.message),
    });
    let written = 0;
    let stop = false;
    const writer = (async () => {
      while (!stop) {
        written += 1;
        await db.query('INSERT INTO t VALUES ($1)', [written]);
      }
    })();
    for (let round = 0; round < 3; round += 1) {
      const seen = ids.length;
      await until(() => ids.length > seen + 20);
      await hub.kill();
      await pause(30);
      hub.start();
      hub.client.reconnect();
    }
    const seen = ids.length;
    await until(() => ids.length > seen + 20);
    stop = true;
    await writer;
    await until(() => ids.length >= written);
    expect(ids).toEqual(Array.from({ length: written }, (_, place) => place + 1));
    expect(interruptions).toEqual([]);
  });

  it('is closed with its project: files gone, and the slot free to be dropped', async () => {
    await hub.drop('two');
    await until(async () => {
      const slot = await db.query("SELECT active FROM pg_replication_slots WHERE slot_name = 'mag_two_feed'");
      return slot.rows[0]?.active === false;
    });
    const from = await hub.client.activate('two');
    expect(from.offset).toBe(0);
  });
});
