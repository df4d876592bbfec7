import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { crc32 } from 'node:zlib';
import { describeError, MagError } from '../../errors.ts';
import { isBusy } from './file-lock.ts';
import { type Group, GroupCommit, same } from './group-commit.ts';
import type { Log, LogCounters, LogHost, LogOptions, LogRecord, LogRetention } from './log.ts';
import { makeFolders } from './make-folders.ts';
import { checkWal } from './sqlite-wal.ts';

export interface SqliteLogOptions extends LogOptions {
  /** The database file; its folder is made if it is not there. */
  readonly path: string;
}

const SQLITE_FULL = 13;
/** What a record costs beside its bytes, for the sum that retention goes by. */
const ROW_BYTES = 24;

const SCHEMA = `
  PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
  CREATE TABLE IF NOT EXISTS start(id INTEGER PRIMARY KEY CHECK (id = 1), first INTEGER NOT NULL);
  INSERT INTO start(id, first) VALUES (1, 0) ON CONFLICT DO NOTHING;
  CREATE TABLE IF NOT EXISTS records(offset INTEGER PRIMARY KEY, time INTEGER NOT NULL, crc INTEGER NOT NULL,
    data BLOB NOT NULL);`;

/**
 * A log in one SQLite file (WAL, synchronous FULL), one transaction for each group. For small logs beside other SQLite
 * files: node:sqlite is synchronous, so each group's fsync holds up the thread, where the file log's does not.
 *
 * Throws MAG_LOG_LOCKED while another holds the file and MAG_LOG_CORRUPT where acknowledged records are damaged: SQLite
 * itself would end its WAL before a damaged frame and lose those behind it without a word.
 */
export function openSqliteLog(options: SqliteLogOptions): Log {
  makeFolders(dirname(options.path), 0o700);
  const corrupt = (offset: number, problem: string, cause?: unknown): MagError =>
    new MagError('MAG_LOG_CORRUPT', { log: options.path, offset, problem }, { cause });
  const problem = checkWal(options.path);
  if (problem !== null) throw corrupt(-1, problem);
  const db = new DatabaseSync(options.path, { timeout: 0 });
  try {
    db.exec(SCHEMA);
    return new SqliteLog(options, db, verify(db, corrupt));
  } catch (error) {
    db.close();
    if (error instanceof MagError) throw error;
    if (isBusy(error)) throw new MagError('MAG_LOG_LOCKED', { folder: options.path }, { cause: error });
    throw corrupt(-1, describeError(error), error);
  }
}

interface Extent {
  readonly first: number;
  readonly next: number;
  readonly bytes: number;
  readonly lastTime: number;
}

/** The checksum covers the offset too: a row under another's number is damage as well. */
const checksum = (data: Uint8Array, offset: number): number => crc32(data, offset >>> 0);

/** Reads every record: they must follow each other from the first on and be what was written. */
function verify(db: DatabaseSync, corrupt: (offset: number, problem: string) => MagError): Extent {
  const first = Number(db.prepare('SELECT first FROM start').get()?.['first']);
  let next = first;
  let bytes = 0;
  let lastTime = 0;
  for (const row of db.prepare('SELECT offset, time, crc, data FROM records ORDER BY offset').iterate()) {
    const record = toRecord(row);
    if (record.offset !== next) throw corrupt(next, `it goes on at ${record.offset}`);
    if (checksum(record.data, next) !== row['crc']) throw corrupt(next, 'the record is damaged');
    next += 1;
    bytes += record.data.length + ROW_BYTES;
    lastTime = record.time;
  }
  return { first, next, bytes, lastTime };
}

function toRecord(row: Record<string, unknown>): LogRecord {
  const data = row['data'];
  if (!(data instanceof Uint8Array)) throw new TypeError('a record is no blob');
  return { offset: Number(row['offset']), time: Number(row['time']), data };
}

class SqliteLog implements Log {
  readonly #path: string;
  readonly #host: LogHost;
  readonly #db: DatabaseSync;
  readonly #commit: GroupCommit;
  readonly #statements;
  #extent: Extent;
  #removed = 0;

