import { MagError } from '../../../errors.ts';
import type { SchemaSnapshot, TableInfo } from '../engine.ts';
import { similarName } from '../similar-name.ts';

/** PostgREST's own bound: a caller who guesses learns of no other names. */
const LIKE_ENOUGH = 0.75;

/** Undefined where the schema holds no such table. */
export function knownTable(snapshot: SchemaSnapshot, schema: string, name: string): TableInfo | undefined {
  const table = snapshot.tables.get(name);
  return table?.schema === schema ? table : snapshot.tables.get(`${schema}.${name}`);
}

/** Throws PGRST205 where the schema holds no such table. */
export function findTable(snapshot: SchemaSnapshot, schema: string, name: string): TableInfo {
  const table = knownTable(snapshot, schema, name);
  if (table !== undefined) return table;
  const similar = similarTable(snapshot, schema, name);
  const hint = similar === null ? {} : { hint: `Perhaps you meant the table '${similar}'`, names: [similar] };
  throw new MagError('PGRST205', { table: `${schema}.${name}` }, hint);
}

function similarTable(snapshot: SchemaSnapshot, schema: string, name: string): string | null {
  const tables = [...snapshot.tables.values()].filter((table) => table.schema === schema);
  const similar = similarName(
    name,
    tables.map((table) => table.name),
    LIKE_ENOUGH,
  );
  return similar === null ? null : `${schema}.${similar}`;
}
