import type { TableInfo } from '../engine.ts';
import { given, read } from '../postgres/representations.ts';
import { defaultOf } from '../postgres/schema.ts';
import type { Dialect, InsertParts, SelectParts, SqlColumn, WriteParts } from './dialect.ts';
import { postgresExpressions } from './postgres-expressions.ts';
import {
  countMerged,
  enforce,
  enforceMost,
  enforceSingle,
  mergedColumn,
  quoteIdentifier,
} from './postgres-text.ts';

/**
 * PostgreSQL's text. Every statement gives rows of one text column: the row as JSON, made by the server. Values are
 * untyped parameters: the server reads them under the type of the column they meet.
 */
export const postgresDialect: Dialect = {
  kind: 'postgres',

  quoteIdentifier,

  placeholder: (position, param) => read(`$${position}`, param),

  qualifiedTable: (table) => `${quoteIdentifier(table.schema)}.${quoteIdentifier(table.name)}`,

  like: (column, pattern, caseInsensitive) => `${column} ${caseInsensitive ? 'ILIKE' : 'LIKE'} ${pattern}`,

  is(column, value) {
    const words = { null: 'NULL', not_null: 'NOT NULL', true: 'TRUE', false: 'FALSE', unknown: 'UNKNOWN' };
    return `${column} IS ${words[value]}`;
  },

  inList: (column, list) => `${column} = ANY (${list})`,

  orderTerm(column, _info, direction, nulls) {
    const usual = direction === 'asc' ? 'last' : 'first';
    return `${column} ${direction.toUpperCase()}${nulls === usual ? '' : ` NULLS ${nulls.toUpperCase()}`}`;
  },

  insertSource,

  defaultText: () => 'DEFAULT',

  onConflict(table, conflict, columns) {
    const target = conflict.columns ?? primaryKey(table);
    const list = target.map((name) => quoteIdentifier(name)).join(', ');
    const names = columns.map((column) => quoteIdentifier(column.name));
    if (list === '') return ''; // Nothing to conflict on: PostgREST inserts plainly, too.
    if (conflict.resolution === 'ignore' || names.length === 0) return `ON CONFLICT (${list}) DO NOTHING`;
    const assignments = names.map((name) => `${name} = EXCLUDED.${name}`).join(', ');
    return `ON CONFLICT (${list}) DO UPDATE SET ${assignments} WHERE ${countMerged}`;
  },

  expressions: postgresExpressions,
  selectStatement,
  writeStatement,
};

const primaryKey = (table: TableInfo): readonly string[] =>
  table.columns
    .filter((column) => column.primaryKey > 0)
    .sort((a, b) => a.primaryKey - b.primaryKey)
    .map((column) => column.name);

const list = (parts: { readonly output: SelectParts['output'] }): string =>
  parts.output
    .map(({ column, name }) => {
      const quoted = quoteIdentifier(column.name);
      return name === column.name ? quoted : `${quoted} AS ${quoteIdentifier(name)}`;
    })
    .join(', ');

/** The set is one JSON parameter: any number of rows is one statement of one shape. */
function insertSource({ columns, missing, bind }: InsertParts): string {
  const rows = bind({ kind: 'rows', columns });
  if (columns.length === 0) return `SELECT FROM json_array_elements(${rows})`;
  const names = columns.map((column) => quoteIdentifier(column.name));
  const members = columns.map((column, at) => given(`_.${names[at]}`, column));
  const typed = members.map(({ type }, at) => `${names[at]} ${type}`).join(', ');
  const values = members.map(({ value }) => value).join(', ');
  if (missing === 'null') return `SELECT ${values} FROM json_to_recordset(${rows}) AS _(${typed})`;
  const merged = `${defaults(columns)} || "element"`;
  return (
    `SELECT ${values} FROM jsonb_array_elements(${rows}) AS "elements"("element") ` +
    `CROSS JOIN LATERAL jsonb_to_record(${merged}) AS _(${typed})`
  );
}

/** Column defaults as a JSON object; a function takes 100 arguments, so wide tables need several. */
function defaults(columns: readonly SqlColumn[]): string {
  const pairs = columns.flatMap((column) => {
    const expression = defaultOf(column);
    return expression === null ? [] : [`'${column.name.replaceAll("'", "''")}', ${expression}`];
  });
  if (pairs.length === 0) return `'{}'::jsonb`;
  const objects: string[] = [];
  for (let at = 0; at < pairs.length; at += 50)
    objects.push(`jsonb_build_object(${pairs.slice(at, at + 50).join(', ')})`);
  return objects.join(' || ');
}

/** `_.*` and not `_`: a column may be called that, and would be meant then. */
function selectStatement(parts: SelectParts): string {
  const where = parts.where === null ? '' : ` WHERE ${parts.where}`;
  let inner = `SELECT ${list(parts)} FROM ${parts.from}${where}`;
  if (parts.order !== null) inner += ` ORDER BY ${parts.order}`;
  if (parts.limit !== null) inner += ` LIMIT ${parts.limit}`;
  if (parts.offset !== null) inner += ` OFFSET ${parts.offset}`;
  if (!parts.total) return `SELECT row_to_json(_.*)::text FROM (${inner}) _`;
  // The total stands in every row, and in one row without JSON where the page is empty.
  return (
    `SELECT "page"."row", "all"."total" FROM (SELECT count(*) AS "total" FROM ${parts.from}${where}) AS "all" ` +
    `LEFT JOIN LATERAL (SELECT row_to_json(_.*)::text AS "row" FROM (${inner}) _) AS "page" ON true`
  );
}

function writeStatement(parts: WriteParts): string {
  const { write, check, single, most } = parts;
  const merged = mergedColumn(parts.merges);
  const demands = (from: string): string =>
    (single ? `, ${enforceSingle(from)}` : '') + (most === null ? '' : `, ${enforceMost(from, most)}`);
  if (check === null) {
    if (parts.returning)
      return `WITH _ AS (${write} RETURNING ${list(parts)}) SELECT row_to_json(_.*)::text${merged}${demands('_')} FROM _`;
    return most === null && !single && !parts.merges
      ? write
      : `WITH _ AS (${write} RETURNING 1) SELECT count(*)::text${merged}${demands('_')} FROM _`;
  }
  if (!parts.returning) {
    const checked = `count(${enforce('_."ok"')})::text`;
    return `WITH _("ok") AS (${write} RETURNING (${check})) SELECT ${checked}${merged}${demands('_')} FROM _`;
  }
  const returned = parts.output.map(({ column }) => quoteIdentifier(column.name));
  const inner = parts.output.map((_, at) => `"c${at}"`);
  const named = parts.output.map(({ name }, at) => `w."c${at}" AS ${quoteIdentifier(name)}`);
  return (
    `WITH w(${[...inner, '"ok"'].join(', ')}) AS (${write} RETURNING ${[...returned, `(${check})`].join(', ')}) ` +
    `SELECT row_to_json(_.*)::text${merged}, ${enforce('w."ok"')}${demands('w')} ` +
    `FROM w CROSS JOIN LATERAL (SELECT ${named.join(', ')}) _`
  );
}
