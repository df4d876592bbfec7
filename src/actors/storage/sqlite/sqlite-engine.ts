import { DatabaseError, MagError } from '../../../errors.ts';
import { LIMITS } from '../../../limits.ts';
import type { Query } from '../../../protocol/query.ts';
import { type Host, sleep } from '../../../runtime/host.ts';
import type { Log } from '../../../runtime/log.ts';
import type {
  Engine,
  ExecuteContext,
  IdempotencyClaim,
  QueryResult,
  SchemaSnapshot,
  ScriptTransaction,
  SqlResult,
  Transaction,
} from '../engine.ts';
import { type QueryShape, queryShape } from '../sql/query-shape.ts';
import type {
  Lane,
  RunStorage,
  StorageClient,
  StorageReply,
  StorageRequest,
  StorageRunOptions,
} from '../storage-process/storage-request.ts';
import { withinInlineBounds } from './inline-rule.ts';
import type { LocalTransaction } from './local-transaction.ts';
import { decodeSchema } from './schema-codec.ts';
import { isBusy, isStaleSchema, isTooBig, toPublicError } from './sqlite-errors.ts';
import type { SqliteSchema } from './sqlite-schema.ts';
import { SqliteSession } from './sqlite-session.ts';
import { onlyReads, splitStatements } from './statement-splitter.ts';
import { runScripts, runTransaction, type TransactionOptions } from './transaction.ts';
import { WalMonitor } from './wal-monitor.ts';

export interface SqliteEngineOptions {
  /** Path of the project's database; it must exist. */
  readonly file: string;
  readonly host: Host;
  readonly log: Log;
  readonly storage: StorageClient;
}

/** Where statements of this engine ran, and how often writes met a lock. */
export interface SqliteEngineCounters {
  inline: number;
  process: number;
  busy: number;
  checkpoints: number;
}

/** Longest statement this thread looks into; splitting a script of megabytes would hold it up. */
const LANE_LOOK = 4_096;

/** A lane taken wrongly costs only waiting: SQLite's own lock decides. */
const sqlLane = (statement: string): Lane =>
  statement.length <= LANE_LOOK && onlyReads(splitStatements(statement)) ? 'read' : 'write';

/** Between two tries for the write lock. */
const LOCK_PAUSE_MS = 1;
/** Between two tries to open the file. */
const OPEN_PAUSE_MS = 5;

const ignore = (): void => {};

const timedOut = (): DatabaseError =>
  new DatabaseError('57014', 'canceling statement due to statement timeout');

class SqliteEngine implements Engine {
  readonly kind = 'sqlite';
  readonly counters: SqliteEngineCounters = { inline: 0, process: 0, busy: 0, checkpoints: 0 };
  readonly #options: SqliteEngineOptions;
  readonly #host: Host;
  readonly #session: SqliteSession;
  /** Ends when nobody is trying again for the write lock. */
  #lockTurn: Promise<void> = Promise.resolve();
  readonly #wal: WalMonitor;
  /** Whether this turn of the event loop has asked for the schema's version already. */
  #schemaIsFresh = false;
  /** Whether the schema is small enough for this thread to read. */
  #fits: boolean | null = null;
  /** The last schema whose views are described too. */
  #described: SqliteSchema | null = null;
  #checkpointing = false;
  /** Claims of idempotency keys. */
  #claims = 0;
  /** Aborted by close(): statements in storage processes end with the session. */
  readonly #closing = new AbortController();

