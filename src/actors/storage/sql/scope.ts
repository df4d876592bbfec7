import { DatabaseError, MagError } from '../../../errors.ts';
import type { ColumnRef } from '../../../protocol/query.ts';
import type { ComputedColumn, TableInfo } from '../engine.ts';
import type { Dialect, Param, SqlColumn } from './dialect.ts';

/** A condition that an embedded relation of the scope has rows, and how its columns are read. */
export interface CompiledEmbed {
  readonly exists: string;
  /** A to-one relation's column for an order; null: it is to many. */
  readonly column: ((column: ColumnRef) => { readonly sql: string; readonly info: SqlColumn }) | null;
}

/** What is read as if it were a column: a value of the row, which a function gives. */
const asColumn = ({ name, type }: ComputedColumn): SqlColumn => ({
  ...{ name, type, nullable: true, hasDefault: false, primaryKey: 0 },
});

/** A table in the statement and how its columns are named there. */
export class Scope {
  readonly table: TableInfo;
  /** As text; null: columns stand bare. */
  readonly alias: string | null;
  /** Names of the columns that were read. */
  readonly used = new Set<string>();
  /** Embedded relations by alias, else name. */
  readonly embeds = new Map<string, CompiledEmbed>();
  readonly #columns: ReadonlyMap<string, SqlColumn>;
  readonly #bindings: Bindings;
  /** Whether its rows are the table's own, and not made of its columns. */
  readonly #ownRows: boolean;

  /** How many tables are around it: 0 for the query's own. */
  readonly depth: number;

  constructor(table: TableInfo, alias: string | null, bindings: Bindings, ownRows = true, depth = 0) {
    this.table = table;
    this.depth = depth;
    this.alias = alias;
    this.#bindings = bindings;
    this.#ownRows = ownRows;
    this.#columns = new Map(table.columns.map((column) => [column.name, column]));
  }

  /** A column of the table itself, which can be written. Throws PGRST204. */
  own(name: string): SqlColumn {
    const found = this.#columns.get(name);
    if (found === undefined) throw new MagError('PGRST204', { column: name, table: this.table.name });
    return found;
  }

  /** A column that is read, or what is read as one. Throws 42703, in PostgreSQL's words for PostgREST's statements. */
  column(name: string): SqlColumn {
    const own = this.#columns.get(name);
    if (own !== undefined) return own;
    const computed = computedOf(this.table, name);
    if (computed !== undefined) return asColumn(computed);
    const table = this.depth === 0 ? this.table.name : `${this.table.name}_${this.depth}`;
    throw new DatabaseError('42703', `column ${table}.${name} does not exist`);
  }

  /** The column as an expression. */
  text(name: string): string {
    const { dialect } = this.#bindings;
    const computed = this.#columns.has(name) ? undefined : computedOf(this.table, name);
    if (computed !== undefined) return `${this.#bindings.called(computed)}(${this.row()})`;
    this.used.add(name);
    const quoted = dialect.quoteIdentifier(this.column(name).name);
    return this.alias === null ? quoted : `${this.alias}.${quoted}`;
  }

  /** The whole row as the argument of a function. */
  row(): string {
    const { dialect } = this.#bindings;
    if (this.#ownRows) return `${this.alias ?? dialect.quoteIdentifier(this.table.name)}.*`;
    const values = this.table.columns.map(({ name }) => this.text(name));
    return `ROW(${values.join(', ')})::${dialect.qualifiedTable(this.table)}`;
  }
}

/** The function that gives a value of this name for a row of the table. */
export const computedOf = (table: TableInfo, name: string): ComputedColumn | undefined =>
  table.computed?.find((computed) => computed.name === name);

/**
 * The statement's values and aliases. It numbers values exactly as `queryShape` collects them, so one compiled
 * statement serves every query of the same shape.
 */
export class Bindings {
  readonly params: Param[] = [];
  readonly dialect: Dialect;
  /** The first function that the statement calls beside the one that a call is of; null: none. */
  calls: string | null = null;
  #values = 0;
  #aliases = 0;
  /** What no alias may be: the name of the table that is written or read. */
  readonly #taken: string;

  constructor(dialect: Dialect, table: TableInfo) {
    this.dialect = dialect;
    this.#taken = table.name.toLowerCase();
  }

  readonly bind = (param: Param): string => {
    this.params.push(param);
    return this.dialect.placeholder(this.params.length, param);
  };

  value(form: 'text' | 'list' | 'json' | 'count', column: SqlColumn | null): string {
    return this.bind({ kind: 'value', form, index: this.#nextValue(), column });
  }

  pattern(form: 'pattern' | 'patterns', column: SqlColumn, caseInsensitive: boolean): string {
    const index = this.#nextValue();
    return this.bind({ kind: 'value', form, index, column, caseInsensitive });
  }

  /** The name of a function that is called with a row. */
  called({ schema, name }: { readonly schema: string; readonly name: string }): string {
    this.calls ??= name;
    return `${this.dialect.quoteIdentifier(schema)}.${this.dialect.quoteIdentifier(name)}`;
  }

  /** A name for a table in the statement that is no other one's. */
  alias(): string {
    this.#aliases += 1;
    const alias = `_e${this.#aliases}`;
    return alias === this.#taken ? this.alias() : alias;
  }

  /** The door refuses by capability what a dialect cannot say; whoever comes past it ends here. */
  unsupported(what: string): MagError {
    return new MagError('MAG_ENGINE_UNSUPPORTED', { engine: this.dialect.kind, what });
  }

  #nextValue(): number {
    const index = this.#values;
    this.#values += 1;
    return index;
  }
}
