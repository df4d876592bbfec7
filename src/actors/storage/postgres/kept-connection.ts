import { isDeepStrictEqual } from 'node:util';
import { LIMITS } from '../../../limits.ts';
import type { Host, Timer } from '../../../runtime/host.ts';
import { PgConnection, type PostgresTarget } from './connection.ts';

/**
 * A connection that stays open for a while after its use: PostgreSQL takes as long to open one as to do the most of what
 * an administrator wants. Used by one at a time; who comes meanwhile gets one of its own.
 */
export class KeptConnection {
  readonly #host: Host;
  #kept: PgConnection | null = null;
  #timer: Timer | null = null;
  #closed = false;

  constructor(host: Host) {
    this.#host = host;
  }

  /** Rejects with the driver's error, or as `work` does: then the connection is not used again. */
  async use<Result>(
    target: PostgresTarget,
    work: (connection: PgConnection) => Promise<Result>,
  ): Promise<Result> {
    const connection = this.#take(target) ?? (await PgConnection.open(target));
    let result: Result;
    try {
      result = await work(connection);
    } catch (error) {
      void connection.end();
      throw error;
    }
    this.#keep(connection);
    return result;
  }

  /** Nothing is kept any more. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#drop();
  }

  #take(target: PostgresTarget): PgConnection | null {
    const kept = this.#kept;
    if (kept === null) return null;
    this.#release();
    if (isDeepStrictEqual(kept.target, target) && !kept.closed) return kept;
    // The server came back elsewhere.
    void kept.end();
    return null;
  }

  #keep(connection: PgConnection): void {
    if (this.#closed || this.#kept !== null || connection.closed || connection.inTransaction) {
      void connection.end();
      return;
    }
    this.#kept = connection;
    this.#timer = this.#host.setTimer(LIMITS.poolIdleMs, () => void this.#drop());
  }

  async #drop(): Promise<void> {
    const kept = this.#kept;
    this.#release();
    await kept?.end();
  }

  #release(): void {
    if (this.#timer !== null) this.#host.clearTimer(this.#timer);
    this.#timer = null;
    this.#kept = null;
  }
}
