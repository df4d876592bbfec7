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
import { PgConnection, type PostgresTarget } from './connection.ts';
import {
  isConnectionLost,
  isNoRoom,
  isRefused,
  isServerError,
  isUnreachable,
  publicError,
} from './failures.ts';
import { TextStatement, type WireStatement } from './wire.ts';

export interface SessionOptions {
  readonly target: PostgresTarget;
  /** Project reference. */
  readonly key: string;
  readonly host: Host;
  readonly log: Log;
  readonly permits: Permits;
  /** The server cannot be reached, or refuses the project's role; at most once a second. */
  readonly onLost?: (why: string) => void;
  readonly readmit?: Readmit;
}

/** Runs a statement inside a transaction; `began` is told how to cancel it. */
export type RunStatement = (statement: WireStatement, began?: (cancel: () => void) => void) => Promise<void>;

export type Budget = Pick<ExecuteContext, 'deadline' | 'signal'>;

/** SQLSTATEs of a role that may not be assumed, or is not there. */
export const ROLE_REFUSED: ReadonlySet<string> = new Set(['42501', '22023']);

/**
 * The zone of a request is set beside its role; one that there is not, or that counts leap seconds, is the client's
 * mistake, and says nothing of roles.
 */
const isZone = ({ message }: Error): boolean =>
  message.includes('TimeZone') || message.startsWith('time zone ');

/** A project's connections and the statements that run on them, each within its budget. */
export class PostgresSession {
  readonly #options: SessionOptions;
  readonly #pool: ConnectionPool<PgConnection>;
  readonly #watch: StatementWatch<PgConnection>;
  #target: PostgresTarget;
  readonly #readmission: Readmission;
  #lostAt = Number.NEGATIVE_INFINITY;

