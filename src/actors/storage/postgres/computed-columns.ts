import type { ComputedColumn, FunctionInfo } from '../engine.ts';

type RowOf = NonNullable<FunctionInfo['parameters'][number]['table']>;

/** The table whose row alone the function needs, if it gives one value for it. */
function rowOf({ parameters, returns }: FunctionInfo): RowOf | null {
  const [row, ...others] = parameters;
  if (returns.set || returns.type === 'void' || !others.every(({ hasDefault }) => hasDefault)) return null;
  return row?.table ?? null;
}

/**
 * Functions that are read as columns, by the table. As PostgreSQL finds them for a request: in the table's own schema,
 * else in public.
 */
export function computedColumns(
  functions: readonly FunctionInfo[],
  nameOf: (table: RowOf) => string,
): ReadonlyMap<string, readonly ComputedColumn[]> {
  const all = new Map<string, Map<string, ComputedColumn>>();
  for (const { schema, name, returns, ...rest } of functions) {
    const table = rowOf({ schema, name, returns, ...rest });
    if (table === null || (schema !== table.schema && schema !== 'public')) continue;
    const key = nameOf(table);
    const known = all.get(key);
    const columns = known ?? new Map<string, ComputedColumn>();
    if (known === undefined) all.set(key, columns);
    if (!columns.has(name) || schema === table.schema)
      columns.set(name, { schema, name, type: returns.type });
  }
  return new Map([...all].map(([key, columns]) => [key, [...columns.values()]]));
}
