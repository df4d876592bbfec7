import {
  type Comparison,
  compareLongNumber,
  compareNumber,
  compareText,
  NUMERIC,
  readBoolean,
} from './compare-scalars.ts';
import { compareTime } from './compare-time.ts';
import { like } from './like.ts';
import type { JsonValue } from './query.ts';

const TEXTS: ReadonlySet<string> = new Set(['text', 'varchar', 'name']);
const UUID = /^[\da-f]{8}-[\da-f]{4}-[\da-f]{4}-[\da-f]{4}-[\da-f]{12}$/;

/** PostgreSQL writes UUIDs in lower case and reads several spellings. */
function compareUuid(value: string, text: string): Comparison {
  const lower = text.trim().toLowerCase();
  return UUID.test(lower) ? compareText(value, lower) : null;
}

/** A value that came as text, under its column's type. Of types not named here only that equal texts are equal is known. */
function compareString(value: string, text: string, type: string): Comparison {
  if (TEXTS.has(type)) return compareText(value, text);
  switch (type) {
    case 'date':
    case 'timestamp':
    case 'timestamptz':
      return compareTime(value, text, type);
    case 'int2':
    case 'int4':
    case 'int8':
    case 'float4':
    case 'float8':
    case 'numeric':
      return compareLongNumber(value, text);
    case 'uuid':
      return compareUuid(value, text);
    default:
      return value === text && type !== 'json' && type !== 'jsonb' ? 0 : null;
  }
}

const INTEGER_TYPE = /^int\d$/;

/** As the server does after reading the text under the column's type; null where that would be an error, too. */
export function compareInPostgres(value: JsonValue | undefined, text: string, type: string): Comparison {
  if (type === 'json' || type === 'jsonb') return null;
  switch (typeof value) {
    case 'number': {
      const reads = INTEGER_TYPE.test(type) ? /^\s*[-+]?\d+\s*$/ : NUMERIC;
      return reads.test(text) ? compareNumber(value, text) : null;
    }
    case 'string':
      return compareString(value, text, type);
    case 'boolean': {
      const other = readBoolean(text);
      return other === null ? null : Number(value) - Number(other);
    }
    default:
      return null;
  }
}

/** Character by character, as C.UTF-8 does: JavaScript's own toLowerCase() looks at what stands around a letter. */
const lower = (text: string): string =>
  Array.from(text, (letter) => (letter === '\u0130' ? 'i' : letter.toLowerCase())).join('');

/** Only text has LIKE. */
export function likeInPostgres(
  value: JsonValue,
  pattern: string,
  ignoreCase: boolean,
  type: string,
): boolean | null {
  if (typeof value !== 'string' || !TEXTS.has(type)) return null;
  return ignoreCase ? like(lower(value), lower(pattern)) : like(value, pattern);
}
