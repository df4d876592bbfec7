import { LIMITS } from '../../limits.ts';
import type { Host, Timer } from '../../runtime/host.ts';

/** A connection whose statements are watched. */
export interface WatchedConnection {
  /** Bytes received since it was opened. */
  readonly bytesRead: number;
  cancel(): void;
}

/** A statement under way, and until when. */
export interface Running<Connection extends WatchedConnection = WatchedConnection> {
  readonly connection: Connection;
  /** On the host's monotonic clock. */
  readonly deadline: number;
  /** Bytes the socket had received when it began. */
  readonly bytesBefore: number;
  /** Why it was cancelled; null while it was not. */
  cancelled: 'deadline' | 'aborted' | 'too_large' | null;
  /** When it was cancelled. */
  cancelledAt: number;
  terminated: boolean;
}

/** A reply may be this much larger on the wire than the result's own bound, before its socket is cut. */
const WIRE_SLACK = 2;

/**
 * Holds the statements of one session against their deadlines with a single timer, armed only while any runs. What
 * outlives its deadline is cancelled; what ignores that (SQL can) loses its backend; a reply that floods the socket
 * is cut off.
 */
export class StatementWatch<Connection extends WatchedConnection> {
  readonly #host: Host;
  readonly #terminate: (connection: Connection) => void;
  readonly #running = new Set<Running<Connection>>();
  #timer: Timer | null = null;

  /** @param terminate ends a backend that does not react, and its connection. */
  constructor(host: Host, terminate: (connection: Connection) => void) {
    this.#host = host;
    this.#terminate = terminate;
  }

  begin(connection: Connection, deadline: number): Running<Connection> {
    const running: Running<Connection> = {
      ...{ connection, deadline, bytesBefore: connection.bytesRead },
      ...{ cancelled: null, cancelledAt: 0, terminated: false },
    };
    this.#running.add(running);
    if (this.#timer === null) this.#arm();
    return running;
  }

  end(running: Running<Connection>): void {
    this.#running.delete(running);
  }

  cancel(running: Running<Connection>, why: NonNullable<Running['cancelled']>): void {
    if (running.cancelled !== null || !this.#running.has(running)) return;
    running.cancelled = why;
    running.cancelledAt = this.#host.now();
    running.connection.cancel();
  }

  close(): void {
    if (this.#timer !== null) this.#host.clearTimer(this.#timer);
    this.#timer = null;
    this.#running.clear();
  }

  #arm(): void {
    this.#timer = this.#host.setTimer(LIMITS.statementSweepMs, () => {
      this.#timer = null;
      const now = this.#host.now();
      for (const running of this.#running) this.#look(running, now);
      if (this.#running.size > 0) this.#arm();
    });
  }

  #look(running: Running<Connection>, now: number): void {
    const received = running.connection.bytesRead - running.bytesBefore;
    if (received > LIMITS.resultBytes * WIRE_SLACK && !running.terminated) {
      running.cancelled ??= 'too_large';
      running.terminated = true;
      this.#terminate(running.connection);
    } else if (running.cancelled === null && now >= running.deadline) {
      this.cancel(running, 'deadline');
    } else if (
      running.cancelled !== null &&
      !running.terminated &&
      now - running.cancelledAt > LIMITS.cancelGraceMs
    ) {
      running.terminated = true;
      this.#terminate(running.connection);
    }
  }
}
