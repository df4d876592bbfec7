/**
 * The query AST: what the grammar parses to and every engine compiles from.
 * Values stay text as the URL gave them; the engine binds them under the column's own type.
 */
export interface ColumnRef {
  readonly name: string;
}

export type CompareOperator = 'eq' | 'neq' | 'gt' | 'gte' | 'lt' | 'lte' | 'like' | 'ilike';

export type IsValue = 'null' | 'not_null' | 'true' | 'false' | 'unknown';

export type Filter =
  | {
      readonly kind: 'compare';
      readonly column: ColumnRef;
      readonly op: CompareOperator;
      readonly value: string;
      readonly negated: boolean;
    }
  | {
      readonly kind: 'in';
      readonly column: ColumnRef;
      readonly values: readonly string[];
      readonly negated: boolean;
    }
  | { readonly kind: 'is'; readonly column: ColumnRef; readonly value: IsValue; readonly negated: boolean }
  | { readonly kind: 'and' | 'or'; readonly terms: readonly Filter[]; readonly negated: boolean };

export type SelectItem =
  | { readonly kind: 'all' }
  | { readonly kind: 'column'; readonly column: ColumnRef; readonly alias?: string };

export interface OrderTerm {
  readonly column: ColumnRef;
  readonly direction: 'asc' | 'desc';
  /** PostgreSQL's defaults when absent: nulls last ascending, nulls first descending. */
  readonly nulls?: 'first' | 'last';
}

export type CountKind = 'exact' | 'planned' | 'estimated';

/** A JSON value as a body carries it; an integer that a number cannot hold exactly is a BigInt (exact-json.ts). */
export type JsonValue =
  | string
  | number
  | bigint
  | boolean
  | null
  | readonly JsonValue[]
  | { readonly [key: string]: JsonValue };
export type Row = { readonly [column: string]: JsonValue };

interface Target {
  readonly schema: string;
  readonly table: string;
}

export interface SelectQuery extends Target {
  readonly kind: 'select';
  readonly select: readonly SelectItem[];
  readonly where?: Filter;
  readonly order: readonly OrderTerm[];
  readonly limit?: number;
  readonly offset?: number;
  readonly count?: CountKind;
}

export interface InsertQuery extends Target {
  readonly kind: 'insert';
  readonly rows: readonly Row[];
  /** Columns to write; keys beyond them are ignored. Absent: the union of the rows' keys. */
  readonly columns?: readonly string[];
  /** What a row without a column gets: NULL (PostgREST's default) or the column's default. */
  readonly missing: 'null' | 'default';
  readonly onConflict?: { readonly columns?: readonly string[]; readonly resolution: 'merge' | 'ignore' };
  /** Columns to give back; absent: none. */
  readonly returning?: readonly SelectItem[];
  readonly check?: Filter;
}

export interface UpdateQuery extends Target {
  readonly kind: 'update';
  readonly set: Row;
  readonly where?: Filter;
  readonly returning?: readonly SelectItem[];
  readonly single?: true;
  readonly check?: Filter;
}

export interface DeleteQuery extends Target {
  readonly kind: 'delete';
  readonly where?: Filter;
  readonly returning?: readonly SelectItem[];
  readonly single?: true;
}

/**
 * `check` on a write: every row written must satisfy it afterwards, or the whole statement is undone and fails
 * with MAG_FORBIDDEN (the row filter of a grant, PostgreSQL's WITH CHECK).
 * `single` on a write that returns rows: where it touches more than one row, it is undone and fails with PGRST116.
 */
export type Query = SelectQuery | InsertQuery | UpdateQuery | DeleteQuery;
