import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { activateCapture, beforeSchemaStatement, syncCapture } from '../../src/actors/feed/sqlite/capture.ts';
import { createLogReader } from '../../src/actors/feed/sqlite/log-reader.ts';
import type { Change } from '../../src/protocol/change.ts';

const folder = mkdtempSync(join(tmpdir(), 'feed-capture-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Tables with every kind of key that a REPLACE can trip over; all have the columns id, a, b, c. */
const TABLES: Readonly<Record<string, readonly string[]>> = {
  'an integer primary key and two unique columns': [
    'CREATE TABLE t(id INTEGER PRIMARY KEY, a TEXT UNIQUE, b INT UNIQUE, c)',
  ],
  'a text primary key': ['CREATE TABLE t(id TEXT PRIMARY KEY, a TEXT, b INT, c, UNIQUE(a, b))'],
  'no rowid': [
    'CREATE TABLE t(id INT, a TEXT COLLATE NOCASE UNIQUE, b INT, c, PRIMARY KEY(id, b)) WITHOUT ROWID',
  ],
  'no key at all': ['CREATE TABLE t(id, a, b, c)'],
  'a case-insensitive key and one over an expression': [
    'CREATE TABLE t(id INTEGER PRIMARY KEY, a TEXT, b INT, c)',
    'CREATE UNIQUE INDEX ua ON t(a COLLATE NOCASE DESC)',
    "CREATE UNIQUE INDEX ub ON t(abs(b) /* ) of b */ DESC, coalesce(c, ',') ) WHERE b > 2 -- big ones",
  ],
  'a constraint that replaces by itself': [
    'CREATE TABLE t(id INTEGER PRIMARY KEY ON CONFLICT REPLACE, a TEXT UNIQUE ON CONFLICT REPLACE, b INT UNIQUE ON CONFLICT IGNORE, c)',
  ],
  'triggers of its own': [
    'CREATE TABLE t(id INTEGER PRIMARY KEY, a TEXT UNIQUE, b INT, c)',
    "CREATE TRIGGER own AFTER INSERT ON T WHEN NEW.b > 2 BEGIN UPDATE t SET c = 'touched' WHERE id = NEW.id; END",
    'CREATE TRIGGER other AFTER DELETE ON t WHEN OLD.b = 1 BEGIN DELETE FROM t WHERE b = 2; END',
  ],
  // Not of a row that refers to itself: SQLite runs the action on it before any trigger that could log the cause. Nor
  // UPDATE OR REPLACE: one that replaces the updated row's own parent deletes the row by its foreign key, no trigger of
  // the row runs any more, and nobody logs that the parent went (docs/ARCHITECTURE.md names both limits).
  'a foreign key to itself that cascades': [
    'CREATE TABLE t(id INTEGER PRIMARY KEY, a TEXT UNIQUE, b INT REFERENCES t(id) ON DELETE CASCADE ON UPDATE SET NULL, c, CHECK (b <> id))',
  ],
};

const small = fc.integer({ min: 1, max: 5 }).map(String);
const letters = fc.constantFrom("'x'", "'X'", "'y'", "'z'", 'NULL');
const cell = fc.oneof(small, letters, fc.constantFrom("x'00ff'", '1.5', '9e999', '9007199254740993'));
const row = fc.tuple(fc.oneof(small, fc.constant('NULL')), letters, small, cell);
const values = fc
  .array(row, { minLength: 1, maxLength: 3 })
  .map((rows) => rows.map((r) => `(${r.join(', ')})`).join(', '));
const conflict = fc.constantFrom('', 'OR REPLACE', 'OR IGNORE', 'OR FAIL', 'OR ABORT', 'OR ROLLBACK');
const column = fc.constantFrom('id', 'a', 'b');
const insert = fc.tuple(conflict, values).map(([or, v]) => `INSERT ${or} INTO t(id, a, b, c) VALUES ${v}`);
const upsert = fc
  .tuple(
    values,
    fc.constantFrom('DO NOTHING', 'DO UPDATE SET c = excluded.c', 'DO UPDATE SET a = excluded.a, b = b + 1'),
  )
  .map(
    ([v, action]) =>
      `INSERT INTO t(id, a, b, c) SELECT * FROM (VALUES ${v}) WHERE true ON CONFLICT ${action}`,
  );
const update = fc
  .tuple(conflict, column, fc.oneof(small, letters), column, small)
  .map(([or, c, v, w, s]) => `UPDATE ${or} t SET ${c} = ${v} WHERE ${w} >= ${s}`);
const shift = fc.tuple(conflict, small).map(([or, s]) => `UPDATE ${or} t SET id = id + ${s}`);
const remove = fc.tuple(column, small).map(([c, s]) => `DELETE FROM t WHERE ${c} = ${s}`);
const ddl = fc.constantFrom(
  'ALTER TABLE t ADD COLUMN d DEFAULT 7',
  'ALTER TABLE t RENAME COLUMN c TO e',
  'CREATE UNIQUE INDEX IF NOT EXISTS later ON t(c) WHERE b = 3',
);
const statement = fc.oneof(
  { weight: 4, arbitrary: insert },
  { weight: 2, arbitrary: upsert },
  { weight: 3, arbitrary: fc.oneof(update, shift) },
  { weight: 1, arbitrary: remove },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      'SAVEPOINT s',
      'ROLLBACK TO s',
      'BEGIN',
      'COMMIT',
      'ROLLBACK',
      'DELETE FROM t',
    ),
  },
);
const step = fc.record({ connection: fc.constantFrom(0, 1), sql: statement });
const knownLimit = (schema: readonly string[], sql: string): boolean =>
  schema.some((text) => text.includes('CASCADE')) && sql.startsWith('UPDATE OR REPLACE');

