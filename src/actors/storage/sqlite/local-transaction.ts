import type { StatementSync } from 'node:sqlite';
import { DatabaseError } from '../../../errors.ts';
import type { IdempotencyClaim, IdempotencyRecord, QueryResult } from '../engine.ts';
import type { TenantConnection } from './connection.ts';
import { SqliteIdempotency } from './idempotency.ts';

/** Undoes a transaction that is to leave nothing. */
const NOTHING_DONE = new Error('nothing done');

/** The transactions of one connection, one at a time. Synchronous. Throws node:sqlite's own errors. */
export class LocalTransaction {
  readonly #connection: TenantConnection;
  /** Of the transaction that is open. */
  readonly idempotency: SqliteIdempotency;
  /** Of transactions that only read; made when there is the first one. */
  #reads: { readonly begin: StatementSync; readonly end: StatementSync } | null = null;
  /** Between begin and commit or rollback. */
  #begun = false;

  constructor(connection: TenantConnection) {
    this.#connection = connection;
    this.idempotency = new SqliteIdempotency(connection);
  }

  /** A trigger's RAISE(ROLLBACK) ends the transaction; what came next would be committed by itself. */
  requireOpen(): void {
    if (this.#begun && !this.#connection.database.isTransaction)
      throw new DatabaseError('25P02', 'the transaction was rolled back by an earlier operation');
  }

  /** Runs the work in a transaction of its own, or inside the one that is open as a part that can be undone alone. */
  atomically<Result>(work: () => Result): Result {
    const { database } = this.#connection;
    this.#connection.confinement.begin();
    // Inside a transaction only this write is undone; the transaction is its caller's to end.
    const nested = database.isTransaction;
    database.exec(nested ? 'SAVEPOINT write' : 'BEGIN IMMEDIATE');
    try {
      const result = work();
      database.exec(nested ? 'RELEASE write' : 'COMMIT');
      return result;
    } catch (error) {
      // SQLite may have rolled back by itself (a full disk does that).
      if (database.isTransaction) database.exec(nested ? 'ROLLBACK TO write; RELEASE write' : 'ROLLBACK');
      throw error;
    }
  }

  /** Several reads of one state of the database, whoever writes meanwhile. */
  reading<Result>(work: () => Result): Result {
    const { database, confinement } = this.#connection;
    if (database.isTransaction) return work();
    if (this.#reads === null) {
      confinement.begin();
      this.#reads = { begin: database.prepare('BEGIN'), end: database.prepare('COMMIT') };
    }
    const { begin, end } = this.#reads;
    begin.run();
    try {
      return work();
    } finally {
      end.run();
    }
  }

  /**
   * A write and its idempotency record in one transaction, the record as `settle` makes it of the result. Null, and
   * nothing done, where `write` gives null.
   */
  once(
    claim: IdempotencyClaim,
    write: () => QueryResult | null,
    settle: (result: QueryResult) => string,
  ): { readonly known: IdempotencyRecord } | { readonly result: QueryResult } | null {
    try {
      return this.atomically(() => {
        const known = this.idempotency.claim(claim, false);
        if (known !== null) return { known };
        const result = write();
        if (result === null) throw NOTHING_DONE;
        this.idempotency.settle(claim.key, settle(result));
        return { result };
      });
    } catch (error) {
      if (error === NOTHING_DONE) return null;
      throw error;
    }
  }

  /** Begins a transaction with the write lock; what an earlier caller left open is undone first. */
  begin(): void {
    this.rollback();
    this.#connection.confinement.begin();
    this.#connection.database.exec('BEGIN IMMEDIATE');
    this.#begun = true;
  }

  /** Throws where SQLite has undone the transaction by itself: then nothing of it is there. */
  commit(): void {
    this.#connection.database.exec('COMMIT');
    this.#begun = false;
  }

  rollback(): void {
    const { database } = this.#connection;
    this.#begun = false;
    if (database.isTransaction) database.exec('ROLLBACK');
  }
}
