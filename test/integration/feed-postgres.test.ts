import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { FeedLog } from '../../src/actors/feed/feed-log.ts';
import { createPostgresFeedLog } from '../../src/actors/feed/feed-log-postgres.ts';
import { feedSlotName } from '../../src/actors/feed/postgres/source.ts';
import type { Change, FeedPosition } from '../../src/protocol/change.ts';
import { nodeHost } from '../../src/runtime/host-node.ts';
import { silentLog } from '../../src/runtime/log.ts';
import { type FeedServer, startFeedServer, until } from '../support/feed-postgres.ts';

let server: FeedServer;
let db: pg.Client;
let log: FeedLog;
const make = (ref: string): FeedLog =>
  createPostgresFeedLog({
    host: nodeHost(),
    log: silentLog,
    ref,
    file: join(server.folder, `${ref}.sqlite`),
    connect: async () => server.admin(ref),
  });

beforeAll(async () => {
  server = await startFeedServer();
  db = await server.database('one');
  await db.query("CREATE TABLE early(id int PRIMARY KEY, note text); INSERT INTO early VALUES (1, 'before')");
  log = make('one');
  await log.open();
});
afterAll(async () => {
  await log?.close();
  await server?.stop();
});

/** What the log holds after a position once `count` changes are there. */
async function changesAfter(feed: FeedLog, after: FeedPosition, count: number): Promise<readonly Change[]> {
  await until(() => feed.head().offset >= after.offset + count);
  return feed.read(after, 10_000);
}

/** Drops the slot, again while somebody (a sender that ends, or the log that came back) still holds it. */
async function takeSlot(): Promise<void> {
  const take = `SELECT pg_terminate_backend(active_pid, 5000), pg_drop_replication_slot(slot_name)
    FROM pg_replication_slots WHERE slot_name = $1`;
  await until(() =>
    db.query(take, [feedSlotName('one')]).then(
      () => true,
      () => false,
    ),
  );
}

const brief = ({ type, table, old, record }: Change): unknown => [type, table, old, record];