type Plain = Record<string, unknown>;

/** Applies changes to a copy, and fails where one does not fit what the copy holds. */
function replay(copy: Plain[], changes: readonly Change[]): void {
  for (const { type, old, record } of changes) {
    if (type === 'TRUNCATE') copy.length = 0;
    if (old !== null) {
      const wanted = JSON.stringify(old);
      const at = copy.findIndex((candidate) => JSON.stringify(candidate) === wanted);
      expect(at, `${type} of a row that the copy does not hold: ${wanted}`).toBeGreaterThanOrEqual(0);
      copy.splice(at, 1);
    }
    if (record !== null) copy.push(record);
  }
}

const shown = (value: unknown): unknown => {
  if (value instanceof Uint8Array) return `\\x${Buffer.from(value).toString('hex')}`;
  if (typeof value === 'bigint') return Number.isSafeInteger(Number(value)) ? Number(value) : String(value);
  return value === Number.POSITIVE_INFINITY ? 'Infinity' : value;
};

function tableRows(db: DatabaseSync): string[] {
  const select = db.prepare('SELECT * FROM t');
  select.setReadBigInts(true);
  return select
    .all()
    .map((found) => JSON.stringify(Object.fromEntries(Object.entries(found).map(([k, v]) => [k, shown(v)]))))
    .sort();
}

describe.each(Object.entries(TABLES))('the change log of a table with %s', (_name, schema) => {
  let file = 0;
  const open = (): [DatabaseSync, DatabaseSync] => {
    file += 1;
    const path = join(folder, `${schema.length}-${file}-${Math.abs(schema[0]!.length)}.db`);
    rmSync(path, { force: true });
    const first = new DatabaseSync(path, { timeout: 0 });
    first.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF');
    for (const sql of schema) first.exec(sql);
    activateCapture(first, 'e');
    expect(syncCapture(first, () => 'f', true).failed).toEqual([]);
    const second = new DatabaseSync(path, { timeout: 0 });
    second.exec('PRAGMA recursive_triggers = ON; PRAGMA synchronous = OFF');
    return [first, second];
  };

  it('turns a copy into the table, whatever two connections write, roll back and replace', () => {
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 40 }), (steps) => {
        const connections = open();
        for (const { connection, sql } of steps) {
          if (knownLimit(schema, sql)) continue;
          try {
            connections[connection]!.exec(sql);
          } catch {
            // Refused by a constraint or by the other connection's lock: the log must stay true all the same.
          }
        }
        for (const db of connections) if (db.isTransaction) db.exec('COMMIT');
        const copy: Plain[] = [];
        replay(copy, createLogReader(connections[0]).read(0, Number.MAX_SAFE_INTEGER, 10_000));
        expect(copy.map((r) => JSON.stringify(r)).sort()).toEqual(tableRows(connections[0]));
        for (const db of connections) db.close();
      }),
      { numRuns: 150 },
    );
  });

  it('goes on telling the truth after the schema changed', () => {
    fc.assert(
      fc.property(
        fc.array(insert, { maxLength: 4 }),
        ddl,
        fc.array(insert, { maxLength: 4 }),
        (before, sql, after) => {
          const [db, other] = open();
          const run = (statements: readonly string[]): void => {
            for (const one of statements) {
              try {
                db.exec(one);
              } catch {
                // As above.
              }
            }
          };
          run(before);
          try {
            db.exec(sql);
          } catch {
            // A unique index over rows that are none.
          }
          db.exec('BEGIN');
          expect(syncCapture(db, () => 'f')).toMatchObject({ interrupted: false, failed: [] });
          db.exec('COMMIT');
          const mark = createLogReader(db).newest();
          const copy = tableRows(db).map((text): Plain => JSON.parse(text));
          run(after.map((one) => (sql.includes('RENAME') ? one.replace('b, c)', 'b, e)') : one)));
          replay(copy, createLogReader(db).read(mark, Number.MAX_SAFE_INTEGER, 10_000));
          expect(copy.map((r) => JSON.stringify(r)).sort()).toEqual(tableRows(db));
          db.close();
          other.close();
        },
      ),
      { numRuns: 30 },
    );
  });
});

