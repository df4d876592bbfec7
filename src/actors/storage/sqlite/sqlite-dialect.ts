import type { TableInfo } from '../engine.ts';
import type { Dialect, OutputColumn, SelectParts, WriteParts } from '../sql/dialect.ts';
import { sqliteExpressions } from './sqlite-expressions.ts';
import { defaultOf } from './sqlite-schema.ts';
import { jsonValue, objectText, quoteIdentifier } from './sqlite-text.ts';

function jsonObject(output: readonly OutputColumn[], anyBlob: boolean): string {
  return objectText(
    output.map(({ column, name }) => ({
      name,
      member: jsonValue(quoteIdentifier(column.name), column.type, anyBlob),
    })),
  );
}

function selectStatement(parts: SelectParts, anyBlob: boolean): string {
  const { from, where, order, limit, offset } = parts;
  const filter = where === null ? '' : ` WHERE ${where}`;
  let rows = `SELECT ${jsonObject(parts.output, anyBlob)} AS json`;
  if (parts.total) rows += ', NULL AS total';
  rows += ` FROM ${from}${filter}`;
  if (order !== null) rows += ` ORDER BY ${order}`;
  // SQLite knows no OFFSET without LIMIT, and drops the order of an unlimited subquery.
  // The planner looks at a bare parameter there, and compiles the statement again for each new value.
  if (limit !== null || offset !== null || parts.total)
    rows += ` LIMIT ${limit === null ? '-1' : `${limit} + 0`}`;
  if (offset !== null) rows += ` OFFSET ${offset} + 0`;
  if (!parts.total) return rows;
  // One statement, so that the total and the page are of one snapshot; the total comes first.
  return `SELECT NULL AS json, count(*) AS total FROM ${from}${filter} UNION ALL SELECT * FROM (${rows})`;
}

function writeStatement(parts: WriteParts, anyBlob: boolean): string {
  if (!parts.returning && parts.check === null) return parts.write;
  const json = parts.returning ? jsonObject(parts.output, anyBlob) : 'NULL';
  return `${parts.write} RETURNING ${json}${parts.check === null ? '' : `, (${parts.check})`}`;
}

const primaryKey = (table: TableInfo): readonly string[] =>
  table.columns
    .filter((column) => column.primaryKey > 0)
    .sort((a, b) => a.primaryKey - b.primaryKey)
    .map((column) => column.name);

const onConflict: Dialect['onConflict'] = (table, conflict, columns) => {
  const target = conflict.columns ?? primaryKey(table);
  if (target.length === 0 || columns.length === 0) return '';
  const clause = `ON CONFLICT (${target.map(quoteIdentifier).join(', ')})`;
  if (conflict.resolution === 'ignore') return `${clause} DO NOTHING`;
  const others = columns.filter((column) => !target.includes(column.name));
  // A row of nothing but its key still counts as written, so that RETURNING gives it back.
  const updated = others.length > 0 ? others : columns;
  const assignments = updated.map(
    ({ name }) => `${quoteIdentifier(name)} = excluded.${quoteIdentifier(name)}`,
  );
  return `${clause} DO UPDATE SET ${assignments.join(', ')}`;
};

/**
 * SQLite's text. Selects give rows of one JSON text (and, with a total, first a row that holds only the total);
 * writes give rows of the JSON text and, where there is a check, whether it held. Inserts are row by row.
 */
export function sqliteDialect(options: { readonly anyBlob: boolean }): Dialect {
  return {
    kind: 'sqlite',
    quoteIdentifier,
    placeholder: (position) => `?${position}`,
    qualifiedTable: (table) => quoteIdentifier(table.name),
    // LIKE ignores case in SQLite; GLOB does not, and its pattern is translated when it is bound.
    like: (column, pattern, caseInsensitive) =>
      caseInsensitive ? `${column} LIKE ${pattern} ESCAPE '\\'` : `${column} GLOB ${pattern}`,
    is: (column, value) => {
      if (value === 'true' || value === 'false') return `${column} IS ${value.toUpperCase()}`;
      return value === 'not_null' ? `${column} IS NOT NULL` : `${column} IS NULL`;
    },
    inList: (column, list) => `${column} IN (SELECT value FROM json_each(${list}))`,
    // SQLite sorts NULL as the smallest value; saying so again would cost it the use of an index.
    orderTerm: (column, info, direction, nulls) => {
      const isDefault = !info.nullable || (direction === 'asc') === (nulls === 'first');
      return `${column} ${direction.toUpperCase()}${isDefault ? '' : ` NULLS ${nulls.toUpperCase()}`}`;
    },
    insertSource: ({ columns, bind }) =>
      columns.length === 0
        ? 'DEFAULT VALUES'
        : `VALUES (${columns.map((column) => bind({ kind: 'cell', column })).join(', ')})`,
    defaultText: (column) => `(${defaultOf(column) ?? 'NULL'})`,
    onConflict,
    expressions: sqliteExpressions(options.anyBlob),
    selectStatement: (parts) => selectStatement(parts, options.anyBlob),
    writeStatement: (parts) => writeStatement(parts, options.anyBlob),
  };
}
