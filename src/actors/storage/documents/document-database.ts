import { existsSync, rmSync } from 'node:fs';
import { DOCUMENT_LIMITS } from '../../../limits-documents.ts';
import { Catalog, type CollectionInfo } from './catalog.ts';
import type { WriteTarget } from './collection.ts';
import { DocumentError } from './document-error.ts';
import type { Operation } from './operation.ts';
import { SqliteFile } from './sqlite-file.ts';

/** Who may write to a database: a transaction, or one command. */
export interface Holder {
  /** For messages. */
  readonly what: string;
}

/** What was committed at one moment, for the reads of a transaction that is not the writer. */
export interface Snapshot {
  readonly file: SqliteFile;
  readonly collections: ReadonlyMap<string, CollectionInfo>;
  /** How many commits came before it. */
  readonly commits: number;
}

interface Waiter {
  readonly holder: Holder;
  readonly granted: () => void;
}

/**
 * One project's database: an SQLite file with one writer at a time. A transaction holds it from its first command to
 * its end; reads of others meanwhile see what was committed before, on a connection of their own.
 */
export class DocumentDatabase {
  readonly name: string;
  readonly #path: string;
  readonly #writer: SqliteFile;
  readonly catalog: Catalog;
  #reader: SqliteFile | null = null;
  #committed: ReadonlyMap<string, CollectionInfo> = new Map();
  #holder: Holder | null = null;
  readonly #waiting: Waiter[] = [];
  /** Commits so far. */
  commits = 0;
  /** Commands that use it: it must not be closed under them. */
  uses = 0;

  constructor(name: string, path: string) {
    this.name = name;
    this.#path = path;
    this.#writer = new SqliteFile(path, 'writer');
    this.catalog = new Catalog(this.#writer);
  }

  get idle(): boolean {
    return this.uses === 0 && this.#holder === null;
  }

  isHeldBy(holder: Holder): boolean {
    return this.#holder === holder;
  }

  /** The connection for a read: the writer's own while nobody else changes anything on it. */
  readable(holder: Holder | null): SqliteFile {
    if (this.#holder === null || this.#holder === holder) return this.#writer;
    this.#reader ??= new SqliteFile(this.#path, 'reader');
    return this.#reader;
  }

  /** The collections that a read sees: those that were committed while somebody else changes them. */
  visible(holder: Holder | null): ReadonlyMap<string, CollectionInfo> {
    return this.#holder === null || this.#holder === holder ? this.catalog.collections : this.#committed;
  }

  /** Makes `holder` the one writer, and begins. Rejects with LockTimeout, MaxTimeMSExpired or Interrupted. */
  async acquire(
    holder: Holder,
    operation: Operation,
    mostMs: number = DOCUMENT_LIMITS.lockMs,
  ): Promise<void> {
    if (this.#holder !== null) await this.#wait(holder, operation, mostMs);
    this.#holder = holder;
    try {
      this.#writer.run('BEGIN IMMEDIATE');
      this.#committed = this.catalog.collections;
    } catch (error) {
      this.#free();
      throw error;
    }
  }

  /** A connection that keeps seeing what is committed now. Its owner closes it. */
  snapshot(): Snapshot {
    const file = new SqliteFile(this.#path, 'reader');
    file.run('BEGIN');
    // The first read decides what the others see.
    file.get('SELECT count(*) FROM _collections');
    return { file, collections: this.visible(null), commits: this.commits };
  }

  commit(holder: Holder): void {
    this.#requireHolder(holder);
    try {
      this.#writer.run('COMMIT');
      this.commits += 1;
    } catch (error) {
      this.rollback(holder);
      throw error;
    }
    this.#free();
  }

  rollback(holder: Holder): void {
    this.#requireHolder(holder);
    // A statement that ran out of disk has rolled back by itself.
    try {
      this.#writer.run('ROLLBACK');
    } catch (error) {
      if (!(error instanceof Error && error.message.includes('no transaction is active'))) throw error;
    } finally {
      this.#writer.forgetStatements();
      this.catalog.reload();
      this.#free();
    }
  }

  /** The writing connection of whoever holds the database. */
  writable(holder: Holder): SqliteFile {
    this.#requireHolder(holder);
    return this.#writer;
  }

  target(holder: Holder, collection: CollectionInfo): WriteTarget {
    const namespace = `${this.name}.${collection.name}`;
    return { file: this.writable(holder), catalog: this.catalog, namespace, collection };
  }

  close(): void {
    this.#reader?.close();
    this.#writer.close();
  }

  /** Closes it and removes its files. */
  remove(): void {
    this.close();
    removeFiles(this.#path);
  }

  async #wait(holder: Holder, operation: Operation, mostMs: number): Promise<void> {
    if (this.#waiting.length >= DOCUMENT_LIMITS.lockWaiters)
      throw new DocumentError('LockTimeout', 'too many commands wait for this database', RETRY);
    const { promise, resolve } = Promise.withResolvers<void>();
    const waiter: Waiter = { holder, granted: resolve };
    this.#waiting.push(waiter);
    try {
      await operation.orEnd(promise, mostMs, () => this.#lockTimeout());
    } catch (error) {
      const at = this.#waiting.indexOf(waiter);
      if (at >= 0) this.#waiting.splice(at, 1);
      // Granted in the same turn in which it gave up: the next one has it.
      else if (this.#holder === holder) this.#free();
      throw error;
    }
  }

  #lockTimeout(): DocumentError {
    const message = `Unable to acquire lock within ${DOCUMENT_LIMITS.lockMs}ms: held by ${this.#holder?.what ?? 'nobody'}`;
    return new DocumentError('WriteConflict', message, RETRY);
  }

  #free(): void {
    const next = this.#waiting.shift();
    this.#holder = next?.holder ?? null;
    next?.granted();
  }

  #requireHolder(holder: Holder): void {
    if (this.#holder !== holder) throw new Error('the database is held by somebody else');
  }
}

/** Drivers begin the whole transaction anew on this label. */
const RETRY = { labels: ['TransientTransactionError'] };

export function removeFiles(path: string): void {
  for (const suffix of ['', '-wal', '-shm', '-journal'])
    if (existsSync(path + suffix)) rmSync(path + suffix, { force: true });
}
