import { Long } from 'bson';
import { DOCUMENT_LIMITS } from '../../../limits-documents.ts';
import type { Host } from '../../../runtime/host.ts';
import { DocumentError } from './document-error.ts';
import type { Results } from './results.ts';
import type { Transaction } from './transactions.ts';

export interface OpenCursor {
  readonly id: bigint;
  readonly namespace: string;
  /** Name of the user and its database. */
  readonly owner: string;
  readonly results: Results;
  readonly transaction: Transaction | null;
  /** A getMore runs on it. */
  busy: boolean;
  usedAt: number;
}

/** Results that clients have not read to their end; those that nobody reads are closed. */
export class Cursors {
  readonly #host: Host;
  /** Least recently used first. */
  readonly #open = new Map<bigint, OpenCursor>();

  constructor(host: Host) {
    this.#host = host;
  }

  add(cursor: Pick<OpenCursor, 'namespace' | 'owner' | 'results' | 'transaction'>): Long {
    this.#expire();
    let mine = 0;
    for (const { owner } of this.#open.values()) if (owner === cursor.owner) mine += 1;
    if (mine >= DOCUMENT_LIMITS.cursors)
      throw new DocumentError('ExceededMemoryLimit', `more than ${DOCUMENT_LIMITS.cursors} open cursors`);
    const random = Buffer.from(this.#host.randomBytes(8)).readBigUInt64LE();
    // Positive and never 0, which means that there is no more.
    const id = (random >> 1n) | 1n;
    this.#open.set(id, { ...cursor, id, busy: false, usedAt: this.#host.now() });
    return Long.fromBigInt(id);
  }

  /** Throws CursorNotFound, also for a cursor of somebody else. */
  find(id: bigint, owner: string): OpenCursor {
    const cursor = this.#open.get(id);
    if (cursor === undefined || cursor.owner !== owner || cursor.busy)
      throw new DocumentError('CursorNotFound', `cursor id ${id} not found`);
    cursor.usedAt = this.#host.now();
    this.#open.delete(id);
    this.#open.set(id, cursor);
    return cursor;
  }

  close(id: bigint, owner: string): boolean {
    return this.#open.get(id)?.owner === owner && this.#open.delete(id);
  }

  #expire(): void {
    const limit = this.#host.now() - DOCUMENT_LIMITS.cursorMs;
    for (const [id, cursor] of this.#open) {
      if (cursor.usedAt > limit) return;
      if (!cursor.busy) this.#open.delete(id);
    }
  }
}
