import { LIMITS } from '../../../limits.ts';
import type {
  ColumnInfo,
  ForeignKey,
  Representation,
  SchemaSnapshot,
  TableInfo,
  ViewSource,
} from '../engine.ts';
import type { SqlColumn } from '../sql/dialect.ts';
import { computedColumns } from './computed-columns.ts';
import type { PgConnection } from './connection.ts';
import { readFunctions } from './functions.ts';
import { readMediaHandlers } from './media-handlers.ts';
import { REPRESENTATION } from './representations.ts';
import { type Numbered, readViewSources, withSources } from './view-columns.ts';

/** A column with what the compiler needs of PostgreSQL beyond the common form. */
interface PgColumn extends ColumnInfo {
  /** What a row without the column gets, as SQL; null where that is NULL. */
  readonly defaultExpression: string | null;
}

/** The SQL of a column's default; null where it has none. */
export function defaultOf(column: SqlColumn): string | null {
  const expression = 'defaultExpression' in column ? column.defaultExpression : null;
  return typeof expression === 'string' ? expression : null;
}

/**
 * A number that changes with every DDL on the database's own objects: the transactions that wrote their catalogue
 * rows. Statistics (ANALYZE, VACUUM) do not change it. FirstNormalObjectId is 16384.
 */
const FINGERPRINT = `
SELECT concat_ws('/',
  (SELECT count(*) || ':' || coalesce(sum(xmin::text::int8 * (oid::int8 % 8191)), 0) FROM pg_catalog.pg_class WHERE oid >= 16384),
  (SELECT count(*) || ':' || coalesce(sum(xmin::text::int8 * (attrelid::int8 % 8191 + attnum)), 0) FROM pg_catalog.pg_attribute WHERE attrelid >= 16384),
  (SELECT count(*) || ':' || coalesce(sum(oid::int8), 0) FROM pg_catalog.pg_attrdef),
  (SELECT coalesce(sum(xmin::text::int8), 0) FROM pg_catalog.pg_namespace),
  (SELECT count(*) || ':' || coalesce(sum(xmin::text::int8 * (oid::int8 % 8191)), 0) FROM pg_catalog.pg_constraint WHERE oid >= 16384),
  (SELECT count(*) || ':' || coalesce(sum(xmin::text::int8 * (oid::int8 % 8191)), 0) FROM pg_catalog.pg_proc WHERE oid >= 16384),
  (SELECT count(*) || ':' || coalesce(sum(xmin::text::int8 * (oid::int8 % 8191)), 0) FROM pg_catalog.pg_rewrite WHERE oid >= 16384),
  (SELECT count(*) || ':' || coalesce(sum(xmin::text::int8 * (oid::int8 % 8191)), 0) FROM pg_catalog.pg_cast WHERE oid >= 16384),
  (SELECT coalesce(sum(xmin::text::int8), 0) FROM pg_catalog.pg_type WHERE typtype = 'd' AND oid >= 16384),
  (SELECT count(*) || ':' || coalesce(sum(oid::int8), 0) FROM pg_catalog.pg_trigger WHERE tgtype & 64 <> 0),
  (SELECT count(*) || ':' || coalesce(sum(xmin::text::int8), 0) FROM pg_catalog.pg_policy))`;

/**
 * Whether any SQL of the project mentions a setting of the request beyond its claims, and one of the reply. Most
 * projects have none, and those settings would cost every query of theirs a tenth of its time.
 */
const SETTINGS = `
SELECT coalesce(bool_or(text ~ 'request\\.(?!jwt)'), false), coalesce(bool_or(text ~ 'response\\.'), false)
FROM (
  SELECT prosrc || coalesce(pg_get_function_sqlbody(oid), '') FROM pg_catalog.pg_proc WHERE oid >= 16384
  UNION ALL SELECT concat(pg_get_expr(polqual, polrelid), pg_get_expr(polwithcheck, polrelid)) FROM pg_catalog.pg_policy
  UNION ALL SELECT pg_get_viewdef(oid) FROM pg_catalog.pg_class WHERE oid >= 16384 AND relkind IN ('v', 'm')
  UNION ALL SELECT pg_get_expr(adbin, adrelid) FROM pg_catalog.pg_attrdef
  UNION ALL SELECT pg_get_constraintdef(oid) FROM pg_catalog.pg_constraint WHERE oid >= 16384 AND contype = 'c'
  UNION ALL SELECT pg_get_triggerdef(oid) FROM pg_catalog.pg_trigger WHERE tgqual IS NOT NULL
) AS own(text)`;

