import { MagError } from '../../../errors.ts';
import type { InsertQuery, Query, SelectItem, SelectQuery } from '../../../protocol/query.ts';
import type { SchemaSnapshot, TableInfo } from '../engine.ts';
import { conditionOf, orderKeys, orderOf } from './conditions.ts';
import type { CompiledStatement, Dialect, OutputColumn, RowsWrite, SqlColumn } from './dialect.ts';
import { insertColumns, isMerge, isSingle } from './query-shape.ts';
import { isPlain, RowsCompiler } from './rows.ts';
import { Bindings, Scope } from './scope.ts';

export { findTable } from './tables.ts';

/** Columns of a plain select and the names that they get. */
const outputColumns = (scope: Scope, items: readonly SelectItem[]): readonly OutputColumn[] =>
  items.flatMap((item) => {
    if (item.kind === 'all') return scope.table.columns.map((column) => ({ column, name: column.name }));
    if (item.kind !== 'column') return [];
    const column = scope.column(item.column.name);
    return [{ column, name: item.alias ?? column.name }];
  });

function insertText(
  bindings: Bindings,
  scope: Scope,
  query: InsertQuery,
  columns: readonly SqlColumn[],
): string {
  const { dialect, bind } = bindings;
  const { table } = scope;
  const names = columns.map((column) => dialect.quoteIdentifier(column.name));
  const list = names.length === 0 ? '' : ` (${names.join(', ')})`;
  const source = dialect.insertSource({ table, columns, missing: query.missing, bind });
  for (const name of query.onConflict?.columns ?? []) scope.own(name);
  const { onConflict } = query;
  const conflict = onConflict === undefined ? '' : ` ${dialect.onConflict(table, onConflict, columns)}`;
  return `INSERT INTO ${dialect.qualifiedTable(table)}${list} ${source}${conflict}`;
}

type WriteQuery = Exclude<Query, { kind: 'select' }>;

/** The statement without RETURNING, and the columns that an insert writes. */
function writeText(
  bindings: Bindings,
  scope: Scope,
  query: WriteQuery,
): { readonly write: string; readonly columns: readonly SqlColumn[] } {
  const { dialect } = bindings;
  const from = dialect.qualifiedTable(scope.table);
  if (query.kind === 'insert') {
    const columns = insertColumns(query).map((name) => scope.own(name));
    return { write: insertText(bindings, scope, query, columns), columns };
  }
  let write = `DELETE FROM ${from}`;
  if (query.kind === 'update') {
    const assignments = Object.keys(query.set).map(
      (name) => `${dialect.quoteIdentifier(name)} = ${bindings.value('json', scope.own(name))}`,
    );
    for (const name of query.defaults ?? [])
      assignments.push(`${dialect.quoteIdentifier(name)} = ${dialect.defaultText(scope.own(name))}`);
    if (assignments.length === 0) throw new MagError('PGRST102', { problem: 'no column to update' });
    write = `UPDATE ${from} SET ${assignments.join(', ')}`;
  }
  if (query.where !== undefined) write += ` WHERE ${conditionOf(bindings, scope, query.where)}`;
  return { write, columns: [] };
}

function compileWrite(
  bindings: Bindings,
  query: WriteQuery,
  scope: Scope,
  snapshot: SchemaSnapshot,
  reply: RowsWrite['reply'],
): CompiledStatement {
  const { dialect } = bindings;
  const { table } = scope;
  const { write, columns } = writeText(bindings, scope, query);
  const check =
    query.kind !== 'delete' && query.check !== undefined ? conditionOf(bindings, scope, query.check) : null;
  const items = query.returning ?? [];
  const most = (): string | null =>
    query.maxAffected === undefined || dialect.expressions?.limitsAffected !== true
      ? null
      : bindings.value('count', null);
  const done = (sql: string): CompiledStatement => {
    const { params, calls } = bindings;
    return { ...{ sql, params, table, columns, calls }, hasCheck: check !== null };
  };
  const [single, merges] = [isSingle(query), isMerge(query)];
  const order = query.order ?? [];
  const orders = dialect.expressions?.ordersWritten;
  if (order.length > 0 && orders === undefined)
    throw bindings.unsupported('order the rows that a write gives back');
  if (isPlain(items, table) && order.length === 0 && reply === undefined) {
    const output = outputColumns(scope, items);
    const returning = query.returning !== undefined;
    const parts = { table, write, output, returning, check, single, merges, most: most() };
    return done(dialect.writeStatement(parts));
  }
  const rows = new RowsCompiler(bindings, snapshot, table);
  const writtenAs = dialect.expressions?.writtenAs(table) ?? table.name;
  const written = new Scope(table, writtenAs, bindings, false);
  const inStatement = orders === 'itself' ? order : [];
  const { rows: returned } = rows.level(written, writtenAs, [], { select: items, order: inStatement });
  const sortedBy = orders === 'itself' ? [] : orderKeys(bindings, written, order);
  const used = [...written.used];
  const parts = { table, write, rows: returned, used, check, single, merges, most: most(), sortedBy, reply };
  const statement = done(dialect.expressions?.writeRows(parts) ?? '');
  return sortedBy.length === 0 ? statement : { ...statement, sortedBy };
}

