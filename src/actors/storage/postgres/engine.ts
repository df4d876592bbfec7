import { MagError } from '../../../errors.ts';
import { LIMITS } from '../../../limits.ts';
import { notOneRow } from '../../../protocol/one-row.ts';
import type { Connection } from '../../../protocol/project.ts';
import type { CallQuery, Query, SelectQuery } from '../../../protocol/query.ts';
import type { Host } from '../../../runtime/host.ts';
import type { Log } from '../../../runtime/log.ts';
import type { PoolStats } from '../connection-pool.ts';
import type {
  Engine,
  ExecuteContext,
  MediaHandler,
  QueryResult,
  Reachable,
  SchemaSnapshot,
  ScriptTransaction,
  SqlResult,
  Transaction,
} from '../engine.ts';
import type { Permits } from '../permits.ts';
import type { Readmit } from '../readmission.ts';
import { SchemaCache } from '../schema-cache.ts';
import { type CallShape, callResult, compileCall } from '../sql/call-postgres.ts';
import { compileQuery, findTable } from '../sql/compiler.ts';
import type { CompiledStatement } from '../sql/dialect.ts';
import { postgresDialect } from '../sql/dialect-postgres.ts';
import { compileMedia, mediaResult, writtenMedia } from '../sql/media-postgres.ts';
import { PlanCache } from '../sql/plan-cache.ts';
import { callShape, isMerge, type QueryShape, queryShape } from '../sql/query-shape.ts';
import { estimateTotal } from './estimate.ts';
import {
  forbidden,
  isCheckViolation,
  isForbidden,
  isSchemaStale,
  isUnknownName,
  publicError,
  tooManyAffected,
  tooManyRows,
  withoutRow,
} from './failures.ts';
import type { RecordsAccess } from './idempotency.ts';
import { recordsToken } from './idempotency-schema.ts';
import { JsonStatement } from './json-statement.ts';
import { handlerOfCall, handlerOfRows } from './media-handlers.ts';
import { NativeSql } from './native-sql.ts';
import { PlanStatement } from './plan-statement.ts';
import { readReachable } from './privileges.ts';
import { beforeQuery, type QueryMode } from './request-role.ts';
import { calledAs, resolveFunction } from './resolve-function.ts';
import { responseOf } from './response-settings.ts';
import { requireCalls, resultOf } from './results.ts';
import { readSchema } from './schema.ts';
import { PostgresSession, type RunStatement, resultLimit } from './session.ts';
import { transact } from './transaction.ts';
import { bindValues } from './values.ts';
import type { Bound } from './wire.ts';

export type PostgresConnection = Extract<Connection, { engine: 'postgres' }>;

export interface PostgresEngineOptions {
  readonly connection: PostgresConnection;
  /** Project reference: the key of its permits. */
  readonly ref: string;
  readonly host: Host;
  readonly log: Log;
  readonly permits: Permits;
  /** Told (at most once a second) that the server is unreachable or refuses the role: SQLSTATE or `unreachable`. */
  readonly onLost?: (why: string) => void;
  readonly readmit?: Readmit;
}

export interface PostgresEngine extends Engine {
  /** The server moved, or the role's password was set anew: connections from now on go there. */
  reconnect(connection: PostgresConnection): void;
  stats(): PoolStats;
}

/** The wire protocol counts parameters in 16 bits. */

/** A compiled query and the name it is prepared under; of a call, what its answer is. */
interface Plan extends CompiledStatement {
  readonly name: string;
  readonly shape?: CallShape;
  /** What makes the reply out of it; absent: it is JSON. */
  readonly handler?: MediaHandler;
}

/** Opens a session; connects with the first statement. */
export const openPostgresEngine = (options: PostgresEngineOptions): PostgresEngine => new Session(options);

