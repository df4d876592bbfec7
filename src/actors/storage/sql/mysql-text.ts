import { MagError } from '../../../errors.ts';
import { columnKind } from '../mysql/column-kind.ts';

/**
 * MySQL's text, as MariaDB speaks it. Values are bound by their place, which a statement may need twice: a placeholder is a
 * mark with its number, and mysql/statement.ts puts the marks in order. A mark is enclosed in NULs, which no name and no
 * literal holds.
 */
export const PLACE_MARK = '\0';

/** MySQL knows no OFFSET without LIMIT, and drops the order of a part of a union that has none. */
export const NO_LIMIT = '18446744073709551615';

function withoutNul(name: string): string {
  if (name.includes(PLACE_MARK))
    throw new MagError('PGRST100', { what: 'a name', problem: 'it holds a NUL' });
  return name;
}

export const quoteIdentifier = (name: string): string => `\`${withoutNul(name).replaceAll('`', '``')}\``;

/** Sessions of the grammar never run with NO_BACKSLASH_ESCAPES (mysql/connection.ts). */
export const quoteText = (text: string): string =>
  `'${withoutNul(text).replaceAll('\\', '\\\\').replaceAll("'", "''")}'`;

/** One collation for all parts of a row: concatenating columns of different ones is an error. */
export const plainText = (sql: string, utf8: boolean): string =>
  utf8 ? `${sql} COLLATE utf8mb4_bin` : `CONVERT(${sql} USING utf8mb4) COLLATE utf8mb4_bin`;

/** By characters, whatever the column's collation takes for equal. */
export const likeText = (sql: string, pattern: string, caseInsensitive: boolean): string =>
  caseInsensitive
    ? `LOWER(${sql}) LIKE LOWER(${pattern}) COLLATE utf8mb4_bin`
    : `${sql} LIKE ${pattern} COLLATE utf8mb4_bin`;

/** Times as PostgreSQL writes them in JSON: ISO 8601, a fraction without trailing zeros. */
function timeText(sql: string, type: string, format: string, zone: string): string {
  const fraction = type.includes('(');
  const text =
    format === ''
      ? `CONCAT(${sql})`
      : `DATE_FORMAT(${sql}, ${quoteText(`${format}${fraction ? '.%f' : ''}`)})`;
  const short = fraction ? `TRIM(TRAILING '.' FROM TRIM(TRAILING '0' FROM ${text}))` : text;
  return `CONCAT('"', ${short}, ${quoteText(`${zone}"`)})`;
}

/**
 * A value as JSON text; NULL where it is NULL. Text is put together here, and not by JSON_OBJECT, which fails on columns of
 * several collations, writes booleans as numbers, and is no faster.
 * @param utf8 whether a text is known to be in utf8mb4.
 */
export function jsonText(sql: string, type: string, utf8: boolean): string {
  switch (columnKind(type)) {
    case 'boolean':
      return `CASE WHEN ${sql} IS NULL THEN NULL WHEN ${sql} THEN 'true' ELSE 'false' END`;
    case 'integer':
    case 'unsigned':
    case 'decimal':
    case 'double':
      return type.includes('zerofill') ? `${sql} + 0` : sql;
    case 'bit':
      return `${sql} + 0`;
    case 'json':
      return sql;
    case 'bytes':
      return `CONCAT(${quoteText('"\\\\x')}, LOWER(HEX(${sql})), '"')`;
    case 'date':
      return `CONCAT('"', ${sql}, '"')`;
    case 'datetime':
      return timeText(sql, type, '%Y-%m-%dT%H:%i:%s', '');
    case 'timestamp':
      return timeText(sql, type, '%Y-%m-%dT%H:%i:%s', '+00:00');
    case 'time':
      return timeText(sql, type, '', '');
    case 'geometry':
      return `ST_AsGeoJSON(${sql})`;
    default:
      return `JSON_QUOTE(${plainText(sql, utf8)})`;
  }
}

/** A row as one JSON object of members whose text is NULL where they are null. */
export function rowText(members: readonly { readonly name: string; readonly text: string }[]): string {
  if (members.length === 0) return `'{}'`;
  const parts = members.map(({ name, text }, at) => {
    const key = quoteText(`${at === 0 ? '{' : ','}${JSON.stringify(name)}:`);
    return `${key}, IFNULL(${text}, 'null')`;
  });
  return `CONCAT(${parts.join(', ')}, '}')`;
}
