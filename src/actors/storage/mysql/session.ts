import { DatabaseError, MagError } from '../../../errors.ts';
import { LIMITS } from '../../../limits.ts';
import type { Host } from '../../../runtime/host.ts';
import type { Log } from '../../../runtime/log.ts';
import { ConnectionPool, type PoolStats } from '../connection-pool.ts';
import type { ExecuteContext } from '../engine.ts';
import { EngineUnreachable } from '../engine-unreachable.ts';
import type { Permits } from '../permits.ts';
import { Readmission, type Readmit } from '../readmission.ts';
import { type Running, StatementWatch } from '../statement-watch.ts';
import { MysqlConnection, type MysqlTarget, type RowSink } from './connection.ts';
import type { Header } from './driver.ts';
import {
  connectError,
  isConnectionLost,
  isNoRoom,
  isRefused,
  isUnreachable,
  publicError,
  whyLost,
} from './failures.ts';
import type { Bound } from './statement.ts';

export interface SessionOptions {
  readonly target: MysqlTarget;
  /** Project reference. */
  readonly key: string;
  readonly host: Host;
  readonly log: Log;
  readonly permits: Permits;
  /** The server cannot be reached, or refuses the project's user; at most once a second. */
  readonly onLost?: (why: string) => void;
  readonly readmit?: Readmit;
}

export type Budget = Pick<ExecuteContext, 'deadline' | 'signal'>;

/** Runs one statement within the budget of the whole; a sink that refuses more rows throws. */
export type Run = (
  statement: Bound,
  sink?: RowSink,
  how?: 'prepare' | 'once' | 'text',
) => Promise<Header | null>;

/** A connection for as long as one request has it. */
export interface Work {
  readonly run: Run;
  readonly connection: MysqlConnection;
  /** Ends what runs here; it rejects with MAG_RESULT_TOO_LARGE. */
  readonly tooLarge: () => void;
}

/** A project's connections and the statements that run on them, each within its budget. */
export class MysqlSession {
  readonly #options: SessionOptions;
  readonly #pool: ConnectionPool<MysqlConnection>;
  readonly #watch: StatementWatch<MysqlConnection>;
  readonly #readmission: Readmission;
  #lostAt = Number.NEGATIVE_INFINITY;

