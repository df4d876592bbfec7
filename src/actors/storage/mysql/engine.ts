import { isPublicError, MagError } from '../../../errors.ts';
import type { Connection } from '../../../protocol/project.ts';
import type { Query, SelectQuery } from '../../../protocol/query.ts';
import type { Host } from '../../../runtime/host.ts';
import type { Log } from '../../../runtime/log.ts';
import type { PoolStats } from '../connection-pool.ts';
import type {
  Engine,
  ExecuteContext,
  QueryResult,
  SchemaSnapshot,
  ScriptTransaction,
  SqlResult,
  Transaction,
} from '../engine.ts';
import type { Permits } from '../permits.ts';
import type { Readmit } from '../readmission.ts';
import { SchemaCache } from '../schema-cache.ts';
import { parameterValue } from './binding.ts';
import { isConflict, isSchemaStale, isServerError, publicError } from './failures.ts';
import { MysqlIdempotency } from './idempotency.ts';
import { JsonRows } from './json-rows.ts';
import { NativeScript } from './native.ts';
import { Plans } from './plans.ts';
import { type MysqlSchema, readSchema } from './schema.ts';
import { MysqlSession, resultLimit, type Work } from './session.ts';
import { Write } from './writes.ts';

export type MysqlProjectConnection = Extract<Connection, { engine: 'mysql' }>;

export interface MysqlEngineOptions {
  readonly connection: MysqlProjectConnection;
  /** Project reference: the key of its permits. */
  readonly ref: string;
  readonly host: Host;
  readonly log: Log;
  readonly permits: Permits;
  /** Told (at most once a second) that the server is unreachable or refuses the user: SQLSTATE or `unreachable`. */
  readonly onLost?: (why: string) => void;
  readonly readmit?: Readmit;
}

export interface MysqlEngine extends Engine {
  stats(): PoolStats;
}

/** Opens a session; connects with the first statement. */
export const openMysqlEngine = (options: MysqlEngineOptions): MysqlEngine => new Session(options);

class Session implements MysqlEngine {
  readonly kind = 'mysql';
  readonly #session: MysqlSession;
  readonly #schema: SchemaCache;
  readonly #plans = new Plans();
  /** Idempotency keys claimed, for the trimming of their records. */
  readonly #claims = { count: 0 };

  constructor(options: MysqlEngineOptions) {
    const { connection, ref, ...rest } = options;
    this.#session = new MysqlSession({ ...rest, target: connection, key: ref });
    this.#schema = new SchemaCache({
      host: options.host,
      read: (known) => this.#session.withConnection((held) => readSchema(held, known)),
      onChange: () => this.#plans.clear(),
    });
  }

  stats(): PoolStats {
    return this.#session.stats();
  }

  async execute(query: Query, context: ExecuteContext): Promise<QueryResult> {
    const schema = await this.#current();
    try {
      return await this.#attempt(query, schema, context);
    } catch (error) {
      if (!mayBeStale(error)) throw publicError(error);
      // Another session may have changed the table just now. What failed did nothing, so it may run again.
      const fresh = (await this.#schema.look()) as MysqlSchema; // readSchema gives no other.
      if (fresh.version === schema.version) throw publicError(error);
      return await this.#attempt(query, fresh, context).catch((second: unknown) => {
        throw publicError(second);
      });
    }
  }

  async transaction<Result>(
    work: (transaction: Transaction) => Promise<Result>,
    context: ExecuteContext,
  ): Promise<Result> {
    for (let attempt = 1; ; attempt += 1) {
      const schema = await this.#current();
      const failure: { error?: unknown } = {};
      try {
        return await this.#transact(work, schema, context, failure);
      } catch (error) {
        const stale = mayBeStale(failure.error) && attempt === 1;
        // Nothing of it is there, so it may run again, under what the schema is now.
        if (stale && (await this.#schema.look()).version !== schema.version) continue;
        if (!isConflict(error) || attempt >= CONFLICT_TRIES) throw error;
      }
    }
  }

  /** @param failure is given the first failure of a query: the transaction is undone whatever `work` makes of it. */
  async #transact<Result>(
    work: (transaction: Transaction) => Promise<Result>,
    schema: MysqlSchema,
    context: ExecuteContext,
    failure: { error?: unknown },
  ): Promise<Result> {
    const within = async (held: Work): Promise<Result> => {
      const value = await work({
        execute: async (query) => {
          try {
            if (query.kind === 'select') return await this.#read(query, schema, held);
            return await new Write(query, { plans: this.#plans, schema, context }).within(held);
          } catch (error) {
            failure.error ??= error;
            throw publicError(error);
          }
        },
        idempotency: new MysqlIdempotency(held, this.#claims),
      });
      if (failure.error !== undefined) throw publicError(failure.error);
      return value;
    };
    try {
      return await this.#session.transaction(context, within, () => context.rollback === true);
    } catch (error) {
      throw isServerError(error) ? publicError(error) : error;
    }
  }

  async sql(statement: string, params: readonly unknown[], context: ExecuteContext): Promise<SqlResult> {
    const script = new NativeScript(statement, params.map(parameterValue));
    try {
      return await this.#session.native(context, (work) => script.run(work));
    } catch (error) {
      throw publicError(error);
    } finally {
      if (script.changesSchema) this.#schema.invalidate();
    }
  }

  async scripts<Result>(
    work: (transaction: ScriptTransaction) => Promise<Result>,
    context: ExecuteContext,
  ): Promise<Result> {
    try {
      return await this.#session.scripts(context, (held) =>
        work({
          sql: async (statement, params) => {
            try {
              return await new NativeScript(statement, params.map(parameterValue)).runInside(held);
            } catch (error) {
              throw publicError(error);
            }
          },
          idempotency: new MysqlIdempotency(held, this.#claims),
        }),
      );
    } catch (error) {
      throw isServerError(error) ? publicError(error) : error;
    }
  }

  schema(_context: ExecuteContext): Promise<SchemaSnapshot> {
    return this.#current();
  }

  close(): Promise<void> {
    return this.#session.close();
  }

  async #current(): Promise<MysqlSchema> {
    return (this.#schema.current ?? (await this.#schema.check())) as MysqlSchema; // As above.
  }

  #attempt(query: Query, schema: MysqlSchema, context: ExecuteContext): Promise<QueryResult> {
    if (query.kind === 'select')
      return this.#session.work(context, (work) => this.#read(query, schema, work));
    return new Write(query, { plans: this.#plans, schema, context }).run(this.#session);
  }

  async #read(query: SelectQuery, schema: MysqlSchema, { run, tooLarge }: Work): Promise<QueryResult> {
    const bound = this.#plans.bind(query, schema);
    const rows = new JsonRows(tooLarge, bound.sql);
    await run(bound, rows);
    if (rows.overflow) throw new MagError('MAG_RESULT_TOO_LARGE', { limit: resultLimit });
    const counted = query.count !== undefined;
    return {
      ...{ json: rows.json, rowCount: rows.rowCount },
      ...{ total: counted ? (rows.total ?? 0) : null, totalKind: counted ? 'exact' : null },
    };
  }
}

/** Whether the schema may have moved under the statement: a name that is not there, or is no more. */
const mayBeStale = (error: unknown): boolean =>
  isSchemaStale(error) ||
  (isPublicError(error) && (error.code === '42703' || error.code.startsWith('PGRST20')));

/** How often a transaction that met others is run, in all. */
const CONFLICT_TRIES = 5;