describe('the feed of a PostgreSQL database', () => {
  it('tells inserts, updates and deletes with whole old rows, of tables made before and after it', async () => {
    const from = log.head();
    await db.query('CREATE TABLE late(a text, b int[])');
    await db.query("INSERT INTO late VALUES ('x', '{1,2}')");
    await db.query("UPDATE late SET a = 'y'");
    await db.query('DELETE FROM late');
    await db.query("UPDATE early SET note = 'after'");
    await db.query('TRUNCATE early');
    const changes = await changesAfter(log, from, 5);
    expect(changes.map(brief)).toEqual([
      ['INSERT', 'late', null, { a: 'x', b: '{1,2}' }],
      ['UPDATE', 'late', { a: 'x', b: '{1,2}' }, { a: 'y', b: '{1,2}' }],
      ['DELETE', 'late', { a: 'y', b: '{1,2}' }, null],
      ['UPDATE', 'early', { id: 1, note: 'before' }, { id: 1, note: 'after' }],
      ['TRUNCATE', 'early', null, null],
    ]);
    expect(changes[0]?.columns).toEqual([
      { name: 'a', type: 'text' },
      { name: 'b', type: '_int4' },
    ]);
  });

  it('tells old rows of a table that a role without any rights on our schema made', async () => {
    await db.query(
      'CREATE ROLE tenant LOGIN; GRANT ALL ON SCHEMA public TO tenant; REVOKE ALL ON SCHEMA _mag FROM PUBLIC',
    );
    const from = log.head();
    await db.query(
      'SET ROLE tenant; CREATE TABLE theirs(a int); INSERT INTO theirs VALUES (1); DELETE FROM theirs; RESET ROLE',
    );
    await db.query('SET ROLE tenant; CREATE TABLE copied AS SELECT 2 AS b; DELETE FROM copied; RESET ROLE');
    expect((await changesAfter(log, from, 4)).map(brief)).toEqual([
      ['INSERT', 'theirs', null, { a: 1 }],
      ['DELETE', 'theirs', { a: 1 }, null],
      ['INSERT', 'copied', null, { b: 2 }],
      ['DELETE', 'copied', { b: 2 }, null],
    ]);
    await expect(db.query('SET ROLE tenant; DROP EVENT TRIGGER _mag_replica_identity')).rejects.toThrow(
      /owner/,
    );
    await db.query('RESET ROLE');
  });

  it('shows every type as a REST row shows it, arrays and great numbers as text', async () => {
    const from = log.head();
    await db.query(`
      CREATE TYPE mood AS ENUM ('sad', 'ok');
      CREATE DOMAIN small AS int4;
      CREATE TABLE kinds(i2 int2, i4 int4, i8 int8, big int8, f8 float8, nan float8, n numeric, long numeric, yes bool,
        j json, jb jsonb, ts timestamp, tz timestamptz, d date, t time, b bytea, u uuid, e mood, es mood[], s small);
      SET timezone = 'Asia/Tokyo';
      INSERT INTO kinds VALUES (1, 2, 3, 9007199254740993, 0.1, 'NaN', 12.50, 123456789012345678.5, true,
        '{"a": [1, null]}', '"text"', '2026-01-02 03:04:05.6', '2026-01-02 03:04:05.000001+00', '2026-01-02', '03:04',
        '\\x00ff', '6f1f0e9c-3f0b-4a38-8d0e-1c5f8ad0f3b4', 'ok', '{sad,ok}', 7);
      RESET timezone`);
    const [change] = await changesAfter(log, from, 1);
    expect(change?.record).toEqual({
      i2: 1,
      i4: 2,
      i8: 3,
      big: '9007199254740993',
      f8: 0.1,
      nan: 'NaN',
      n: 12.5,
      long: '123456789012345678.5',
      yes: true,
      j: { a: [1, null] },
      jb: 'text',
      ts: '2026-01-02T03:04:05.6',
      tz: '2026-01-02T03:04:05.000001+00:00',
      d: '2026-01-02',
      t: '03:04:00',
      b: '\\x00ff',
      u: '6f1f0e9c-3f0b-4a38-8d0e-1c5f8ad0f3b4',
      e: 'ok',
      es: '{sad,ok}',
      s: 7,
    });
    const types = Object.fromEntries((change?.columns ?? []).map(({ name, type }) => [name, type]));
    expect(types).toMatchObject({
      i8: 'int8',
      tz: 'timestamptz',
      e: 'mood',
      es: '_mood',
      s: 'int4',
      jb: 'jsonb',
    });
    expect(change?.commitTimestamp).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/);
  });

  it('takes a long value that an update left alone from the old row', async () => {
    await db.query('CREATE TABLE toasted(id int, long text)');
    await db.query('ALTER TABLE toasted ALTER COLUMN long SET STORAGE EXTERNAL');
    const from = log.head();
    await db.query("INSERT INTO toasted VALUES (1, repeat('x', 100000))");
    await db.query('UPDATE toasted SET id = 2');
    const changes = await changesAfter(log, from, 2);
    const long = 'x'.repeat(100_000);
    expect(changes[1]?.record).toEqual({ id: 2, long });
    expect(changes[1]?.old).toEqual({ id: 1, long });
  });

  it('orders by commit, not by statement, and tells nothing of what was rolled back', async () => {
    await db.query('CREATE TABLE ordered(id serial PRIMARY KEY, who text)');
    const other = await server.client('one');
    const from = log.head();
    await other.query("BEGIN; INSERT INTO ordered(who) VALUES ('slow')");
    await db.query("INSERT INTO ordered(who) VALUES ('quick')");
    await db.query("BEGIN; INSERT INTO ordered(who) VALUES ('never'); ROLLBACK");
    await other.query('COMMIT');
    const changes = await changesAfter(log, from, 2);
    expect(changes.map(({ record }) => record?.['who'])).toEqual(['quick', 'slow']);
  });

  it('takes a transaction longer than its memory whole', async () => {
    await db.query('CREATE TABLE many(id int)');
    const from = log.head();
    await db.query('INSERT INTO many SELECT generate_series(1, 5000)');
    await db.query('INSERT INTO many VALUES (0)');
    const changes = await changesAfter(log, from, 5001);
    expect(changes.map(({ record }) => record?.['id'])).toEqual([
      ...Array.from({ length: 5000 }, (_, i) => i + 1),
      0,
    ]);
    expect(await log.read({ ...from, offset: from.offset + 4_990 }, 3)).toEqual(changes.slice(4_990, 4_993));
  });

  it('goes on after it was closed, with what was written meanwhile, missing and repeating nothing', async () => {
    await db.query('CREATE TABLE again(id int)');
    await db.query('INSERT INTO again VALUES (1)');
    const from = { ...log.head() };
    await until(() => log.head().offset > 0);
    await log.close();
    await db.query('INSERT INTO again VALUES (2)');
    log = make('one');
    await log.open();
    expect(log.head().epoch).toBe(from.epoch);
    await db.query('INSERT INTO again VALUES (3)');
    await until(async () => (await log.read(from, 100)).some(({ record }) => record?.['id'] === 3));
    const ids = (await log.read(from, 100))
      .filter(({ table }) => table === 'again')
      .map(({ record }) => record?.['id']);
    expect(ids.filter((id) => id !== 1)).toEqual([2, 3]);
  });

  it("tells a partition's rows as its table's, and generated columns with them", async () => {
    await db.query(`CREATE TABLE parts(id int, double int GENERATED ALWAYS AS (id * 2) STORED) PARTITION BY RANGE (id);
      CREATE TABLE parts_low PARTITION OF parts FOR VALUES FROM (0) TO (10)`);
    const from = log.head();
    await db.query('INSERT INTO parts VALUES (4); UPDATE parts SET id = 5');
    expect((await changesAfter(log, from, 2)).map(brief)).toEqual([
      ['INSERT', 'parts', null, { id: 4, double: 8 }],
      ['UPDATE', 'parts', { id: 4, double: 8 }, { id: 5, double: 10 }],
    ]);
  });

  it('begins a new epoch when its slot is taken away under it, by itself', async () => {
    const before = log.head();
    await takeSlot();
    await until(() => log.head().epoch !== before.epoch);
    const after = log.head();
    await db.query('INSERT INTO again VALUES (10)');
    expect((await changesAfter(log, after, 1)).map(brief)).toEqual([['INSERT', 'again', null, { id: 10 }]]);
    await expect(log.read(before, 1)).rejects.toMatchObject({ code: 'MAG_RESUME_EXPIRED' });
  });

  it('begins anew over a feed file that is damaged', async () => {
    const before = log.head();
    await log.close();
    writeFileSync(
      join(server.folder, 'one.sqlite'),
      'not a database, but long enough to be taken for one'.repeat(40),
    );
    log = make('one');
    const from = await log.open();
    expect(from.epoch).not.toBe(before.epoch);
    await db.query('INSERT INTO again VALUES (11)');
    expect((await changesAfter(log, from, 1)).map(brief)).toEqual([['INSERT', 'again', null, { id: 11 }]]);
  });

  it('begins a new epoch when its slot is gone', async () => {
    const before = log.head();
    await log.close();
    await takeSlot();
    log = make('one');
    const after = await log.open();
    expect(after.epoch).not.toBe(before.epoch);
    await expect(log.read(before, 10)).rejects.toMatchObject({ code: 'MAG_RESUME_EXPIRED' });
    await db.query('INSERT INTO again VALUES (4)');
    expect((await changesAfter(log, after, 1)).map(brief)).toEqual([['INSERT', 'again', null, { id: 4 }]]);
  });
});