  constructor(options: SqliteEngineOptions) {
    this.#options = options;
    this.#host = options.host;
    this.#session = new SqliteSession({
      file: options.file,
      busyTimeout: 0,
      checkpointPages: 0,
      valueBytes: LIMITS.inlineValueBytes,
      inlineOnly: true,
    });
    this.#wal = new WalMonitor(options.file);
  }

  execute(query: Query, context: ExecuteContext): Promise<QueryResult> {
    try {
      const refused = this.#refusal(context);
      if (refused !== null) return Promise.reject(refused);
      if (context.rollback === true && query.kind !== 'select')
        return this.transaction((transaction) => transaction.execute(query), context);
      const shape = queryShape(query);
      const result = this.#inline(query, shape, context);
      return result === null ? this.#inProcess(query, context) : Promise.resolve(result);
    } catch (error) {
      if (isBusy(error)) return this.#retry(query, context);
      return Promise.reject(toPublicError(error, this.#session.connection.confinement.refusal));
    }
  }

  async sql(statement: string, params: readonly unknown[], context: ExecuteContext): Promise<SqlResult> {
    const refused = this.#refusal(context);
    if (refused !== null) throw refused;
    const lane = sqlLane(statement);
    const { file } = this.#options;
    const busyMs = this.#busyMs(context);
    const reply = await this.#run({ op: 'sql', file, statement, params, busyMs }, lane, context);
    return { json: reply.body, rowCount: reply.rowCount, command: reply.command };
  }

  transaction<Result>(
    work: (transaction: Transaction) => Promise<Result>,
    context: ExecuteContext,
  ): Promise<Result> {
    return this.#hold(context, (options, run) => runTransaction(options, run, work));
  }

  scripts<Result>(
    work: (transaction: ScriptTransaction) => Promise<Result>,
    context: ExecuteContext,
  ): Promise<Result> {
    return this.#hold(context, (options, run) => runScripts(options, run, work));
  }

  /** In a storage process, which holds the write lock from begin to end: what an edge thread holds, it waits for. */
  async #hold<Result>(
    context: ExecuteContext,
    work: (options: TransactionOptions, run: RunStorage) => Promise<Result>,
  ): Promise<Result> {
    const refused = this.#refusal(context);
    if (refused !== null) throw refused;
    this.counters.process += 1;
    const { file, storage } = this.#options;
    const options = {
      ...{ file, role: context.principal.role, busyMs: this.#busyMs(context) },
      ...{ keep: context.rollback !== true, trims: () => this.#trims() },
    };
    try {
      return await storage.hold(this.#runOptions('write', context), (run) => work(options, run));
    } finally {
      this.#schemaIsFresh = false;
      this.#wrote(context);
    }
  }

  /** On this thread, where the write may run here and nobody else is writing. */
  executeOnce(
    query: Query,
    claim: IdempotencyClaim,
    settle: (result: QueryResult) => string,
    context: ExecuteContext,
  ): ReturnType<LocalTransaction['once']> {
    const refused = this.#refusal(context);
    if (refused !== null) throw refused;
    if (context.rollback === true || this.#trimsNext()) return null;
    try {
      const done = this.#session.transaction.once(
        claim,
        () => this.#inline(query, queryShape(query), context),
        settle,
      );
      if (done !== null) this.#claims += 1;
      return done;
    } catch (error) {
      // A transaction, in a process, waits for the lock and holds long values.
      if (isBusy(error) || isTooBig(error)) return null;
      throw toPublicError(error, this.#session.connection.confinement.refusal);
    }
  }

  #trimsNext(): boolean {
    return (this.#claims + 1) % LIMITS.idempotencyTrimEvery === 0;
  }

  /** With every so many claims, in a process. */
  #trims(): boolean {
    const trims = this.#trimsNext();
    this.#claims += 1;
    return trims;
  }

  async schema(context: ExecuteContext): Promise<SchemaSnapshot> {
    const refused = this.#refusal(context);
    if (refused !== null) throw refused;
    try {
      const known = this.#knownSchema();
      if (known !== null) return known;
    } catch (error) {
      if (!isBusy(error) && !isTooBig(error)) throw toPublicError(error);
    }
    const { file } = this.#options;
    const busyMs = this.#busyMs(context);
    const { body } = await this.#run({ op: 'schema', file, busyMs }, 'read', context);
    this.#described = decodeSchema(body);
    return this.#described;
  }

  /** The schema as this thread knows it, or null where a storage process must describe its views first. */
  #knownSchema(): SchemaSnapshot | null {
    this.#refresh();
    if (this.#described?.version === this.#session.schemaVersion()) return this.#described;
    this.#described = null;
    if (!this.#schemaFits()) return null;
    const schema = this.#session.schema();
    if (![...schema.tables.values()].every((table) => table.described)) return null;
    this.#described = schema;
    return schema;
  }

  close(): Promise<void> {
    if (this.#closing.signal.aborted) return Promise.resolve();
    this.#closing.abort();
    this.#wal.close();
    this.#session.close();
    return Promise.resolve();
  }

  #refusal(context: ExecuteContext): MagError | DatabaseError | null {
    if (this.#closing.signal.aborted)
      return new MagError('MAG_COMPONENT_UNAVAILABLE', { name: 'this database session' });
    if (context.signal?.aborted === true)
      return new DatabaseError('57014', 'canceling statement due to user request');
    return context.deadline <= this.#host.now() ? timedOut() : null;
  }

  /**
   * Runs the query on this thread where that is bounded; null where it belongs into a storage process. A plan whose
   * table changed under it is made again, once.
   */
  #inline(query: Query, shape: QueryShape, context: ExecuteContext): QueryResult | null {
    let result: QueryResult | null;
    try {
      this.#refresh();
      if (!this.#schemaFits()) return null;
      result = this.#planned(query, shape, context);
    } catch (error) {
      if (isTooBig(error)) return null;
      throw error;
    }
    if (result === null) return null;
    this.counters.inline += 1;
    if (query.kind !== 'select') this.#wrote(context);
    return result;
  }

  #planned(query: Query, shape: QueryShape, context: ExecuteContext): QueryResult | null {
    try {
      return this.#runHere(query, shape, context);
    } catch (error) {
      if (!isStaleSchema(error)) throw error;
      this.#session.forgetSchema();
      return this.#runHere(query, shape, context);
    }
  }

  #runHere(query: Query, shape: QueryShape, context: ExecuteContext): QueryResult | null {
    const plan = this.#session.plan(query, shape);
    if (plan === null || plan.heavy || !withinInlineBounds(plan.verdict, query)) return null;
    const { role } = context.principal;
    return this.#session.run(query, shape, plan, { byteBudget: LIMITS.inlineResultBytes, role });
  }

  /** A change of schema is seen by the first statement of each turn: what a client was told of precedes its next request. */
  #refresh(): void {
    if (this.#schemaIsFresh) return;
    this.#schemaIsFresh = true;
    this.#host.defer(() => {
      this.#schemaIsFresh = false;
    });
    if (this.#session.refreshSchema()) this.#fits = null;
  }

  #schemaFits(): boolean {
    this.#fits ??= this.#session.schemaObjects() <= LIMITS.inlineSchemaObjects;
    return this.#fits;
  }

  /** Another connection writes: tries again in later turns for a moment, then queues at the project's single writer. */
  #retry(query: Query, context: ExecuteContext): Promise<QueryResult> {
    this.counters.busy += 1;
    const until = Math.min(this.#host.now() + LIMITS.busyRetryMs, context.deadline);
    // One at a time: each try of each that waits would take processor time from whoever holds the lock.
    const turn = this.#lockTurn.then(() => this.#tryAgain(query, context, until));
    this.#lockTurn = turn.then(ignore, ignore);
    return turn;
  }

  async #tryAgain(query: Query, context: ExecuteContext, until: number): Promise<QueryResult> {
    // The holder is mostly done within the turn; if it is not, it was put aside and needs the processor.
    for (let pause = 0; this.#host.now() < until; pause = LOCK_PAUSE_MS) {
      await new Promise<void>((resolve) =>
        pause === 0 ? this.#host.defer(resolve) : void this.#host.setTimer(pause, resolve),
      );
      const refused = this.#refusal(context);
      if (refused !== null) throw refused;
      try {
        const result = this.#inline(query, queryShape(query), context);
        if (result !== null) return result;
        break;
      } catch (error) {
        if (!isBusy(error)) throw toPublicError(error, this.#session.connection.confinement.refusal);
      }
    }
    return this.#inProcess(query, context);
  }

  async #inProcess(query: Query, context: ExecuteContext): Promise<QueryResult> {
    const lane: Lane = query.kind === 'select' ? 'read' : 'write';
    const { file } = this.#options;
    const busyMs = this.#busyMs(context);
    const { role } = context.principal;
    const reply = await this.#run({ op: 'query', file, query, role, busyMs }, lane, context);
    const { rowCount, total, totalKind, body } = reply;
    return { json: body, rowCount, total, totalKind };
  }

  /** A storage process may block for the lock until the deadline: that is what it is for. */
  #busyMs(context: ExecuteContext): number {
    return Math.max(0, Math.round(context.deadline - this.#host.now()));
  }

  async #run(request: StorageRequest, lane: Lane, context: ExecuteContext): Promise<StorageReply> {
    this.counters.process += 1;
    try {
      return await this.#options.storage.run(request, this.#runOptions(lane, context));
    } catch (error) {
      throw toPublicError(error);
    } finally {
      // It may have been DDL, and whoever waited for it may ask in this very turn.
      this.#schemaIsFresh = false;
    }
  }

  #runOptions(lane: Lane, { tenant: ref, deadline, signal }: ExecuteContext): StorageRunOptions {
    const closing = this.#closing.signal;
    return {
      ref,
      lane,
      deadline,
      signal: signal === undefined ? closing : AbortSignal.any([signal, closing]),
    };
  }

  #wrote(context: ExecuteContext): void {
    if (!this.#wal.wrote() || this.#checkpointing) return;
    this.#checkpointing = true;
    this.counters.checkpoints += 1;
    const deadline = this.#host.now() + LIMITS.statementTimeoutMs;
    const { file, storage, log } = this.#options;
    storage
      .run({ op: 'checkpoint', file }, { ref: context.tenant, lane: 'write', deadline })
      .catch((error: unknown) =>
        log.warn({ ref: context.tenant, error }, 'checkpoint failed; the next one catches up'),
      )
      .finally(() => {
        this.#checkpointing = false;
      });
  }
}

/**
 * Opens a session on a project's SQLite database. Bounded statements run on this thread, all others in storage
 * processes. While somebody has the file for himself (the first to open it after a crash reads its whole WAL, the last
 * to close it moves it into the database), it is tried again in later turns. Rejects with DatabaseError where the file
 * cannot be opened.
 */
export async function openSqliteEngine(
  options: SqliteEngineOptions,
): Promise<Engine & { readonly counters: SqliteEngineCounters }> {
  const { host } = options;
  const until = host.now() + LIMITS.poolWaitMs;
  for (;;) {
    try {
      return new SqliteEngine(options);
    } catch (error) {
      if (!isBusy(error) || host.now() >= until) throw toPublicError(error);
    }
    await sleep(host, OPEN_PAUSE_MS);
  }
}
