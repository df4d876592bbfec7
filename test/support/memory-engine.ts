import type {
  Engine,
  ExecuteContext,
  IdempotencyRecord,
  IdempotencyRecords,
  QueryResult,
  SchemaSnapshot,
  SqlResult,
  TableInfo,
  Transaction,
} from '../../src/actors/storage/engine.ts';
import { DatabaseError, MagError } from '../../src/errors.ts';
import { compareValue } from '../../src/protocol/compare-value.ts';
import { matches } from '../../src/protocol/filter-match.ts';
import { notOneRow } from '../../src/protocol/one-row.ts';
import type { InsertQuery, JsonValue, OrderTerm, Query, Row, SelectItem } from '../../src/protocol/query.ts';

interface Table {
  readonly columns: readonly string[];
  readonly key: string;
  rows: Row[];
}

const unsupported = (what: string): MagError =>
  new MagError('MAG_ENGINE_UNSUPPORTED', { engine: 'memory', what });

function project(row: Row, items: readonly SelectItem[]): Row {
  const picked: [string, JsonValue][] = [];
  for (const item of items) {
    if (item.kind === 'all') picked.push(...Object.entries(row));
    else if (item.kind !== 'column') throw unsupported(item.kind);
    else picked.push([item.alias ?? item.column.name, row[item.column.name] ?? null]);
  }
  return Object.fromEntries(picked);
}

function compareRows(order: readonly OrderTerm[]): (left: Row, right: Row) => number {
  return (left, right) => {
    for (const { column, direction } of order) {
      const difference = compareValue(left[column.name], String(right[column.name]), null) ?? 0;
      if (difference !== 0) return direction === 'asc' ? difference : -difference;
    }
    return 0;
  };
}

/** An Engine over arrays, for the gate's own tests: what it answers is what the AST says, row by row. */
export class MemoryEngine implements Engine {
  readonly kind = 'sqlite' as const;
  readonly tables = new Map<string, Table>();
  /** Every context that asked for its signal is kept, to see it abort. */
  readonly signals: AbortSignal[] = [];
  readonly records = new Map<string, IdempotencyRecord & { readonly expires: number }>();
  hang = false;
  #turn: Promise<unknown> = Promise.resolve();

  create(name: string, columns: readonly string[]): void {
    this.tables.set(name, { columns, key: columns[0] ?? 'id', rows: [] });
  }

  execute(query: Query, context: ExecuteContext): Promise<QueryResult> {
    if (this.hang) return this.#waitForAbort(context);
    try {
      return Promise.resolve(this.#run(query));
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** One at a time, as on SQLite; what is not done when `work` rejects was never there. */
  transaction<Result>(
    work: (transaction: Transaction) => Promise<Result>,
    { rollback }: ExecuteContext,
  ): Promise<Result> {
    const result = this.#turn.then(async () => {
      const before = [...this.tables].map(([name, table]) => [name, { ...table }] as const);
      const remembered = [...this.records];
      let keep = false;
      try {
        const done = await work({ execute: async (query) => this.#run(query), idempotency: this.#records() });
        keep = rollback !== true;
        return done;
      } finally {
        if (!keep) {
          this.records.clear();
          for (const [key, record] of remembered) this.records.set(key, record);
          this.tables.clear();
          for (const [name, table] of before) this.tables.set(name, table);
        }
      }
    });
    this.#turn = result.catch(() => {});
    return result;
  }

  #records(): IdempotencyRecords {
    return {
      claim: async ({ key, now, expires, fingerprint }) => {
        const known = this.records.get(key);
        if (known !== undefined && known.expires > now) return known;
        this.records.set(key, { fingerprint, expires, result: '' });
        return null;
      },
      settle: async (key, result) => {
        const claimed = this.records.get(key);
        if (claimed === undefined) throw new Error('settled without a claim');
        this.records.set(key, { ...claimed, result });
      },
    };
  }

  #waitForAbort(context: ExecuteContext): Promise<QueryResult> {
    return new Promise((_resolve, reject) => {
      const { signal } = context;
      if (signal === undefined) return;
      this.signals.push(signal);
      signal.addEventListener('abort', () =>
        reject(new DatabaseError('57014', 'canceling statement due to user request')),
      );
    });
  }

  #table(name: string): Table {
    const table = this.tables.get(name);
    if (table === undefined) throw new MagError('PGRST205', { table: `public.${name}` });
    return table;
  }