describe('a server that is killed while changes are written', () => {
  it('comes back with every acknowledged change told once', async () => {
    await db.query('CREATE TABLE acks(id int PRIMARY KEY)');
    const from = log.head();
    const acknowledged: number[] = [];
    let id = 0;
    let stop = false;
    const writer = (async () => {
      while (!stop) {
        const one = await server.client('one').catch(() => null);
        while (one !== null && !stop) {
          id += 1;
          const mine = id;
          try {
            await one.query('INSERT INTO acks VALUES ($1)', [mine]);
            acknowledged.push(mine);
          } catch {
            break;
          }
        }
      }
    })();
    await until(() => acknowledged.length > 200);
    await server.crash();
    const enough = acknowledged.length + 200;
    await until(() => acknowledged.length > enough);
    stop = true;
    await writer;
    const last = acknowledged.at(-1);
    await until(async () => {
      const newest = await log.read({ ...log.head(), offset: log.head().offset - 1 }, 1).catch(() => []);
      return newest[0]?.record?.['id'] === last;
    });
    const told = (await log.read(from, 100_000)).map(({ record }) => Number(record?.['id']));
    expect(new Set(told).size).toBe(told.length);
    expect(acknowledged.filter((one) => !told.includes(one))).toEqual([]);
  });
});
