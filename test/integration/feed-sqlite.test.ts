import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { FeedLog } from '../../src/actors/feed/feed-log.ts';
import { createSqliteFeedLog } from '../../src/actors/feed/feed-log-sqlite.ts';
import { afterSchemaStatement, beforeSchemaStatement } from '../../src/actors/feed/sqlite/capture.ts';
import { nodeHost } from '../../src/runtime/host-node.ts';
import { silentLog } from '../../src/runtime/log.ts';
import { until } from '../support/feed-postgres.ts';

let folder: string;
let file: string;
let db: DatabaseSync;
let log: FeedLog;
const make = (rows?: number): FeedLog =>
  createSqliteFeedLog({ host: nodeHost(), log: silentLog, file, ...(rows === undefined ? {} : { rows }) });

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'feed-sqlite-'));
  file = join(folder, 'data.sqlite');
  db = new DatabaseSync(file, { timeout: 5_000 });
  db.exec(
    "PRAGMA journal_mode = WAL; CREATE TABLE t(id INTEGER PRIMARY KEY, a TEXT); INSERT INTO t VALUES (1, 'old')",
  );
  log = make();
});
afterEach(async () => {
  await log.close();
  db.close();
  rmSync(folder, { recursive: true, force: true });
});

/** Runs SQL in a process that knows nothing of the feed. */
const elsewhere = (sql: string): void => {
  const code = `const {DatabaseSync} = require('node:sqlite'); const db = new DatabaseSync(process.env.FILE, {timeout: 5000});
    db.exec(process.env.SQL); db.close();`;
  execFileSync(process.execPath, ['-e', code], { env: { ...process.env, FILE: file, SQL: sql } });
};

const all = async (after = { ...log.head(), offset: 0 }): Promise<unknown[]> =>
  (await log.read(after, 10_000)).map(({ type, table, old, record }) => [type, table, old, record]);

