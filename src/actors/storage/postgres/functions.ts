import { LIMITS } from '../../../limits.ts';
import type { FunctionInfo } from '../engine.ts';
import type { PgConnection } from './connection.ts';

/**
 * Parameters that take something, each with its name, type, whether it has a default, whether it is variadic, and the
 * table whose row it takes.
 */
const PARAMETERS = `
SELECT json_agg(json_build_array(coalesce(p.proargnames[g.place], ''), format_type(g.type, NULL),
    g.taken > p.pronargs - p.pronargdefaults, g.mode = 'v', rn.nspname, r.relname) ORDER BY g.place)
FROM (
  SELECT k.type, k.place, k.mode, row_number() OVER (ORDER BY k.place) AS taken
  FROM unnest(coalesce(p.proallargtypes, p.proargtypes::oid[]),
    coalesce(p.proargmodes::text[], array_fill('i'::text, ARRAY[p.pronargs::int]))) WITH ORDINALITY AS k(type, mode, place)
  WHERE k.mode IN ('i', 'b', 'v')) AS g
LEFT JOIN pg_catalog.pg_type rt ON rt.oid = g.type AND rt.typtype = 'c'
LEFT JOIN pg_catalog.pg_class r ON r.oid = rt.typrelid AND r.relkind IN ('r', 'p', 'v', 'm', 'f')
LEFT JOIN pg_catalog.pg_namespace rn ON rn.oid = r.relnamespace`;

/** Columns of the rows that it gives: its OUT parameters, else those of the type. */
const COLUMNS = `
SELECT coalesce(
  (SELECT json_agg(json_build_array(p.proargnames[k.place], format_type(k.type, NULL)) ORDER BY k.place)
   FROM unnest(p.proallargtypes, p.proargmodes::text[]) WITH ORDINALITY AS k(type, mode, place)
   WHERE k.mode IN ('o', 'b', 't')),
  (SELECT json_agg(json_build_array(a.attname, format_type(a.atttypid, a.atttypmod)) ORDER BY a.attnum)
   FROM pg_catalog.pg_attribute a WHERE a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped))`;

/** Of a domain, however many there are above it. */
const BASE = `
WITH RECURSIVE base AS (SELECT o.typbasetype AS oid
  UNION ALL SELECT b.typbasetype FROM base JOIN pg_catalog.pg_type b ON b.oid = base.oid AND b.typtype = 'd')
SELECT base.oid FROM base JOIN pg_catalog.pg_type b ON b.oid = base.oid AND b.typtype <> 'd'`;

/** Functions that a request can call: no procedures, aggregates or triggers. */
const FUNCTIONS = `
SELECT n.nspname, p.proname, p.provolatile = 'v', p.proretset, format_type(p.prorettype, NULL),
  t.typtype = 'c' OR coalesce(p.proargmodes::text[] && '{o,b,t}', false), tn.nspname, c.relname,
  (${PARAMETERS})::text, (${COLUMNS})::text, p.proretset AND p.prorows = 1
FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
JOIN pg_catalog.pg_type o ON o.oid = p.prorettype
JOIN pg_catalog.pg_type t ON t.oid = CASE o.typtype WHEN 'd' THEN (${BASE}) ELSE o.oid END
LEFT JOIN pg_catalog.pg_class c ON c.oid = t.typrelid AND t.typtype = 'c' AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
LEFT JOIN pg_catalog.pg_namespace tn ON tn.oid = c.relnamespace
WHERE p.prokind = 'f' AND p.oid >= 16384 AND n.nspname <> 'information_schema' AND n.nspname !~ '^(pg_|_mag)'
  AND p.prorettype NOT IN ('pg_catalog.trigger'::pg_catalog.regtype, 'pg_catalog.event_trigger'::pg_catalog.regtype)
ORDER BY n.nspname, p.proname, p.oid LIMIT ${LIMITS.schemaTables}`;

type ParameterRow = readonly [
  ...[name: string, type: string, hasDefault: boolean, variadic: boolean],
  ...[tableSchema: string | null, table: string | null],
];
type ColumnRow = readonly [name: string | null, type: string];

export async function readFunctions(connection: PgConnection): Promise<readonly FunctionInfo[]> {
  const rows = await connection.rows(FUNCTIONS);
  return rows.map((row): FunctionInfo => {
    const [schema, name, volatile, set, type, composite, tableSchema, table, ...texts] = row;
    const [parameterText, columnText, atMostOne] = texts;
    // Both come out of the statement above, in this shape.
    const parameters = JSON.parse(parameterText ?? '[]') as readonly ParameterRow[];
    const columns = JSON.parse(columnText ?? '[]') as readonly ColumnRow[];
    return {
      ...{ schema: schema ?? '', name: name ?? '', volatile: volatile === 't' },
      parameters: parameters.map(([called, of, hasDefault, variadic, rowSchema, row]) => ({
        ...{ name: called, type: of, hasDefault, variadic },
        ...(rowSchema === null || row === null ? {} : { table: { schema: rowSchema, name: row } }),
      })),
      returns: {
        ...{ type: type ?? '', set: set === 't', composite: composite === 't' },
        ...(atMostOne === 't' ? { atMostOne: true } : {}),
        table:
          typeof tableSchema === 'string' && typeof table === 'string'
            ? { schema: tableSchema, name: table }
            : null,
        ...(columns.length === 0
          ? {}
          : {
              columns: columns.map(([called, of], at) => ({ name: called ?? `column${at + 1}`, type: of })),
            }),
      },
    };
  });
}
