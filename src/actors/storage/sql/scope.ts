import { MagError } from '../../../errors.ts';
import type { TableInfo } from '../engine.ts';
import type { Dialect, Param, SqlColumn } from './dialect.ts';

/** A condition that an embedded relation of the scope has rows, and how its columns are read. */
export interface CompiledEmbed {
  readonly exists: string;
  /** A to-one relation's column for an order; null: it is to many. */
  readonly column: ((name: string) => { readonly sql: string; readonly info: SqlColumn }) | null;
}

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
  readonly #dialect: Dialect;

  constructor(table: TableInfo, alias: string | null, dialect: Dialect) {
    this.table = table;
    this.alias = alias;
    this.#dialect = dialect;
    this.#columns = new Map(table.columns.map((column) => [column.name, column]));
  }

  column(name: string): SqlColumn {
    const found = this.#columns.get(name);
    if (found === undefined) throw new MagError('PGRST204', { column: name, table: this.table.name });
    return found;
  }

  /** The column as an expression. */
  text(name: string): string {
    this.used.add(name);
    const quoted = this.#dialect.quoteIdentifier(this.column(name).name);
    return this.alias === null ? quoted : `${this.alias}.${quoted}`;
  }
}

/**
 * The statement's values and aliases. It numbers values exactly as `queryShape` collects them, so one compiled
 * statement serves every query of the same shape.
 */
export class Bindings {
  readonly params: Param[] = [];
  readonly dialect: Dialect;
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