class Session implements PostgresEngine {
  readonly kind = 'postgres';
  readonly #session: PostgresSession;
  readonly #schema: SchemaCache;
  readonly #plans = new PlanCache<Plan>(LIMITS.planCacheEntries);
  #names = 0;
  readonly #native: NativeSql;
  #roles: PostgresConnection['requestRoles'];
  readonly #records: RecordsAccess;
  /** By role, as long as the schema is what it was: to grant and to revoke change it. */
  #reachable: { readonly of: SchemaSnapshot | null; readonly roles: Map<string, Promise<Reachable>> } = {
    of: null,
    roles: new Map(),
  };

  constructor(options: PostgresEngineOptions) {
    const { connection, ref, ...rest } = options;
    this.#roles = connection.requestRoles;
    this.#records = { token: recordsToken(connection.password), count: 0 };
    this.#session = new PostgresSession({ ...rest, target: connection, key: ref });
    this.#schema = new SchemaCache({
      host: options.host,
      read: (known) => this.#session.withConnection((connection) => readSchema(connection, known)),
      onChange: () => this.#plans.clear(),
    });
    this.#native = new NativeSql({
      ...{ session: this.#session, records: this.#records },
      changed: () => this.#schema.invalidate(),
    });
  }

  reconnect(connection: PostgresConnection): void {
    this.#roles = connection.requestRoles;
    this.#records.token = recordsToken(connection.password);
    this.#session.retarget(connection);
  }

  stats(): PoolStats {
    return this.#session.stats();
  }

  async execute(query: Query, context: ExecuteContext): Promise<QueryResult> {
    if (context.rollback === true && query.kind !== 'select')
      return this.transaction((transaction) => transaction.execute(query), context);
    if (
      query.kind === 'select' &&
      (query.count === 'planned' || query.count === 'estimated') &&
      !context.explain
    )
      return this.#estimated(query, context);
    const shape = queryShape(query);
    try {
      return await this.#attempt(query, shape, context);
    } catch (error) {
      if (!isSchemaStale(error)) throw this.#failure(error, query, context);
    }
    // The failed statement did nothing, so it may run again under what the schema is now.
    await this.#lookAnew();
    try {
      return await this.#attempt(query, shape, context);
    } catch (error) {
      throw this.#failure(error, query, context);
    }
  }

  async #estimated({ count, ...query }: SelectQuery, context: ExecuteContext): Promise<QueryResult> {
    const page = await this.execute(query, context);
    const snapshot = await this.schema(context);
    const asked = count === undefined ? query : { ...query, count };
    try {
      const total = await estimateTotal(asked, snapshot, async (sql, values) => {
        const before = beforeQuery(context, this.#roles, snapshot, query.schema, 'read');
        const statement = new JsonStatement(sql, values, '', before);
        return (await this.#fetch(statement, (each) => this.#session.run(each, context))).first;
      });
      return { ...page, ...total };
    } catch (error) {
      throw this.#failure(error, query, context);
    }
  }

  transaction<Result>(
    work: (transaction: Transaction) => Promise<Result>,
    context: ExecuteContext,
  ): Promise<Result> {
    const parts = {
      ...{ session: this.#session, records: this.#records },
      schema: () => this.schema(context),
      lookAnew: () => this.#lookAnew(),
      execute: async (query: Query, snapshot: SchemaSnapshot, run: RunStatement) => {
        const shape = queryShape(query);
        const handler = handlerOfRows(query, snapshot, context);
        const key = keyOf(shape, handler);
        const plan = this.#plans.get(key) ?? this.#keep(compile(query, snapshot, handler), key, snapshot);
        return this.#run(query, plan, shape, context, run);
      },
      call: (query: CallQuery, snapshot: SchemaSnapshot, run: RunStatement) =>
        this.#call(query, snapshot, context, run),
      failure: (error: unknown, query: Query | CallQuery) => this.#failure(error, query, context),
    };
    return transact(parts, work, context);
  }

  async call(query: CallQuery, context: ExecuteContext): Promise<QueryResult> {
    const attempt = async (): Promise<QueryResult> => {
      const snapshot = await this.schema(context);
      return (context.rollback === true || query.single === true) && !query.readOnly
        ? this.#session.transaction(context, (run) => this.#call(query, snapshot, context, run))
        : this.#call(query, snapshot, context, (statement, began) =>
            this.#session.run(statement, context, began),
          );
    };
    try {
      return await attempt();
    } catch (error) {
      if (!isSchemaStale(error) && !isUnknownName(error)) throw this.#failure(error, query, context);
    }
    await this.#lookAnew();
    try {
      return await attempt();
    } catch (error) {
      throw this.#failure(error, query, context);
    }
  }

  async #call(
    query: CallQuery,
    snapshot: SchemaSnapshot,
    context: ExecuteContext,
    run: RunStatement,
  ): Promise<QueryResult> {
    const resolved = resolveFunction(query, snapshot);
    const shape = callShape(query, calledAs(query, resolved), resolved.text);
    const handler = handlerOfCall(query, resolved, snapshot, context);
    const key = keyOf(shape, handler);
    let plan = this.#plans.get(key);
    if (plan === undefined) {
      const { compiled, shape: answer } = compileCall(query, resolved, snapshot, handler);
      plan = this.#keep({ ...compiled, shape: answer, ...(handler && { handler }) }, key, snapshot);
    }
    requireCalls(plan, context);
    const values = bindValues(plan, query, shape.values);
    const before = this.#before(query, context, query.readOnly ? 'read' : 'any');
    if (context.explain)
      return this.#explain(new PlanStatement(plan.sql, context.explain, values, before), run);
    const asks = this.#asksSettings(context);
    const statement = await this.#fetch(new JsonStatement(plan.sql, values, plan.name, before, asks), run);
    const result = callResult(plan, query, statement);
    // Its transaction is undone with it.
    if (query.single === true && result.shape === 'rows' && result.rowCount !== 1)
      throw notOneRow(result.rowCount);
    return { ...result, ...responseOf(statement.settings) };
  }

  async #lookAnew(): Promise<void> {
    await this.#schema.look();
    this.#plans.clear();
  }

  sql(statement: string, params: readonly unknown[], context: ExecuteContext): Promise<SqlResult> {
    return this.#native.run(statement, params, context);
  }

  scripts<Result>(
    work: (transaction: ScriptTransaction) => Promise<Result>,
    context: ExecuteContext,
  ): Promise<Result> {
    return this.#native.transaction(work, context);
  }

  async schema(_context: ExecuteContext, fresh = false): Promise<SchemaSnapshot> {
    if (fresh) return this.#schema.look();
    return this.#schema.current ?? (await this.#schema.check());
  }

  async reachable(context: ExecuteContext): Promise<Reachable> {
    const snapshot = await this.schema(context);
    const { role } = context.principal;
    if (this.#reachable.of !== snapshot) this.#reachable = { of: snapshot, roles: new Map() };
    const { roles } = this.#reachable;
    const known = roles.get(role);
    if (known !== undefined) return known;
    const read = this.#session.withConnection((connection) => readReachable(connection, role, snapshot));
    roles.set(role, read);
    // What failed is asked anew.
    read.catch(() => roles.delete(role));
    return read;
  }

  close(): Promise<void> {
    return this.#session.close();
  }

  async #attempt(query: Query, shape: QueryShape, context: ExecuteContext): Promise<QueryResult> {
    const snapshot = this.#schema.current ?? (await this.#schema.check());
    const handler = handlerOfRows(query, snapshot, context);
    const key = keyOf(shape, handler);
    const plan = this.#plans.get(key) ?? (await this.#compile(query, key, snapshot, handler));
    // A function that runs before a read is held to reading, as PostgREST has it; the read itself writes nothing.
    const mode = query.kind === 'select' && context.preRequest !== undefined ? 'read' : 'any';
    const run: RunStatement = (statement, began) => this.#session.run(statement, context, began);
    return this.#run(query, plan, shape, context, run, mode);
  }

  async #run(
    query: Query,
    plan: Plan,
    shape: QueryShape,
    context: ExecuteContext,
    run: RunStatement,
    mode: QueryMode = 'any',
  ): Promise<QueryResult> {
    requireCalls(plan, context);
    const values = bindValues(plan, query, shape.values);
    const before = this.#before(query, context, isMerge(query) ? 'merge' : mode);
    if (context.explain)
      return this.#explain(new PlanStatement(plan.sql, context.explain, values, before), run);
    const asks = this.#asksSettings(context);
    const statement = await this.#fetch(new JsonStatement(plan.sql, values, plan.name, before, asks), run);
    if (plan.handler === undefined) return resultOf(query, plan, statement);
    const made = mediaResult(plan.handler, statement);
    return { ...writtenMedia(query, made), ...responseOf(statement.settings) };
  }

  #before({ schema }: Query | CallQuery, context: ExecuteContext, mode: QueryMode): Bound {
    return beforeQuery(context, this.#roles, this.#schema.current ?? {}, schema, mode);
  }

  /** Whether the project's SQL may say something of the reply. */
  #asksSettings({ preRequest }: ExecuteContext): boolean {
    return preRequest !== undefined || this.#schema.current?.setsResponse === true;
  }

  async #explain(statement: PlanStatement, run: RunStatement): Promise<QueryResult> {
    const { plan: json } = await this.#fetch(statement, run);
    return { json, rowCount: 1, total: null, totalKind: null };
  }

  async #fetch<Of extends JsonStatement | PlanStatement>(statement: Of, run: RunStatement): Promise<Of> {
    await run(statement, (cancel) => {
      statement.onOverflow = cancel;
    });
    if (statement.overflow) throw new MagError('MAG_RESULT_TOO_LARGE', { limit: resultLimit });
    return statement;
  }

  /** Throws PGRST205, PGRST204 and 42703 only after a fresh look: another session may have made the table just now. */
  async #compile(
    query: Query,
    key: string,
    snapshot: SchemaSnapshot,
    handler: MediaHandler | null,
  ): Promise<Plan> {
    try {
      return this.#keep(compile(query, snapshot, handler), key, snapshot);
    } catch (error) {
      if (!isUnknownName(error)) throw error;
      const fresh = await this.#schema.look();
      if (fresh.version === snapshot.version) throw error;
      return this.#keep(compile(query, fresh, handler), key, fresh);
    }
  }

  /** Under a snapshot that another one has replaced meanwhile the plan serves this once, and is not prepared. */
  #keep(compiled: Omit<Plan, 'name'>, key: string, snapshot: SchemaSnapshot): Plan {
    if (this.#schema.current !== snapshot) return { ...compiled, name: '' };
    this.#names += 1;
    const plan = { ...compiled, name: `m${this.#names}` };
    this.#plans.set(key, plan);
    return plan;
  }

  #failure(error: unknown, query: Query | CallQuery, { principal }: ExecuteContext): Error {
    const rows = tooManyRows(error);
    if (rows !== null) return notOneRow(rows);
    const affected = tooManyAffected(error);
    if (affected !== null)
      return new MagError('PGRST124', {}, { details: `The query affects ${affected} rows` });
    if (isForbidden(error)) return forbidden(error, principal);
    if (!isCheckViolation(error)) {
      const shown = publicError(error);
      return principal.role === 'service_role' ? shown : withoutRow(shown);
    }
    return new MagError(
      'MAG_FORBIDDEN',
      {
        role: principal.role,
        action: query.kind,
        table: query.kind === 'call' ? query.function : query.table,
      },
      { cause: error },
    );
  }
}

/** A query of the same shape is another statement where a handler makes the reply. */
const keyOf = ({ key }: QueryShape, handler: MediaHandler | null): string =>
  handler === null ? key : `as ${JSON.stringify([handler.type, handler.schema, handler.name])} ${key}`;

function compile(
  query: Query,
  snapshot: SchemaSnapshot,
  handler: MediaHandler | null,
): CompiledStatement & Pick<Plan, 'handler'> {
  if (handler !== null) return { ...compileMedia(query, snapshot, handler), handler };
  return compileQuery(query, findTable(snapshot, query.schema, query.table), postgresDialect, snapshot);
}