/** What the domain `t` is one of, however many domains are in between. */
const BASE = `
WITH RECURSIVE below(oid) AS (
  SELECT t.typbasetype UNION ALL
  SELECT b.typbasetype FROM below JOIN pg_catalog.pg_type b ON b.oid = below.oid WHERE b.typtype = 'd')
SELECT format_type(b.oid, NULL) FROM below JOIN pg_catalog.pg_type b ON b.oid = below.oid WHERE b.typtype <> 'd'`;

/** Not by `pg_get_serial_sequence`, an error where the project's role may not use the schema of one table of them all. */
const IDENTITY = `
SELECT format('%I.%I', sn.nspname, s.relname)
FROM pg_catalog.pg_depend o JOIN pg_catalog.pg_class s ON s.oid = o.objid AND s.relkind = 'S'
JOIN pg_catalog.pg_namespace sn ON sn.oid = s.relnamespace
WHERE o.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND o.refclassid = o.classid
  AND o.refobjid = c.oid AND o.refobjsubid = a.attnum AND o.deptype = 'i'`;

/** A column without a default has its domain's. */
const COLUMNS = `
SELECT json_agg(json_build_array(a.attname, format_type(a.atttypid, a.atttypmod),
    NOT (a.attnotnull OR t.typnotnull), a.atthasdef OR a.attidentity <> '' OR t.typdefault IS NOT NULL,
    CASE WHEN a.attidentity <> '' THEN 'nextval(' || quote_literal((${IDENTITY})) || '::regclass)'
         WHEN a.attgenerated = '' THEN coalesce(pg_get_expr(d.adbin, d.adrelid), pg_get_expr(t.typdefaultbin, 0)) END,
    a.attnum, CASE WHEN t.typtype = 'd' THEN (${REPRESENTATION}) END, CASE WHEN t.typtype = 'd' THEN (${BASE}) END) ORDER BY a.attnum)
FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped`;

const UNIQUE = `
SELECT json_agg(json_build_array(i.indisprimary, (
    SELECT json_agg(a.attname ORDER BY k.place)
    FROM unnest(i.indkey::int2[]) WITH ORDINALITY AS k(attnum, place)
    JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
    WHERE k.place <= i.indnkeyatts)) ORDER BY i.indisprimary DESC, i.indexrelid)
FROM pg_catalog.pg_index i
WHERE i.indrelid = c.oid AND i.indisunique AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL`;

/** A key of a partition is its parent's. */
const FOREIGN_KEYS = `
SELECT json_agg(json_build_array(f.conname, fn.nspname, fc.relname, (
    SELECT json_agg(json_build_array(a.attname, b.attname) ORDER BY k.place)
    FROM unnest(f.conkey, f.confkey) WITH ORDINALITY AS k(own, other, place)
    JOIN pg_catalog.pg_attribute a ON a.attrelid = f.conrelid AND a.attnum = k.own
    JOIN pg_catalog.pg_attribute b ON b.attrelid = f.confrelid AND b.attnum = k.other)) ORDER BY f.conname)
FROM pg_catalog.pg_constraint f JOIN pg_catalog.pg_class fc ON fc.oid = f.confrelid
JOIN pg_catalog.pg_namespace fn ON fn.oid = fc.relnamespace
WHERE f.conrelid = c.oid AND f.contype = 'f' AND f.conparentid = 0 AND NOT fc.relispartition`;

/** Which writes a relation takes that is no table, as bits of PostgreSQL's own numbers of commands. */
const WRITES = `CASE WHEN c.relkind IN ('v', 'f') THEN pg_relation_is_updatable(c.oid, true) WHEN c.relkind = 'm' THEN 0 END`;
const WRITE_BITS = { insert: 8, update: 4, delete: 16 } as const;

/** A partition is reached through its parent alone, as under PostgREST. */
const TABLES = `
SELECT n.nspname, c.relname, c.relkind, (${COLUMNS})::text, (${UNIQUE})::text, c.relrowsecurity, (${FOREIGN_KEYS})::text,
  (${WRITES})::text, c.oid::text
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'f', 'v', 'm') AND n.nspname <> 'information_schema' AND n.nspname !~ '^(pg_|_mag)'
  AND NOT c.relispartition
ORDER BY n.nspname <> 'public', n.nspname, c.relname LIMIT ${LIMITS.schemaTables}`;

type ColumnRow = readonly [
  ...[name: string, type: string, nullable: boolean, hasDefault: boolean, defaultExpression: string | null],
  ...[number: number, representation: Representation | null, base: string | null],
];
type UniqueRow = readonly [boolean, readonly string[]];
type KeyRow = readonly [
  name: string,
  schema: string,
  table: string,
  pairs: readonly (readonly [string, string])[],
];

