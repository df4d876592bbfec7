import {
  type Comparison,
  compareLongNumber,
  compareNumber,
  compareText,
  NUMERIC,
  readBoolean,
} from './compare-scalars.ts';
import { like } from './like.ts';
import type { JsonValue } from './query.ts';

// SQLite compares by storage class and affinity, not by declared type: timestamps and UUIDs are text to it, its LIKE
// folds ASCII only, and a number sorts before every text. Types are the names that the change feed gives.

const asciiLower = (text: string): string => text.replace(/[A-Z]/g, (letter) => letter.toLowerCase());

/** Under NUMERIC affinity a text that reads as a number is one; what is stored as text is no number then. */
function compareNumeric(value: number | string, text: string): Comparison {
  const isNumber = NUMERIC.test(text);
  if (typeof value === 'number') return isNumber ? compareNumber(value, text) : -1;
  // Integers beyond 2^53 come as text, and so do the infinities.
  if (/Infinity$/.test(value)) return null;
  if (NUMERIC.test(value)) return isNumber ? compareLongNumber(value, text) : -1;
  return isNumber ? 1 : compareText(value, text);
}

/** As the engine does after binding the text under the column's type; null where that would be an error, too. */
export function compareInSqlite(
  value: JsonValue | undefined,
  text: string,
  type: string | undefined,
): Comparison {
  if (typeof value === 'boolean') {
    const other = readBoolean(text);
    return other === null ? null : Number(value) - Number(other);
  }
  if (typeof value !== 'number' && typeof value !== 'string') return null;
  switch (type) {
    case 'bool':
    case 'json':
    case 'jsonb':
    case 'bytea':
      return null;
    case 'int8':
    case 'float8':
      return NUMERIC.test(text) ? compareNumeric(value, text) : null;
    case 'text':
      return typeof value === 'string' ? compareText(value, text) : compareNumeric(value, text);
    default:
      return compareNumeric(value, text);
  }
}

/** The text that LIKE sees of a value; null where JavaScript would write the number otherwise. */
function textOf(value: JsonValue, type: string | undefined): string | null {
  if (typeof value === 'boolean') return value ? '1' : '0';
  if (typeof value === 'number') return type === 'int8' && Number.isSafeInteger(value) ? String(value) : null;
  if (typeof value !== 'string' || type === 'json' || type === 'jsonb' || type === 'bytea') return null;
  return /Infinity$/.test(value) && type !== 'text' ? null : value;
}

export function likeInSqlite(
  value: JsonValue,
  pattern: string,
  ignoreCase: boolean,
  type: string | undefined,
): boolean | null {
  const text = textOf(value, type);
  if (text === null) return null;
  return ignoreCase ? like(asciiLower(text), asciiLower(pattern)) : like(text, pattern);
}

const LEADING_NUMBER = /^\s*[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?/i;

/** What IS TRUE says of a value: a text counts by the number that it begins with. */
export function truthInSqlite(value: JsonValue, type: string | undefined): boolean | null {
  if (type === 'json' || type === 'jsonb' || type === 'bytea') return null;
  if (typeof value === 'boolean') return value;
  if (typeof value === 'number') return value !== 0;
  return typeof value === 'string' ? Number(LEADING_NUMBER.exec(value)?.[0] ?? 0) !== 0 : null;
}
