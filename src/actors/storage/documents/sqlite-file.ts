import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite';
import { LIMITS } from '../../../limits.ts';
import { DOCUMENT_LIMITS } from '../../../limits-documents.ts';

export type SqliteRow = readonly unknown[];

/** A connection to a database of ours, with its prepared statements. All of its SQL is the server's own. */
export class SqliteFile {
  readonly #database: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();

  /** @param mode `reader`: sees what is committed while another connection writes. */
  constructor(file: string, mode: 'writer' | 'reader') {
    this.#database = new DatabaseSync(file, { timeout: DOCUMENT_LIMITS.busyMs });
    if (mode === 'writer') {
      this.#database.exec(
        `PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA wal_autocheckpoint = ${LIMITS.checkpointPages}`,
      );
    } else this.#database.exec('PRAGMA query_only = 1');
  }

  exec(sql: string): void {
    this.#database.exec(sql);
  }

  run(
    sql: string,
    ...values: readonly SQLInputValue[]
  ): { readonly changes: number; readonly rowid: number } {
    const { changes, lastInsertRowid } = this.#statement(sql).run(...values);
    return { changes: Number(changes), rowid: Number(lastInsertRowid) };
  }

  get(sql: string, ...values: readonly SQLInputValue[]): SqliteRow | undefined {
    const row: unknown = this.#statement(sql).get(...values);
    return Array.isArray(row) ? row : undefined;
  }

  all(sql: string, ...values: readonly SQLInputValue[]): readonly SqliteRow[] {
    return this.#statement(sql).all(...values) as unknown as readonly SqliteRow[]; // setReturnArrays makes arrays of rows
  }

  /** Rows one by one. The statement belongs to the caller until the iterator is done or returned. */
  *walk(sql: string, ...values: readonly SQLInputValue[]): IterableIterator<SqliteRow> {
    const rows: Iterable<unknown> = this.#statement(sql).iterate(...values);
    for (const row of rows) yield row as SqliteRow; // as in all()
  }

  /** Statements of a table that is gone would keep it from being dropped. */
  forgetStatements(): void {
    this.#statements.clear();
  }

  close(): void {
    this.#statements.clear();
    if (this.#database.isOpen) this.#database.close();
  }

  #statement(sql: string): StatementSync {
    const known = this.#statements.get(sql);
    if (known !== undefined) return known;
    if (this.#statements.size >= LIMITS.planCacheEntries) this.#statements.clear();
    const statement = this.#database.prepare(sql);
    statement.setReturnArrays(true);
    this.#statements.set(sql, statement);
    return statement;
  }
}

/** Bytes of a blob column without a copy. */
export const blob = (value: unknown): Buffer =>
  value instanceof Uint8Array
    ? Buffer.from(value.buffer, value.byteOffset, value.byteLength)
    : Buffer.alloc(0);
