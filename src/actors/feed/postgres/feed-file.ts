import { mkdirSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { LIMITS } from '../../../limits.ts';
import type { Change, ChangeColumn } from '../../../protocol/change.ts';
import { sqliteCode } from '../sqlite/project-file.ts';
import { FeedTail } from './feed-tail.ts';

/** A change before it has an offset. */
export type NewChange = Omit<Change, 'offset'>;

/**
 * The durable log of a PostgreSQL project's feed: one SQLite file beside the project, written by the feed alone.
 *
 * Changes become visible with their transaction. `lsn` is how far the source was read: a transaction whose commit
 * starts before it is held already. Without a power cut nothing committed here is lost; after one, what was not yet
 * made durable comes again from the slot, in the same order and so under the same offsets.
 */
const SCHEMA = `
  PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA wal_autocheckpoint = 0;
  CREATE TABLE IF NOT EXISTS feed(id INTEGER PRIMARY KEY CHECK (id = 1), epoch TEXT NOT NULL, began INTEGER NOT NULL,
    lsn TEXT NOT NULL);
  CREATE TABLE IF NOT EXISTS shapes(id INTEGER PRIMARY KEY, schema TEXT NOT NULL, tbl TEXT NOT NULL,
    columns TEXT NOT NULL, UNIQUE (schema, tbl, columns));
  CREATE TABLE IF NOT EXISTS changes(seq INTEGER PRIMARY KEY, shape INTEGER NOT NULL, type TEXT NOT NULL,
    at TEXT NOT NULL, old TEXT, new TEXT);`;

const textLength = (value: unknown): number => (typeof value === 'string' ? value.length : 0);

interface Shape {
  readonly schema: string;
  readonly table: string;
  readonly columns: readonly ChangeColumn[];
}

export class FeedFile {
  readonly #db: DatabaseSync;
  readonly #statements;
  readonly #shapes = new Map<number, Shape>();
  /** Ids by table of the shape that was appended last; a table's older shapes are found in the file. */
  readonly #current = new Map<string, { readonly columns: readonly ChangeColumn[]; readonly id: number }>();
  readonly #tail = new FeedTail();
  #epoch: string;
  #began: number;
  #head: number;
  #oldest: number;
  #lsn: bigint;
  #durableLsn: bigint;
  #next: number;

  /** Opens the file, or makes it with this epoch. Throws SQLite's errors. */
  constructor(path: string, newEpoch: () => string) {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    this.#db = new DatabaseSync(path);
    try {
      this.#db.exec(SCHEMA);
    } catch (error) {
      this.#db.close();
      throw error;
    }
    this.#db
      .prepare("INSERT INTO feed(id, epoch, began, lsn) VALUES (1, ?, 0, '0') ON CONFLICT DO NOTHING")
      .run(newEpoch());
    this.#statements = prepareStatements(this.#db);
    const row = this.#db.prepare('SELECT epoch, began, lsn FROM feed').get();
    const ends = this.#db.prepare('SELECT min(seq) AS oldest, max(seq) AS head FROM changes').get();
    this.#epoch = String(row?.['epoch']);
    this.#began = Number(row?.['began']);
    this.#lsn = BigInt(String(row?.['lsn'] ?? 0));
    this.#durableLsn = this.#lsn;
    this.#head = Math.max(this.#began, Number(ends?.['head'] ?? 0));
    this.#oldest = Number(ends?.['oldest'] ?? this.#head + 1);
    this.#next = this.#head + 1;
  }

  get epoch(): string {
    return this.#epoch;
  }

  get head(): number {
    return this.#head;
  }

  /** Reading after this offset or a later one misses nothing. */
  get floor(): number {
    return Math.max(this.#began, this.#oldest - 1);
  }

  get lsn(): bigint {
    return this.#lsn;
  }

  /** Up to here a power cut loses nothing. */
  get durableLsn(): bigint {
    return this.#durableLsn;
  }

  /** Adds a change to the open transaction, opening one where there is none. */
  append(change: NewChange): void {
    if (!this.#db.isTransaction) this.#db.exec('BEGIN');
    const { schema, table, columns, type, commitTimestamp, record, old } = change;
    const shape = this.#shapeId(schema, table, columns);
    const offset = this.#next;
    const before = old === null ? null : JSON.stringify(old);
    const after = record === null ? null : JSON.stringify(record);
    this.#statements.append.run(offset, shape, type, commitTimestamp, before, after);
    this.#next += 1;
    this.#tail.write({ ...change, offset }, (before?.length ?? 0) + (after?.length ?? 0));
  }

  /** Makes what was appended visible, together with how far the source was read. */
  commit(lsn: bigint): void {
    if (!this.#db.isTransaction) this.#db.exec('BEGIN');
    this.#statements.setLsn.run(String(lsn));
    this.#db.exec('COMMIT');
    this.#lsn = lsn;
    this.#head = this.#next - 1;
    this.#tail.commit();
  }

  /** Forgets what was appended and not committed. */
  rollback(): void {
    if (this.#db.isTransaction) this.#db.exec('ROLLBACK');
    this.#next = this.#head + 1;
    this.#tail.rollback();
    // Shapes added in it are gone too.
    this.#current.clear();
  }

  /** Notes that the source holds nothing for us before `lsn`. Not while a transaction is open. */
  advance(lsn: bigint): void {
    if (lsn <= this.#lsn || this.#db.isTransaction) return;
    this.#statements.setLsn.run(String(lsn));
    this.#lsn = lsn;
  }

  /** Continuity was lost: positions of the epoch before are refused from now on. */
  beginEpoch(epoch: string, lsn: bigint): void {
    this.rollback();
    this.#db.prepare('UPDATE feed SET epoch = ?, began = ?, lsn = ?').run(epoch, this.#head, String(lsn));
    this.#epoch = epoch;
    this.#began = this.#head;
    this.#lsn = lsn;
    this.#durableLsn = lsn;
    this.#tail.clear();
  }

  /** Forces everything committed to the disk (one fsync of the WAL, one of the file). */
  makeDurable(): void {
    if (this.#db.isTransaction) return;
    const lsn = this.#lsn;
    // busy = 1 would mean that a reader of another connection stopped it; there is none.
    const result = this.#db.prepare('PRAGMA wal_checkpoint(FULL)').get();
    if (result?.['busy'] === 0) this.#durableLsn = lsn;
  }

  /** Changes after the offset, oldest first; the caller has checked it against floor and head. */
  read(after: number, limit: number): readonly Change[] {
    const recent = this.#tail.read(after, limit);
    if (recent !== null) return recent;
    const found: Change[] = [];
    let bytes = 0;
    for (const row of this.#statements.read.iterate(after, this.#head, limit)) {
      found.push(this.#toChange(row));
      bytes += textLength(row.old) + textLength(row.new);
      if (bytes >= LIMITS.feedBatchBytes) break;
    }
    return found;
  }

  /** Deletes one step of what is older than the newest `keep` changes; true while there is more. */
  trim(keep: number): boolean {
    if (this.#db.isTransaction || this.#head - this.#oldest + 1 < keep + LIMITS.feedTrimRows) return false;
    this.#oldest += LIMITS.feedTrimRows;
    this.#statements.trim.run(this.#oldest);
    return true;
  }

  close(): void {
    if (!this.#db.isOpen) return;
    this.rollback();
    this.makeDurable();
    this.#db.close();
  }

  #shapeId(schema: string, table: string, columns: readonly ChangeColumn[]): number {
    const key = `${schema}\u0000${table}`;
    const current = this.#current.get(key);
    if (current?.columns === columns) return current.id;
    const text = JSON.stringify(columns);
    const found = this.#statements.findShape.get(schema, table, text);
    const id = Number(found?.['id'] ?? this.#statements.addShape.run(schema, table, text).lastInsertRowid);
    this.#current.set(key, { columns, id });
    return id;
  }

  #toChange(row: Record<string, unknown>): Change {
    const { table, schema, columns } = this.#shape(Number(row['shape']));
    const { old, new: after } = row;
    return {
      offset: Number(row['seq']),
      // Written by append alone, from a Change.
      type: row['type'] as Change['type'],
      schema,
      table,
      commitTimestamp: String(row['at']),
      columns,
      record: typeof after === 'string' ? JSON.parse(after) : null,
      old: typeof old === 'string' ? JSON.parse(old) : null,
    };
  }

  #shape(id: number): Shape {
    const known = this.#shapes.get(id);
    if (known !== undefined) return known;
    const row = this.#statements.shape.get(id);
    const columns = JSON.parse(String(row?.['columns'] ?? '[]')) as ChangeColumn[]; // written by #shapeId
    const shape = { schema: String(row?.['schema']), table: String(row?.['tbl']), columns };
    this.#shapes.set(id, shape);
    return shape;
  }
}

const prepareStatements = (db: DatabaseSync) => ({
  append: db.prepare('INSERT INTO changes(seq, shape, type, at, old, new) VALUES (?, ?, ?, ?, ?, ?)'),
  setLsn: db.prepare('UPDATE feed SET lsn = ?'),
  read: db.prepare('SELECT * FROM changes WHERE seq > ? AND seq <= ? ORDER BY seq LIMIT ?'),
  trim: db.prepare('DELETE FROM changes WHERE seq < ?'),
  findShape: db.prepare('SELECT id FROM shapes WHERE schema = ? AND tbl = ? AND columns = ?'),
  addShape: db.prepare('INSERT INTO shapes(schema, tbl, columns) VALUES (?, ?, ?)'),
  shape: db.prepare('SELECT schema, tbl, columns FROM shapes WHERE id = ?'),
});

/** SQLITE_CORRUPT or SQLITE_NOTADB. */
export const isDamaged = (error: unknown): boolean => {
  const code = sqliteCode(error);
  return code === 11 || code === 26;
};

/** Removes a feed file with what SQLite keeps beside it. Idempotent. */
export function removeFeedFile(path: string): void {
  for (const suffix of ['', '-wal', '-shm']) rmSync(`${path}${suffix}`, { force: true });
}
