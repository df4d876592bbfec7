import type { CredentialMode, NativeAddress } from '../../protocol/credentials.ts';
import type { Principal, TableAction } from '../../protocol/principal.ts';
import type { Connection, EngineAvailability, EngineKind } from '../../protocol/project.ts';
import type { CallQuery, CountKind, JsonValue, Query } from '../../protocol/query.ts';

export interface HttpRequest {
  readonly method: string;
  /** Without the project's part: `/todos`, `/rpc/add`. */
  readonly path: string;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
}

export const EXPLAIN_OPTIONS = ['analyze', 'verbose', 'settings', 'buffers', 'wal'] as const;

/** How a statement's plan is written. With `analyze` the statement runs. */
export interface Explain {
  readonly format: 'json' | 'text';
  readonly options: readonly (typeof EXPLAIN_OPTIONS)[number][];
}

/** Under whose name and until when a statement runs. */
export interface ExecuteContext {
  readonly principal: Principal;
  /** Project reference. */
  readonly tenant: string;
  /** On the host's monotonic clock, milliseconds; the statement is cancelled at the engine when it passes. */
  readonly deadline: number;
  /** Aborted when the client goes away: the statement is cancelled at the engine. */
  readonly signal?: AbortSignal;
  /** Whether functions may be called for a row: no grant covers one. Absent: by the service role alone. */
  readonly mayCall?: boolean;
  /** `Prefer: tx=rollback`: the write is answered as if it had happened, and undone. */
  readonly rollback?: boolean;
  /** `Prefer: timezone`, on PostgreSQL: where the times of the reply are told. Null: the database's own. */
  readonly timezone?: string | null;
  /** On PostgreSQL: the statement's plan, as `json` of the result, stands in the place of its rows. */
  readonly explain?: Explain | undefined;
  /** What a read or a call may be answered as. Absent: as JSON. Where the engine makes other types itself. */
  readonly accepts?: Accepted | undefined;
  /** A function that runs before the query, in its transaction and under its role: `name`, or `schema.name`. */
  readonly preRequest?: string | undefined;
  /** The project's setting of that name, on PostgreSQL. Absent: `public`. */
  readonly extraSearchPath?: readonly string[] | undefined;
  /** The HTTP request, where there is one: SQL of the project may read it as `request.method` and so on. */
  readonly request?: HttpRequest;
}

/** Rows as JSON text, so that an engine which makes JSON itself pays for it once. */
export interface QueryResult {
  /** A JSON array of row objects; `[]` for a write that returns nothing. */
  readonly json: string;
  /** Rows in `json`, or rows written. */
  readonly rowCount: number;
  /** All rows that match, where a count was asked for. */
  readonly total: number | null;
  readonly totalKind: CountKind | null;
  /** Of an upsert: rows that were not there before. Absent where the engine cannot tell. */
  readonly inserted?: number;
  /**
   * Of a call, what `json` is: `rows` an array of them (absent: this one), `row` the one object or null, `value` what a
   * function that returns neither gave (an array of such where it returns a set), `void` nothing.
   */
  readonly shape?: 'rows' | 'row' | 'value' | 'void';
  /** Of a `value`: it is an array of those of a set. */
  readonly set?: true;
  /** What SQL of the project wants of the reply. Absent: nothing. */
  readonly response?: ResponseSettings;
  /** The reply as SQL of the project made it, in place of `json`. */
  readonly media?: { readonly type: string; readonly body: string | Buffer };
}

/** The types of an Accept header, the most wanted first. */
export interface Accepted {
  readonly types: readonly {
    readonly name: string;
    /** Whether who asks can write it out of JSON. */
    readonly written: boolean;
    /** Whether nobody else may make it. */
    readonly fixed: boolean;
  }[];
  /** Whether any of them is written. */
  readonly written: boolean;
  readonly header: string;
}

/** A function of the project that makes a reply of a media type. */
export interface MediaHandler {
  /** In lower case; `*` + `/*`: whatever is asked for. */
  readonly type: string;
  /** Whether it gives bytes, and not text. */
  readonly bytes: boolean;
  readonly schema: string;
  readonly name: string;
  /** `call`: what it gives by a call is the reply · else an aggregate over rows of this table, or of any. */
  readonly of: 'call' | 'any' | { readonly schema: string; readonly table: string };
}

export interface ResponseSettings {
  readonly status?: number;
  /** Names in lower case and values in turn, as HTTP takes them. */
  readonly headers: readonly string[];
}

export interface SqlField {
  readonly name: string;
  readonly type: string;
}

/** Reply of native SQL, already JSON: `{rows, fields, rowCount, command}`. */
export interface SqlResult {
  readonly json: string;
  readonly rowCount: number;
  readonly command: string;
}

export interface ColumnInfo {
  readonly name: string;
  /** The engine's own type name. */
  readonly type: string;
  readonly nullable: boolean;
  readonly hasDefault: boolean;
  /** 1-based place in the primary key, 0 outside it. */
  readonly primaryKey: number;
  /** Of a domain: the type that it is one of. */
  readonly baseType?: string;
  /** Absent: its values are shown and given as its type has them. */
  readonly representation?: Representation;
}