describe('the feed of a SQLite file', () => {
  it('tells what another process wrote, without being nudged', async () => {
    const from = await log.open();
    log.attend(true);
    let told = 0;
    log.onAppend(() => {
      told += 1;
    });
    elsewhere("INSERT INTO t VALUES (2, 'x'); REPLACE INTO t VALUES (1, 'new')");
    await until(() => log.head().offset === from.offset + 2);
    expect(told).toBeGreaterThan(0);
    expect(await all(from)).toEqual([
      ['INSERT', 't', null, { id: 2, a: 'x' }],
      ['UPDATE', 't', { id: 1, a: 'old' }, { id: 1, a: 'new' }],
    ]);
  });

  it('follows tables that another process makes, alters and drops', async () => {
    await log.open();
    log.attend(true);
    elsewhere(
      'CREATE TABLE made(n INT, yes BOOLEAN, doc JSON); INSERT INTO made VALUES (1, 1, \'{"k": [true]}\')',
    );
    await until(() => log.head().offset === 1);
    elsewhere("INSERT INTO made VALUES (9007199254740993, 0, 'no json')");
    await until(() => log.head().offset === 2);
    elsewhere('ALTER TABLE made RENAME TO called');
    elsewhere('ALTER TABLE called ADD COLUMN more BLOB');
    await until(() => {
      const row = db
        .prepare("SELECT count(*) AS n FROM _mag_shapes WHERE tbl = 'called' AND columns LIKE '%more%'")
        .get();
      return row?.['n'] === 1;
    });
    elsewhere(
      "INSERT INTO called VALUES (3, NULL, NULL, x'00ff'); DROP TABLE called; CREATE TABLE called(z)",
    );
    elsewhere('INSERT INTO called VALUES (4)');
    await until(() => log.head().offset >= 5);
    expect(await all()).toEqual([
      ['INSERT', 'made', null, { n: 1, yes: true, doc: { k: [true] } }],
      ['INSERT', 'made', null, { n: '9007199254740993', yes: false, doc: 'no json' }],
      ['INSERT', 'called', null, { n: 3, yes: null, doc: null, more: '\\x00ff' }],
      ['TRUNCATE', 'called', null, null],
      ['INSERT', 'called', null, { z: 4 }],
    ]);
    const [first] = await log.read({ ...log.head(), offset: 0 }, 1);
    expect(first?.columns).toEqual([
      { name: 'n', type: 'int8' },
      { name: 'yes', type: 'bool' },
      { name: 'doc', type: 'json' },
    ]);
  });

  it('begins a new epoch where a table appears with more rows than it would log', async () => {
    const before = await log.open();
    log.attend(true);
    elsewhere(`CREATE TABLE big(n); WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 1001)
      INSERT INTO big SELECT i FROM c`);
    await until(() => log.head().epoch !== before.epoch);
    await expect(log.read(before, 1)).rejects.toMatchObject({ code: 'MAG_RESUME_EXPIRED' });
    const after = log.head();
    elsewhere('INSERT INTO big VALUES (0)');
    await until(() => log.head().offset > after.offset);
    expect(await all(after)).toEqual([['INSERT', 'big', null, { n: 0 }]]);
  });

  it('keeps its epoch and offsets over a restart, and tells what was written meanwhile', async () => {
    const from = await log.open();
    await log.close();
    elsewhere("UPDATE t SET a = 'meanwhile'");
    log = make();
    expect((await log.open()).epoch).toBe(from.epoch);
    expect(await all(from)).toEqual([['UPDATE', 't', { id: 1, a: 'old' }, { id: 1, a: 'meanwhile' }]]);
  });

  it('begins a new epoch in a file that was restored from a copy', async () => {
    await log.open();
    db.exec("INSERT INTO t VALUES (2, 'kept')");
    await log.close();
    db.exec('PRAGMA wal_checkpoint(TRUNCATE)');
    copyFileSync(file, `${file}.copy`);
    log = make();
    const before = await log.open();
    db.exec("INSERT INTO t VALUES (3, 'lost')");
    log.nudge();
    await log.close();
    db.close();
    for (const suffix of ['-wal', '-shm']) rmSync(`${file}${suffix}`, { force: true });
    copyFileSync(`${file}.copy`, file);
    db = new DatabaseSync(file, { timeout: 5_000 });
    log = make();
    const after = await log.open();
    expect(after.epoch).not.toBe(before.epoch);
    await expect(log.read(before, 1)).rejects.toMatchObject({ code: 'MAG_RESUME_EXPIRED' });
  });

  it('trims its oldest rows and refuses to read over what is gone', async () => {
    await log.close();
    log = make(1_000);
    await log.open();
    log.attend(true);
    db.exec(
      `WITH RECURSIVE c(i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM c WHERE i < 4001) INSERT INTO t SELECT i, 'x' FROM c`,
    );
    await until(() => Number(db.prepare('SELECT min(seq) AS n FROM _mag_changes').get()?.['n']) > 2_000);
    await until(() => log.head().offset === 4_000);
    await expect(log.read({ ...log.head(), offset: 10 }, 1)).rejects.toMatchObject({
      code: 'MAG_RESUME_EXPIRED',
    });
    expect(await all({ ...log.head(), offset: 3_999 })).toEqual([
      ['INSERT', 't', null, { id: 4_001, a: 'x' }],
    ]);
  });

  it('waits for a write lock without blocking its thread', async () => {
    db.exec('BEGIN IMMEDIATE');
    let turns = 0;
    const ticking = setInterval(() => {
      turns += 1;
    }, 2);
    const opening = log.open();
    await until(() => turns > 10);
    clearInterval(ticking);
    db.exec('COMMIT');
    expect((await opening).offset).toBe(0);
  });

  it('lets the board drop a column, and still tells every row', async () => {
    await log.open();
    db.exec('ALTER TABLE t ADD COLUMN extra');
    log.nudge();
    await until(
      () => db.prepare("SELECT 1 FROM _mag_shapes WHERE columns LIKE '%extra%'").get() !== undefined,
    );
    expect(() => db.exec('ALTER TABLE t DROP COLUMN extra')).toThrow(/trigger/);
    const drop = 'alter table "t" drop column extra';
    db.exec('BEGIN IMMEDIATE');
    beforeSchemaStatement(db, drop);
    db.exec(drop);
    afterSchemaStatement(db);
    db.exec("INSERT INTO t VALUES (2, 'after'); COMMIT");
    log.nudge();
    expect(await all()).toEqual([['INSERT', 't', null, { id: 2, a: 'after' }]]);
  });
});
