import type {
  CallQuery,
  ColumnRef,
  Embed,
  Filter,
  InsertQuery,
  Join,
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

function columnShape({ name, path }: ColumnRef): string {
  if (path === undefined) return named(name);
  const steps = path.steps.map((step) => (typeof step === 'number' ? `#${step}` : named(step)));
  return `${named(name)}${path.text ? '->>' : '->'}${steps.join('')}`;
}

function filterShape(filter: Filter, values: QueryValue[]): string {
  const not = filter.negated ? '!' : '';
  switch (filter.kind) {
    case 'compare':
    case 'contain':
      values.push(filter.value);
      return `${not}${filter.op} ${columnShape(filter.column)}`;
    case 'in':
      values.push(filter.values);
      return `${not}in ${columnShape(filter.column)}`;
    case 'is':
      return `${not}is ${filter.value} ${columnShape(filter.column)}`;
    case 'quantified':
      values.push(filter.values);
      return `${not}${filter.op}(${filter.quantifier}) ${columnShape(filter.column)}`;
    case 'text_search':
      values.push(filter.value);
      return `${not}${filter.op}(${named(filter.config ?? '')}) ${columnShape(filter.column)}`;
    case 'related':
      return `${not}related ${filter.value} ${named(filter.relation)}`;
    default: {
      let inner = '';
      for (const term of filter.terms) inner += `${filterShape(term, values)};`;
      return `${not}${filter.kind}(${inner})`;
    }
  }
}

const optional = (word: string, name: string | undefined): string =>
  name === undefined ? '' : ` ${word} ${named(name)}`;

function itemShape(item: SelectItem, values: QueryValue[]): string {
  switch (item.kind) {
    case 'all':
      return '*,';
    case 'count':
      return `count()${optional('::', item.cast)}${optional('as', item.alias)},`;
    case 'embed':
      return embedShape(item.embed, values);
    default: {
      const { aggregate } = item;
      const function_ =
        aggregate === undefined ? '' : `.${aggregate.function}()${optional('::', aggregate.cast)}`;
      return `${columnShape(item.column)}${optional('::', item.cast)}${function_}${optional('as', item.alias)},`;
    }
  }
}

/** Values of an embed come in this order: its select, where, limit, offset. */
function embedShape(embed: Embed, values: QueryValue[]): string {
  const kind = `${embed.spread ? '...' : ''}${embed.inner ? '!inner' : ''}${optional('!', embed.hint)}`;
  let key = `${named(embed.relation)}${kind}${optional('as', embed.alias)}(${itemsShape(embed.select, values)}`;
  if (embed.where !== undefined) key += ` where ${filterShape(embed.where, values)}`;
  if (embed.order.length > 0) key += ` order ${orderShape(embed.order)}`;
  if (embed.join !== undefined) key += joinShape(embed.join);
  return `${key}${windowShape(embed, values)}),`;
}

/** Which tables are read is part of what is asked, however they were found. */
function joinShape({ schema, table, toOne, from, to, via, call }: Join): string {
  const columns = (names: readonly string[]): string => names.map(named).join('');
  const pairs = `${columns(from)}=${columns(to)}`;
  const between =
    via === undefined
      ? ''
      : ` via ${named(via.schema)}${named(via.table)}${columns(via.from)}=${columns(via.to)}`;
  const made = call === undefined ? '' : ` by ${named(call.schema)}${named(call.name)}`;
  return ` join ${toOne ? '1' : 'n'} ${named(schema)}${named(table)} ${pairs}${between}${made}`;
}

function itemsShape(items: readonly SelectItem[], values: QueryValue[]): string {
  let key = '';
  for (const item of items) key += itemShape(item, values);
  return key;
}

function orderShape(order: readonly OrderTerm[]): string {
  let key = '';
  for (const term of order) {
    const relation = optional('of', term.relation);
    key += `${term.direction}${term.nulls ?? ''} ${columnShape(term.column)}${relation},`;
  }
  return key;
}

function windowShape(
  { limit, offset }: { readonly limit?: number; readonly offset?: number },
  values: QueryValue[],
): string {
  if (limit !== undefined) values.push(limit);
  if (offset !== undefined) values.push(offset);
  return `${limit === undefined ? '' : ' limit'}${offset === undefined ? '' : ' offset'}`;
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

/** Whether the write may write over rows that are there already. */
export const isMerge = (query: Query): boolean =>
  query.kind === 'insert' && query.onConflict?.resolution === 'merge';

/**
 * Splits a query into its shape and its values, in one walk. The compiler takes values in this order:
 * select: select, where, limit, offset · insert: check · update: set, where, check · delete: where ·
 * any write: then returning, and the most rows it may affect.
 */
export function queryShape(query: Query): QueryShape {
  const values: QueryValue[] = [];
  let key = `${named(query.schema)}${named(query.table)}`;
  switch (query.kind) {
    case 'select':
      key += `select ${itemsShape(query.select, values)}`;
      if (query.where !== undefined) key += ` where ${filterShape(query.where, values)}`;
      if (query.order.length > 0) key += ` order ${orderShape(query.order)}`;
      key += windowShape(query, values);
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
      for (const name of query.defaults ?? []) key += ` default ${named(name)}`;
      if (query.where !== undefined) key += ` where ${filterShape(query.where, values)}`;
      if (query.check !== undefined) key += ` check ${filterShape(query.check, values)}`;
      break;
    default:
      key += 'delete';
      if (query.where !== undefined) key += ` where ${filterShape(query.where, values)}`;
  }
  if (isSingle(query)) key += ' one';
  if (query.kind !== 'select' && query.returning !== undefined)
    key += ` returning ${itemsShape(query.returning, values)}`;
  if (query.kind !== 'select' && query.order !== undefined) key += ` order ${orderShape(query.order)}`;
  if (query.kind !== 'select' && query.maxAffected !== undefined) {
    key += ' most';
    values.push(query.maxAffected);
  }
  return { key, values };
}

/**
 * The same of a call. Values: the arguments as one text, then as a select's. @param called which of the functions of
 * its name it is, and how its arguments are given.
 */
export function callShape(query: CallQuery, called: string, argumentsText: string): QueryShape {
  const values: QueryValue[] = [argumentsText];
  let key = `call ${named(called)} ${itemsShape(query.select, values)}`;
  if (query.where !== undefined) key += ` where ${filterShape(query.where, values)}`;
  if (query.order.length > 0) key += ` order ${orderShape(query.order)}`;
  key += windowShape(query, values);
  if (query.count !== undefined) key += ` count ${query.count}`;
  if (query.maxAffected !== undefined) {
    key += ' most';
    values.push(query.maxAffected);
  }
  return { key, values };
}
