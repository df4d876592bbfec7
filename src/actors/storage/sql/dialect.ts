import type { EngineKind } from '../../../protocol/project.ts';
import type {
  Aggregate,
  CompareOperator,
  ContainOperator,
  InsertQuery,
  IsValue,
  JsonPath,
  OrderTerm,
  QuantifiedOperator,
  TextSearchOperator,
} from '../../../protocol/query.ts';
import type { ColumnInfo, TableInfo } from '../engine.ts';

/** A column as the compiler sees it; a dialect may know more of its own columns and reads it back by name. */
export type SqlColumn = ColumnInfo;

/**
 * Where the value of a placeholder comes from at execution time.
 * `value`: entry `index` of `queryShape(query).values`, in one of these forms:
 *   `text` a filter value as the URL gave it · `pattern` a LIKE pattern with % and _ and backslash escapes ·
 *   `list` a string[] for IN · `patterns` a list of such patterns · `json` a JsonValue to be stored in `column` · `count` a number (limit, offset).
 * `cell`: the row being inserted, its member `column.name` (dialects that insert row by row).
 * `rows`: all rows of the insert as one JSON text (dialects that insert a set).
 */
export type Param =
  | {
      readonly kind: 'value';
      readonly form: 'text' | 'pattern' | 'list' | 'patterns' | 'json' | 'count';
      readonly index: number;
      readonly column: SqlColumn | null;
      /** Of patterns: whether it is compared without regard to case. */
      readonly caseInsensitive?: boolean;
    }
  | { readonly kind: 'cell'; readonly column: SqlColumn }
  | { readonly kind: 'rows'; readonly columns: readonly SqlColumn[] };

/** Reserves a placeholder and gives its text in the statement. */
export type Bind = (param: Param) => string;

/** A column of the output and the name it has there. */
export interface OutputColumn {
  readonly column: SqlColumn;
  readonly name: string;
}

export interface SelectParts {
  readonly table: TableInfo;
  /** Quoted name of the table. */
  readonly from: string;
  readonly output: readonly OutputColumn[];
  /** Condition without the word WHERE, or null. */
  readonly where: string | null;
  /** Terms without the words ORDER BY, or null. */
  readonly order: string | null;
  readonly limit: string | null;
  readonly offset: string | null;
  /** Whether the total of matching rows was asked for (`count=exact`). */
  readonly total: boolean;
}

export interface WriteParts {
  readonly table: TableInfo;
  /** `INSERT …`, `UPDATE …` or `DELETE …` up to, and without, RETURNING. */
  readonly write: string;
  /** Empty where nothing is to be returned. */
  readonly output: readonly OutputColumn[];
  readonly returning: boolean;
  /** What every row written must satisfy, or null; the engine undoes the statement where one does not. */
  readonly check: string | null;
  /** More than one row is an error that undoes the statement, or that the engine sees by itself. */
  readonly single: boolean;
  /** Placeholder of the number of rows beyond which the same happens; null: any number may be written. */
  readonly most: string | null;
  /** An upsert that writes over rows: how many there were is asked for, where the dialect can tell. */
  readonly merges: boolean;
}

/** What stands in a row: an expression and the type it has there. */
export interface Value {
  readonly sql: string;
  /** The engine's name of its type. */
  readonly type: string;
  /** Whether the expression gives JSON that is to stand as such, whatever its type's name. */
  readonly json: boolean;
}

/** A value and the name it has in its row. */
export interface NamedValue {
  readonly name: string;
  readonly value: Value;
}

/** Rows to be read, in parts that are already text. */
export interface RowsParts {
  readonly output: readonly NamedValue[];
  /** Tables with their aliases. */
  readonly from: string;
  readonly where: string | null;
  /** Whether it holds aggregates. */
  readonly grouped: boolean;
  /** Terms of GROUP BY, or null. */
  readonly group: string | null;
  readonly order: string | null;
  readonly limit: string | null;
  readonly offset: string | null;
}

/** A whole select whose rows hold more than columns. */
export interface RowsStatement extends RowsParts {
  /** Where the rows that match are counted, if they are: those before grouping. */
  readonly counted: { readonly from: string; readonly where: string | null } | null;
}

/** A write whose returned rows hold more than columns. */
export interface RowsWrite {
  readonly table: TableInfo;
  readonly write: string;
  readonly rows: RowsParts;
  /** Columns of the written row that `rows` reads. */
  readonly used: readonly string[];
  readonly check: string | null;
  readonly single: boolean;
  readonly most: string | null;
  readonly merges: boolean;
  /** What is given beside each row, to sort by; a dialect that orders by itself has none. */
  readonly sortedBy: readonly WrittenKey[];
  /** The SELECT of the reply out of a derived table of the rows. Absent: each is given as JSON. */
  readonly reply?: ((rows: string) => string) | undefined;
}

/** A value that written rows are sorted by, by the engine. */
export interface WrittenKey {
  readonly sql: string;
  /** Where it is a column of the table: text may sort in a way of its own there. */
  readonly column: string | null;
  readonly direction: OrderTerm['direction'];
  readonly nulls: 'first' | 'last';
}

/**
 * What a dialect knows beyond plain columns and comparisons; one without it refuses all of that. A method that gives
 * null cannot say what was asked, and the query is refused.
 */
