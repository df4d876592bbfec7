import { createHash } from 'node:crypto';
import type { DatabaseSync } from 'node:sqlite';

/** A step of the board database's schema. Once released, its text never changes: a later step corrects it. */
export interface Migration {
  readonly number: number;
  readonly name: string;
  readonly sql: string;
}

export const MIGRATIONS: readonly Migration[] = [
  {
    number: 1,
    name: 'projects',
    sql: `
      CREATE TABLE project (
        ref TEXT PRIMARY KEY,
        name TEXT NOT NULL UNIQUE,
        engine TEXT NOT NULL,
        status TEXT NOT NULL CHECK (status IN ('provisioning', 'ready', 'dropping', 'failed')),
        key_version INTEGER NOT NULL DEFAULT 1,
        settings TEXT NOT NULL,
        version INTEGER NOT NULL DEFAULT 1,
        created_at TEXT NOT NULL
      ) STRICT, WITHOUT ROWID;
      CREATE TABLE board_fact (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
    `,
  },
  {
    number: 2,
    name: 'credentials',
    sql: `
      CREATE TABLE credential (
        ref TEXT NOT NULL,
        id TEXT NOT NULL,
        name TEXT NOT NULL,
        mode TEXT NOT NULL CHECK (mode IN ('read', 'write')),
        serial INTEGER NOT NULL DEFAULT 1,
        created_at TEXT NOT NULL,
        rotated_at TEXT,
        PRIMARY KEY (ref, id)
      ) STRICT, WITHOUT ROWID;
    `,
  },
];

const checksum = (migration: Migration): string => createHash('sha256').update(migration.sql).digest('hex');

/**
 * Brings the schema up to date, each step in a transaction of its own. Returns what is wrong, or null: a step that
 * was applied with another text, or one that this version does not know (a newer board wrote the file).
 */
export function migrate(database: DatabaseSync, migrations: readonly Migration[], at: string): string | null {
  database.exec(`CREATE TABLE IF NOT EXISTS migration (
    number INTEGER PRIMARY KEY, name TEXT NOT NULL, checksum TEXT NOT NULL, applied_at TEXT NOT NULL) STRICT`);
  const applied = new Map(
    database
      .prepare('SELECT number, checksum FROM migration ORDER BY number')
      .all()
      .map((row) => [Number(row.number), String(row.checksum)]),
  );
  const newest = migrations.at(-1)?.number ?? 0;
  for (const number of applied.keys()) {
    if (number > newest)
      return `it was written by a newer version (migration ${number}, this one knows ${newest})`;
  }
  for (const migration of migrations) {
    const before = applied.get(migration.number);
    if (before === checksum(migration)) continue;
    if (before !== undefined)
      return `migration ${migration.number} (${migration.name}) was applied in another form`;
    database.exec('BEGIN IMMEDIATE');
    try {
      database.exec(migration.sql);
      database
        .prepare('INSERT INTO migration VALUES (?, ?, ?, ?)')
        .run(migration.number, migration.name, checksum(migration), at);
      database.exec('COMMIT');
    } catch (error) {
      database.exec('ROLLBACK');
      throw error;
    }
  }
  return null;
}
