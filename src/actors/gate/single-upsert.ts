import { MagError } from '../../errors.ts';
import type { RowTypes } from '../../protocol/compare-value.ts';
import { matches } from '../../protocol/filter-match.ts';
import type { Filter, JsonValue } from '../../protocol/query.ts';
import type { Engine } from '../storage/engine.ts';
import { findTable } from '../storage/sql/compiler.ts';
import type { RestCall } from './rest-call.ts';

export type Equality = Extract<Filter, { kind: 'compare' }>;

const isEquality = (filter: Filter): filter is Equality =>
  filter.kind === 'compare' && filter.op === 'eq' && !filter.negated && filter.column.path === undefined;

/** The filters of a PUT, one by one; null where they are anything but equalities of columns. */
function equalities(where: Filter | null): readonly Equality[] | null {
  if (where === null) return null;
  if (isEquality(where)) return [where];
  // Filters that stand side by side are conjoined; a group of one was written as a group.
  if (where.kind !== 'and' || where.negated || where.terms.length < 2) return null;
  return where.terms.every(isEquality) ? where.terms : null;
}

/** The key that the filters of a PUT say. Throws PGRST105 unless each is an equality, and of another column. */
export function keyOf(where: Filter | null): readonly Equality[] {
  const found = equalities(where);
  const names = new Set(found?.map((filter) => filter.column.name));
  if (found === null || names.size < found.length) throw new MagError('PGRST105');
  return found;
}

/** Whether a value of the row is what the URL says: by its text, or as the engine compares them. */
function isSame(filter: Equality, value: JsonValue | undefined, types: RowTypes): boolean {
  if (value === undefined || value === null || typeof value === 'object') return false;
  return String(value) === filter.value || matches(filter, { [filter.column.name]: value }, types);
}

/**
 * Holds a PUT, whose filters `key` are, against its table. Throws PGRST105 where they are not exactly the columns of
 * the primary key, PGRST115 where the row has another key, PGRST205 for an unknown table.
 */
export async function holdKey(engine: Engine, call: RestCall, key: readonly Equality[]): Promise<void> {
  const { query } = call;
  if (query?.kind !== 'insert') return;
  const table = findTable(await engine.schema(call), query.schema, query.table);
  const columns = new Map(
    table.columns.filter((column) => column.primaryKey > 0).map((one) => [one.name, one]),
  );
  if (columns.size !== key.length || !key.every((filter) => columns.has(filter.column.name))) {
    throw new MagError('PGRST105');
  }
  const types: RowTypes = { engine: engine.kind, typeOf: (name) => columns.get(name)?.type };
  const [row = {}] = query.rows;
  if (!key.every((filter) => isSame(filter, row[filter.column.name], types))) throw new MagError('PGRST115');
}
