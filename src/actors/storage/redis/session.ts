import { DatabaseError, isPublicError, MagError } from '../../../errors.ts';
import { LIMITS } from '../../../limits.ts';
import { REDIS_LIMITS } from '../../../limits-redis.ts';
import type { Host, Timer } from '../../../runtime/host.ts';
import type { Log } from '../../../runtime/log.ts';
import type { ExecuteContext } from '../engine.ts';
import { EngineUnreachable } from '../engine-unreachable.ts';
import type { Permits } from '../permits.ts';
import { type Argument, RedisConnection, type RedisTarget } from './connection.ts';
import { isConnectionLost, isForgotten, publicError } from './failures.ts';

export interface SessionOptions {
  readonly target: RedisTarget;
  /** Project reference: the key of its permits. */
  readonly key: string;
  readonly host: Host;
  readonly log: Log;
  readonly permits: Permits;
  /** The server cannot be reached, or does not know the project; at most once a second. */
  readonly onLost?: (why: string) => void;
}

export type Budget = Pick<ExecuteContext, 'deadline' | 'signal'>;

/** PostgreSQL's code of a refused password, by which the board sets a project's user anew. */
const WRONG_PASSWORD = '28P01';

/** A command on its way, and until when somebody waits for it. */
interface Waiting {
  readonly deadline: number;
  readonly since: number;
  readonly reject: (error: unknown) => void;
}

/** A command that is not sent yet. */
interface Queued {
  readonly waiting: Waiting;
  readonly send: () => void;
}

export interface SessionStats {
  readonly open: number;
  readonly pending: number;
}

/**
 * A project's connection in one worker, opened by the first command and closed when idle or asked back: commands of
 * all requests share it, since the server runs them one after the other anyway.
 */
export class RedisSession {
  readonly #options: SessionOptions;
  readonly #waiting = new Set<Waiting>();
  /** Commands that are sent and not answered; and those that wait until they may be, in their order. */
  #sent = 0;
  #queued: Queued[] = [];
  #connection: RedisConnection | null = null;
  #opening: Promise<RedisConnection> | null = null;
  #sweeper: { readonly timer: Timer; readonly busy: boolean } | null = null;
  /** When the server last said anything, and when this connection was last used. */
  #heardAt = 0;
  #usedAt = 0;
  #recalled = false;
  #closed = false;
  #lostAt = Number.NEGATIVE_INFINITY;
  readonly #leave: () => void;

