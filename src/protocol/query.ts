/**
 * The query AST: what the grammar parses to and every engine compiles from.
 * Values stay text as the URL gave them; the engine binds them under the column's own type.
 */
export interface ColumnRef {
  readonly name: string;
  readonly path?: JsonPath;
}

/** Steps into a JSON column, `data->a->0->>b`: keys and places (from the end where negative), in order. */
export interface JsonPath {
  readonly steps: readonly (string | number)[];
  /** The last arrow was `->>`: the value as text, and not as JSON. */
  readonly text: boolean;
}

export type CompareOperator =
  | 'eq'
  | 'neq'
  | 'gt'
  | 'gte'
  | 'lt'
  | 'lte'
  | 'like'
  | 'ilike'
  | 'match'
  | 'imatch'
  | 'isdistinct';

/** Operators that take `(any)` and `(all)`. */
export type QuantifiedOperator = Exclude<CompareOperator, 'neq' | 'isdistinct'>;

/** On arrays, ranges and JSON: contains, contained in, overlaps; of ranges also left, right and adjacent. */
export type ContainOperator = 'cs' | 'cd' | 'ov' | 'sl' | 'sr' | 'nxl' | 'nxr' | 'adj';

/** to_tsquery, plainto_, phraseto_ and websearch_to_tsquery. */
export type TextSearchOperator = 'fts' | 'plfts' | 'phfts' | 'wfts';

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
  | {
      readonly kind: 'quantified';
      readonly column: ColumnRef;
      readonly op: QuantifiedOperator;
      readonly quantifier: 'any' | 'all';
      readonly values: readonly string[];
      readonly negated: boolean;
    }
  | {
      readonly kind: 'contain';
      readonly column: ColumnRef;
      readonly op: ContainOperator;
      /** As PostgreSQL writes it: `{a,b}`, `[1,5)`, or JSON. */
      readonly value: string;
      readonly negated: boolean;
    }
  | {
      readonly kind: 'text_search';
      readonly column: ColumnRef;
      readonly op: TextSearchOperator;
      /** The text search configuration, `fts(german)`; absent: the database's default. */
      readonly config?: string;
      readonly value: string;
      readonly negated: boolean;
    }
  /** Whether an embedded relation of the same select (by its alias, else its name) has a row. */
  | {
      readonly kind: 'related';
      readonly relation: string;
      readonly value: 'null' | 'not_null';
      readonly negated: boolean;
    }
  | { readonly kind: 'and' | 'or'; readonly terms: readonly Filter[]; readonly negated: boolean };

export type AggregateFunction = 'sum' | 'avg' | 'min' | 'max' | 'count';

export type SelectItem =
  | { readonly kind: 'all' }
  | {
      readonly kind: 'column';
      readonly column: ColumnRef;
      /** Always there beside a JSON path: its last key, else the column. An aggregate without is named as its function. */
      readonly alias?: string;
      /** A type's name: `total::text`; with an aggregate it is what is aggregated. */
      readonly cast?: string;
      readonly aggregate?: Aggregate;
    }
  /** `count()`: rows, not a column's values. */
  | { readonly kind: 'count'; readonly alias?: string; readonly cast?: string }
  | { readonly kind: 'embed'; readonly embed: Embed };

/** Other columns of the same select are what it is grouped by. */
export interface Aggregate {
  readonly function: AggregateFunction;
  /** Of the result: `price.sum()::text`. */
  readonly cast?: string;
}

/** Rows of a related table inside a row: `directors(name)`, `...directors!inner(name)`. */
export interface Embed {
  /** A table, or the name of a foreign key or of its only column. */
  readonly relation: string;
  readonly alias?: string;
  /** Which of several relationships is meant: `!fk_name`, a column, or the table in between. */
  readonly hint?: string;
  /** Rows without a related row are left out. */
  readonly inner: boolean;
  /** Its columns stand in the row itself. */
  readonly spread: boolean;
  /** Empty, `rel()`: it is not shown, and only what is filtered or joined by it counts. */
  readonly select: readonly SelectItem[];
  readonly where?: Filter;
  readonly order: readonly OrderTerm[];
  readonly limit?: number;
  readonly offset?: number;
  /** Filled in from the schema before access is decided; absent as the grammar gives it. */
  readonly join?: Join;
}

