import { MagError } from '../../../errors.ts';
import type { TableInfo } from '../engine.ts';
import { columnKind } from '../mysql/column-kind.ts';
import type { Dialect, OutputColumn, SelectParts, SqlColumn, WriteParts } from './dialect.ts';

/**
 * MySQL's text, as MariaDB speaks it. Statements give rows of one text, the row as JSON made by the server. Values are
 * bound by their place, which a statement may need twice: a placeholder is a mark with its number, and
 * mysql/statement.ts puts the marks in order. A mark is enclosed in NULs, which no name and no literal holds.
 */
export const PLACE_MARK = '\0';

/** Names and literals: what would end the text of a mark is refused. */
function withoutNul(name: string): string {
  if (name.includes(PLACE_MARK))
    throw new MagError('PGRST100', { what: 'a name', problem: 'it holds a NUL' });
  return name;
}

const quoteIdentifier = (name: string): string => `\`${withoutNul(name).replaceAll('`', '``')}\``;

/** Sessions never run with NO_BACKSLASH_ESCAPES (mysql/connection.ts). */
export const quoteText = (text: string): string =>
  `'${withoutNul(text).replaceAll('\\', '\\\\').replaceAll("'", "''")}'`;

/** One collation for all parts of a row: concatenating columns of different ones is an error. */
const plainText = (column: string, info: SqlColumn): string =>
  'utf8' in info && info.utf8 === true
    ? `${column} COLLATE utf8mb4_bin`
    : `CONVERT(${column} USING utf8mb4) COLLATE utf8mb4_bin`;

/** Times as PostgreSQL writes them in JSON: ISO 8601, a fraction without trailing zeros. */
function timeText(column: string, type: string, format: string, zone: string): string {
  const fraction = type.includes('(');
  const text =
    format === ''
      ? `CONCAT(${column})`
      : `DATE_FORMAT(${column}, ${quoteText(`${format}${fraction ? '.%f' : ''}`)})`;
  const short = fraction ? `TRIM(TRAILING '.' FROM TRIM(TRAILING '0' FROM ${text}))` : text;
  return `CONCAT('"', ${short}, ${quoteText(`${zone}"`)})`;
}

/**
 * A column as JSON text; NULL where it is NULL. Text is put together here, and not by JSON_OBJECT, which fails on columns
 * of several collations, writes booleans as numbers, and is no faster.
 */
function jsonText(info: SqlColumn): string {
  const column = quoteIdentifier(info.name);
  switch (columnKind(info.type)) {
    case 'boolean':
      return `CASE WHEN ${column} IS NULL THEN NULL WHEN ${column} THEN 'true' ELSE 'false' END`;
    case 'integer':
    case 'unsigned':
    case 'decimal':
    case 'double':
      return info.type.includes('zerofill') ? `${column} + 0` : column;
    case 'bit':
      return `${column} + 0`;
    case 'json':
      return column;
    case 'bytes':
      return `CONCAT(${quoteText('"\\\\x')}, LOWER(HEX(${column})), '"')`;
    case 'date':
      return `CONCAT('"', ${column}, '"')`;
    case 'datetime':
      return timeText(column, info.type, '%Y-%m-%dT%H:%i:%s', '');
    case 'timestamp':
      return timeText(column, info.type, '%Y-%m-%dT%H:%i:%s', '+00:00');
    case 'time':
      return timeText(column, info.type, '', '');
    case 'geometry':
      return `ST_AsGeoJSON(${column})`;
    default:
      return `JSON_QUOTE(${plainText(column, info)})`;
  }
}

/** A row as one JSON object. */
function jsonRow(output: readonly OutputColumn[]): string {
  if (output.length === 0) return `'{}'`;
  const parts = output.map(({ column, name }, at) => {
    const key = quoteText(`${at === 0 ? '{' : ','}${JSON.stringify(name)}:`);
    return `${key}, IFNULL(${jsonText(column)}, 'null')`;
  });
  return `CONCAT(${parts.join(', ')}, '}')`;
}

/** MySQL knows no OFFSET without LIMIT, and drops the order of a part of a union that has none. */
const NO_LIMIT = '18446744073709551615';

