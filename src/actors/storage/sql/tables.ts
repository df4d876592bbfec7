import { MagError } from '../../../errors.ts';
import type { SchemaSnapshot, TableInfo } from '../engine.ts';
import { similarName } from '../similar-name.ts';

/** PostgREST's own bound: a caller who guesses learns of no other names. */
const LIKE_ENOUGH = 0.75;

/** Throws PGRST205 where the schema holds no such table. */
export function findTable(snapshot: SchemaSnapshot, schema: string, name: string): TableInfo {
  const table = snapshot.tables.get(name);
  if (table !== undefined && table.schema === schema) return table;
  const qualified = snapshot.tables.get(`${schema}.${name}`);
  if (qualified === undefined) {
    const hint = tableHint(snapshot, schema, name);
    throw new MagError('PGRST205', { table: `${schema}.${name}` }, { hint });
  }
  return qualified;
}

function tableHint(snapshot: SchemaSnapshot, schema: string, name: string): string | null {
  const tables = [...snapshot.tables.values()].filter((table) => table.schema === schema);
  const similar = similarName(
    name,
    tables.map((table) => table.name),
    LIKE_ENOUGH,
  );
  return similar === null ? null : `Perhaps you meant the table '${schema}.${similar}'`;
}