/** How an embedded table hangs on the one around it; columns pair by place. */
export interface Join {
  readonly schema: string;
  readonly table: string;
  /** Whether at most one row can match: it is an object then, else an array. */
  readonly toOne: boolean;
  /** Columns of the table around it, or with `via` those that the table in between refers to. */
  readonly from: readonly string[];
  readonly to: readonly string[];
  /** The table in between of a many-to-many relationship, and its columns towards both. */
  readonly via?: {
    readonly schema: string;
    readonly table: string;
    readonly from: readonly string[];
    readonly to: readonly string[];
  };
  /** The rows are those that this function gives for the row around them; no columns pair then. */
  readonly call?: { readonly schema: string; readonly name: string };
}

export interface OrderTerm {
  /** An embedded to-one relation whose column it is: `director(name).desc`. */
  readonly relation?: string;
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
  /** Of an estimated count: up to how many rows it is exact. Absent: the engine decides. */
  readonly exactUpTo?: number;
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
  /** Of what is given back; absent: any. */
  readonly order?: readonly OrderTerm[];
  readonly check?: Filter;
  readonly maxAffected?: number;
}

export interface UpdateQuery extends Target {
  readonly kind: 'update';
  readonly set: Row;
  /** Further columns, which get their defaults. Absent: none. */
  readonly defaults?: readonly string[];
  readonly where?: Filter;
  readonly returning?: readonly SelectItem[];
  readonly order?: readonly OrderTerm[];
  readonly single?: true;
  readonly check?: Filter;
  readonly maxAffected?: number;
}

export interface DeleteQuery extends Target {
  readonly kind: 'delete';
  readonly where?: Filter;
  readonly returning?: readonly SelectItem[];
  readonly order?: readonly OrderTerm[];
  readonly single?: true;
  readonly maxAffected?: number;
}

/** Arguments of a function: by name (a URL's are texts, a repeated one is an array), or one body for its one argument (`binary`: its bytes in hex). */
export type CallArguments =
  | {
      readonly kind: 'named';
      readonly values: { readonly [name: string]: JsonValue };
      /** They are the members of a JSON body, which a function's one json parameter without a name takes whole. */
      readonly json?: true;
      /** They are texts, of a URL, a form or CSV, and no JSON values. */
      readonly texts?: true;
      /** The whole of such a body where it holds more than they, as JSON text. */
      readonly whole?: string;
    }
  | { readonly kind: 'body'; readonly type: 'json' | 'text' | 'xml' | 'binary'; readonly value: string };

/** `rpc/NAME`: its rows are read as a table's are. */
export interface CallQuery {
  readonly kind: 'call';
  readonly schema: string;
  readonly function: string;
  readonly arguments: CallArguments;
  /** GET and HEAD: it must not write. */
  readonly readOnly: boolean;
  readonly select: readonly SelectItem[];
  readonly where?: Filter;
  readonly order: readonly OrderTerm[];
  readonly limit?: number;
  readonly offset?: number;
  readonly count?: CountKind;
  /** Of one that may write: where it gives another number of rows than one, it is undone and fails with PGRST116. */
  readonly single?: true;
  readonly maxAffected?: number;
}

/**
 * `check` on a write: every row written must satisfy it afterwards, or the whole statement is undone and fails
 * with MAG_FORBIDDEN (the row filter of a grant, PostgreSQL's WITH CHECK).
 * `single` on a write: where it touches more than one row, it is undone and fails with PGRST116.
 * `maxAffected` on a write: where it touches more rows, it is undone and fails with PGRST124.
 */
export type Query = SelectQuery | InsertQuery | UpdateQuery | DeleteQuery;
