import type { SQLInputValue } from 'node:sqlite';
import { DatabaseError } from '../../../errors.ts';
import { stringifyExact } from '../../../protocol/exact-json.ts';
import type { JsonValue, Row } from '../../../protocol/query.ts';
import type { Param, SqlColumn } from '../sql/dialect.ts';
import type { QueryValue } from '../sql/query-shape.ts';
import { type ColumnKind, columnKind } from './column-kind.ts';

/** Gives the value of one placeholder for one execution; `row` is the row being inserted, else null. */
export type Binder = (values: readonly QueryValue[], row: Row | null) => SQLInputValue;

const INT64_MAX = 2n ** 63n - 1n;
const INT64_MIN = -(2n ** 63n);

/** Whether SQLite can hold the integer as one. */
export const isInt64 = (value: bigint): boolean => value <= INT64_MAX && value >= INT64_MIN;

const TRUE_WORDS = new Set(['true', 't', 'yes', 'y', 'on', '1']);
const FALSE_WORDS = new Set(['false', 'f', 'no', 'n', 'off', '0']);

const invalid = (kind: string, value: string): DatabaseError =>
  new DatabaseError('22P02', `invalid input syntax for type ${kind}: "${value}"`);

/** Text of a number as SQLite should compare it: exact where it is an integer. */
function numberOf(text: string, kind: 'integer' | 'double precision'): number | bigint {
  const trimmed = text.trim();
  if (/^[+-]?\d+$/.test(trimmed)) {
    const number = Number(trimmed);
    if (Number.isSafeInteger(number)) return number;
    const exact = BigInt(trimmed);
    return isInt64(exact) ? exact : number;
  }
  if (/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(trimmed)) return Number(trimmed);
  if (kind === 'double precision' && /^[+-]?infinity$/i.test(trimmed))
    return trimmed.startsWith('-') ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
  throw invalid(kind, text);
}

function booleanOf(text: string): number {
  const word = text.trim().toLowerCase();
  if (TRUE_WORDS.has(word)) return 1;
  if (FALSE_WORDS.has(word)) return 0;
  throw invalid('boolean', text);
}

const isHexBytes = (text: string): boolean => /^\\x([0-9a-f]{2})*$/i.test(text);

/** A filter value under the type of its column. Throws 22P02 where the text is no such value. */
function filterValue(kind: ColumnKind, text: string): SQLInputValue {
  switch (kind) {
    case 'integer':
      return numberOf(text, 'integer');
    case 'real':
      return numberOf(text, 'double precision');
    case 'boolean':
      return booleanOf(text);
    case 'blob':
      return isHexBytes(text) ? Buffer.from(text.slice(2), 'hex') : text;
    case 'any':
      // No affinity converts here: a number would never equal its text.
      return /^-?\d+(\.\d+)?$/.test(text) ? numberOf(text, 'double precision') : text;
    default:
      return text;
  }
}

/** A JSON value as it is stored in a column of this kind. */
function storedValue(kind: ColumnKind, value: JsonValue): SQLInputValue {
  if (value === null) return null;
  switch (typeof value) {
    case 'string':
      if (kind === 'json') return JSON.stringify(value);
      if (kind === 'boolean' && (value === 'true' || value === 'false')) return value === 'true' ? 1 : 0;
      if ((kind === 'blob' || kind === 'any') && isHexBytes(value)) return Buffer.from(value.slice(2), 'hex');
      return value;
    case 'number':
      if (kind === 'text') return String(value);
      // node:sqlite binds every number as REAL; without a converting affinity 5 would be stored as 5.0.
      return (kind === 'any' || kind === 'blob') && Number.isSafeInteger(value) ? BigInt(value) : value;
    case 'bigint':
      if (kind === 'text' || kind === 'json') return String(value);
      return isInt64(value) ? value : Number(value);
    case 'boolean':
      return kind === 'text' || kind === 'json' ? String(value) : Number(value);
    default:
      return stringifyExact(value);
  }
}

/** A LIKE pattern as a GLOB pattern: `%` to `*`, `_` to `?`, and GLOB's own special characters taken literally. */
export function globPattern(like: string): string {
  const literal = (character: string): string =>
    character === '*' || character === '?' || character === '[' ? `[${character}]` : character;
  let glob = '';
  let escaped = false;
  for (const character of like) {
    if (escaped) {
      glob += literal(character);
      escaped = false;
    } else if (character === '\\') escaped = true;
    else if (character === '%') glob += '*';
    else if (character === '_') glob += '?';
    else glob += literal(character);
  }
  return glob;
}

/** The items of an IN list as the JSON array json_each reads; bare digits keep big integers exact. */
function listText(kind: ColumnKind, items: readonly string[]): string {
  const members = items.map((item) => {
    const value = kind === 'blob' ? item : filterValue(kind, item);
    if (typeof value === 'number' || typeof value === 'bigint')
      return String(value).replace('Infinity', '9e999');
    return JSON.stringify(value);
  });
  return `[${members.join(',')}]`;
}

const asText = (value: QueryValue | undefined): string => (typeof value === 'string' ? value : String(value));

const asList = (value: QueryValue | undefined): readonly string[] =>
  Array.isArray(value) ? value.map(String) : [];

const kindOf = (column: SqlColumn | null): ColumnKind => (column === null ? 'any' : columnKind(column.type));

/** Decides once per statement how a placeholder is filled, so that an execution only calls closures. */
export function binderOf(param: Param): Binder {
  if (param.kind === 'rows') throw new DatabaseError('XX000', 'SQLite inserts row by row');
  const kind = kindOf(param.column);
  if (param.kind === 'cell') {
    const { name } = param.column;
    // Own members only: a column may be called `constructor`.
    return (_values, row) =>
      storedValue(kind, row !== null && Object.hasOwn(row, name) ? (row[name] ?? null) : null);
  }
  const { index } = param;
  switch (param.form) {
    case 'text':
      return (values) => filterValue(kind, asText(values[index]));
    case 'pattern':
      return param.caseInsensitive === true
        ? (values) => asText(values[index])
        : (values) => globPattern(asText(values[index]));
    case 'patterns': {
      const ignoresCase = param.caseInsensitive === true;
      return (values) =>
        JSON.stringify(asList(values[index]).map((item) => (ignoresCase ? item : globPattern(item))));
    }
    case 'list':
      return (values) => listText(kind, asList(values[index]));
    case 'json':
      return (values) => storedValue(kind, values[index] ?? null);
    default:
      return (values) => Number(values[index]);
  }
}