  constructor(options: SessionOptions) {
    this.#options = options;
    this.#target = options.target;
    const { key, host, permits, readmit } = options;
    this.#readmission = new Readmission(host, readmit);
    this.#watch = new StatementWatch(host, (connection) => this.#terminate(connection));
    this.#pool = new ConnectionPool({
      ...{ engine: 'postgres', key, host, permits, isNoRoom },
      connect: (timeoutMs) => this.#connect(timeoutMs),
    });
  }

  /** Connections opened from now on go there; those at the old address end by themselves. */
  retarget(target: PostgresTarget): void {
    this.#target = target;
  }

  /**
   * Runs a statement of the grammar on any connection, prepared under its name.
   * @param began told how to cancel it. Rejects with the server's own error, or one of the registry's.
   */
  async run(statement: WireStatement, budget: Budget, began?: (cancel: () => void) => void): Promise<void> {
    const connection = await this.#take(false, budget);
    connection.native = false;
    try {
      if (connection.prepared > LIMITS.planCacheEntries) await deallocate(connection);
      await this.#watched(connection, statement, budget, began);
    } catch (error) {
      // One name gone may mean all, or that one alone: both ends begin anew.
      if (isServerError(error) && error.code === '26000')
        await deallocate(connection).catch(() => connection.destroy());
      throw error;
    } finally {
      this.#pool.give(connection);
    }
  }

  /**
   * Runs a tenant's own SQL, then wipes the connection's state (settings, temporary tables, locks, listens, role)
   * before anybody else gets it. `after` runs on the clean connection, for what the reply still needs; where it
   * fails, the reply goes without.
   */
  async runNative(
    statement: WireStatement,
    budget: Budget,
    began: (cancel: () => void) => void,
    after: (connection: PgConnection) => Promise<void>,
  ): Promise<void> {
    const connection = await this.#take(true, budget);
    let rollback = true;
    try {
      // A function of the tenant's that a query of the grammar called may have left a role or a setting behind.
      if (!connection.native) await this.#watched(connection, new TextStatement(RESET), budget);
      connection.native = true;
      await this.#watched(connection, statement, budget, began);
      rollback = connection.inTransaction;
    } finally {
      // Before the reply: the caller's next statement must not meet a lock of this one.
      await this.#clean(connection, rollback, after);
    }
    if (rollback) {
      const why = 'it left a transaction open, which was rolled back; send BEGIN and COMMIT in one request';
      throw new MagError('MAG_STATEMENT_FORBIDDEN', { why });
    }
  }

  /** A tenant's own SQL in one transaction, as `transaction` runs it; wiped afterwards as `runNative` does. */
  async scripts<Result>(
    budget: Budget,
    work: (run: RunStatement, connection: PgConnection) => Promise<Result>,
  ): Promise<Result> {
    const connection = await this.#take(true, budget);
    const run: RunStatement = (statement, began) => this.#watched(connection, statement, budget, began);
    try {
      if (!connection.native) await run(new TextStatement(RESET));
      connection.native = true;
      await run(new TextStatement('BEGIN'));
      const result = await work(run, connection);
      await commit(run);
      return result;
    } finally {
      await this.#clean(connection, !connection.closed && connection.inTransaction, async () => {});
    }
  }

  /**
   * Runs `work` in a transaction on a connection of its own, committed when it resolves (unless it is to be rolled
   * back) and rolled back when it rejects. Rejects with what it rejects with, or as `run` does.
   */
  async transaction<Result>(
    budget: Budget & Pick<ExecuteContext, 'rollback'>,
    work: (run: RunStatement) => Promise<Result>,
  ): Promise<Result> {
    const connection = await this.#take(false, budget);
    connection.native = false;
    const run: RunStatement = (statement, began) => this.#watched(connection, statement, budget, began);
    try {
      if (connection.prepared > LIMITS.planCacheEntries) await deallocate(connection);
      await run(new TextStatement('BEGIN'));
      const result = await work(run);
      if (budget.rollback === true) return result;
      await commit(run);
      return result;
    } catch (error) {
      if (isServerError(error) && error.code === '26000') connection.forgetPrepared();
      throw error;
    } finally {
      await this.#endTransaction(connection);
    }
  }

  /** Gives the connection back without a transaction. */
  async #endTransaction(connection: PgConnection): Promise<void> {
    if (!connection.closed && !connection.poisoned && connection.inTransaction) {
      const running = this.#watch.begin(connection, this.#options.host.now() + LIMITS.cancelGraceMs);
      try {
        await connection.rows('ROLLBACK');
      } catch {
        connection.destroy(); // The server rolls back what its client left.
      } finally {
        this.#watch.end(running);
      }
    }
    this.#pool.give(connection);
  }

  /** Runs the board's own catalogue queries on a connection of the project. */
  async withConnection<Result>(run: (connection: PgConnection) => Promise<Result>): Promise<Result> {
    const deadline = this.#options.host.now() + LIMITS.statementTimeoutMs;
    const connection = this.#pool.take(false) ?? (await this.#pool.wait(deadline));
    const running = this.#watch.begin(connection, deadline);
    try {
      return await run(connection);
    } catch (error) {
      throw publicError(error);
    } finally {
      this.#watch.end(running);
      this.#pool.give(connection);
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
  async #take(native: boolean, budget: Budget): Promise<PgConnection> {
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

  async #watched(
    connection: PgConnection,
    statement: WireStatement,
    { deadline, signal }: Budget,
    began?: (cancel: () => void) => void,
  ): Promise<void> {
    const started = this.#options.host.now();
    const running = this.#watch.begin(connection, deadline);
    const abort = (): void => this.#watch.cancel(running, 'aborted');
    signal?.addEventListener('abort', abort, { once: true });
    began?.(() => this.#watch.cancel(running, 'too_large'));
    try {
      await connection.run(statement);
    } catch (error) {
      throw this.#failure(
        statement.failedFirst ? this.#unassumed(error) : error,
        running,
        deadline - started,
      );
    } finally {
      this.#watch.end(running);
      signal?.removeEventListener('abort', abort);
    }
  }

  /** Why a statement failed: our own cancellation says more than the server's words for it. */
  #failure(error: unknown, running: Running<PgConnection>, budget: number): unknown {
    const ended = !isServerError(error) || error.code === '57014' || error.code.startsWith('57P');
    if (running.cancelled !== null && ended) {
      if (running.cancelled === 'aborted') return clientGone(error);
      if (running.cancelled === 'too_large')
        return new MagError('MAG_RESULT_TOO_LARGE', { limit: resultLimit }, { cause: error });
      return tooLate(budget, error);
    }
    if (isConnectionLost(error)) {
      // The server says goodbye before it closes the socket; nothing may run on it in between.
      running.connection.destroy();
      this.#lost(error);
      // At once: inside a transaction nobody else could tell it from a failure of the work itself.
      return publicError(error);
    }
    return error;
  }

  /** The project's role may no longer become the request's: like a wrong password, that is set anew. */
  #unassumed(error: unknown): unknown {
    if (!isServerError(error) || !ROLE_REFUSED.has(error.code) || isZone(error)) return error;
    this.#lost(error);
    const why = 'its roles are being set up anew';
    return new MagError('MAG_ENGINE_UNAVAILABLE', { engine: 'postgres', why }, { cause: error });
  }

  async #connect(timeoutMs: number): Promise<PgConnection> {
    try {
      return await this.#readmission.open(() => PgConnection.open(this.#target, timeoutMs), isRefused);
    } catch (error) {
      this.#lost(error);
      throw isUnreachable(error)
        ? new EngineUnreachable('postgres', 'it takes no connections right now', error)
        : publicError(error);
    }
  }

  #lost(error: unknown): void {
    const now = this.#options.host.now();
    // No room is no loss: whoever opened the session anew would only ask for more.
    if (isNoRoom(error)) return;
    if (now - this.#lostAt < LIMITS.schemaCheckMs) return;
    this.#lostAt = now;
    const why = isServerError(error) ? error.code : 'unreachable';
    this.#options.log.warn({ ref: this.#options.key, why }, 'a connection to PostgreSQL was lost or refused');
    this.#options.onLost?.(why);
  }

  async #clean(
    connection: PgConnection,
    rollback: boolean,
    after: (connection: PgConnection) => Promise<void>,
  ): Promise<void> {
    if (connection.closed || connection.poisoned) {
      this.#pool.give(connection);
      return;
    }
    const running = this.#watch.begin(connection, this.#options.host.now() + LIMITS.cancelGraceMs);
    try {
      if (rollback) await connection.rows('ROLLBACK');
      await connection.rows('DISCARD ALL');
      connection.forgetPrepared();
      await after(connection);
    } catch {
      connection.destroy(); // Not clean is not usable; whatever it was, the next one is new.
    } finally {
      this.#watch.end(running);
      this.#pool.give(connection);
    }
  }

  /** For SQL that catches its own cancellation: the role may end its own backends. Outside the permits, and short. */
  #terminate(connection: PgConnection): void {
    const { pid } = connection;
    connection.destroy();
    PgConnection.open(this.#target)
      .then(async (own) => {
        try {
          await own.rows('SELECT pg_catalog.pg_terminate_backend($1)', [String(pid)]);
        } finally {
          await own.end();
        }
      })
      .catch((error: unknown) =>
        this.#options.log.warn(
          { ref: this.#options.key, pid, error: String(error) },
          'a backend could not be ended',
        ),
      );
  }
}

/** The server answers ROLLBACK where an operation failed and its failure was not passed on. */
async function commit(run: RunStatement): Promise<void> {
  const end = new TextStatement('COMMIT');
  await run(end);
  if (end.command === 'ROLLBACK') throw new DatabaseError('25P02', 'The transaction was rolled back');
}

/** Prepared statements stay: RESET ALL leaves the role as it is. */
const RESET = 'RESET ROLE; RESET ALL';

const clientGone = (cause?: unknown): DatabaseError =>
  new DatabaseError('57014', 'The client went away', { cause });

/** PostgreSQL's own code for it, which clients know from `statement_timeout`. */
const tooLate = (budget: number, cause?: unknown): DatabaseError =>
  new DatabaseError('57014', `The statement ran longer than ${Math.round(budget)} ms and was cancelled`, {
    cause,
  });

export const resultLimit = `${LIMITS.maxRows} rows or ${LIMITS.resultBytes / 1024 / 1024} MiB`;

async function deallocate(connection: PgConnection): Promise<void> {
  try {
    await connection.rows('DEALLOCATE ALL');
  } catch (error) {
    throw publicError(error);
  }
  connection.forgetPrepared();
}