const writesOf = (bits: number): NonNullable<TableInfo['writes']> =>
  (['insert', 'update', 'delete'] as const).filter((action) => (bits & WRITE_BITS[action]) !== 0);

const foreignKey = ([name, schema, table, pairs]: KeyRow): ForeignKey => ({
  name,
  columns: pairs.map(([own]) => own),
  references: { schema, table, columns: pairs.map(([, other]) => other) },
});

async function fingerprint(connection: PgConnection): Promise<string> {
  return (await connection.rows(FINGERPRINT))[0]?.[0] ?? '';
}

/** A table as its row of the statement above says, and what its columns are numbered. */
interface Read {
  readonly table: TableInfo;
  readonly numbered: Numbered;
}

function readTable(row: readonly (string | null)[]): Read | null {
  const [schema, name, kind, columnText, uniqueText, policed, keyText, writes] = row;
  if (typeof schema !== 'string' || typeof name !== 'string') return null;
  // All come out of the statements above, in this shape.
  const columnRows = JSON.parse(columnText ?? '[]') as readonly ColumnRow[];
  const uniqueRows = JSON.parse(uniqueText ?? '[]') as readonly UniqueRow[];
  const keyRows = JSON.parse(keyText ?? '[]') as readonly KeyRow[];
  const primary = uniqueRows.find(([isPrimary]) => isPrimary)?.[1] ?? [];
  const columns = columnRows.map(
    ([column, type, nullable, hasDefault, defaultExpression, , representation, base]): PgColumn => ({
      ...{ name: column, type, nullable, hasDefault, defaultExpression },
      primaryKey: primary.indexOf(column) + 1,
      ...(representation === null ? {} : { representation }),
      ...(base === null ? {} : { baseType: base }),
    }),
  );
  const numbers = columnRows.map(([column, , , , , number]): [number, string] => [number, column]);
  return {
    numbered: { schema, name, columns: new Map(numbers) },
    table: {
      ...{ schema, name, columns },
      kind: kind === 'v' || kind === 'm' ? 'view' : 'table',
      unique: uniqueRows.map(([, names]) => names),
      rowSecurity: policed === 't',
      ...(typeof writes === 'string' ? { writes: writesOf(Number(writes)) } : {}),
      ...(keyRows.length === 0 ? {} : { foreignKeys: keyRows.map(foreignKey) }),
    },
  };
}

const primaryKey = (table: TableInfo | undefined): readonly string[] =>
  (table?.columns ?? [])
    .filter((column) => column.primaryKey > 0)
    .sort((a, b) => a.primaryKey - b.primaryKey)
    .map(({ name }) => name);

const nameOf = ({ schema, name }: { readonly schema: string; readonly name: string }): string =>
  schema === 'public' ? name : `${schema}.${name}`;

/** Tables, columns and keys, or `known` where nothing changed since. */
export async function readSchema(
  connection: PgConnection,
  known: SchemaSnapshot | null,
): Promise<SchemaSnapshot> {
  // Before the tables: DDL in between makes the next check find a difference, and not the other way round.
  const version = await fingerprint(connection);
  if (version === known?.version) return known;
  const read = new Map<string, Read>();
  for (const row of await connection.rows(TABLES)) {
    const one = readTable(row);
    if (one !== null) read.set(row.at(-1) ?? '', one);
  }
  const numbered = new Map([...read].map(([oid, one]) => [oid, one.numbered]));
  const sources = await readViewSources(connection, numbered);
  const functions = await readFunctions(connection);
  const computed = computedColumns(functions, nameOf);
  const own = new Map([...read.values()].map(({ table }) => [nameOf(table), table]));
  const keyOf = ({ schema, table }: ViewSource): readonly string[] =>
    primaryKey(own.get(nameOf({ schema, name: table })));
  const tables = new Map<string, TableInfo>();
  for (const [oid, { table }] of read) {
    const name = nameOf(table);
    const shown = sources.get(oid);
    tables.set(name, {
      ...(shown === undefined ? table : withSources(table, shown, keyOf)),
      ...(computed.has(name) ? { computed: computed.get(name) ?? [] } : {}),
    });
  }
  const mediaHandlers = await readMediaHandlers(connection);
  const [reads, sets] = (await connection.rows(SETTINGS))[0] ?? [];
  return {
    version,
    tables,
    readsRequest: reads === 't',
    setsResponse: sets === 't',
    mediaHandlers,
    functions,
  };
}
