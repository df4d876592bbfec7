import type { Engine, ExecuteContext, QueryResult, SqlResult } from '../../../src/actors/storage/engine.ts';
import type {
  Filter,
  InsertQuery,
  Query,
  Row,
  SelectItem,
  SelectQuery,
} from '../../../src/protocol/query.ts';

/** An engine on an empty database of its own, as the contract suite wants it. */
export interface EngineUnderTest {
  readonly engine: Engine;
  /** A context whose deadline is `ms` from now (default 10 s) on the engine's clock. */
  context(options?: { readonly ms?: number; readonly signal?: AbortSignal }): ExecuteContext;
  /** What differs in DDL and native SQL. */
  readonly words: {
    /** Column definition of a key that fills itself in: `integer primary key`. */
    readonly autoKey: string;
    readonly json: string;
    /** Column type of bytes. */
    readonly bytes: string;
    /** Column type of a text of a megabyte, where `text` is none. */
    readonly longText?: string;
    /** Placeholder number n (from 1) of native SQL. */
    readonly placeholder: (n: number) => string;
    /** A statement that runs far longer than any test waits. */
    readonly slow: string;
    /** A query that gives `rows` rows of a number. */
    readonly series: (rows: number) => string;
  };
  /** A second session on the same database. */
  another(): Promise<Engine>;
  /** Closes everything that was opened for the test. */
  close(): Promise<void>;
}

/** The subject with short words for the tests. */
export class Subject {
  readonly under: EngineUnderTest;

  constructor(under: EngineUnderTest) {
    this.under = under;
  }

  execute(query: Query): Promise<QueryResult> {
    return this.under.engine.execute(query, this.under.context());
  }

  async rows(query: Query): Promise<Row[]> {
    const result = await this.execute(query);
    const rows: Row[] = JSON.parse(result.json);
    return rows;
  }

  sql(statement: string, params: readonly unknown[] = []): Promise<SqlResult> {
    return this.under.engine.sql(statement, params, this.under.context());
  }

  async sqlRows(statement: string, params: readonly unknown[] = []): Promise<Row[]> {
    const { json } = await this.sql(statement, params);
    const result: { rows: Row[] } = JSON.parse(json);
    return result.rows;
  }

  /** Values of one column, in the order of the query. */
  async pluck(column: string, query: Partial<SelectQuery>): Promise<unknown[]> {
    const rows = await this.rows(select(query));
    return rows.map((row) => row[column]);
  }
}

export const all: readonly SelectItem[] = [{ kind: 'all' }];

export const column = (name: string, alias?: string): SelectItem =>
  alias === undefined ? { kind: 'column', column: { name } } : { kind: 'column', column: { name }, alias };

export const compare = (
  name: string,
  op: Extract<Filter, { kind: 'compare' }>['op'],
  value: string,
  negated = false,
): Filter => ({ kind: 'compare', column: { name }, op, value, negated });

export const within = (name: string, values: readonly string[], negated = false): Filter => ({
  kind: 'in',
  column: { name },
  values,
  negated,
});

export const is = (
  name: string,
  value: Extract<Filter, { kind: 'is' }>['value'],
  negated = false,
): Filter => ({
  kind: 'is',
  column: { name },
  value,
  negated,
});

export const and = (...terms: Filter[]): Filter => ({ kind: 'and', terms, negated: false });
export const or = (...terms: Filter[]): Filter => ({ kind: 'or', terms, negated: false });
export const not = (filter: Filter): Filter => ({ ...filter, negated: !filter.negated });

/** A select on `items`, all columns, by id, unless told otherwise. */
export const select = (query: Partial<SelectQuery> = {}): SelectQuery => ({
  kind: 'select',
  schema: 'public',
  table: 'items',
  select: all,
  order: [{ column: { name: 'id' }, direction: 'asc' }],
  ...query,
});

/** An insert into `items` that returns the rows, unless told otherwise. */
export const insert = (rows: readonly Row[], query: Partial<InsertQuery> = {}): InsertQuery => ({
  kind: 'insert',
  schema: 'public',
  table: 'items',
  rows,
  missing: 'null',
  returning: all,
  ...query,
});