  constructor(options: SessionOptions) {
    this.#options = options;
    this.#leave = options.permits.join(options.key, {
      idleSince: () => (this.#connection?.closed === false && this.#waiting.size === 0 ? [this.#usedAt] : []),
      recall: (urgency) => {
        this.#recalled ||= urgency === 'next';
        this.#closeIfIdle();
      },
    });
  }

  stats(): SessionStats {
    return { open: this.#connection === null ? 0 : 1, pending: this.#waiting.size };
  }

  /** Runs one command. Rejects with an error of the registry. */
  run(budget: Budget, command: string, args: readonly Argument[]): Promise<unknown> {
    const connection = this.#connection;
    const late = this.#refusal(budget);
    if (late !== null) return Promise.reject(late);
    if (connection !== null && !connection.closed) return this.#send(connection, budget, command, args);
    return this.#connect(budget.deadline).then((opened) => {
      const missed = this.#refusal(budget);
      if (missed !== null) throw missed;
      return this.#send(opened, budget, command, args);
    });
  }

  /** Another turn of the event loop. Rejects at the deadline, or where the client has gone. */
  async rest(budget: Budget): Promise<void> {
    await new Promise<void>((resolve) => this.#options.host.defer(resolve));
    const late = budget.signal?.aborted === true ? clientGone() : this.#refusal(budget);
    if (late !== null) throw late;
  }

  /** Runs work on a connection of its own under another user; also counted by the permits. */
  async apart<Result>(
    target: RedisTarget,
    budget: Budget,
    work: (run: (command: string, args: readonly Argument[]) => Promise<unknown>) => Promise<Result>,
  ): Promise<Result> {
    await this.#lease(budget.deadline);
    let connection: RedisConnection | null = null;
    try {
      const opened = await RedisConnection.open(target, this.#options.host, this.#patience(budget.deadline));
      connection = opened;
      return await work((command, args) => this.#send(opened, budget, command, args));
    } catch (error) {
      throw this.#failure(error);
    } finally {
      connection?.close();
      this.#options.permits.release(this.#options.key, 1);
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#leave();
    await this.#opening?.catch(() => {}); // whoever waited for it was told
    const connection = this.#connection;
    if (connection === null) return;
    if (this.#sweeper?.busy === false) this.#options.host.clearTimer(this.#sweeper.timer);
    // Most commands take less than a millisecond; what is under way may end.
    const { host } = this.#options;
    const until = host.now() + LIMITS.sessionCloseMs;
    while (this.#waiting.size > 0 && host.now() < until) {
      await new Promise<void>((resolve) => void host.setTimer(CLOSE_POLL_MS, resolve));
    }
    connection.close();
    await connection.gone;
  }

  #refusal({ deadline }: Budget): MagError | DatabaseError | null {
    if (this.#closed) return new MagError('MAG_COMPONENT_UNAVAILABLE', { name: 'database session' });
    if (deadline <= this.#options.host.now()) return tooLate(0);
    if (this.#waiting.size >= REDIS_LIMITS.pendingCommands)
      return new MagError('MAG_OVERLOADED', { what: 'too many requests wait for the database' });
    return null;
  }

  #send(
    connection: RedisConnection,
    { deadline }: Budget,
    command: string,
    args: readonly Argument[],
  ): Promise<unknown> {
    const { host } = this.#options;
    const since = host.now();
    this.#usedAt = since;
    return new Promise((resolve, reject) => {
      const waiting: Waiting = { deadline, since, reject };
      this.#waiting.add(waiting);
      this.#sweepSoon();
      const send = (): void => {
        this.#sent += 1;
        connection.run(command, args).then(
          (reply) => {
            this.#heardAt = host.now();
            this.#settled(waiting);
            resolve(reply);
          },
          (error: unknown) => {
            if (!isConnectionLost(error)) this.#heardAt = host.now();
            this.#settled(waiting);
            reject(this.#failure(error));
          },
        );
      };
      if (this.#sent < REDIS_LIMITS.sentCommands) send();
      else this.#queued.push({ waiting, send });
    });
  }

  #settled(waiting: Waiting): void {
    this.#waiting.delete(waiting);
    this.#sent -= 1;
    while (this.#sent < REDIS_LIMITS.sentCommands) {
      const next = this.#queued.shift();
      if (next === undefined) break;
      // One whose deadline has passed was told so.
      if (this.#waiting.has(next.waiting)) next.send();
    }
    if (this.#recalled) this.#closeIfIdle();
  }

  #connect(deadline: number): Promise<RedisConnection> {
    this.#opening ??= this.#open(deadline).finally(() => {
      this.#opening = null;
    });
    return this.#opening;
  }

  async #open(deadline: number): Promise<RedisConnection> {
    const { host, target } = this.#options;
    await this.#lease(deadline);
    try {
      const connection = await RedisConnection.open(target, host, this.#patience(deadline));
      this.#connection = connection;
      this.#heardAt = host.now();
      this.#usedAt = this.#heardAt;
      void connection.gone.then(() => this.#left(connection));
      return connection;
    } catch (error) {
      this.#options.permits.release(this.#options.key, 1);
      const failure = this.#failure(error);
      throw isConnectionLost(error)
        ? new EngineUnreachable('redis', 'Redis cannot be reached', error)
        : failure;
    }
  }

  #patience = (deadline: number): number =>
    Math.max(1, Math.min(LIMITS.poolWaitMs, deadline - this.#options.host.now()));

  async #lease(deadline: number): Promise<void> {
    const { key, permits } = this.#options;
    const patience = this.#patience(deadline);
    let granted: number;
    try {
      granted = await permits.lease(key, 1, patience);
    } catch (error) {
      if (isPublicError(error)) throw error;
      throw new MagError('MAG_COMPONENT_UNAVAILABLE', { name: 'connection permits' }, { cause: error });
    }
    if (granted === 0) throw new MagError('MAG_POOL_TIMEOUT', { ref: key, ms: Math.round(patience) });
  }

  #left(connection: RedisConnection): void {
    this.#options.permits.release(this.#options.key, 1);
    if (this.#connection !== connection) return;
    this.#connection = null;
    this.#recalled = false;
  }

  #closeIfIdle(): void {
    // One that is being opened serves what waits for it first.
    if (this.#waiting.size > 0 || this.#connection === null) return;
    this.#connection.close();
  }

  #failure(error: unknown): Error {
    if (isForgotten(error)) this.#lost(WRONG_PASSWORD);
    else if (isConnectionLost(error)) this.#lost('unreachable');
    return publicError(error);
  }

  #lost(why: string): void {
    const now = this.#options.host.now();
    if (this.#closed || now - this.#lostAt < LIMITS.schemaCheckMs) return;
    this.#lostAt = now;
    this.#options.log.warn({ ref: this.#options.key, why }, 'a connection to Redis was lost or refused');
    this.#options.onLost?.(why);
  }

  /** One timer for all commands under way; while there is none, it looks at whether the connection is still needed. */
  #sweepSoon(): void {
    const { host } = this.#options;
    const busy = this.#waiting.size > 0;
    if (this.#sweeper !== null) {
      if (this.#sweeper.busy || !busy) return;
      host.clearTimer(this.#sweeper.timer);
    }
    const timer = host.setTimer(busy ? LIMITS.statementSweepMs : LIMITS.poolIdleMs, () => {
      this.#sweeper = null;
      this.#sweep(host.now());
    });
    this.#sweeper = { timer, busy };
  }

  #sweep(now: number): void {
    let silent = false;
    for (const waiting of this.#waiting) {
      if (waiting.deadline > now) continue;
      this.#waiting.delete(waiting);
      waiting.reject(tooLate(waiting.deadline - waiting.since));
      silent ||= this.#heardAt < waiting.since;
    }
    // A server that said nothing since may be gone without a word: the next command finds out on a new connection.
    if (silent) {
      this.#connection?.close();
      this.#lost('unreachable');
    }
    if (this.#waiting.size === 0 && now - this.#usedAt >= LIMITS.poolIdleMs) this.#closeIfIdle();
    if (this.#connection !== null && !this.#closed) this.#sweepSoon();
  }
}

const CLOSE_POLL_MS = 5;

/** PostgreSQL's own code for it, which clients know from `statement_timeout`. */
export const tooLate = (budget: number): DatabaseError =>
  new DatabaseError('57014', `The command was not answered within ${Math.round(budget)} ms`);

export const clientGone = (): DatabaseError => new DatabaseError('57014', 'The client went away');