export interface Expressions {
  /** What a written row is called where its returned values are worked out. */
  writtenAs(table: TableInfo): string;
  /** Whether JSON compares and sorts by what it means, and not by how it is written. */
  readonly comparesJson: boolean;
  /** Whether a statement undoes itself where it writes more rows than it may; else its engine counts them. */
  readonly limitsAffected: boolean;
  /**
   * Whether rows are grouped where they are read. Absent: around a derived table of them, which needs not say twice what
   * they are grouped by, but must see the row around it.
   */
  readonly groupsInPlace?: true;
  /** Whether a written row's table may be read again in what is returned of it. */
  readonly rereadsWritten: boolean;
  /**
   * How written rows are given back in an order: by the statement itself, or by what it gives beside each row, which its
   * engine sorts by. Absent: the dialect cannot.
   */
  readonly ordersWritten?: 'itself' | 'afterwards';
  /** A value of the column as the outside sees it. Absent: as it is. */
  shown?(value: Value, column: SqlColumn): Value;
  path(column: string, info: SqlColumn, path: JsonPath): Value | null;
  cast(value: Value, type: string): Value | null;
  aggregate(function_: Aggregate['function'], value: Value | null): Value;
  /** The value as it may stand in GROUP BY. */
  groupable(value: Value): Value;
  compare(
    op: Exclude<CompareOperator, 'eq' | 'neq' | 'gt' | 'gte' | 'lt' | 'lte' | 'like' | 'ilike'>,
    value: string,
    bound: string,
  ): string | null;
  /** `bound` is a placeholder of form `list` or, for patterns, `patterns`. */
  quantified(op: QuantifiedOperator, quantifier: 'any' | 'all', value: string, bound: string): string | null;
  contain(op: ContainOperator, value: string, bound: string): string | null;
  textSearch(op: TextSearchOperator, value: Value, bound: string, config: string | undefined): string | null;
  /** The one row as a JSON object, or NULL. */
  object(rows: RowsParts): Value;
  /** The rows as a JSON array. */
  array(rows: RowsParts): Value;
  /** Of the only column: its value in the one row. */
  one(rows: RowsParts): Value;
  /** Of the only column: its values as a JSON array. */
  list(rows: RowsParts): Value;
  /** Whether there is any of these rows within the window. Absent: EXISTS with the window in it. */
  exists?(source: string, window: Pick<RowsParts, 'limit' | 'offset'>): string;
  /** A derived table of these rows, whose columns are called as they are. */
  derived(rows: RowsParts): string;
  selectRows(statement: RowsStatement): string;
  writeRows(write: RowsWrite): string;
}

export interface InsertParts {
  readonly table: TableInfo;
  readonly columns: readonly SqlColumn[];
  readonly missing: InsertQuery['missing'];
  readonly bind: Bind;
}

/**
 * What differs between SQL engines. The compiler walks the query; a dialect only writes text.
 * Every identifier in a statement comes out of `quoteIdentifier`, every value out of a placeholder.
 */
export interface Dialect {
  readonly kind: EngineKind;
  /** The one function through which a name reaches SQL. */
  quoteIdentifier(name: string): string;
  /** `position` counts from 1; the parameter says which type it is bound under. */
  placeholder(position: number, param: Param): string;
  qualifiedTable(table: TableInfo): string;
  /** `pattern` is a placeholder of form `pattern`. */
  like(column: string, pattern: string, caseInsensitive: boolean): string;
  is(column: string, value: IsValue): string;
  /** `list` is a placeholder of form `list`; an empty list matches nothing. */
  inList(column: string, list: string): string;
  /** One ORDER BY term; `nulls` is never absent here: PostgreSQL's defaults are already filled in. */
  orderTerm(
    column: string,
    info: SqlColumn,
    direction: OrderTerm['direction'],
    nulls: 'first' | 'last',
  ): string;
  /** What follows `INSERT INTO t (columns)`: VALUES or a SELECT; `columns` may be empty. */
  insertSource(parts: InsertParts): string;
  /** What an update sets a column to that is to have its default. */
  defaultText(column: SqlColumn): string;
  /** The conflict clause; without `columns` the primary key decides. */
  onConflict(
    table: TableInfo,
    conflict: NonNullable<InsertQuery['onConflict']>,
    columns: readonly SqlColumn[],
  ): string;
  /** Absent: plain columns and comparisons only. */
  readonly expressions?: Expressions;
  selectStatement(parts: SelectParts): string;
  writeStatement(parts: WriteParts): string;
}

/** One parameterised statement; equal shapes give equal text, so it is compiled and prepared once. */
export interface CompiledStatement {
  readonly sql: string;
  /** In the order of their positions. */
  readonly params: readonly Param[];
  readonly table: TableInfo;
  /** For an insert: the columns it writes. */
  readonly columns: readonly SqlColumn[];
  readonly hasCheck: boolean;
  /** Of a write whose rows the engine sorts: the values by which, each in a column of its own after the check's. */
  readonly sortedBy?: readonly WrittenKey[];
  /** A function of the project that it calls for a column or for related rows; null: none. */
  readonly calls: string | null;
}
