import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { FeedLog } from '../../src/actors/feed/feed-log.ts';
import { createSqliteFeedLog } from '../../src/actors/feed/feed-log-sqlite.ts';
import type { Engine } from '../../src/actors/storage/engine.ts';
import { nodeHost } from '../../src/runtime/host-node.ts';
import { silentLog } from '../../src/runtime/log.ts';
import { until } from '../support/feed-postgres.ts';
import { SqliteBoard } from '../support/sqlite-board.ts';

let board: SqliteBoard;
let engine: Engine;
let log: FeedLog;
const sql = (text: string) => engine.sql(text, [], board.context());

beforeEach(async () => {
  board = new SqliteBoard();
  engine = await board.engine();
  await sql('CREATE TABLE t(id INTEGER PRIMARY KEY, a TEXT UNIQUE)');
  log = createSqliteFeedLog({ host: nodeHost(), log: silentLog, file: await board.file() });
  await log.open();
  log.attend(true);
});
afterEach(async () => {
  await log.close();
  await board.close();
});

async function told(count: number): Promise<unknown[]> {
  await until(() => log.head().offset >= count);
  const changes = await log.read({ ...log.head(), offset: 0 }, 1_000);
  return changes.map(({ type, table, old, record }) => [type, table, old, record]);
}

describe("the board's own writes to a SQLite project that is followed", () => {
  it('go through, and are told as they are: REPLACE, upsert, several statements, a failed one', async () => {
    await sql("INSERT INTO t VALUES (1, 'x')");
    await sql("REPLACE INTO t VALUES (1, 'y'); INSERT INTO t VALUES (2, 'z')");
    await sql("INSERT INTO t VALUES (9, 'y') ON CONFLICT (a) DO UPDATE SET a = 'w'");
    await expect(sql("INSERT INTO t VALUES (3, 'q'), (2, 'r')")).rejects.toMatchObject({ code: '23505' });
    await engine.execute(
      { kind: 'insert', schema: 'public', table: 't', rows: [{ id: 4, a: 'rest' }], missing: 'default' },
      board.context(),
    );
    expect(await told(5)).toEqual([
      ['INSERT', 't', null, { id: 1, a: 'x' }],
      ['UPDATE', 't', { id: 1, a: 'x' }, { id: 1, a: 'y' }],
      ['INSERT', 't', null, { id: 2, a: 'z' }],
      ['UPDATE', 't', { id: 1, a: 'y' }, { id: 1, a: 'w' }],
      ['INSERT', 't', null, { id: 4, a: 'rest' }],
    ]);
  });

  it('show in a change the row that REST shows', async () => {
    await sql(
      `CREATE TABLE kinds(id INTEGER PRIMARY KEY, yes BOOLEAN, doc JSON, body BLOB, n NUMERIC, f REAL, at DATETIME, x)`,
    );
    await sql(`INSERT INTO kinds VALUES (1, 1, '{"a": [1, null, "ä"]}', x'00ff', 12.5, 0.1, '2026-01-02 03:04:05', x'61'),
      (2, 0, 'not json', NULL, 'text', 1e300, NULL, -7), (3, 2, '7', 'text in a blob', 3, 4, 5, 'line' || char(10))`);
    const changes = (await told(3)) as [string, string, unknown, unknown][];
    const { json } = await engine.execute(
      {
        kind: 'select',
        schema: 'public',
        table: 'kinds',
        select: [{ kind: 'all' }],
        order: [{ column: { name: 'id' }, direction: 'asc' }],
      },
      board.context(),
    );
    expect(changes.map(([, , , record]) => record)).toEqual(JSON.parse(json));
  });

  it('may be schema changes of any kind', async () => {
    await sql('ALTER TABLE t ADD COLUMN b INT');
    await sql("INSERT INTO t VALUES (1, 'x', 2)");
    await sql('ALTER TABLE t RENAME COLUMN b TO c');
    await sql('ALTER TABLE t RENAME TO u');
    await sql('CREATE INDEX i ON u(c)');
    await sql('DROP INDEX i');
    await sql('VACUUM').catch(() => {});
    await sql('DROP TABLE u');
    await sql('CREATE TABLE u(only)');
    await until(async () => {
      await sql('DELETE FROM u; INSERT INTO u VALUES (5)');
      return log.head().offset > 3;
    });
    expect((await told(1))[0]).toMatchObject(['INSERT', 't', null, { id: 1, a: 'x' }]);
  });

  it('may drop a column, in one statement or among others', async () => {
    await sql('ALTER TABLE t ADD COLUMN gone TEXT');
    await sql('ALTER TABLE "t" DROP COLUMN gone');
    await sql("INSERT INTO t VALUES (1, 'x')");
    await sql("ALTER TABLE t ADD COLUMN b; ALTER TABLE main.t DROP COLUMN b; INSERT INTO t VALUES (2, 'y')");
    await sql('BEGIN; CREATE TABLE born(n); INSERT INTO born VALUES (1); COMMIT');
    expect(await told(3)).toEqual([
      ['INSERT', 't', null, { id: 1, a: 'x' }],
      ['INSERT', 't', null, { id: 2, a: 'y' }],
      ['INSERT', 'born', null, { n: 1 }],
    ]);
  });

  it('cannot reach the log itself', async () => {
    for (const text of [
      'SELECT * FROM _mag_changes',
      'DELETE FROM _mag_changes',
      'DROP TABLE _mag_feed',
      'DROP TRIGGER _mag_ai_1',
      'CREATE TRIGGER _mag_x AFTER INSERT ON t BEGIN DELETE FROM _mag_changes; END',
      'CREATE TRIGGER mine AFTER INSERT ON t BEGIN DELETE FROM _mag_changes; END; INSERT INTO t VALUES (1, 1)',
      'CREATE VIEW v AS SELECT * FROM _mag_changes; SELECT * FROM v',
    ]) {
      await expect(sql(text), text).rejects.toMatchObject({ code: 'MAG_STATEMENT_FORBIDDEN' });
    }
  });
});
