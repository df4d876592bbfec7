import type { SQLInputValue, StatementSync } from 'node:sqlite';
import { MagError } from '../../../errors.ts';
import { LIMITS } from '../../../limits.ts';
import { notOneRow } from '../../../protocol/one-row.ts';
import type { InsertQuery, Query, Row } from '../../../protocol/query.ts';
import type { QueryResult, TableInfo } from '../engine.ts';
import { findTable } from '../sql/compiler.ts';
import { PlanCache } from '../sql/plan-cache.ts';
import { isSingle, type QueryShape, type QueryValue, queryShape } from '../sql/query-shape.ts';
import { type ConnectionOptions, openTenantConnection, type TenantConnection } from './connection.ts';
import { inlineVerdict } from './inline-rule.ts';
import { LocalTransaction } from './local-transaction.ts';
import { makePlan, type SqlitePlan } from './plan.ts';
import { isUnexpectedBlob } from './sqlite-errors.ts';
import {
  describeSchema,
  describeTable,
  readSchema,
  type SqliteSchema,
  type SqliteTable,
} from './sqlite-schema.ts';
import { uniqueViolation } from './unique-violation.ts';
import { FIRST_KEY, keySize } from './written-order.ts';

/** A row of a statement in array mode: its JSON text, the total of a count or the outcome of a check, what it is sorted by. */
type ResultRow = readonly [json: string | null, extra?: unknown, ...keys: unknown[]];

export interface RunOptions {
  /** JSON characters this thread may spend on one read, or null for a storage process, which has its own bound. */
  readonly byteBudget: number | null;
  /** On whose behalf, for the message of a refused write. */
  readonly role: string;
}

/** One write query in progress. */
interface WriteJob {
  readonly values: readonly QueryValue[];
  readonly options: RunOptions;
  /** What it gives back, so far. */
  readonly rows: ResultRow[];
}

/**
 * One connection with its schema and its plans. Synchronous: whoever calls it decides whether this thread may wait.
 * Throws node:sqlite's own errors beside MagError and DatabaseError.
 */
export class SqliteSession {
  readonly connection: TenantConnection;
  /** Null: a statement that this thread may not even compile. */
  readonly #plans = new PlanCache<SqlitePlan | null>(LIMITS.planCacheEntries);
  readonly #inlineOnly: boolean;
  readonly #schemaVersion: StatementSync;
  /** Tables in which a blob turned up where none is declared. */
  readonly #blobTables = new Set<string>();
  #schema: SqliteSchema | null = null;
  readonly transaction: LocalTransaction;

  /** @param options `inlineOnly`: this thread must not be held up, so it plans only what the inline rule lets it run. */
  constructor(options: ConnectionOptions & { readonly inlineOnly: boolean }) {
    this.#inlineOnly = options.inlineOnly;
    this.connection = openTenantConnection(options);
    this.transaction = new LocalTransaction(this.connection);
    this.#schemaVersion = this.connection.database.prepare('PRAGMA schema_version');
    this.#schemaVersion.setReturnArrays(true);
  }