  constructor(options: SqliteLogOptions, db: DatabaseSync, extent: Extent) {
    this.#path = options.path;
    this.#host = options.host;
    this.#db = db;
    this.#extent = extent;
    this.#statements = {
      begin: db.prepare('BEGIN'),
      commit: db.prepare('COMMIT'),
      rollback: db.prepare('ROLLBACK'),
      insert: db.prepare('INSERT INTO records(offset, time, crc, data) VALUES (?, ?, ?, ?)'),
      from: db.prepare('SELECT offset, time, crc, data FROM records WHERE offset >= ? ORDER BY offset'),
      at: db.prepare('SELECT offset, time FROM records WHERE offset = ?'),
      sizes: db.prepare('SELECT offset, time, length(data) AS size FROM records ORDER BY offset'),
      remove: db.prepare('DELETE FROM records WHERE offset < ?'),
      removedBytes: db.prepare(
        'SELECT coalesce(sum(length(data)), 0) AS bytes FROM records WHERE offset < ?',
      ),
      start: db.prepare('UPDATE start SET first = ?'),
    };
    // Not async: a failed commit is told by a rejection all the same.
    const write = (group: Group): Promise<number> =>
      new Promise((resolve) => {
        resolve(this.#write(group));
      });
    this.#commit = new GroupCommit(options.path, options.host, write, (error) => options.onFailed?.(error));
  }

  get first(): number {
    return this.#extent.first;
  }

  get next(): number {
    return this.#extent.next;
  }

  get lastTime(): number {
    return this.#extent.lastTime;
  }

  get bytes(): number {
    return this.#extent.bytes;
  }

  append(records: readonly Uint8Array[]): Promise<number>;
  append<T>(records: readonly Uint8Array[], told: (first: number) => T): Promise<T>;
  append(records: readonly Uint8Array[], told: (first: number) => unknown = same): Promise<unknown> {
    return this.#commit.append(records, told);
  }

  async read(from: number, maxBytes: number): Promise<readonly LogRecord[]> {
    const found: LogRecord[] = [];
    let bytes = 0;
    for (const row of this.#statements.from.iterate(from)) {
      const record = toRecord(row);
      if (checksum(record.data, record.offset) !== row['crc']) {
        const problem = 'the record is not what was written';
        throw new MagError('MAG_LOG_CORRUPT', { log: this.#path, offset: record.offset, problem });
      }
      found.push(record);
      bytes += record.data.length + ROW_BYTES;
      if (bytes >= maxBytes) break;
    }
    return found;
  }

  /** Times never go back, so the offsets are sorted by them. */
  async offsetAt(time: number): Promise<number> {
    let low = this.first;
    let high = this.next;
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      if (Number(this.#statements.at.get(middle)?.['time'] ?? 0) < time) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  expiry(retention: LogRetention): number {
    const oldest = this.#host.wallTime() - (retention.ageMs ?? Number.POSITIVE_INFINITY);
    let bytes = this.bytes;
    let offset = this.first;
    for (const row of this.#statements.sizes.iterate()) {
      if (bytes <= retention.bytes && Number(row['time']) >= oldest) break;
      bytes -= Number(row['size']) + ROW_BYTES;
      offset += 1;
    }
    return offset;
  }

  async truncateBefore(offset: number): Promise<void> {
    const first = Math.min(Math.max(offset, this.first), this.next);
    if (first === this.first || !this.#db.isOpen) return;
    const removed = first - this.first;
    const bytes = Number(this.#statements.removedBytes.get(first)?.['bytes'] ?? 0) + removed * ROW_BYTES;
    this.#transaction(() => {
      this.#statements.remove.run(first);
      this.#statements.start.run(first);
    });
    this.#extent = { ...this.#extent, first, bytes: this.bytes - bytes };
    this.#removed += removed;
  }

  counters(): LogCounters {
    const { appended, groups, refused, pendingBytes } = this.#commit;
    return { appended, groups, refused, pendingBytes, removed: this.#removed, tornBytes: 0 };
  }

  async close(): Promise<void> {
    await this.#commit.close();
    if (this.#db.isOpen) this.#db.close();
  }

  #write(group: Group): number {
    const { next: first, lastTime } = this.#extent;
    const time = Math.max(this.#host.wallTime(), lastTime);
    let { next, bytes } = this.#extent;
    this.#transaction(() => {
      for (const records of group.appends) {
        for (const data of records) {
          this.#statements.insert.run(next, time, checksum(data, next), data);
          next += 1;
          bytes += data.length + ROW_BYTES;
        }
      }
    });
    this.#extent = { ...this.#extent, next, bytes, lastTime: time };
    return first;
  }

  #transaction(work: () => void): void {
    this.#statements.begin.run();
    try {
      work();
      this.#statements.commit.run();
    } catch (error) {
      // SQLite has rolled back by itself after some errors.
      if (this.#db.isTransaction) this.#statements.rollback.run();
      if (!(error instanceof Error && 'errcode' in error && error.errcode === SQLITE_FULL)) throw error;
      throw new MagError(
        'MAG_LOG_FULL',
        { folder: this.#path, cause: describeError(error) },
        { cause: error },
      );
    }
  }
}
