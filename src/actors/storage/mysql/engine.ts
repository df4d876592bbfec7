import { isPublicError, MagError } from '../../../errors.ts';
import type { Connection } from '../../../protocol/project.ts';
import type { Query, SelectQuery } from '../../../protocol/query.ts';
import type { Host } from '../../../runtime/host.ts';
import type { Log } from '../../../runtime/log.ts';
import type { PoolStats } from '../connection-pool.ts';
import type { Engine, ExecuteContext, QueryResult, SchemaSnapshot, SqlResult } from '../engine.ts';
import type { Permits } from '../permits.ts';
import { SchemaCache } from '../schema-cache.ts';
import { parameterValue } from './binding.ts';
import { isSchemaStale, publicError } from './failures.ts';
import { JsonRows } from './json-rows.ts';
import { NativeScript } from './native.ts';
import { Plans } from './plans.ts';
import { type MysqlSchema, readSchema } from './schema.ts';
import { MysqlSession, resultLimit } from './session.ts';
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
    if (query.kind === 'select') return this.#read(query, schema, context);
    return new Write(query, { session: this.#session, plans: this.#plans, schema, context }).run();
  }

  async #read(query: SelectQuery, schema: MysqlSchema, context: ExecuteContext): Promise<QueryResult> {
    const bound = this.#plans.bind(query, schema);
    const rows = await this.#session.work(context, async ({ run, tooLarge }) => {
      const found = new JsonRows(tooLarge);
      await run(bound, found);
      return found;
    });
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
  isSchemaStale(error) || (isPublicError(error) && error.code.startsWith('PGRST20'));