  /** Forgets what it knows of the schema when that changed; returns whether it did. One pragma, about a microsecond. */
  refreshSchema(): boolean {
    if (this.#schema === null) return false;
    if (this.schemaVersion() === this.#schema.version) return false;
    this.forgetSchema();
    return true;
  }

  /** SQLite's own counter of schema changes. */
  schemaVersion(): string {
    const row: unknown = this.#schemaVersion.get();
    return Array.isArray(row) ? String(row[0]) : '';
  }

  forgetSchema(): void {
    this.#schema = null;
    this.#plans.clear();
    this.#blobTables.clear();
  }

  /** Tables with all that planning needs; views are named only. */
  schema(): SqliteSchema {
    this.connection.confinement.begin();
    this.#schema ??= readSchema(this.connection.database);
    return this.#schema;
  }

  /** The schema with its views: their columns cost compiling them. */
  describedSchema(): SqliteSchema {
    const schema = this.schema();
    return describeSchema(this.connection.database, schema);
  }

  /** Objects in the schema: tables, indexes, views and triggers. */
  schemaObjects(): number {
    const row = this.connection.database.prepare('SELECT count(*) AS n FROM main.sqlite_master').get();
    return Number(row?.n ?? 0);
  }

  /** The plan of a query, or null where this thread must leave it to a storage process. */
  plan(query: Query, shape: QueryShape): SqlitePlan | null {
    const known = this.#plans.get(shape.key);
    if (known !== undefined) return known;
    const plan = this.#makePlan(query);
    this.#plans.set(shape.key, plan);
    return plan;
  }

  #makePlan(query: Query): SqlitePlan | null {
    const schema = this.schema();
    const { name } = findTable(schema, query.schema, query.table);
    const table = schema.tables.get(name);
    if (table === undefined) throw new MagError('PGRST205', { table: query.table });
    // Compiling a view alone can take minutes; what may not run here is not compiled here either.
    if (this.#inlineOnly && inlineVerdict(query, table, schema) === 'never') return null;
    const plan = makePlan(this.connection, query, this.#described(table), this.#blobTables.has(name), schema);
    return this.#inlineOnly && plan.verdict === 'never' ? null : plan;
  }

  #described(table: SqliteTable): SqliteTable {
    const described = describeTable(this.connection.database, table);
    if (described === null) throw new MagError('PGRST205', { table: table.name });
    return described;
  }

  /**
   * Runs a query. With `byteBudget` (an edge thread's) a read gives null instead of a result once its JSON outgrows
   * it. A write that fails or breaks its check leaves nothing behind.
   */
  run(query: Query, shape: QueryShape, plan: SqlitePlan, options: RunOptions): QueryResult | null {
    this.transaction.requireOpen();
    try {
      return this.#run(query, shape, plan, options);
    } catch (error) {
      const { table } = plan.compiled;
      if (!isUnexpectedBlob(error) || this.#blobTables.has(table.name)) throw this.#named(table, error);
      this.#blobTables.add(table.name);
      this.#plans.clear();
      const rewritten = this.plan(query, shape);
      return rewritten === null ? null : this.#run(query, shape, rewritten, options);
    }
  }

  #named(table: TableInfo, error: unknown): unknown {
    const { database, confinement } = this.connection;
    return confinement.asBoard(() => uniqueViolation(database, table, error)) ?? error;
  }

  #run(query: Query, shape: QueryShape, plan: SqlitePlan, options: RunOptions): QueryResult | null {
    if (query.kind === 'select') return this.#readHere(query, shape.values, plan, options.byteBudget);
    const job: WriteJob = { values: shape.values, options, rows: [] };
    const mostOne = isSingle(query);
    const single = query.kind !== 'insert' || this.#isSingle(query);
    const write = (): number => {
      if (single) {
        const rows = this.#write(plan, query.kind === 'insert' ? query.rows[0] : null, job);
        if (mostOne && rows > 1) throw notOneRow(rows);
        refuseMore(query, rows);
        return rows;
      }
      const rows = query.kind === 'insert' ? this.#writeRows(query, plan, job) : 0;
      refuseMore(query, rows);
      return rows;
    };
    const mayRefuse =
      mostOne ||
      query.maxAffected !== undefined ||
      plan.compiled.hasCheck ||
      (plan.givesRows && options.byteBudget === null);
    const written = single && !mayRefuse ? write() : this.transaction.atomically(write);
    const returns = query.returning !== undefined;
    // What an inner embed leaves out is no row of the answer.
    const rows = plan.order === null ? job.rows : plan.order.sort(job.rows);
    const shown = returns ? rows.filter(([json]) => json !== null) : rows;
    return {
      json: returns ? joinRows(shown) : '[]',
      rowCount: plan.givesRows ? shown.length : written,
      total: null,
      totalKind: null,
    };
  }

  /** Whether the plan of the whole insert is the plan of its one row. */
  #isSingle(query: InsertQuery): boolean {
    const [row] = query.rows;
    if (query.rows.length !== 1 || row === undefined) return false;
    return query.missing === 'null' || query.columns === undefined;
  }

