import { LIMITS } from '../../../limits.ts';
import type { SelectQuery } from '../../../protocol/query.ts';
import type { QueryResult, SchemaSnapshot } from '../engine.ts';
import { compileMatching, findTable } from '../sql/compiler.ts';
import { matchingOnly } from '../sql/counting.ts';
import { postgresDialect } from '../sql/dialect-postgres.ts';
import { queryShape } from '../sql/query-shape.ts';
import { bindValues } from './values.ts';

/** Runs a statement and gives the first column of its row. */
type First = (sql: string, values: readonly (string | null)[]) => Promise<string | null>;

type Total = Pick<QueryResult, 'total' | 'totalKind'>;

/** What the planner expects, out of `EXPLAIN (FORMAT JSON)`. */
function plannedRows(text: string | null): number {
  const [found] = JSON.parse(text ?? '[]') as readonly {
    readonly Plan?: { readonly 'Plan Rows'?: number };
  }[];
  return found?.Plan?.['Plan Rows'] ?? 0;
}

/**
 * The rows that match as PostgREST guesses them: `planned` asks the planner, `estimated` counts as far as it is cheap
 * and asks the planner beyond.
 */
export async function estimateTotal(
  query: SelectQuery,
  snapshot: SchemaSnapshot,
  first: First,
): Promise<Total> {
  const matching = matchingOnly(query);
  const table = findTable(snapshot, query.schema, query.table);
  const { sql, params } = compileMatching(matching, table, postgresDialect, snapshot);
  const values = bindValues({ params }, matching, queryShape(matching).values);
  const exact = query.exactUpTo ?? LIMITS.exactCountRows;
  let counted = 0;
  if (query.count === 'estimated') {
    counted = Number(await first(`SELECT count(*) FROM (SELECT 1 ${sql} LIMIT ${exact + 1}) _`, values));
    if (counted <= exact) return { total: counted, totalKind: 'exact' };
  }
  const planned = plannedRows(await first(`EXPLAIN (FORMAT JSON) SELECT 1 ${sql}`, values));
  return { total: Math.max(counted, planned), totalKind: 'planned' };
}
