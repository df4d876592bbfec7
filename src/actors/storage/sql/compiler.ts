import { MagError } from '../../../errors.ts';
import type { Filter, InsertQuery, OrderTerm, Query, SelectItem } from '../../../protocol/query.ts';
import type { SchemaSnapshot, TableInfo } from '../engine.ts';
import type { CompiledStatement, Dialect, OutputColumn, Param, SqlColumn } from './dialect.ts';
import { insertColumns, isSingle } from './query-shape.ts';

/** Throws PGRST205 where the schema holds no such table. */
export function findTable(snapshot: SchemaSnapshot, schema: string, name: string): TableInfo {
  const table = snapshot.tables.get(name);
  if (table !== undefined && table.schema === schema) return table;
  const qualified = snapshot.tables.get(`${schema}.${name}`);
  if (qualified === undefined) throw new MagError('PGRST205', { table: `${schema}.${name}` });
  return qualified;
}

/**
 * Compiles one query. It numbers values exactly as `queryShape` collects them, so one compiled statement serves
 * every query of the same shape.
 */
class Compilation {
  readonly params: Param[] = [];
  readonly table: TableInfo;
  readonly dialect: Dialect;
  readonly #columns: ReadonlyMap<string, SqlColumn>;
  #values = 0;

  constructor(table: TableInfo, dialect: Dialect) {
    this.table = table;
    this.dialect = dialect;
    this.#columns = new Map(table.columns.map((column) => [column.name, column]));
  }

  column(name: string): SqlColumn {
    const found = this.#columns.get(name);
    if (found === undefined) throw new MagError('PGRST204', { column: name, table: this.table.name });
    return found;
  }

  quoted(name: string): string {
    return this.dialect.quoteIdentifier(this.column(name).name);
  }

  readonly bind = (param: Param): string => {
    this.params.push(param);
    return this.dialect.placeholder(this.params.length, param);
  };

  value(form: 'text' | 'list' | 'json' | 'count', column: SqlColumn | null): string {
    return this.bind({ kind: 'value', form, index: this.#nextValue(), column });
  }

  pattern(column: SqlColumn, caseInsensitive: boolean): string {
    const index = this.#nextValue();
    return this.bind({ kind: 'value', form: 'pattern', index, column, caseInsensitive });
  }

  #nextValue(): number {
    const index = this.#values;
    this.#values += 1;
    return index;
  }

  filter(filter: Filter): string {
    const text = this.#condition(filter);
    return filter.negated ? `NOT (${text})` : text;
  }

  #condition(filter: Filter): string {
    switch (filter.kind) {
      case 'compare':
        return this.#comparison(filter);
      case 'in': {
        const column = this.column(filter.column.name);
        return this.dialect.inList(this.quoted(column.name), this.value('list', column));
      }
      case 'is':
        return this.dialect.is(this.quoted(filter.column.name), filter.value);
      case 'and':
      case 'or': {
        // An empty conjunction holds, an empty disjunction does not.
        if (filter.terms.length === 0) return filter.kind === 'and' ? '1 = 1' : '1 = 0';
        const word = filter.kind === 'and' ? ' AND ' : ' OR ';
        return `(${filter.terms.map((term) => this.filter(term)).join(word)})`;
      }
      default:
        throw this.unsupported(`filter with ${filter.kind}`);
    }
  }

  /** The door refuses by capability what a dialect cannot say; whoever comes past it ends here. */
  unsupported(what: string): MagError {
    return new MagError('MAG_ENGINE_UNSUPPORTED', { engine: this.dialect.kind, what });
  }

