import type { CallQuery, JsonValue, Query } from '../../../protocol/query.ts';
import type {
  Engine,
  ExecuteContext,
  QueryResult,
  SchemaSnapshot,
  SqlResult,
  Transaction,
} from '../engine.ts';
import { unsupported } from './fields.ts';
import { MongodbIdempotency, prepareRecords } from './idempotency.ts';
import { requireCollection } from './names.ts';
import { runNative } from './native.ts';
import { runSelect } from './reading.ts';
import { isUniqueTarget, SchemaSample } from './schema.ts';
import { MongodbSession, type SessionOptions } from './session.ts';
import { isSimple, runDelete, runInsert, runSimple, runUpdate, type WriteContext } from './writing.ts';

export type MongodbEngineOptions = SessionOptions;

/** Opens a session; connects with the first command. */
export const openMongodbEngine = (options: MongodbEngineOptions): Engine => new MongodbEngine(options);

/** The grammar on documents: collections are made by their first insert, `id` is their key. */
class MongodbEngine implements Engine {
  readonly kind = 'mongodb';
  readonly #session: MongodbSession;
  readonly #schema: SchemaSample;
  /** Idempotency keys claimed in this session, and whether their collection has its index. */
  readonly #claims = { count: 0 };
  #prepared: Promise<unknown> | null = null;

  constructor(options: MongodbEngineOptions) {
    this.#session = new MongodbSession(options);
    this.#schema = new SchemaSample(this.#session, options.host);
  }

  async execute(query: Query, context: ExecuteContext): Promise<QueryResult> {
    requireCollection(query.table);
    if (query.kind === 'select')
      return this.#session.withCommands(context, (commands) => runSelect(query, commands));
    if (context.rollback !== true) {
      const done = await this.#withoutTransaction(query, context);
      if (done !== null) return done;
    }
    const isUnique = await this.#uniqueness(query, context);
    return this.#session.withTransaction(context, (commands) =>
      this.#write(query, { commands, role: context.principal.role, isUnique }),
    );
  }

  async transaction<Result>(
    work: (transaction: Transaction) => Promise<Result>,
    context: ExecuteContext,
  ): Promise<Result> {
    await this.#prepare(context);
    return this.#session.withTransaction(context, (commands) =>
      work({
        idempotency: new MongodbIdempotency(commands, this.#claims),
        execute: async (query) => {
          requireCollection(query.table);
          if (query.kind === 'select') return runSelect(query, commands);
          const isUnique = await this.#uniqueness(query, context);
          return this.#write(query, { commands, role: context.principal.role, isUnique });
        },
      }),
    );
  }

  sql(_statement: string, _params: readonly unknown[], _context: ExecuteContext): Promise<SqlResult> {
    return Promise.reject(unsupported('run native SQL'));
  }

  call(_query: CallQuery, _context: ExecuteContext): Promise<QueryResult> {
    return Promise.reject(unsupported('call functions'));
  }

  native(command: JsonValue, context: ExecuteContext): Promise<string> {
    return this.#session.withCommands(context, (commands) => runNative(command, commands));
  }

  schema(context: ExecuteContext): Promise<SchemaSnapshot> {
    return this.#schema.read(context);
  }

  close(): Promise<void> {
    return this.#session.close();
  }

  /** What is one document's affair is atomic by itself; null where a transaction is needed. */
  async #withoutTransaction(
    query: Exclude<Query, { kind: 'select' }>,
    context: ExecuteContext,
  ): Promise<QueryResult | null> {
    if (query.kind === 'insert') {
      if (query.rows.length !== 1 || query.onConflict !== undefined) return null;
      const { role } = context.principal;
      return this.#session.withCommands(context, (commands) =>
        runInsert(query, { commands, role, isUnique: false }),
      );
    }
    if (!isSimple(query)) return null;
    return this.#session.withCommands(context, (commands) => runSimple(query, commands));
  }

  /** A transaction may not make the index that idempotency keys want. A failure is the next one's to mend. */
  async #prepare(context: ExecuteContext): Promise<void> {
    this.#prepared ??= this.#session.withCommands(context, prepareRecords);
    try {
      await this.#prepared;
    } catch (error) {
      this.#prepared = null;
      throw error;
    }
  }

  /** Whether an upsert's target is unique. Asked outside of its transaction: one may not look at indexes. */
  #uniqueness(query: Exclude<Query, { kind: 'select' }>, context: ExecuteContext): Promise<boolean> {
    const columns = query.kind === 'insert' ? query.onConflict?.columns : undefined;
    if (columns === undefined) return Promise.resolve(false);
    return this.#session.withCommands(context, (commands) => isUniqueTarget(commands, query.table, columns));
  }

  #write(query: Exclude<Query, { kind: 'select' }>, context: WriteContext): Promise<QueryResult> {
    switch (query.kind) {
      case 'insert':
        return runInsert(query, context);
      case 'update':
        return runUpdate(query, context);
      default:
        return runDelete(query, context);
    }
  }
}
