import type {
  Filter,
  InsertQuery,
  JsonValue,
  OrderTerm,
  Query,
  SelectItem,
} from '../../../protocol/query.ts';

/** A value lifted out of a query; see Param for its forms. */
export type QueryValue = JsonValue;

/** A query without its values: two queries with the same key compile to the same statement. */
export interface QueryShape {
  readonly key: string;
  /** In the order in which the compiler numbers them. */
  readonly values: readonly QueryValue[];
}

/** A name may hold any character: its length in front of it keeps two lists from reading alike. */
const named = (name: string): string => `${name.length}:${name}`;

function filterShape(filter: Filter, values: QueryValue[]): string {
  const not = filter.negated ? '!' : '';
  switch (filter.kind) {
    case 'compare':
      values.push(filter.value);
      return `${not}${filter.op} ${named(filter.column.name)}`;
    case 'in':
      values.push(filter.values);
      return `${not}in ${named(filter.column.name)}`;
    case 'is':
      return `${not}is ${filter.value} ${named(filter.column.name)}`;
    default: {
      let inner = '';
      for (const term of filter.terms) inner += `${filterShape(term, values)};`;
      return `${not}${filter.kind}(${inner})`;
    }
  }
}

function itemsShape(items: readonly SelectItem[]): string {
  let key = '';
  for (const item of items) {
    if (item.kind === 'all') key += '*,';
    else key += `${named(item.column.name)}${item.alias === undefined ? '' : ` as ${named(item.alias)}`},`;
  }
  return key;
}

function orderShape(order: readonly OrderTerm[]): string {
  let key = '';
  for (const term of order) key += `${term.direction}${term.nulls ?? ''} ${named(term.column.name)},`;
  return key;
}

/** The columns an insert writes: those it names, else the union of its rows' keys in order of appearance. */
export function insertColumns(query: Pick<InsertQuery, 'rows' | 'columns'>): readonly string[] {
  if (query.columns !== undefined) return query.columns;
  const [first] = query.rows;
  if (query.rows.length === 1 && first !== undefined) return Object.keys(first);
  const names = new Set<string>();
  for (const row of query.rows) for (const name of Object.keys(row)) names.add(name);
  return [...names];
}

function insertShape(query: InsertQuery, values: QueryValue[]): string {
  let key = `insert ${query.missing} `;
  for (const name of insertColumns(query)) key += `${named(name)},`;
  if (query.onConflict !== undefined) {
    key += ` on ${query.onConflict.resolution}`;
    for (const name of query.onConflict.columns ?? []) key += ` ${named(name)}`;
  }
  if (query.check !== undefined) key += ` check ${filterShape(query.check, values)}`;
  return key;
}

/** Whether the write must be undone where it touches more than one row. */
export const isSingle = (query: Query): boolean => 'single' in query && query.single === true;

/**
 * Splits a query into its shape and its values, in one walk. The compiler takes values in this order:
 * select: where, limit, offset · insert: check · update: set, where, check · delete: where.
 */
export function queryShape(query: Query): QueryShape {
  const values: QueryValue[] = [];
  let key = `${named(query.schema)}${named(query.table)}`;
  switch (query.kind) {
    case 'select':
      key += `select ${itemsShape(query.select)}`;
      if (query.where !== undefined) key += ` where ${filterShape(query.where, values)}`;
      if (query.order.length > 0) key += ` order ${orderShape(query.order)}`;
      if (query.limit !== undefined) {
        key += ' limit';
        values.push(query.limit);
      }
      if (query.offset !== undefined) {
        key += ' offset';
        values.push(query.offset);
      }
      if (query.count !== undefined) key += ` count ${query.count}`;
      break;
    case 'insert':
      key += insertShape(query, values);
      break;
    case 'update':
      key += 'update ';
      for (const name of Object.keys(query.set)) {
        key += `${named(name)},`;
        values.push(query.set[name] ?? null);
      }
      if (query.where !== undefined) key += ` where ${filterShape(query.where, values)}`;
      if (query.check !== undefined) key += ` check ${filterShape(query.check, values)}`;
      break;
    default:
      key += 'delete';
      if (query.where !== undefined) key += ` where ${filterShape(query.where, values)}`;
  }
  if (query.kind !== 'select' && query.returning !== undefined)
    key += ` returning${isSingle(query) ? ' one' : ''} ${itemsShape(query.returning)}`;
  return { key, values };
}
