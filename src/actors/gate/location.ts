import type { Query, Row, SelectItem } from '../../protocol/query.ts';
import type { Engine, ExecuteContext, QueryResult } from '../storage/engine.ts';

/** Columns of the table's primary key, for an insert that wants its Location; null where there is none. */
export async function primaryKey(
  engine: Engine,
  query: Query,
  context: ExecuteContext,
): Promise<readonly SelectItem[] | null> {
  if (query.kind !== 'insert' || query.rows.length !== 1) return null;
  const { tables } = await engine.schema(context);
  const table = tables.get(query.table) ?? tables.get(`${query.schema}.${query.table}`);
  const columns = (table?.columns ?? []).filter((column) => column.primaryKey > 0);
  if (columns.length === 0) return null;
  return columns
    .toSorted((left, right) => left.primaryKey - right.primaryKey)
    .map(({ name }) => ({ kind: 'column', column: { name } }));
}

/** `/todos?id=eq.5`: where the row that was written is read; null where none was. */
export function locationOf(table: string, result: QueryResult): string | null {
  // The engine's own output: an array of row objects.
  const [row] = JSON.parse(result.json) as readonly Row[];
  if (row === undefined) return null;
  const pairs = Object.entries(row).map(
    ([name, value]) => `${encodeURIComponent(name)}=eq.${encodeURIComponent(String(value))}`,
  );
  return `/${encodeURIComponent(table)}?${pairs.join('&')}`;
}
