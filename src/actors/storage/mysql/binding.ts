import { DatabaseError } from '../../../errors.ts';
import { stringifyExact } from '../../../protocol/exact-json.ts';
import type { JsonValue } from '../../../protocol/query.ts';
import type { SqlColumn } from '../sql/dialect.ts';
import { type ColumnKind, columnKind } from './column-kind.ts';
import { momentText, timeOfDay } from './temporal.ts';

/** What the driver is given for one placeholder. */
export type BoundValue = string | number | bigint | Buffer | null;

const INT64_MAX = 2n ** 63n - 1n;
const INT64_MIN = -(2n ** 63n);
const TRUE_WORDS = new Set(['true', 't', 'yes', 'y', 'on', '1']);
const FALSE_WORDS = new Set(['false', 'f', 'no', 'n', 'off', '0']);

const invalid = (type: string, text: string): DatabaseError =>
  new DatabaseError('22P02', `invalid input syntax for type ${type}: "${text}"`);

function integerText(text: string, type: string): string {
  const trimmed = text.trim();
  if (!/^[+-]?\d+$/.test(trimmed)) throw invalid(type, text);
  // The server would compare with the nearest value that it can hold.
  if (trimmed.length > 18) {
    const value = trimmed.length > 40 ? INT64_MAX * 4n : BigInt(trimmed);
    const [least, most] = type === 'unsigned' ? [0n, INT64_MAX * 2n + 1n] : [INT64_MIN, INT64_MAX];
    if (value < least || value > most)
      throw new DatabaseError('22003', `value "${text}" is out of range for type bigint`);
  }
  return trimmed;
}

function numberText(text: string, type: string): string {
  const trimmed = text.trim();
  if (!/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(trimmed)) throw invalid(type, text);
  return trimmed;
}

function booleanText(text: string): string {
  const word = text.trim().toLowerCase();
  if (TRUE_WORDS.has(word)) return '1';
  if (FALSE_WORDS.has(word)) return '0';
  throw invalid('boolean', text);
}

const bytesOf = (text: string): Buffer =>
  /^\\x([0-9a-f]{2})*$/i.test(text) ? Buffer.from(text.slice(2), 'hex') : Buffer.from(text);

/** Text under the type of its column, as PostgreSQL would read it. Throws 22P02, 22003 or 22007. */
function typedText(kind: ColumnKind, text: string): BoundValue {
  switch (kind) {
    case 'boolean':
      return booleanText(text);
    case 'integer':
    case 'bit':
      return integerText(text, 'integer');
    case 'unsigned':
      return integerText(text, 'unsigned');
    case 'decimal':
      return numberText(text, 'numeric');
    case 'double':
      return numberText(text, 'double precision');
    case 'date':
    case 'datetime':
    case 'timestamp':
      return momentText(text, kind);
    case 'time':
      return timeOfDay(text);
    case 'bytes':
      return bytesOf(text);
    default:
      return text;
  }
}

const kindOf = (column: SqlColumn | null): ColumnKind =>
  column === null ? 'other' : columnKind(column.type);

/** A value of a filter. */
export const filterValue = (column: SqlColumn | null, text: string): BoundValue =>
  typedText(kindOf(column), text);

/** A JSON value as it is stored in the column. */
export function storedValue(column: SqlColumn | null, value: JsonValue): BoundValue {
  const kind = kindOf(column);
  if (kind === 'json' && value !== null) return stringifyExact(value);
  if (value === null) return null;
  if (typeof value === 'object') return stringifyExact(value);
  if (kind === 'double' && typeof value === 'number') return value;
  if (typeof value === 'boolean' && (kind === 'integer' || kind === 'bit')) return value ? '1' : '0';
  return typedText(kind, String(value));
}

/** A parameter of native SQL: what a JSON body carried. */
export function parameterValue(value: unknown): BoundValue {
  if (value === null || value === undefined) return null;
  if (value instanceof Uint8Array) return Buffer.from(value);
  // What was a number comes back as one where nothing else says what it is.
  if (typeof value === 'boolean') return value ? 1n : 0n;
  if (typeof value === 'number') return Number.isSafeInteger(value) ? BigInt(value) : value;
  if (typeof value === 'bigint' && value >= INT64_MIN && value <= INT64_MAX) return value;
  return typeof value === 'object' ? stringifyExact(value) : String(value);
}
