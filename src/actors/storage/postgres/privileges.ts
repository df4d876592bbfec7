import { TABLE_ACTIONS, type TableAction } from '../../../protocol/principal.ts';
import type { FunctionInfo, Reachable, SchemaSnapshot } from '../engine.ts';
import type { PgConnection } from './connection.ts';

/**
 * What the role may do with each table, and with which of its columns anything: a privilege of one column is one of the
 * table, too. No SQL of the project runs here, and the role itself is not taken.
 */
const TABLES = `
SELECT n.nspname, c.relname, json_build_array(
    has_any_column_privilege($1::name, c.oid, 'SELECT'), has_any_column_privilege($1::name, c.oid, 'INSERT'),
    has_any_column_privilege($1::name, c.oid, 'UPDATE'), has_table_privilege($1::name, c.oid, 'DELETE'))::text,
  (SELECT json_agg(a.attname) FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0
    AND NOT a.attisdropped AND has_column_privilege($1::name, c.oid, a.attnum, 'SELECT, INSERT, UPDATE'))::text
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'f', 'v', 'm') AND n.nspname <> 'information_schema' AND n.nspname !~ '^(pg_|_mag)'
  AND has_schema_privilege($1::name, n.oid, 'USAGE')
  AND (has_any_column_privilege($1::name, c.oid, 'SELECT, INSERT, UPDATE') OR has_table_privilege($1::name, c.oid, 'DELETE'))`;

/** Those of one name differ in the types they take. */
const FUNCTIONS = `
SELECT n.nspname, p.proname, (SELECT json_agg(format_type(k.type, NULL) ORDER BY k.place)
  FROM unnest(p.proargtypes::oid[]) WITH ORDINALITY AS k(type, place))::text
FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
WHERE p.prokind = 'f' AND p.oid >= 16384 AND n.nspname <> 'information_schema' AND n.nspname !~ '^(pg_|_mag)'
  AND has_schema_privilege($1::name, n.oid, 'USAGE') AND has_function_privilege($1::name, p.oid, 'EXECUTE')`;

const named = (schema: string | null | undefined, name: string | null | undefined): string =>
  JSON.stringify([schema, name]);

const signed = (schema: unknown, name: unknown, types: unknown): string =>
  JSON.stringify([schema, name, types]);

const signatureOf = ({ schema, name, parameters }: FunctionInfo): string =>
  signed(
    schema,
    name,
    parameters.map(({ type }) => type),
  );

interface TablePrivileges {
  readonly actions: readonly TableAction[];
  readonly columns: ReadonlySet<string>;
}

/** The part of a snapshot that a role of the server may use, by the privileges that were granted there. */
export async function readReachable(
  connection: PgConnection,
  role: string,
  { version, tables, functions = [] }: SchemaSnapshot,
): Promise<Reachable> {
  const privileges = new Map<string, TablePrivileges>();
  for (const [schema, name, may, columns] of await connection.rows(TABLES, [role])) {
    // Both come out of the statement above, in this shape.
    const allowed = JSON.parse(may ?? '[]') as readonly boolean[];
    const shown = JSON.parse(columns ?? '[]') as readonly string[];
    const actions = TABLE_ACTIONS.filter((_, at) => allowed[at]);
    privileges.set(named(schema, name), { actions, columns: new Set(shown) });
  }
  const rows = await connection.rows(FUNCTIONS, [role]);
  const callable = new Set(
    rows.map(([schema, name, types]) => signed(schema, name, JSON.parse(types ?? '[]'))),
  );
  return {
    version,
    tables: [...tables.values()].flatMap((table) => {
      const own = privileges.get(named(table.schema, table.name));
      if (own === undefined) return [];
      const columns = table.columns.filter(({ name }) => own.columns.has(name));
      return [{ table: { ...table, columns }, actions: own.actions }];
    }),
    functions: functions.filter((each) => callable.has(signatureOf(each))),
  };
}