const needsRows = ({ select, order }: SelectQuery, table: TableInfo): boolean =>
  !isPlain(select, table) || order.some(({ relation }) => relation !== undefined);

function compileSelect(
  bindings: Bindings,
  query: SelectQuery,
  table: TableInfo,
  snapshot: SchemaSnapshot,
): string {
  const { dialect } = bindings;
  const from = dialect.qualifiedTable(table);
  const counted = query.count !== undefined;
  if (needsRows(query, table)) {
    const rows = new RowsCompiler(bindings, snapshot, null);
    const scope = new Scope(table, bindings.alias(), bindings);
    const level = rows.level(scope, `${from} AS ${scope.alias}`, [], query);
    const statement = { ...level.rows, counted: counted ? level.base : null };
    return dialect.expressions?.selectRows(statement) ?? '';
  }
  const scope = new Scope(table, null, bindings);
  return dialect.selectStatement({
    ...{ table, from, output: outputColumns(scope, query.select), total: counted },
    where: query.where === undefined ? null : conditionOf(bindings, scope, query.where),
    order: orderOf(bindings, scope, query.order),
    limit: query.limit === undefined ? null : bindings.value('count', null),
    offset: query.offset === undefined ? null : bindings.value('count', null),
  });
}

/**
 * Compiles a query of the grammar to one parameterised statement of the dialect.
 * Throws 42703 for an unknown column, PGRST204 where it would be written, PGRST102 for an update without columns, MAG_ENGINE_UNSUPPORTED for what the
 * dialect cannot say.
 * @param snapshot where related tables are found; absent: there are none.
 * @param reply of a write: the SELECT that makes its reply out of a derived table of the rows it gives back.
 */
export function compileQuery(
  query: Query,
  table: TableInfo,
  dialect: Dialect,
  snapshot: SchemaSnapshot = { version: '', tables: new Map() },
  reply?: (bindings: Bindings, rows: string) => string,
): CompiledStatement {
  const bindings = new Bindings(dialect, table);
  if (query.kind !== 'select') {
    const made = reply === undefined ? undefined : (rows: string): string => reply(bindings, rows);
    return compileWrite(bindings, query, new Scope(table, null, bindings), snapshot, made);
  }
  const sql = compileSelect(bindings, query, table, snapshot);
  const { params, calls } = bindings;
  return { ...{ sql, params, table, calls }, columns: [], hasCheck: false };
}

/** Where the rows of a query are that match it, as FROM and WHERE; its window and what it shows do not count. */
export function compileMatching(
  query: SelectQuery,
  table: TableInfo,
  dialect: Dialect,
  snapshot: SchemaSnapshot,
): Pick<CompiledStatement, 'sql' | 'params'> {
  const bindings = new Bindings(dialect, table);
  const scope = new Scope(table, bindings.alias(), bindings);
  const from = `${dialect.qualifiedTable(table)} AS ${scope.alias}`;
  const { base } = new RowsCompiler(bindings, snapshot, null).level(scope, from, [], query);
  return {
    sql: `FROM ${base.from}${base.where === null ? '' : ` WHERE ${base.where}`}`,
    params: bindings.params,
  };
}
