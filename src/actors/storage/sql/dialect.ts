import type { EngineKind } from '../../../protocol/project.ts';
import type { InsertQuery, IsValue, OrderTerm } from '../../../protocol/query.ts';
import type { ColumnInfo, TableInfo } from '../engine.ts';

/** A column as the compiler sees it; a dialect may know more of its own columns and reads it back by name. */
export type SqlColumn = ColumnInfo;

/**
 * Where the value of a placeholder comes from at execution time.
 * `value`: entry `index` of `queryShape(query).values`, in one of these forms:
 *   `text` a filter value as the URL gave it · `pattern` a LIKE pattern with % and _ and backslash escapes ·
 *   `list` a string[] for IN · `json` a JsonValue to be stored in `column` · `count` a number (limit, offset).
 * `cell`: the row being inserted, its member `column.name` (dialects that insert row by row).
 * `rows`: all rows of the insert as one JSON text (dialects that insert a set).
 */
export type Param =
  | {
      readonly kind: 'value';
      readonly form: 'text' | 'pattern' | 'list' | 'json' | 'count';
      readonly index: number;
      readonly column: SqlColumn | null;
      /** Of a pattern: whether it is compared without regard to case. */
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
  /** With `returning`: more than one row is an error that undoes the statement, or that the engine sees by itself. */
  readonly single: boolean;
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
  /** The conflict clause; without `columns` the primary key decides. */
  onConflict(
    table: TableInfo,
    conflict: NonNullable<InsertQuery['onConflict']>,
    columns: readonly SqlColumn[],
  ): string;
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
}
