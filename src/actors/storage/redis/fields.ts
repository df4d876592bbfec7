import { MagError } from '../../../errors.ts';
import type { Filter, OrderTerm, Query, Row, SelectItem } from '../../../protocol/query.ts';
import { beyondDocuments } from '../capabilities.ts';

/** Throws MAG_ENGINE_UNSUPPORTED for a name that documents of another engine could not have: they must be movable. */
export function requireField(name: string): void {
  if (name !== '' && !name.startsWith('$') && !name.includes('.') && !name.includes('\0')) return;
  const what = `address a field named "${name.slice(0, 60)}"`;
  throw new MagError('MAG_ENGINE_UNSUPPORTED', { engine: 'redis', what });
}

function inFilter(filter: Filter): void {
  if ('terms' in filter) for (const term of filter.terms) inFilter(term);
  else if ('column' in filter) requireField(filter.column.name);
}

function inItems(items: readonly SelectItem[]): void {
  for (const item of items) if (item.kind === 'column') requireField(item.column.name);
}

const inOrder = (order: readonly OrderTerm[]): void => {
  for (const { column } of order) requireField(column.name);
};

const inRow = (row: Row): void => {
  for (const name of Object.keys(row)) requireField(name);
};

/** The door refuses by capability what documents cannot; whoever comes past it ends here. */
function refuseBeyond(query: Exclude<Query, { kind: 'select' }>): void {
  const what = beyondDocuments(query);
  if (what !== null) throw new MagError('MAG_ENGINE_UNSUPPORTED', { engine: 'redis', what });
}

/** Every field that a query names, and the schema. */
export function requireFields(query: Query): void {
  if (query.schema !== 'public')
    throw new MagError('MAG_ENGINE_UNSUPPORTED', { engine: 'redis', what: 'have schemas beside public' });
  if ('where' in query && query.where !== undefined) inFilter(query.where);
  if (query.kind === 'select') {
    inItems(query.select);
    inOrder(query.order);
    return;
  }
  refuseBeyond(query);
  if (query.order !== undefined) inOrder(query.order);
  if (query.returning !== undefined) inItems(query.returning);
  if (query.kind === 'insert') for (const row of query.rows) inRow(row);
  if (query.kind === 'update') inRow(query.set);
}
