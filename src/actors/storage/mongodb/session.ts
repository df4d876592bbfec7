import type { Document } from 'bson';
import { type ClientSession, type Db, MongoClient } from 'mongodb';
import { DatabaseError, MagError } from '../../../errors.ts';
import { LIMITS } from '../../../limits.ts';
import type { Connection } from '../../../protocol/project.ts';
import type { Host } from '../../../runtime/host.ts';
import type { Log } from '../../../runtime/log.ts';
import type { ExecuteContext } from '../engine.ts';
import type { Permits } from '../permits.ts';
import { isConnectionLost, isRefused, isTransient, publicError, serverError } from './failures.ts';
import { PermitSlots } from './permit-slots.ts';

export type MongodbConnection = Extract<Connection, { engine: 'mongodb' }>;

export interface SessionOptions {
  readonly connection: MongodbConnection;
  /** Project reference: the key of its permits. */
  readonly ref: string;
  readonly host: Host;
  readonly log: Log;
  readonly permits: Permits;
  /** Told (at most once a second) that the server is unreachable or refuses the user: a SQLSTATE, or `unreachable`. */
  readonly onLost?: (why: string) => void;
}

export type Budget = Pick<ExecuteContext, 'deadline' | 'signal'>;

/** Runs commands on one database. */
interface DatabaseCommands {
  run(command: Document): Promise<Document>;
}

/** Runs commands of one request, inside its transaction where it has one. */
export interface Commands extends DatabaseCommands {
  /** The same where the board's own records are. */
  readonly records: DatabaseCommands;
}

/** SQLSTATE of a server that knows another password. */
const WRONG_PASSWORD = '28P01';
/** Beyond every deadline: a socket that is silent for longer is dead. */
const SILENT_MS = LIMITS.statementTimeoutMs + 10_000;
/** How often a transaction that met another one is begun anew, at most. */
const TRANSACTION_TRIES = 20;

function openClient({ url, database, user, password }: MongodbConnection): MongoClient {
  return new MongoClient(url, {
    auth: { username: user, password },
    authSource: database,
    authMechanism: 'SCRAM-SHA-256',
    appName: 'magmobo',
    maxPoolSize: LIMITS.poolConnections,
    maxIdleTimeMS: LIMITS.poolIdleMs,
    serverSelectionTimeoutMS: LIMITS.poolWaitMs,
    connectTimeoutMS: LIMITS.poolWaitMs,
    socketTimeoutMS: SILENT_MS,
    serverMonitoringMode: 'poll',
    // A write whose reply was lost is the client's to repeat, under its idempotency key.
    retryWrites: false,
    ignoreUndefined: true,
    bsonRegExp: true,
  });
}

/** A project's driver, and the commands that run on it, each within its budget and a permit. */
export class MongodbSession {
  readonly #options: SessionOptions;
  readonly #client: MongoClient;
  readonly #database: Db;
  readonly #records: Db;
  readonly #slots: PermitSlots;
  #lostAt = Number.NEGATIVE_INFINITY;
  #closed = false;
  readonly #closing = new AbortController();

  constructor(options: SessionOptions) {
    this.#options = options;
    const { connection, ref, host, permits } = options;
    this.#client = openClient(connection);
    this.#database = this.#client.db(connection.database);
    this.#records = this.#client.db(connection.records ?? connection.database);
    this.#slots = new PermitSlots({ key: ref, host, permits });
  }