  constructor(options: SessionOptions) {
    this.#options = options;
    const { key, host, permits, readmit } = options;
    this.#readmission = new Readmission(host, readmit);
    this.#watch = new StatementWatch(host, (connection) => terminate(connection));
    this.#pool = new ConnectionPool({
      ...{ engine: 'mysql', key, host, permits, isNoRoom },
      connect: (timeoutMs) => this.#connect(timeoutMs),
    });
  }

  /** Does work of the grammar on any connection. Rejects with the server's own error, or one of the registry's. */
  async work<Result>(budget: Budget, work: (work: Work) => Promise<Result>): Promise<Result> {
    const connection = await this.#take(false, budget);
    try {
      return await this.#watched(connection, budget, work);
    } finally {
      this.#pool.give(connection);
    }
  }

  /** The same in one transaction: committed when the work is done, undone where it fails or `undo` says so. */
  transaction<Result>(
    budget: Budget,
    work: (work: Work) => Promise<Result>,
    undo: (result: Result) => boolean = () => false,
  ): Promise<Result> {
    return this.work(budget, async (held) => {
      await held.run(START);
      try {
        const result = await work(held);
        await held.run(undo(result) ? ROLLBACK : COMMIT);
        return result;
      } catch (error) {
        // A connection that is gone takes its transaction with it.
        if (!held.connection.closed && !held.connection.poisoned)
          await held.connection.run(ROLLBACK).catch(() => held.connection.destroy());
        throw error;
      }
    });
  }

  /** A tenant's own SQL in one transaction, as `transaction` runs it; wiped afterwards as `native` does. */
  scripts<Result>(budget: Budget, work: (work: Work) => Promise<Result>): Promise<Result> {
    // What is not committed goes with the wiping of the connection.
    return this.native(budget, async (held) => {
      await held.run(START, undefined, 'text');
      const result = await work(held);
      await held.run(COMMIT, undefined, 'text');
      return result;
    });
  }

  /** Runs a tenant's own SQL, then wipes the connection's state before anybody else gets it. */
  async native<Result>(budget: Budget, work: (work: Work) => Promise<Result>): Promise<Result> {
    const connection = await this.#take(true, budget);
    connection.native = true;
    try {
      return await this.#watched(connection, budget, work);
    } finally {
      // Before the reply: the caller's next statement must not meet a lock of this one.
      await this.#clean(connection);
    }
  }

  /** Runs the board's own catalogue queries on a connection of the project. */
  async withConnection<Result>(run: (connection: MysqlConnection) => Promise<Result>): Promise<Result> {
    const deadline = this.#options.host.now() + LIMITS.statementTimeoutMs;
    try {
      return await this.work({ deadline }, ({ connection }) => run(connection));
    } catch (error) {
      throw publicError(error);
    }
  }

  stats(): PoolStats {
    return this.#pool.stats();
  }

  async close(): Promise<void> {
    await this.#pool.close();
    this.#watch.close();
  }

  /** A connection for a budget that is not used up; while it waited, the client may have gone. */
  async #take(native: boolean, budget: Budget): Promise<MysqlConnection> {
    this.#refuseLate(budget);
    const connection = this.#pool.take(native) ?? (await this.#pool.wait(budget.deadline));
    try {
      this.#refuseLate(budget);
    } catch (error) {
      this.#pool.give(connection);
      throw error;
    }
    return connection;
  }

  #refuseLate({ deadline, signal }: Budget): void {
    if (signal?.aborted === true) throw clientGone();
    if (deadline <= this.#options.host.now()) throw tooLate(0);
  }

  async #watched<Result>(
    connection: MysqlConnection,
    { deadline, signal }: Budget,
    work: (work: Work) => Promise<Result>,
  ): Promise<Result> {
    const started = this.#options.host.now();
    const running = this.#watch.begin(connection, deadline);
    const abort = (): void => this.#watch.cancel(running, 'aborted');
    signal?.addEventListener('abort', abort, { once: true });
    const run: Run = async (statement, sink, how = 'prepare') => {
      // Between two statements of a transaction there is nothing that the server could end.
      if (running.cancelled !== null) throw new Error('cancelled');
      try {
        return await connection.run(statement, sink, how);
      } catch (error) {
        if (running.cancelled === null && isConnectionLost(error)) {
          connection.destroy();
          this.#lost(error);
          // At once: inside a transaction nobody else could tell it from a failure of the work itself.
          throw publicError(error);
        }
        throw error;
      }
    };
    const tooLarge = (): void => this.#watch.cancel(running, 'too_large');
    try {
      return await work({ connection, run, tooLarge });
    } catch (error) {
      throw failureOf(error, running.cancelled, deadline - started);
    } finally {
      this.#watch.end(running);
      signal?.removeEventListener('abort', abort);
    }
  }

  async #connect(timeoutMs: number): Promise<MysqlConnection> {
    try {
      return await this.#readmission.open(
        () => MysqlConnection.open(this.#options.target, timeoutMs),
        isRefused,
      );
    } catch (error) {
      this.#lost(error);
      throw isUnreachable(error)
        ? new EngineUnreachable('mysql', 'it takes no connections right now', error)
        : connectError(error);
    }
  }

  #lost(error: unknown): void {
    const now = this.#options.host.now();
    // No room is no loss: whoever opened the session anew would only ask for more.
    if (isNoRoom(error) || now - this.#lostAt < LIMITS.schemaCheckMs) return;
    this.#lostAt = now;
    const why = whyLost(error);
    this.#options.log.warn({ ref: this.#options.key, why }, 'a connection to MySQL was lost or refused');
    this.#options.onLost?.(why);
  }

  async #clean(connection: MysqlConnection): Promise<void> {
    if (connection.closed || connection.poisoned) {
      this.#pool.give(connection);
      return;
    }
    const running = this.#watch.begin(connection, this.#options.host.now() + LIMITS.cancelGraceMs);
    try {
      await connection.reset();
    } catch {
      connection.destroy(); // Not clean is not usable; whatever it was, the next one is new.
    } finally {
      this.#watch.end(running);
      this.#pool.give(connection);
    }
  }
}

/** For a statement that ignores its cancellation. */
function terminate(connection: MysqlConnection): void {
  connection.kill('CONNECTION');
  connection.destroy();
}

/** Why work failed: our own cancellation says more than the server's words for it. */
function failureOf(error: unknown, cancelled: Running['cancelled'], budget: number): unknown {
  if (cancelled === null) return error;
  if (cancelled === 'aborted') return clientGone(error);
  return cancelled === 'too_large'
    ? new MagError('MAG_RESULT_TOO_LARGE', { limit: resultLimit }, { cause: error })
    : tooLate(budget, error);
}

const bare = (sql: string): Bound => ({ sql, values: [] });
export const START = bare('START TRANSACTION');
export const COMMIT = bare('COMMIT');
export const ROLLBACK = bare('ROLLBACK');

const clientGone = (cause?: unknown): DatabaseError =>
  new DatabaseError('57014', 'The client went away', { cause });

/** PostgreSQL's code for it, which clients know. */
const tooLate = (budget: number, cause?: unknown): DatabaseError =>
  new DatabaseError('57014', `The statement ran longer than ${Math.round(budget)} ms and was cancelled`, {
    cause,
  });

export const resultLimit = `${LIMITS.maxRows} rows or ${LIMITS.resultBytes / 1024 / 1024} MiB`;