describe('what a REPLACE looks like', () => {
  let db: DatabaseSync;
  beforeAll(() => {
    db = new DatabaseSync(join(folder, 'replace.db'));
    db.exec('CREATE TABLE t(id INTEGER PRIMARY KEY, a TEXT UNIQUE, b INT)');
    activateCapture(db, 'e');
    syncCapture(db, () => 'f', true);
  });
  afterAll(() => db.close());
  const after = (sql: string): unknown[] => {
    const mark = createLogReader(db).newest();
    db.exec(sql);
    return createLogReader(db)
      .read(mark, Number.MAX_SAFE_INTEGER, 100)
      .map(({ type, old, record }) => [type, old, record]);
  };

  for (const recursive of ['OFF', 'ON']) {
    it(`is one UPDATE with the old row, recursive_triggers ${recursive}`, () => {
      db.exec(
        `PRAGMA recursive_triggers = ${recursive}; DELETE FROM t; INSERT INTO t VALUES (1, 'x', 1), (2, 'y', 2)`,
      );
      expect(after("REPLACE INTO t VALUES (1, 'x', 9)")).toEqual([
        ['UPDATE', { id: 1, a: 'x', b: 1 }, { id: 1, a: 'x', b: 9 }],
      ]);
      expect(after("REPLACE INTO t(a, b) VALUES ('x', 10)")).toEqual([
        ['UPDATE', { id: 1, a: 'x', b: 9 }, { id: 3, a: 'x', b: 10 }],
      ]);
      expect(after("REPLACE INTO t VALUES (2, 'x', 11)")).toEqual([
        ['DELETE', { id: 3, a: 'x', b: 10 }, null],
        ['UPDATE', { id: 2, a: 'y', b: 2 }, { id: 2, a: 'x', b: 11 }],
      ]);
    });
  }

  it('is nothing for a row that was ignored, then deleted and inserted anew', () => {
    db.exec("PRAGMA recursive_triggers = OFF; DELETE FROM t; INSERT INTO t VALUES (5, 'x', 1)");
    expect(after("INSERT OR IGNORE INTO t VALUES (5, 'x', 2)")).toEqual([]);
    expect(after('DELETE FROM t WHERE id = 5')).toEqual([['DELETE', { id: 5, a: 'x', b: 1 }, null]]);
    expect(after("INSERT INTO t VALUES (5, 'x', 3)")).toEqual([['INSERT', null, { id: 5, a: 'x', b: 3 }]]);
  });

  it('is logged before what a younger trigger of the user makes of it', () => {
    db.exec(
      'DELETE FROM t; CREATE TRIGGER young AFTER INSERT ON T BEGIN UPDATE t SET b = 7 WHERE id = NEW.id; END',
    );
    syncCapture(db, () => 'f');
    expect(after("INSERT INTO t VALUES (1, 'x', 1)")).toEqual([
      ['INSERT', null, { id: 1, a: 'x', b: 1 }],
      ['UPDATE', { id: 1, a: 'x', b: 1 }, { id: 1, a: 'x', b: 7 }],
    ]);
    db.exec('DROP TRIGGER young');
    syncCapture(db, () => 'f');
  });

  it('lets a column be dropped once capture is paused, and goes on without a gap', () => {
    db.exec("DELETE FROM t; INSERT INTO t VALUES (1, 'x', 1)");
    const changes = after('SELECT 1');
    db.exec('BEGIN');
    beforeSchemaStatement(db, 'ALTER TABLE t DROP COLUMN b');
    db.exec('ALTER TABLE t DROP COLUMN b');
    expect(syncCapture(db, () => 'f').interrupted).toBe(false);
    db.exec('COMMIT');
    expect(changes).toEqual([]);
    expect(after("INSERT INTO t VALUES (2, 'y')")).toEqual([['INSERT', null, { id: 2, a: 'y' }]]);
  });
});