  /** Runs commands one after the other, outside a transaction. */
  async withCommands<Result>(budget: Budget, work: (commands: Commands) => Promise<Result>): Promise<Result> {
    await this.#take(budget);
    try {
      return await work(this.#commands(budget, null));
    } finally {
      this.#slots.give();
    }
  }

  /**
   * All or nothing: committed at its end, or with `rollback` undone. Where it met another transaction it is begun anew,
   * and 40001 told after that.
   */
  async withTransaction<Result>(
    budget: Budget & Pick<ExecuteContext, 'rollback'>,
    work: (commands: Commands) => Promise<Result>,
  ): Promise<Result> {
    await this.#take(budget);
    try {
      for (let attempt = 1; ; attempt += 1) {
        try {
          return await this.#attempt(budget, budget.rollback === true, work);
        } catch (error) {
          if (!isTransient(error) || attempt >= TRANSACTION_TRIES || this.#isLate(budget))
            throw publicError(error);
        }
      }
    } finally {
      this.#slots.give();
    }
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#slots.close();
    const { host } = this.#options;
    const patience = host.now() + LIMITS.sessionCloseMs;
    // What was accepted may finish: a session also closes because its project's settings changed.
    while (this.#slots.used > 0 && host.now() < patience)
      await new Promise<void>((resolve) => void host.setTimer(LIMITS.statementSweepMs, resolve));
    this.#closing.abort();
    await this.#client.close(true).catch(() => {}); // Whatever it was, its sockets are gone.
  }

  async #attempt<Result>(
    budget: Budget,
    undo: boolean,
    work: (commands: Commands) => Promise<Result>,
  ): Promise<Result> {
    const session = this.#client.startSession();
    try {
      session.startTransaction();
      const result = await work(this.#commands(budget, session));
      if (undo) await session.abortTransaction();
      else await session.commitTransaction();
      return result;
    } catch (error) {
      this.#noticeLoss(error);
      throw error;
    } finally {
      // Undoes what is still open.
      await session.endSession().catch(() => {}); // What failed has said so, and the server forgets the rest by itself.
    }
  }

  #commands(budget: Budget, session: ClientSession | null): Commands {
    const on = (database: Db): DatabaseCommands => ({
      run: (command) => this.#run(command, budget, session, database),
    });
    return { ...on(this.#database), records: on(this.#records) };
  }

  async #run(
    command: Document,
    budget: Budget,
    session: ClientSession | null,
    database: Db,
  ): Promise<Document> {
    this.#refuseLate(budget);
    const left = Math.max(1, Math.floor(budget.deadline - this.#options.host.now()));
    const { signal } = budget;
    const limited = 'getMore' in command ? command : { ...command, maxTimeMS: left };
    try {
      const reply = await database.command(limited, {
        ...(session === null ? {} : { session }),
        ...(signal === undefined ? {} : { signal }),
      });
      requireWritten(reply);
      return reply;
    } catch (error) {
      this.#noticeLoss(error);
      if (this.#closing.signal.aborted) throw sessionClosed();
      // A transaction has yet to see what the driver says of it.
      if (session !== null && isTransient(error)) throw error;
      throw publicError(error);
    }
  }

  #isLate({ deadline, signal }: Budget): boolean {
    return signal?.aborted === true || deadline <= this.#options.host.now();
  }

  #refuseLate(budget: Budget): void {
    if (this.#closed && this.#closing.signal.aborted) throw sessionClosed();
    if (budget.signal?.aborted === true) throw new DatabaseError('57014', 'The client went away');
    if (this.#isLate(budget))
      throw new DatabaseError('57014', 'canceling statement due to statement timeout');
  }

  async #take(budget: Budget): Promise<void> {
    if (this.#closed) throw sessionClosed();
    this.#refuseLate(budget);
    if (!this.#slots.takeNow()) await this.#slots.take(budget.deadline);
    try {
      this.#refuseLate(budget);
    } catch (error) {
      this.#slots.give();
      throw error;
    }
  }

  #noticeLoss(error: unknown): void {
    const refused = isRefused(error);
    if (!refused && !isConnectionLost(error)) return;
    const now = this.#options.host.now();
    if (this.#closed || now - this.#lostAt < LIMITS.schemaCheckMs) return;
    this.#lostAt = now;
    const why = refused ? WRONG_PASSWORD : 'unreachable';
    this.#options.log.warn({ ref: this.#options.ref, why }, 'a connection to MongoDB was lost or refused');
    this.#options.onLost?.(why);
  }
}

const sessionClosed = (): MagError => new MagError('MAG_COMPONENT_UNAVAILABLE', { name: 'database session' });

/** A write command succeeds as a command where its statements failed: what went wrong is in its reply. */
function requireWritten(reply: Document): void {
  const { writeErrors, writeConcernError } = reply;
  const [first] = Array.isArray(writeErrors) ? writeErrors : [];
  const failed = (first ?? writeConcernError) as Document | undefined; // the protocol's own shape
  if (failed === undefined) return;
  throw serverError(Number(failed['code']), String(failed['errmsg']), failed);
}
