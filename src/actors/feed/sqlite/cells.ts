import type { ChangeColumn } from '../../../protocol/change.ts';
import type { JsonValue, Row } from '../../../protocol/query.ts';

/** Declared SQLite types under PostgreSQL's names, by which realtime clients decode. First match wins. */
const TYPE_NAMES: readonly (readonly [RegExp, string])[] = [
  [/^BOOL/, 'bool'],
  [/^JSONB$/, 'jsonb'],
  [/^JSON$/, 'json'],
  [/UUID/, 'uuid'],
  [/TIMESTAMPTZ|TIMESTAMP WITH TIME ZONE/, 'timestamptz'],
  [/DATETIME|TIMESTAMP/, 'timestamp'],
  [/DATE/, 'date'],
  [/TIME/, 'time'],
  [/INT/, 'int8'],
  [/CHAR|CLOB|TEXT/, 'text'],
  [/BLOB|BYTEA/, 'bytea'],
  [/REAL|FLOA|DOUB/, 'float8'],
  [/NUMERIC|DECIMAL/, 'numeric'],
];

/** PostgreSQL's name for a declared SQLite type (upper case); `text` where nothing fits. */
export function sqliteTypeName(declared: string): string {
  return TYPE_NAMES.find(([pattern]) => pattern.test(declared))?.[1] ?? 'text';
}

/** A whole number that a JavaScript number cannot hold exactly, in JSON text outside of strings or not. */
const LONG_NUMBER = /\d{16}/;

/** The reviver's third argument (a proposal that V8 ships) gives a number as it was written. */
type Reviver = (key: string, value: unknown, context?: { readonly source?: string }) => unknown;

const keepExact: Reviver = (_key, value, context) =>
  typeof value === 'number' &&
  Number.isInteger(value) &&
  !Number.isSafeInteger(value) &&
  /^-?\d+$/.test(context?.source ?? '')
    ? context?.source
    : value;

function parse(text: string): unknown {
  return LONG_NUMBER.test(text)
    ? JSON.parse(text, keepExact as (key: string, value: unknown) => unknown)
    : JSON.parse(text);
}

/**
 * A row from the log's text (see rowJson): values by column. Booleans and JSON become what their column declares,
 * integers beyond 2^53 stay exact as text, and infinities are text as in PostgreSQL's JSON.
 */
export function decodeRow(columns: readonly ChangeColumn[], text: string): Row {
  const row: Record<string, JsonValue> = {};
  let at = 0;
  for (const line of text.split('\n')) {
    const values = parse(line);
    if (!Array.isArray(values)) continue;
    for (const value of values) {
      const column = columns[at];
      at += 1;
      if (column !== undefined) row[column.name] = cell(column.type, value);
    }
  }
  return row;
}

function cell(type: string, value: unknown): JsonValue {
  if (typeof value === 'number') {
    if (type === 'bool' && (value === 0 || value === 1)) return value === 1;
    if (!Number.isFinite(value)) return value > 0 ? 'Infinity' : '-Infinity';
    return value;
  }
  if (typeof value !== 'string') return null;
  if (type !== 'json' && type !== 'jsonb') return value;
  try {
    return JSON.parse(value);
  } catch {
    // SQLite lets a column that is called JSON hold anything; the text is then the value.
    return value;
  }
}