  #writeRows(query: InsertQuery, plan: SqlitePlan, job: WriteJob): number {
    let written = 0;
    const plans = new Map<string, SqlitePlan>();
    for (const row of query.rows) {
      const rowPlan = query.missing === 'null' ? plan : this.#rowPlan(query, plan, row, plans);
      written += this.#write(rowPlan, row, job);
    }
    return written;
  }

  /** SQLite has no DEFAULT among values: a row that lacks a column is written without naming it. */
  #rowPlan(query: InsertQuery, whole: SqlitePlan, row: Row, plans: Map<string, SqlitePlan>): SqlitePlan {
    const columns = whole.compiled.columns.map(({ name }) => name).filter((name) => Object.hasOwn(row, name));
    const key = columns.join('\u0000');
    const known = plans.get(key);
    if (known !== undefined) return known;
    const single: InsertQuery = { ...query, rows: [row], columns };
    const plan = this.plan(single, queryShape(single));
    if (plan === null) throw new Error('a row of an inline insert is not inline');
    plans.set(key, plan);
    return plan;
  }

  /** Runs one write and adds its result rows to the job's. Gives the number of rows written. */
  #write(plan: SqlitePlan, row: Row | null | undefined, { values, options, rows: out }: WriteJob): number {
    const bound = bindAll(plan, values, row ?? null);
    if (!plan.givesRows) return Number(plan.statement.run(...bound).changes);
    // An edge thread writes single rows; a process may be asked to give back a whole table.
    const rows =
      options.byteBudget === null
        ? boundedRows(plan.statement, bound, LIMITS.resultBytes)
        : allRows(plan.statement, bound);
    if (rows === null) throw tooLarge();
    for (const each of rows) {
      // NULL does not satisfy a check, as in PostgreSQL's row security.
      if (plan.compiled.hasCheck && Number(each[1]) !== 1)
        throw checkFailed(plan.compiled.table.name, options.role);
      out.push(each);
    }
    return rows.length;
  }

  /** An edge thread first counts the related rows, in the state of the database that it then reads them in. */
  #readHere(
    query: Extract<Query, { kind: 'select' }>,
    values: readonly QueryValue[],
    plan: SqlitePlan,
    byteBudget: number | null,
  ): QueryResult | null {
    const { probes } = plan;
    if (byteBudget === null || probes === null) return this.#read(query, values, plan, byteBudget);
    if (probes.passes()) return null;
    return this.transaction.reading(() =>
      probes.areFew(bindAll(plan, values, null)) ? this.#read(query, values, plan, byteBudget) : null,
    );
  }

  #read(
    query: Extract<Query, { kind: 'select' }>,
    values: readonly QueryValue[],
    plan: SqlitePlan,
    byteBudget: number | null,
  ): QueryResult | null {
    const bound = bindAll(plan, values, null);
    const budget = byteBudget ?? LIMITS.resultBytes;
    const rows =
      plan.light && (plan.verdict === 'lookup' || (query.limit ?? Infinity) <= SMALL_PAGE)
        ? allRows(plan.statement, bound)
        : boundedRows(plan.statement, bound, budget);
    if (rows === null) {
      plan.heavy = true;
      if (byteBudget !== null) return null;
      throw tooLarge();
    }
    const total = query.count === undefined ? null : Number(rows.shift()?.[1] ?? 0);
    const json = joinRows(rows);
    plan.light = json.length < LIGHT_BYTES;
    return { json, rowCount: rows.length, total, totalKind: query.count === undefined ? null : 'exact' };
  }

  /** How long a statement may block this thread for another writer, milliseconds. */
  setBusyTimeout(ms: number): void {
    const { database, confinement } = this.connection;
    confinement.asBoard(() => database.exec(`PRAGMA busy_timeout = ${Math.round(ms)}`));
  }

  /**
   * Moves the WAL into the database without waiting for anybody. Where readers kept it from starting over for long,
   * waits for them a moment, or the file would grow for ever.
   */
  checkpoint(): void {
    const { database, confinement } = this.connection;
    confinement.asBoard(() => {
      const state = database.prepare('PRAGMA wal_checkpoint(PASSIVE)').get();
      const frames = Number(state?.log ?? 0);
      if (frames < LIMITS.checkpointPages) return;
      // Almost all is moved already: the writers wait for the rest, and then write over the file from its start.
      // A file that grew all the same is cut.
      const mode = frames < LIMITS.checkpointPages * OVERGROWN ? 'RESTART' : 'TRUNCATE';
      database.exec(`PRAGMA busy_timeout = ${RESTART_WAIT_MS}`);
      database.prepare(`PRAGMA wal_checkpoint(${mode})`).get();
      database.exec('PRAGMA busy_timeout = 0');
    });
  }

  close(): void {
    this.#plans.clear();
    this.connection.database.close();
  }
}

/** A WAL of so many times the checkpoint threshold was kept from starting over by readers. */
const OVERGROWN = 16;
const RESTART_WAIT_MS = 50;

/** Rows up to which reading all at once is cheaper than looking at the size of each… */
const SMALL_PAGE = 100;
/** …where the plan's last result was small, so that the next one is hardly huge. */
const LIGHT_BYTES = 128 * 1024;

const tooLarge = (): MagError => new MagError('MAG_RESULT_TOO_LARGE', { limit: '64 MiB' });

function refuseMore({ maxAffected }: Exclude<Query, { kind: 'select' }>, rows: number): void {
  if (maxAffected === undefined || rows <= maxAffected) return;
  throw new MagError('PGRST124', {}, { details: `The query affects ${rows} rows` });
}

const checkFailed = (table: string, role: string): MagError =>
  new MagError('MAG_FORBIDDEN', { role, action: 'write this row of', table });

function bindAll(plan: SqlitePlan, values: readonly QueryValue[], row: Row | null): SQLInputValue[] {
  const { binders } = plan;
  const bound: SQLInputValue[] = [];
  for (const bind of binders) bound.push(bind(values, row));
  return bound;
}

/** In array mode node:sqlite gives arrays, which the type of all() does not say. */
const allRows = (statement: StatementSync, bound: SQLInputValue[]): ResultRow[] =>
  statement.all(...bound) as unknown as ResultRow[];

/** All rows, or null once their JSON is longer than `budget` characters. */
function boundedRows(statement: StatementSync, bound: SQLInputValue[], budget: number): ResultRow[] | null {
  const rows: ResultRow[] = [];
  let size = 0;
  try {
    // As in allRows.
    for (const row of statement.iterate(...bound) as unknown as Iterable<ResultRow>) {
      size += (row[0]?.length ?? 0) + 1;
      for (let at = FIRST_KEY; at < row.length; at += 1) size += keySize(row[at]);
      if (size > budget) return null;
      rows.push(row);
    }
  } catch (error) {
    forgetFailure(statement);
    throw error;
  }
  return rows;
}

/** node:sqlite's iterate() throws what the statement failed with last time, once more, before it begins. */
function forgetFailure(statement: StatementSync): void {
  try {
    statement.iterate();
  } catch {
    // That was it.
  }
}

function joinRows(rows: readonly ResultRow[]): string {
  let json = '[';
  for (const row of rows) json += json.length > 1 ? `,${row[0]}` : row[0];
  return `${json}]`;
}