  #comparison(filter: Extract<Filter, { kind: 'compare' }>): string {
    const column = this.column(filter.column.name);
    const name = this.quoted(column.name);
    if (filter.op === 'like' || filter.op === 'ilike') {
      const caseInsensitive = filter.op === 'ilike';
      return this.dialect.like(name, this.pattern(column, caseInsensitive), caseInsensitive);
    }
    if (filter.op === 'match' || filter.op === 'imatch' || filter.op === 'isdistinct')
      throw this.unsupported(`compare with ${filter.op}`);
    const operators = { eq: '=', neq: '<>', gt: '>', gte: '>=', lt: '<', lte: '<=' } as const;
    return `${name} ${operators[filter.op]} ${this.value('text', column)}`;
  }

  output(items: readonly SelectItem[]): readonly OutputColumn[] {
    return items.flatMap((item) => {
      if (item.kind === 'all') return this.table.columns.map((column) => ({ column, name: column.name }));
      if (item.kind !== 'column') throw this.unsupported(`select with ${item.kind}`);
      const column = this.column(item.column.name);
      return [{ column, name: item.alias ?? column.name }];
    });
  }

  order(terms: readonly OrderTerm[]): string | null {
    if (terms.length === 0) return null;
    return terms
      .map((term) => {
        const column = this.column(term.column.name);
        const nulls = term.nulls ?? (term.direction === 'asc' ? 'last' : 'first');
        return this.dialect.orderTerm(this.quoted(column.name), column, term.direction, nulls);
      })
      .join(', ');
  }

  insert(query: InsertQuery, columns: readonly SqlColumn[]): string {
    const names = columns.map((column) => this.dialect.quoteIdentifier(column.name));
    const list = names.length === 0 ? '' : ` (${names.join(', ')})`;
    const source = this.dialect.insertSource({
      table: this.table,
      columns,
      missing: query.missing,
      bind: this.bind,
    });
    for (const name of query.onConflict?.columns ?? []) this.column(name);
    const conflict =
      query.onConflict === undefined
        ? ''
        : ` ${this.dialect.onConflict(this.table, query.onConflict, columns)}`;
    return `INSERT INTO ${this.dialect.qualifiedTable(this.table)}${list} ${source}${conflict}`;
  }
}

type WriteQuery = Exclude<Query, { kind: 'select' }>;

function compileWrite(work: Compilation, query: WriteQuery): CompiledStatement {
  const { dialect, table } = work;
  const from = dialect.qualifiedTable(table);
  let columns: readonly SqlColumn[] = [];
  let write: string;
  if (query.kind === 'insert') {
    columns = insertColumns(query).map((name) => work.column(name));
    write = work.insert(query, columns);
  } else if (query.kind === 'update') {
    const assignments = Object.keys(query.set).map((name) => {
      const column = work.column(name);
      return `${work.quoted(name)} = ${work.value('json', column)}`;
    });
    if (assignments.length === 0) throw new MagError('PGRST102', { problem: 'no column to update' });
    write = `UPDATE ${from} SET ${assignments.join(', ')}`;
  } else {
    write = `DELETE FROM ${from}`;
  }
  if (query.kind !== 'insert' && query.where !== undefined) write += ` WHERE ${work.filter(query.where)}`;
  const check = query.kind !== 'delete' && query.check !== undefined ? work.filter(query.check) : null;
  const returning = query.returning !== undefined;
  const output = work.output(query.returning ?? []);
  const sql = dialect.writeStatement({ table, write, output, returning, check, single: isSingle(query) });
  return { sql, params: work.params, table, columns, hasCheck: check !== null };
}

/**
 * Compiles a query of the grammar to one parameterised statement of the dialect.
 * Throws PGRST204 for an unknown column, PGRST102 for an update without columns.
 */
export function compileQuery(query: Query, table: TableInfo, dialect: Dialect): CompiledStatement {
  const work = new Compilation(table, dialect);
  if (query.kind !== 'select') return compileWrite(work, query);
  const where = query.where === undefined ? null : work.filter(query.where);
  const sql = dialect.selectStatement({
    table,
    from: dialect.qualifiedTable(table),
    output: work.output(query.select),
    where,
    order: work.order(query.order),
    limit: query.limit === undefined ? null : work.value('count', null),
    offset: query.offset === undefined ? null : work.value('count', null),
    total: query.count !== undefined,
  });
  return { sql, params: work.params, table, columns: [], hasCheck: false };
}
