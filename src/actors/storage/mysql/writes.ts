import { DatabaseError, MagError } from '../../../errors.ts';
import { notOneRow } from '../../../protocol/one-row.ts';
import type {
  DeleteQuery,
  Filter,
  InsertQuery,
  OrderTerm,
  Query,
  Row,
  SelectItem,
  UpdateQuery,
} from '../../../protocol/query.ts';
import type { ExecuteContext, QueryResult } from '../engine.ts';
import { insertColumns, isSingle } from '../sql/query-shape.ts';
import { isPlain } from '../sql/rows.ts';
import { isDuplicate } from './failures.ts';
import { JsonRows } from './json-rows.ts';
import { type Plans, tableOf } from './plans.ts';
import { chunks, equals, keyFilter, keysOf, padded, pick, primaryKey } from './row-keys.ts';
import type { MysqlSchema, MysqlTable } from './schema.ts';
import { type MysqlSession, resultLimit, type Work } from './session.ts';

type WriteQuery = Exclude<Query, { kind: 'select' }>;

/** What a write gave back, and how many rows it touched. */
interface Written {
  readonly rows: JsonRows;
  count: number;
  inserted?: number;
}

export interface WriteOptions {
  readonly plans: Plans;
  readonly schema: MysqlSchema;
  readonly context: ExecuteContext;
}

/** Rows of one insert statement at most, and placeholders: the protocol counts them in 16 bits. */
const MOST_ROWS = 512;
const MOST_PLACEHOLDERS = 65_535;
/** Rows that one statement finds again by their keys. */
const KEYS_AT_ONCE = 512;
const COMPOSITE_KEYS_AT_ONCE = 32;
/** Rows that come in an order come of one statement, which has a placeholder for each of their keys. */
const ORDERED_KEYS = 16_384;
const ORDERED_COMPOSITE_KEYS = 1_024;

/**
 * Writes of the grammar. Where one statement says it all, it runs alone; else several run in one transaction: MySQL has no
 * UPDATE … RETURNING, its upsert acts on any unique key, and a check is looked at after the fact.
 */
export class Write {
  readonly #query: WriteQuery;
  readonly #options: WriteOptions;
  readonly #table: MysqlTable;

  constructor(query: WriteQuery, options: WriteOptions) {
    this.#query = query;
    this.#options = options;
    this.#table = tableOf(options.schema, query);
  }

  run(session: MysqlSession): Promise<QueryResult> {
    const { context } = this.#options;
    const work = (held: Work): Promise<QueryResult> => this.within(held);
    if (this.#isOneStatement()) return session.work(context, work);
    return session.transaction(context, work, () => context.rollback === true);
  }

  /** Runs it in a transaction that is there. */
  async within(work: Work): Promise<QueryResult> {
    const { returning } = this.#query;
    const { rows, count, inserted } = await this.#write(work);
    return {
      json: returning === undefined ? '[]' : rows.json,
      rowCount: returning === undefined ? count : rows.rowCount,
      ...{ total: null, totalKind: null },
      ...(inserted === undefined ? {} : { inserted }),
    };
  }

  #isOneStatement(): boolean {
    const query = this.#query;
    if (this.#options.context.rollback === true || query.maxAffected !== undefined || isSingle(query))
      return false;
    if (('check' in query && query.check !== undefined) || this.#readsBack()) return false;
    if (query.kind === 'delete') return true;
    if (query.kind === 'update') return query.returning === undefined;
    return this.#batches(query).length <= 1 && (query.onConflict === undefined || this.#upsertsAlone(query));
  }

  async #write(work: Work): Promise<Written> {
    const query = this.#query;
    const written: Written = { rows: new JsonRows(work.tooLarge), count: 0 };
    if (this.#readsBack()) await this.#writeAndRead(query, work, written);
    else if (query.kind === 'insert') await this.#insert(query, work, written);
    else if (query.kind === 'delete') await this.#run(query, work, written);
    else await this.#update(query, work, written);
    if (written.rows.overflow) throw new MagError('MAG_RESULT_TOO_LARGE', { limit: resultLimit });
    if (written.rows.broken) throw this.#forbidden();
    const { count } = written;
    if (isSingle(query) && count > 1) throw notOneRow(count);
    if (query.maxAffected !== undefined && count > query.maxAffected)
      throw new MagError('PGRST124', {}, { details: `The query affects ${count} rows` });
    return written;
  }

  /** Whether more than columns is to be given back, or rows in an order, which no write of MySQL's can. */
  #readsBack(): boolean {
    const { returning, order = [] } = this.#query;
    return returning !== undefined && (order.length > 0 || !isPlain(returning, this.#table));
  }

  /** Reads what is more than columns by the keys of what was written, or before it is deleted. */
  async #writeAndRead({ order, ...query }: WriteQuery, work: Work, written: Written): Promise<void> {
    const { returning = [] } = query;
    if (query.kind === 'update') {
      await this.#update(query, work, written);
      return;
    }
    if (query.kind === 'delete') {
      const keys = await this.#lockedKeys(query, work);
      await this.#readBack(keys, returning, work, written);
      const { returning: _, where: __, ...bare } = query;
      for (const where of this.#keyFilters(keys)) await this.#run({ ...bare, where }, work, written);
      return;
    }
    const made: Written = { rows: new JsonRows(work.tooLarge), count: 0 };
    await this.#insert({ ...query, returning: this.#keyItems() }, work, made);
    if (made.rows.broken) throw this.#forbidden();
    await this.#readBack(keysOf(made.rows), returning, work, written);
    written.count = made.count;
    if (made.inserted !== undefined) written.inserted = made.inserted;
  }

  async #readBack(
    keys: readonly Row[],
    select: readonly SelectItem[],
    work: Work,
    written: Written,
  ): Promise<void> {
    const { order = [] } = this.#query;
    const filters = order.length === 0 ? this.#keyFilters(keys) : this.#oneFilter(keys);
    for (const where of filters) await this.#select(select, where, work, written.rows, order);
  }

  /** All keys in one filter: only one statement gives its rows in an order. */
  #oneFilter(keys: readonly Row[]): readonly Filter[] {
    const primary = this.#primary();
    const most = primary.length === 1 ? ORDERED_KEYS : ORDERED_COMPOSITE_KEYS;
    if (keys.length > most) {
      const what = `order more than ${most} rows that a write gives back`;
      throw new MagError('MAG_ENGINE_UNSUPPORTED', { engine: 'mysql', what });
    }
    return keys.length === 0 ? [] : [keyFilter(primary, padded(keys))];
  }

  /** Reads rows into `rows`, and gives how many there were. */
  async #select(
    select: readonly SelectItem[],
    where: Filter,
    work: Work,
    rows: JsonRows,
    order: readonly OrderTerm[] = [],
  ): Promise<number> {
    const { plans, schema } = this.#options;
    const { schema: name, table } = this.#query;
    const before = rows.rowCount;
    const bound = plans.bind({ kind: 'select', schema: name, table, select, order, where }, schema);
    rows.watchFor(bound.sql);
    await work.run(bound, rows);
    return rows.rowCount - before;
  }

