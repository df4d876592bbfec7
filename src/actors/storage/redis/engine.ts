import { MagError } from '../../../errors.ts';
import { LIMITS } from '../../../limits.ts';
import type { Connection } from '../../../protocol/project.ts';
import type { JsonValue, Query } from '../../../protocol/query.ts';
import type { Host } from '../../../runtime/host.ts';
import type { Log } from '../../../runtime/log.ts';
import type {
  Engine,
  ExecuteContext,
  QueryResult,
  SchemaSnapshot,
  SqlResult,
  Transaction,
} from '../engine.ts';
import type { Permits } from '../permits.ts';
import { requireFields } from './fields.ts';
import { ProjectKeys } from './keys.ts';
import { NativeCommands } from './native.ts';
import { select } from './reader.ts';
import { WriteRunner } from './runner.ts';
import { readSchema } from './schema.ts';
import { RedisSession, type SessionStats } from './session.ts';
import { DocumentStore } from './store.ts';

export type RedisProjectConnection = Extract<Connection, { engine: 'redis' }>;

export interface RedisEngineOptions {
  readonly connection: RedisProjectConnection;
  /** Project reference: the key of its permits. */
  readonly ref: string;
  readonly host: Host;
  readonly log: Log;
  readonly permits: Permits;
  /** Told (at most once a second) that the server is unreachable, or does not know the project: SQLSTATE. */
  readonly onLost?: (why: string) => void;
}

export interface RedisEngine extends Engine {
  stats(): SessionStats;
}

/** Opens a session; connects with the first command. */
export const openRedisEngine = (options: RedisEngineOptions): RedisEngine => new DocumentEngine(options);

/** JSON documents in Redis. */
class DocumentEngine implements RedisEngine {
  readonly kind = 'redis';
  readonly #host: Host;
  readonly #session: RedisSession;
  readonly #store: DocumentStore;
  readonly #runner: WriteRunner;
  readonly #native: NativeCommands;
  #schema: { readonly at: number; readonly generation: number; readonly snapshot: SchemaSnapshot } | null =
    null;

  constructor({ connection, ref, ...rest }: RedisEngineOptions) {
    const { host, port, tls, user, password, prefix, scanner } = connection;
    const place = { host, port, ...(tls === undefined ? {} : { tls }) };
    this.#host = rest.host;
    this.#session = new RedisSession({ ...rest, target: { ...place, user, password }, key: ref });
    this.#store = new DocumentStore(this.#session, new ProjectKeys(prefix));
    this.#runner = new WriteRunner(this.#store, rest.host);
    this.#native = new NativeCommands(this.#store, { ...place, ...scanner });
  }

  stats(): SessionStats {
    return this.#session.stats();
  }

  async execute(query: Query, context: ExecuteContext): Promise<QueryResult> {
    requireFields(query);
    return query.kind === 'select' ? select(this.#store, query, context) : this.#runner.write(query, context);
  }

  transaction<Result>(
    work: (transaction: Transaction) => Promise<Result>,
    context: ExecuteContext,
  ): Promise<Result> {
    return this.#runner.transaction(work, context);
  }

  sql(_statement: string, _params: readonly unknown[], _context: ExecuteContext): Promise<SqlResult> {
    return Promise.reject(
      new MagError('MAG_ENGINE_UNSUPPORTED', { engine: 'redis', what: 'run native SQL' }),
    );
  }

  native(command: JsonValue, context: ExecuteContext): Promise<string> {
    return this.#native.run(command, context);
  }

  async schema(context: ExecuteContext): Promise<SchemaSnapshot> {
    const at = this.#host.now();
    const known = this.#schema;
    if (known?.generation === this.#store.generation && at - known.at < LIMITS.schemaCheckMs)
      return known.snapshot;
    const snapshot = await readSchema(this.#store, context);
    this.#schema = { at, generation: this.#store.generation, snapshot };
    return snapshot;
  }

  close(): Promise<void> {
    return this.#session.close();
  }
}