/** Functions, as SQL calls them, between a type and how the outside shows and gives its values. */
export interface Representation {
  readonly toJson?: string;
  readonly fromJson?: string;
  /** Of a filter's value. */
  readonly fromText?: string;
}

export interface TableInfo {
  readonly schema: string;
  readonly name: string;
  readonly kind: 'table' | 'view';
  readonly columns: readonly ColumnInfo[];
  /** Column sets under a unique constraint or index without expressions or predicates, the primary key first. */
  readonly unique: readonly (readonly string[])[];
  /** Of a view, where its engine knows: which writes it takes. Absent: all that anybody may try. */
  readonly writes?: readonly ('insert' | 'update' | 'delete')[];
  /** Whether the engine's own policies decide about its rows; absent where it has none. */
  readonly rowSecurity?: boolean;
  /** Absent where the engine has none, or they were not read. */
  readonly foreignKeys?: readonly ForeignKey[];
  /** Functions that give one value for a row of it, and are read as columns are. Absent: none. */
  readonly computed?: readonly ComputedColumn[];
  /** Of a view: the tables whose columns it shows as they are. Absent: none. */
  readonly sources?: readonly ViewSource[];
}

/** A function of a table's row, read by its name as a column is. */
export interface ComputedColumn {
  readonly schema: string;
  readonly name: string;
  /** What it gives. */
  readonly type: string;
}

/** A table below a view, however many views lie in between. */
export interface ViewSource {
  readonly schema: string;
  readonly table: string;
  /** Each of its columns that is shown, and what it is called there: one may be shown several times. */
  readonly columns: readonly { readonly column: string; readonly shown: readonly string[] }[];
}

/** Columns of a table that refer to those of another one; they pair by place. */
export interface ForeignKey {
  readonly name: string;
  readonly columns: readonly string[];
  readonly references: {
    readonly schema: string;
    readonly table: string;
    readonly columns: readonly string[];
  };
}

/** A function that `rpc/NAME` can call; several of one name differ in their parameters. */
export interface FunctionInfo {
  readonly schema: string;
  readonly name: string;
  readonly parameters: readonly {
    /** Empty where it has none. */
    readonly name: string;
    readonly type: string;
    readonly hasDefault: boolean;
    readonly variadic: boolean;
    /** Where it takes a row of a table or view, which one. */
    readonly table?: { readonly schema: string; readonly name: string };
  }[];
  /** The engine's own type name of what it returns; of a table, its name. */
  readonly returns: {
    readonly type: string;
    readonly set: boolean;
    readonly composite: boolean;
    /** Of a set: its function says that it never holds more than one row. */
    readonly atMostOne?: true;
    readonly table: { readonly schema: string; readonly name: string } | null;
    /** Of a composite type, where they are known. */
    readonly columns?: readonly { readonly name: string; readonly type: string }[];
  };
  /** Whether it may write. */
  readonly volatile: boolean;
}

export interface SchemaSnapshot {
  /** Changes whenever the schema does. */
  readonly version: string;
  readonly tables: ReadonlyMap<string, TableInfo>;
  readonly functions?: readonly FunctionInfo[];
  /** Whether SQL of the project reads how a request was made (ExecuteContext.request). */
  readonly readsRequest?: boolean;
  /** Whether SQL of the project says anything of the reply (QueryResult.response). */
  readonly setsResponse?: boolean;
  /** Absent: none. */
  readonly mediaHandlers?: readonly MediaHandler[];
}

/** What somebody may use of a project. */
export interface Reachable {
  /** Of the snapshot that it is a part of. */
  readonly version: string;
  /** Each with the columns that may be used for anything. */
  readonly tables: readonly { readonly table: TableInfo; readonly actions: readonly TableAction[] }[];
  readonly functions: readonly FunctionInfo[];
}

/** What runs inside one transaction: each sees what those before it wrote. */
export interface Transaction {
  execute(query: Query): Promise<QueryResult>;
  /** Where the engine has the capability `call`. */
  call?(query: CallQuery): Promise<QueryResult>;
  /** Where the engine has the capability `idempotency`. */
  readonly idempotency?: IdempotencyRecords;
}

/** One transaction for a tenant's own SQL, and the idempotency record of it. */
export interface ScriptTransaction {
  /** Throws MAG_IDEMPOTENCY_KEY_INVALID for what would begin or end a transaction, or cannot be part of one. */
  sql(statement: string, params: readonly unknown[]): Promise<SqlResult>;
  readonly idempotency: IdempotencyRecords;
}

/** A write that is about to be made under an idempotency key. */
export interface IdempotencyClaim {
  /** Digest of the key and of who uses it. */
  readonly key: string;
  /** Digest of the request. */
  readonly fingerprint: string;
  /** Milliseconds since the epoch: a record whose `expires` is not after `now` is none. */
  readonly now: number;
  readonly expires: number;
}