  /** Throws MAG_FORBIDDEN where fewer than `most` of the rows satisfy the check. */
  async #enforce(check: Filter | undefined, where: Filter, most: number, work: Work): Promise<void> {
    if (check === undefined) return;
    const held: Filter = { kind: 'and', terms: [where, check], negated: false };
    if ((await this.#select([], held, work, new JsonRows(work.tooLarge))) < most) throw this.#forbidden();
  }

  /** Runs one statement, and counts the rows it touched. */
  async #run(query: Query, work: Work, written: Written, rows = 1): Promise<number> {
    const { plans, schema } = this.#options;
    const before = written.rows.rowCount;
    const header = await work.run(plans.bind(query, schema, rows), written.rows);
    const count = header?.affectedRows ?? written.rows.rowCount - before;
    written.count += count;
    return count;
  }

  #forbidden(): MagError {
    const { role } = this.#options.context.principal;
    return new MagError('MAG_FORBIDDEN', { role, action: this.#query.kind, table: this.#query.table });
  }

  // ── inserts

  async #insert(query: InsertQuery, work: Work, written: Written): Promise<void> {
    const { onConflict, ...plain } = query;
    const target = this.#target(query);
    if (onConflict === undefined || target.length === 0) {
      for (const batch of this.#batches(plain)) await this.#run(batch, work, written, batch.rows.length);
      return;
    }
    if (this.#upsertsAlone(query)) {
      for (const batch of this.#batches(query)) {
        const before = written.count;
        await this.#run(batch, work, written, batch.rows.length);
        written.count = before + batch.rows.length; // The server counts a row that it merged twice.
      }
      return;
    }
    written.inserted = 0;
    for (const batch of this.#batches(plain, 1))
      await this.#upsert(batch, onConflict.resolution, target, work, written);
  }

  /** Whether the server's own upsert does what is asked: no other unique key could be taken for the target. */
  #upsertsAlone(query: InsertQuery): boolean {
    const { uniqueIndexes } = this.#table;
    if (this.#target(query).length === 0) return true;
    return query.onConflict?.resolution === 'merge' && uniqueIndexes === 1 && insertColumns(query).length > 0;
  }

  /** The columns that decide which row is meant. Throws 42P10 where no unique key is over them. */
  #target({ onConflict }: InsertQuery): readonly string[] {
    if (onConflict === undefined) return [];
    const { columns, name, unique } = this.#table;
    const wanted = onConflict.columns;
    if (wanted === undefined) return primaryKey(this.#table);
    for (const column of wanted)
      if (!columns.some((known) => known.name === column))
        throw new MagError('PGRST204', { column, table: name });
    const backed = unique.some(
      (key) => key.length === wanted.length && key.every((each) => wanted.includes(each)),
    );
    if (backed) return wanted;
    throw new DatabaseError(
      '42P10',
      'there is no unique or exclusion constraint matching the ON CONFLICT specification',
    );
  }

  /** One row: written, or merged into, or left to the one that has its target's values. */
  async #upsert(
    row: InsertQuery,
    resolution: 'merge' | 'ignore',
    target: readonly string[],
    work: Work,
    written: Written,
  ): Promise<void> {
    try {
      await this.#run(row, work, written);
      written.inserted = (written.inserted ?? 0) + 1;
      return;
    } catch (error) {
      const [values] = row.rows;
      const where = values === undefined || !isDuplicate(error) ? null : equals(target, values);
      if (where === null || !(await this.#merge(row, resolution, where, work, written))) throw error;
    }
  }

  /** False where no row has the target's values: it was another key that refused the row. */
  async #merge(
    row: InsertQuery,
    resolution: 'merge' | 'ignore',
    where: Filter,
    work: Work,
    written: Written,
  ): Promise<boolean> {
    const { schema, table, returning, check } = row;
    const found = { rows: new JsonRows(work.tooLarge), count: 0 };
    const base = { schema, table, where } as const;
    if (resolution === 'ignore') {
      await this.#run({ kind: 'select', select: [], order: [], ...base }, work, found);
      return found.rows.rowCount > 0;
    }
    const set = Object.fromEntries(insertColumns(row).map((name) => [name, row.rows[0]?.[name] ?? null]));
    if ((await this.#run({ kind: 'update', set, ...base }, work, found)) === 0) return false;
    written.count += 1;
    await this.#enforce(check, where, 1, work);
    if (returning !== undefined) await this.#select(returning, where, work, written.rows);
    return true;
  }

  /**
   * The rows in statements of few shapes: of powers of two rows each. A row that lacks a column whose default it is to
   * get is written without naming the column.
   */
  #batches(query: InsertQuery, most = MOST_ROWS): readonly InsertQuery[] {
    const names = insertColumns(query);
    const columnsOf = (row: Row): readonly string[] =>
      query.missing === 'null' ? names : names.filter((name) => Object.hasOwn(row, name));
    const limit = Math.min(most, Math.floor(MOST_PLACEHOLDERS / Math.max(1, names.length)));
    const batches: InsertQuery[] = [];
    for (let at = 0; at < query.rows.length; ) {
      const columns = columnsOf(query.rows[at] ?? {});
      const key = columns.join('\0');
      let end = at + 1;
      while (end < query.rows.length && columnsOf(query.rows[end] ?? {}).join('\0') === key) end += 1;
      while (at < end) {
        const size = Math.min(2 ** Math.floor(Math.log2(end - at)), 2 ** Math.floor(Math.log2(limit)));
        batches.push({ ...query, rows: query.rows.slice(at, at + size), columns });
        at += size;
      }
    }
    return batches;
  }

  // ── updates

  async #update(query: UpdateQuery, work: Work, written: Written): Promise<void> {
    const { returning, order, check, ...bare } = query;
    if (query.defaults?.some((name) => primaryKey(this.#table).includes(name)) === true)
      throw new MagError('MAG_ENGINE_UNSUPPORTED', { engine: 'mysql', what: 'set a key to its default' });
    if (returning === undefined && check === undefined) {
      await this.#run(query, work, written);
      return;
    }
    const keys = await this.#lockedKeys(query, work);
    if (isSingle(query) && keys.length > 1) throw notOneRow(keys.length);
    const primary = this.#primary();
    const all: Row[] = [];
    for (const some of chunks(keys, this.#keysAtOnce())) {
      await this.#run({ ...bare, where: keyFilter(primary, some) }, work, written);
      const moved = some.map((key) => ({ ...key, ...pick(query.set, primary) }));
      await this.#enforce(check, keyFilter(primary, moved), some.length, work);
      all.push(...moved);
    }
    if (returning !== undefined) await this.#readBack(all, returning, work, written);
  }

  // ── keys

  #primary(): readonly string[] {
    const primary = primaryKey(this.#table);
    if (primary.length > 0) return primary;
    const what = 'give back, or check, what it writes in a table without a primary key, in this form';
    throw new MagError('MAG_ENGINE_UNSUPPORTED', { engine: 'mysql', what });
  }

  #keyItems(): readonly SelectItem[] {
    return this.#primary().map((name) => ({ kind: 'column', column: { name } }));
  }

  #keysAtOnce(): number {
    return this.#primary().length === 1 ? KEYS_AT_ONCE : COMPOSITE_KEYS_AT_ONCE;
  }

  #keyFilters(keys: readonly Row[]): readonly Filter[] {
    return chunks(keys, this.#keysAtOnce()).map((some) => keyFilter(this.#primary(), some));
  }

  /** Keys of the rows that match, which nobody else can change from now on. */
  async #lockedKeys(
    { schema, table, where }: UpdateQuery | DeleteQuery,
    work: Work,
  ): Promise<readonly Row[]> {
    const { plans, schema: snapshot } = this.#options;
    const select = this.#keyItems();
    const keys = { kind: 'select', schema, table, select, order: [], ...(where && { where }) } as const;
    const bound = plans.bind(keys, snapshot);
    const rows = new JsonRows(work.tooLarge);
    await work.run({ ...bound, sql: `${bound.sql} FOR UPDATE` }, rows);
    return keysOf(rows);
  }
}