  #run(query: Query): QueryResult {
    const table = this.#table(query.table);
    if (query.kind === 'insert') return this.#insert(table, query);
    const hit = (row: Row): boolean => query.where === undefined || matches(query.where, row);
    const found = table.rows.filter(hit);
    if (query.kind === 'select') {
      const sorted = found.toSorted(compareRows(query.order));
      const start = query.offset ?? 0;
      const rows = sorted.slice(start, query.limit === undefined ? undefined : start + query.limit);
      const total = query.count === undefined ? null : found.length;
      return this.#result(
        rows.map((row) => project(row, query.select)),
        total,
      );
    }
    if (query.single === true && found.length > 1) throw notOneRow(found.length);
    if (query.kind === 'delete') {
      table.rows = table.rows.filter((row) => !hit(row));
      return this.#written(found, query.returning);
    }
    const set: Row = {
      ...query.set,
      ...Object.fromEntries((query.defaults ?? []).map((name) => [name, null])),
    };
    const changed = found.map((row) => ({ ...row, ...set }));
    this.#check(changed, query);
    table.rows = table.rows.map((row) => (hit(row) ? { ...row, ...set } : row));
    return this.#written(changed, query.returning);
  }

  #insert(table: Table, query: InsertQuery): QueryResult {
    const written: Row[] = [];
    const rows = [...table.rows];
    for (const given of query.rows) {
      const names = query.columns ?? Object.keys(given);
      const unknown = names.find((name) => !table.columns.includes(name));
      if (unknown !== undefined) throw new MagError('PGRST204', { column: unknown, table: query.table });
      const defaults: Row = Object.fromEntries(table.columns.map((name) => [name, null]));
      const row: Row = { ...defaults, [table.key]: rows.length + 1, ...given };
      const at = rows.findIndex((other) => other[table.key] === row[table.key]);
      if (at !== -1 && query.onConflict?.resolution === 'ignore') continue;
      if (at === -1) rows.push(row);
      else rows[at] = { ...rows[at], ...given };
      written.push(rows[at === -1 ? rows.length - 1 : at] ?? row);
    }
    this.#check(written, query);
    table.rows = rows;
    return this.#written(written, query.returning);
  }

  #check(rows: readonly Row[], query: Query): void {
    const check = 'check' in query ? query.check : undefined;
    if (check === undefined || rows.every((row) => matches(check, row))) return;
    throw new MagError('MAG_FORBIDDEN', { role: 'anon', action: query.kind, table: query.table });
  }

  #written(rows: readonly Row[], returning: readonly SelectItem[] | undefined): QueryResult {
    const shown = returning === undefined ? [] : rows.map((row) => project(row, returning));
    return { json: JSON.stringify(shown), rowCount: rows.length, total: null, totalKind: null };
  }

  #result(rows: readonly Row[], total: number | null): QueryResult {
    const totalKind = total === null ? null : 'exact';
    return { json: JSON.stringify(rows), rowCount: rows.length, total, totalKind };
  }

  sql(statement: string, params: readonly unknown[]): Promise<SqlResult> {
    const json = JSON.stringify({
      rows: [{ statement, params }],
      fields: [],
      rowCount: 1,
      command: 'SELECT',
    });
    return Promise.resolve({ json, rowCount: 1, command: 'SELECT' });
  }

  schema(): Promise<SchemaSnapshot> {
    const tables = new Map<string, TableInfo>();
    for (const [name, { columns, key }] of this.tables) {
      tables.set(name, {
        schema: 'public',
        name,
        kind: 'table',
        columns: columns.map((column) => ({
          name: column,
          type: column === key ? 'integer' : 'text',
          nullable: column !== key,
          hasDefault: column === key,
          primaryKey: column === key ? 1 : 0,
        })),
        unique: [[key]],
      });
    }
    return Promise.resolve({ version: '1', tables });
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}
