import { DOCUMENT_LIMITS } from '../../../limits-documents.ts';
import type { Host, Timer } from '../../../runtime/host.ts';
import type { DocumentDatabase, Holder, Snapshot } from './document-database.ts';
import { DocumentError } from './document-error.ts';
import type { Operation } from './operation.ts';

/** A transaction of a session; it holds its database from its first command on. */
export class Transaction implements Holder {
  readonly what = 'a transaction';
  readonly number: bigint;
  readonly #host: Host;
  readonly #timer: Timer;
  #orphaned: Timer | null = null;
  #state: 'open' | 'committed' | 'aborted' = 'open';
  #database: DocumentDatabase | null = null;
  /** The command that runs in it. */
  #running: Operation | null = null;
  #failed = false;
  #snapshot: Snapshot | null = null;
  #snapshotOf: DocumentDatabase | null = null;

  constructor(host: Host, number: bigint) {
    this.#host = host;
    this.number = number;
    // One whose client went away would keep everybody from writing.
    this.#timer = host.setTimer(DOCUMENT_LIMITS.transactionMs, () => {
      this.#running?.kill('its transaction expired');
      this.abort();
    });
  }

  /** Its connection is gone: it is undone, unless its client goes on with it on another one. */
  orphan(): void {
    if (this.#state !== 'open') return;
    this.#running?.kill('the client disconnected');
    this.#orphaned ??= this.#host.setTimer(DOCUMENT_LIMITS.orphanMs, () => this.abort());
  }

  /** A connection goes on with it. */
  adopt(): void {
    if (this.#orphaned !== null) this.#host.clearTimer(this.#orphaned);
    this.#orphaned = null;
  }

  get state(): 'open' | 'committed' | 'aborted' {
    return this.#state;
  }

  /** What its reads see while it is not the writer. */
  get snapshot(): Snapshot | null {
    return this.#snapshot;
  }

  /**
   * Makes the transaction the database's writer, which it stays to its end. Where another one is that for long, a read
   * goes on with a snapshot; a write after it conflicts where anything was committed since. Throws WriteConflict.
   */
  async enter(database: DocumentDatabase, operation: Operation, mode: 'read' | 'write'): Promise<void> {
    this.#running = operation;
    if (this.#database === database || (mode === 'read' && this.#snapshotOf === database)) return;
    if (this.#database !== null || (this.#snapshotOf !== null && this.#snapshotOf !== database))
      throw new DocumentError('OperationNotSupportedInTransaction', 'a transaction stays in one database');
    if (mode === 'read' && !(await this.#tryAcquire(database, operation))) {
      this.#requireOpen();
      this.#snapshot = database.snapshot();
      this.#snapshotOf = database;
      return;
    }
    if (mode === 'write') await database.acquire(this, operation);
    this.#takeOver(database);
  }

  /** The database is ours to write, unless the transaction ended or was overtaken while it waited. */
  #takeOver(database: DocumentDatabase): void {
    const isStale = this.#snapshot !== null && this.#snapshot.commits !== database.commits;
    if (this.#state !== 'open' || isStale) {
      database.rollback(this);
      this.#requireOpen();
      throw new DocumentError(
        'WriteConflict',
        'Write conflict: another transaction was committed since this one read',
        {
          labels: ['TransientTransactionError'],
        },
      );
    }
    this.#closeSnapshot();
    this.#database = database;
  }

  async #tryAcquire(database: DocumentDatabase, operation: Operation): Promise<boolean> {
    try {
      await database.acquire(this, operation, DOCUMENT_LIMITS.snapshotWaitMs);
      return true;
    } catch (error) {
      if (error instanceof DocumentError && error.codeName === 'WriteConflict') return false;
      throw error;
    }
  }

  #requireOpen(): void {
    if (this.#state !== 'open') throw noSuchTransaction(this.number);
  }

  #closeSnapshot(): void {
    this.#snapshot?.file.close();
    this.#snapshot = null;
    this.#snapshotOf = null;
  }

  leave(): void {
    this.#running = null;
    if (this.#failed) this.abort();
  }

  /** Something in it failed: it ends with the command. */
  fail(): void {
    this.#failed = true;
  }

  /** Idempotent, as a commit that is asked for again after its reply was lost must be. */
  commit(): void {
    if (this.#state === 'committed') return;
    if (this.#state === 'aborted') throw noSuchTransaction(this.number);
    this.#host.clearTimer(this.#timer);
    this.adopt();
    this.#closeSnapshot();
    try {
      this.#database?.commit(this);
      this.#state = 'committed';
    } catch (error) {
      this.#state = 'aborted';
      throw error;
    }
  }

  /** Idempotent. */
  abort(): void {
    if (this.#state !== 'open') return;
    this.#host.clearTimer(this.#timer);
    this.adopt();
    this.#state = 'aborted';
    this.#closeSnapshot();
    this.#database?.rollback(this);
  }
}

export const noSuchTransaction = (number: bigint): DocumentError =>
  new DocumentError(
    'NoSuchTransaction',
    `Given transaction number ${number} does not match any in-progress transactions`,
    {
      labels: ['TransientTransactionError'],
    },
  );

/** The last transaction of each session. */
export class Transactions {
  readonly #host: Host;
  /** Least recently begun first. */
  readonly #sessions = new Map<string, Transaction>();

  constructor(host: Host) {
    this.#host = host;
  }

  /** Begins a transaction; one of the session that is still open is undone. Throws TransactionTooOld. */
  begin(session: string, number: bigint): Transaction {
    const last = this.#sessions.get(session);
    if (
      last !== undefined &&
      number <= last.number &&
      !(number === last.number && last.state === 'aborted')
    ) {
      throw new DocumentError('TransactionTooOld', `Transaction ${number} is older than ${last.number}`);
    }
    last?.abort();
    this.#sessions.delete(session);
    const transaction = new Transaction(this.#host, number);
    this.#sessions.set(session, transaction);
    this.#forgetOldest();
    return transaction;
  }

  /** The transaction of a later command. Throws NoSuchTransaction. */
  find(session: string, number: bigint): Transaction {
    const found = this.#sessions.get(session);
    if (found?.number !== number) throw noSuchTransaction(number);
    return found;
  }

  /** A session ended: what it had open is undone. */
  end(session: string): void {
    this.#sessions.get(session)?.abort();
    this.#sessions.delete(session);
  }

  close(): void {
    for (const transaction of this.#sessions.values()) transaction.abort();
    this.#sessions.clear();
  }

  #forgetOldest(): void {
    for (const [session, transaction] of this.#sessions) {
      if (this.#sessions.size <= DOCUMENT_LIMITS.sessions) return;
      transaction.abort();
      this.#sessions.delete(session);
    }
  }
}
