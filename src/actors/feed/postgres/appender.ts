import { LIMITS } from '../../../limits.ts';
import type { SourceEvent } from './decoder.ts';
import type { FeedFile, NewChange } from './feed-file.ts';
import type { Lsn } from './pgoutput.ts';

/**
 * Puts a stream's transactions into the feed file: many small ones under one commit of the file, a long one row by
 * row, and none twice. Pure bookkeeping; the caller says when a turn is over.
 */
export class Appender {
  readonly #file: FeedFile;
  /** Changes of the transaction being received, until it commits or grows too long to hold. */
  #open: NewChange[] | null = null;
  #openBytes = 0;
  #spilled = false;
  #skipping = false;
  /** End of the last transaction that was appended and awaits the file's commit. */
  #ready: Lsn | null = null;

  constructor(file: FeedFile) {
    this.#file = file;
  }

  /** Inside a transaction the position that a keepalive names must not be confirmed. */
  get inTransaction(): boolean {
    return this.#open !== null;
  }

  add(event: SourceEvent): void {
    if (event.kind === 'begin') {
      this.#open = [];
      this.#openBytes = 0;
      // The slot sends again what was not confirmed when the connection broke.
      this.#skipping = event.commitLsn < (this.#ready ?? this.#file.lsn);
      return;
    }
    if (event.kind === 'change') {
      if (this.#skipping || this.#open === null) return;
      this.#open.push(event.change);
      this.#openBytes += event.size;
      const isLong =
        this.#open.length >= LIMITS.feedTransactionRows || this.#openBytes >= LIMITS.feedTailBytes;
      if (this.#spilled || isLong) this.#spill();
      return;
    }
    this.#finish(event.endLsn);
  }

  /** Makes visible what is complete; true where that was anything new. */
  flush(): boolean {
    if (this.#ready === null || this.#spilled) return false;
    const before = this.#file.head;
    this.#file.commit(this.#ready);
    this.#ready = null;
    return this.#file.head > before;
  }

  /** The stream broke: an incomplete transaction will come again. */
  reset(): void {
    if (!this.#spilled) this.flush();
    this.#file.rollback();
    this.#open = null;
    this.#spilled = false;
    this.#skipping = false;
    this.#ready = null;
  }

  #spill(): void {
    // What is complete must not wait for, or fall with, a transaction that is not.
    this.flush();
    this.#spilled = true;
    for (const change of this.#open ?? []) this.#file.append(change);
    this.#open = [];
  }

  #finish(endLsn: Lsn): void {
    const changes = this.#open ?? [];
    this.#open = null;
    this.#spilled = false;
    if (this.#skipping) {
      this.#skipping = false;
      return;
    }
    for (const change of changes) this.#file.append(change);
    this.#ready = endLsn;
  }
}