/** With a total the first row holds only that: one statement, so that the total and the page are of one snapshot. */
function selectStatement(parts: SelectParts): string {
  const where = parts.where === null ? '' : ` WHERE ${parts.where}`;
  const rows = `SELECT ${jsonRow(parts.output)}${parts.total ? ', NULL' : ''} FROM ${parts.from}${where}`;
  const order = parts.order === null ? '' : ` ORDER BY ${parts.order}`;
  const isLimited = parts.limit !== null || parts.offset !== null || parts.total;
  const limit = isLimited ? ` LIMIT ${parts.limit ?? NO_LIMIT}` : '';
  const offset = parts.offset === null ? '' : ` OFFSET ${parts.offset}`;
  if (!parts.total) return `${rows}${order}${limit}${offset}`;
  return `SELECT NULL, COUNT(*) FROM ${parts.from}${where} UNION ALL (${rows}${order}${limit}${offset})`;
}

/** An update gives nothing back by itself; mysql/writes.ts reads its rows in the same transaction. */
function writeStatement(parts: WriteParts): string {
  if (parts.write.startsWith('UPDATE') || (!parts.returning && parts.check === null)) return parts.write;
  return `${parts.write} RETURNING ${jsonRow(parts.output)}${parts.check === null ? '' : `, (${parts.check}) IS TRUE`}`;
}

/** A value of a filter under its column's type: comparing a number with text would compare rounded doubles. */
const FILTER_TYPES: Readonly<Record<string, string>> = {
  ...{ boolean: 'SIGNED', integer: 'SIGNED', unsigned: 'DECIMAL(20)', bit: 'UNSIGNED' },
  ...{ decimal: 'DECIMAL(65,30)', double: 'DOUBLE' },
};

/** What stands for a value in the final text. */
export function valueText(form: string, column: SqlColumn | null): string {
  const kind = column === null ? 'other' : columnKind(column.type);
  if (form === 'cell' || form === 'json') {
    const isBits = kind === 'bit' || column?.type === 'bit(1)';
    return isBits ? 'CAST(? AS UNSIGNED)' : '?';
  }
  const type = form === 'text' || form === 'list' ? FILTER_TYPES[kind] : undefined;
  return type === undefined ? '?' : `CAST(? AS ${type})`;
}

/** @param rows how many rows one insert statement writes. */
export function mysqlDialect(rows = 1): Dialect {
  return {
    kind: 'mysql',
    quoteIdentifier,
    placeholder: (position) => `${PLACE_MARK}${position}${PLACE_MARK}`,
    qualifiedTable: (table: TableInfo) => quoteIdentifier(table.name),
    // By characters, whatever the column's collation takes for equal.
    like: (column, pattern, caseInsensitive) =>
      caseInsensitive
        ? `LOWER(${column}) LIKE LOWER(${pattern}) COLLATE utf8mb4_bin`
        : `${column} LIKE ${pattern} COLLATE utf8mb4_bin`,
    is(column, value) {
      const words = { null: 'NULL', not_null: 'NOT NULL', true: 'TRUE', false: 'FALSE', unknown: 'UNKNOWN' };
      return `${column} IS ${words[value]}`;
    },
    inList: (column, list) => `${column} IN (${list})`,
    // MySQL sorts NULL as the smallest value; saying so again would cost it the use of an index.
    orderTerm(column, info, direction, nulls) {
      const term = `${column} ${direction.toUpperCase()}`;
      if (!info.nullable || (direction === 'asc') === (nulls === 'first')) return term;
      return `${column} IS NULL${nulls === 'first' ? ' DESC' : ''}, ${term}`;
    },
    insertSource({ columns, bind }) {
      const tuple = (): string => `(${columns.map((column) => bind({ kind: 'cell', column })).join(', ')})`;
      return `${columns.length === 0 ? '() ' : ''}VALUES ${Array.from({ length: rows }, tuple).join(', ')}`;
    },
    /** Acts on a conflict with any unique key: mysql/writes.ts uses it only where there is no other one. */
    onConflict(_table, _conflict, columns) {
      const names = columns.map((column) => quoteIdentifier(column.name));
      return `ON DUPLICATE KEY UPDATE ${names.map((name) => `${name} = VALUES(${name})`).join(', ')}`;
    },
    selectStatement,
    writeStatement,
  };
}
