import type { SqliteSchema, SqliteTable } from './sqlite-schema.ts';

/** A schema as JSON text, from a storage process to an edge thread. */
export const encodeSchema = (schema: SqliteSchema): string =>
  JSON.stringify({ version: schema.version, tables: [...schema.tables.values()] });

export function decodeSchema(text: string): SqliteSchema {
  // encodeSchema of the same build wrote it.
  const { version, tables } = JSON.parse(text) as { version: string; tables: readonly SqliteTable[] };
  return { version, tables: new Map(tables.map((table) => [table.name, table])) };
}
