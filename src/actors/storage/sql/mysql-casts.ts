import { type ColumnKind, columnKind } from '../mysql/column-kind.ts';
import { parseType } from './casts.ts';
import type { Value } from './dialect.ts';

/** The largest of PostgreSQL's integers; the smallest is one more below zero. */
const MOST = { int2: '32767', int4: '2147483647', int8: '9223372036854775807' } as const;

/**
 * MariaDB cuts what does not fit, with a warning. A sum that overflows is an error of its own (1690, 22003); it is worked
 * out of the value, or it would fail before there is one.
 */
function integerText(sql: string, kind: ColumnKind, target: keyof typeof MOST): string {
  const cast = `CAST(${sql} AS SIGNED)`;
  if (kind === 'boolean') return cast;
  const most = MOST[target];
  // Of the doubles below 2^63, the next one is what the bound itself becomes.
  const fits =
    kind === 'double'
      ? `ROUND(${sql}) >= -${most}e0 - 1 AND ROUND(${sql}) ${target === 'int8' ? '<' : '<='} ${most}e0`
      : `ROUND(${sql}) BETWEEN -${most} - 1 AND ${most}`;
  return `(CASE WHEN NOT (${fits}) THEN 9223372036854775807 + CAST(ABS(SIGN(${sql})) AS SIGNED) ELSE ${cast} END)`;
}

/** As PostgreSQL writes a float8: with an exponent, of two digits and a sign, beyond 15 digits or 4 zeros. */
function doubleText(sql: string): string {
  const text = `CAST(${sql} AS CHAR)`;
  const behind = `SUBSTRING(CAST(ABS(${sql}) AS CHAR), 3)`;
  const digits = `TRIM(LEADING '0' FROM ${behind})`;
  const rest = `IF(LENGTH(${digits}) > 1, CONCAT('.', SUBSTRING(${digits}, 2)), '')`;
  const zeros = `LPAD(LENGTH(${behind}) - LENGTH(${digits}) + 1, 2, '0')`;
  const small = `CONCAT(IF(${sql} < 0, '-', ''), LEFT(${digits}, 1), ${rest}, 'e-', ${zeros})`;
  return (
    `(CASE WHEN ${text} LIKE '%e-_' THEN REPLACE(${text}, 'e-', 'e-0') WHEN ${text} LIKE '%e-%' THEN ${text} ` +
    `WHEN ${text} LIKE '%e%' THEN REPLACE(${text}, 'e', 'e+') ` +
    `WHEN ${sql} <> 0 AND ABS(${sql}) < 1e-4 THEN ${small} ELSE ${text} END)`
  );
}

function textOf(sql: string, kind: ColumnKind | 'json', isFloat: boolean): string | null {
  switch (kind) {
    case 'bytes':
    case 'geometry':
      return null;
    case 'boolean':
      return `CASE WHEN ${sql} IS NULL THEN NULL WHEN ${sql} THEN 'true' ELSE 'false' END`;
    case 'double':
      return isFloat ? `CAST(${sql} AS CHAR)` : doubleText(sql);
    default:
      return `CAST(${sql} AS CHAR)`;
  }
}

/** From which kinds a type may be cast to without a value being made up, and how. */
export function castValue({ sql, type: from, json: isJson }: Value, text: string): Value | null {
  const type = parseType(text);
  if (type === null || type.schema !== null || type.dimensions > 0) return null;
  const kind = isJson ? 'json' : columnKind(from);
  const isExact = kind === 'integer' || kind === 'unsigned' || kind === 'bit';
  const isNumber = isExact || kind === 'decimal' || kind === 'double';
  const value = (as: string | null, named: string): Value | null =>
    as === null ? null : { sql: as, type: named, json: false };
  switch (type.name) {
    case 'text':
    case 'varchar':
      return value(textOf(sql, kind, /^float/.test(from)), 'longtext');
    case 'int4':
      // As PostgreSQL, which knows a boolean as an integer of one size alone.
      return isNumber || kind === 'boolean' ? value(integerText(sql, kind, 'int4'), 'bigint') : null;
    case 'int2':
    case 'int8':
      return isNumber ? value(integerText(sql, kind, type.name), 'bigint') : null;
    case 'float8':
      return isNumber ? value(`CAST(${sql} AS DOUBLE)`, 'double') : null;
    case 'numeric':
      return isExact || kind === 'decimal' ? value(`(${sql} + 0)`, 'decimal') : null;
    case 'date':
      return kind === 'date' || kind === 'datetime' || kind === 'timestamp'
        ? value(`CAST(${sql} AS DATE)`, 'date')
        : null;
    default:
      // float4, too: a cast to FLOAT keeps the digits of a double.
      return null;
  }
}