/** What an earlier write under the same key left. */
export interface IdempotencyRecord {
  readonly fingerprint: string;
  /** What it was settled with. */
  readonly result: string;
}

/**
 * Idempotency records, in the project's own database and out of its tenants' sight: one is there exactly when the
 * transaction that claimed it is. A claim also removes a few records that have expired, or are beyond
 * LIMITS.idempotencyRecords, so that no more come than go.
 */
export interface IdempotencyRecords {
  /**
   * Null: the key is this transaction's. Where another one holds it, waits for its end or rejects with
   * MAG_IDEMPOTENCY_RUNNING.
   */
  claim(claim: IdempotencyClaim): Promise<IdempotencyRecord | null>;
  settle(key: string, result: string): Promise<void>;
}

/**
 * A session on one project's database. One implementation per engine, all under test/contract/engine.
 * Every method rejects with MagError or DatabaseError, never with a driver's own error.
 */
export interface Engine {
  readonly kind: EngineKind;
  /** Runs a query of the grammar. Throws PGRST205 for an unknown table, 42703 (PGRST204 to write) for a column. */
  execute(query: Query, context: ExecuteContext): Promise<QueryResult>;
  /** Runs native SQL as the project's own role: it must not reach beyond the project's database. */
  sql(statement: string, params: readonly unknown[], context: ExecuteContext): Promise<SqlResult>;
  /** Native SQL as `transaction` runs queries, once. Where the engine has the capability `sql`. */
  scripts?<Result>(
    work: (transaction: ScriptTransaction) => Promise<Result>,
    context: ExecuteContext,
  ): Promise<Result>;
  /** Calls a function of the database. Where the engine has the capability `call`. */
  call?(query: CallQuery, context: ExecuteContext): Promise<QueryResult>;
  /** Runs one command of the engine's own protocol, off an allow-list, as the project's own user: JSON text. */
  native?(command: JsonValue, context: ExecuteContext): Promise<string>;
  /**
   * All or nothing: what `work` did is committed when it resolves (under `context.rollback` undone), and undone when it
   * rejects, its error being the caller's. Where the engine can mend what it met (a schema that had changed, a deadlock),
   * `work` runs again. Where the engine has the capability `transaction`.
   */
  transaction?<Result>(
    work: (transaction: Transaction) => Promise<Result>,
    context: ExecuteContext,
  ): Promise<Result>;
  /**
   * One write under an idempotency key, as a transaction with its record would make it, where the engine has a shorter
   * way for this one; null: it has not. `settle` says what is remembered of a result.
   */
  executeOnce?(
    query: Query,
    claim: IdempotencyClaim,
    settle: (result: QueryResult) => string,
    context: ExecuteContext,
  ): { readonly known: IdempotencyRecord } | { readonly result: QueryResult } | null;
  /** Tables and columns; cached, and refreshed when DDL is noticed. */
  /** `fresh`: as it is now, for whoever shows it; without, it may be a second old, and some more on a busy server. */
  schema(context: ExecuteContext, fresh?: boolean): Promise<SchemaSnapshot>;
  /** What the context's role may use by the database's own privileges, with the schema's age. Absent: it has no roles. */
  reachable?(context: ExecuteContext): Promise<Reachable>;
  /** Ends open statements at the engine and frees every connection. Idempotent. */
  close(): Promise<void>;
}

/** Control side of an engine: where databases come from. Lives in the main thread. */
export interface EngineProvider {
  readonly kind: EngineKind;
  availability(): Promise<EngineAvailability>;
  /**
   * Makes a project's database and role. Idempotent: after a kill at any step, calling it again with the same
   * arguments finishes the work. Throws MAG_ENGINE_UNAVAILABLE.
   */
  provision(ref: string): Promise<Connection>;
  /** Drops what provision made, and its replication slot. Idempotent. */
  drop(ref: string): Promise<void>;
  /** Where a provisioned project is reached; starts the engine's server where needed. */
  connect(ref: string): Promise<Connection>;
  /**
   * Whether what provision made of a project is there; its schema is not looked into. Where an engine has this, making
   * a project takes so long that one is made ahead.
   */
  stands?(ref: string): Promise<boolean>;
  /** Removes leftovers in the engine (databases, roles, slots) whose project is not in `live`. Returns their names. */
  reclaim(live: ReadonlySet<string>): Promise<readonly string[]>;
  /** Connections that the server takes, from whomever; asked of one that is not the board's own. Rejects where it cannot be. */
  connections?(): Promise<number>;
  /** Absent where the engine has no protocol that tools could speak past the board. */
  readonly access?: NativeAccess;
  stop(): Promise<void>;
}

/** Users of a project's database for tools beside the board. Dropping the project drops them. */
export interface NativeAccess {
  /** Makes the user, or gives it this password and cuts off who came with another. Idempotent. */
  grant(ref: string, id: string, mode: CredentialMode, password: string): Promise<NativeAddress>;
  /** Takes the user back and cuts off who is connected with it. Idempotent. */
  revoke(ref: string, id: string): Promise<void>;
}
