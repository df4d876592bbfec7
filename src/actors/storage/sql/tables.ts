import { MagError } from '../../../errors.ts';
import type { SchemaSnapshot, TableInfo } from '../engine.ts';

/** Throws PGRST205 where the schema holds no such table. */
export function findTable(snapshot: SchemaSnapshot, schema: string, name: string): TableInfo {
  const table = snapshot.tables.get(name);
  if (table !== undefined && table.schema === schema) return table;
  const qualified = snapshot.tables.get(`${schema}.${name}`);
  if (qualified === undefined) throw new MagError('PGRST205', { table: `${schema}.${name}` });
  return qualified;
}
