import { DOCUMENT_LIMITS } from '../../../limits-documents.ts';
import type { Access, Range } from './access.ts';
import { type CollectionInfo, entriesOf, tableOf } from './catalog.ts';
import type { Stored } from './collection.ts';
import type { Operation } from './operation.ts';
import { blob, type SqliteFile } from './sqlite-file.ts';

const FIRST_RID = -1;

/**
 * Documents that an access finds, a slice at a time: between two slices nothing of SQLite is held open, so that a walk
 * over a large collection keeps neither other commands nor a checkpoint waiting.
 */
export class Candidates {
  readonly #collection: CollectionInfo;
  readonly #access: Access;
  /** Where the next slice begins: a place among the keys or ranges, and in the range the last key and document. */
  #part = 0;
  #key: Buffer | null = null;
  #rid = FIRST_RID;
  #done = false;
  /** Documents that came up already, where one may do so twice. */
  readonly #seen: Set<number> | null;

  constructor(collection: CollectionInfo, access: Access) {
    this.#collection = collection;
    this.#access = access;
    const twice = access.kind === 'index' && (access.index.multikey || access.ranges.length > 1);
    this.#seen = twice ? new Set() : null;
  }

  get done(): boolean {
    return this.#done;
  }

  /** The next documents; an empty list where this slice found none, and `done` says whether there are more. */
  next(file: SqliteFile, operation: Operation, most: number = DOCUMENT_LIMITS.sliceRows): readonly Stored[] {
    const found: Stored[] = [];
    let bytes = 0;
    const full = (): boolean =>
      found.length >= Math.min(most, DOCUMENT_LIMITS.sliceRows) ||
      bytes >= DOCUMENT_LIMITS.sliceBytes ||
      operation.isSliceOver;
    try {
      for (const [rid, doc] of this.#rows(file)) {
        const stored = { rid: Number(rid), bytes: blob(doc) };
        if (this.#isNew(stored.rid)) {
          found.push(stored);
          bytes += stored.bytes.length;
        }
        if (full()) return found;
      }
    } catch (error) {
      // Another command dropped it, or made it in a transaction that this connection does not see yet.
      if (!isMissingTable(error)) throw error;
    }
    this.#done = true;
    return found;
  }

  #isNew(rid: number): boolean {
    if (this.#seen === null) return true;
    if (this.#seen.has(rid)) return false;
    this.#seen.add(rid);
    return true;
  }

  *#rows(file: SqliteFile): IterableIterator<readonly unknown[]> {
    const access = this.#access;
    const table = tableOf(this.#collection);
    switch (access.kind) {
      case 'keys':
        for (; this.#part < access.keys.length; ) {
          const key = access.keys[this.#part] ?? Buffer.alloc(0);
          this.#part += 1;
          const row = file.get(`SELECT rid, doc FROM ${table} WHERE key = ?`, key);
          if (row !== undefined) yield row;
        }
        return;
      case 'scan':
        for (const row of file.walk(`SELECT rid, doc FROM ${table} WHERE rid > ? ORDER BY rid`, this.#rid)) {
          this.#rid = Number(row[0]);
          yield row;
        }
        return;
      case 'key_range':
        yield* this.#keyRange(file, table, access.range, access.descending);
        return;
      default:
        for (; this.#part < access.ranges.length; this.#part += 1) {
          const range = access.ranges[this.#part];
          if (range !== undefined)
            yield* this.#indexRange(file, table, entriesOf(access.index), range, access.descending);
          this.#key = null;
          this.#rid = FIRST_RID;
        }
    }
  }

  *#keyRange(
    file: SqliteFile,
    table: string,
    range: Range,
    descending: boolean,
  ): IterableIterator<readonly unknown[]> {
    const { from, to } = range;
    const sql = descending
      ? `SELECT rid, doc, key FROM ${table} WHERE key >= ? AND key < ? ORDER BY key DESC`
      : `SELECT rid, doc, key FROM ${table} WHERE key ${this.#key === null ? '>=' : '>'} ? AND key < ? ORDER BY key`;
    const last = this.#key;
    const rows = descending ? file.walk(sql, from, last ?? to) : file.walk(sql, last ?? from, to);
    for (const row of rows) {
      this.#key = blob(row[2]);
      yield row;
    }
  }

  *#indexRange(
    file: SqliteFile,
    table: string,
    entries: string,
    range: Range,
    descending: boolean,
  ): IterableIterator<readonly unknown[]> {
    const order = descending ? 'DESC' : 'ASC';
    const beyond = descending ? '<' : '>';
    const resumed = this.#key === null ? '' : ` AND (x.key, x.rid) ${beyond} (?, ?)`;
    const sql = `SELECT c.rid, c.doc, x.key FROM ${entries} x CROSS JOIN ${table} c ON c.rid = x.rid
      WHERE x.key >= ? AND x.key < ?${resumed} ORDER BY x.key ${order}, x.rid ${order}`;
    const place = this.#key === null ? [] : [this.#key, this.#rid];
    for (const row of file.walk(sql, range.from, range.to, ...place)) {
      this.#key = blob(row[2]);
      this.#rid = Number(row[0]);
      yield row;
    }
  }
}

const isMissingTable = (error: unknown): boolean =>
  error instanceof Error && /no such table/.test(error.message);
