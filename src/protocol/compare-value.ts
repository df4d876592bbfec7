import type { JsonValue } from './query.ts';

/** A column's type, PostgreSQL's name where it fits, where it is known; it decides how text is compared. */
export type TypeOf = (column: string) => string | undefined;

/** Order of a stored value against a filter's text: negative, zero, positive, or null where SQL cannot say. */
export type Comparison = number | null;

const NUMERIC = /^\s*[-+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d+)?\s*$/;
const INTEGER = /^[-+]?\d+$/;
const NUMBER_TYPE = /^(int|bigint|smallint|serial|bigserial|numeric|decimal|float|real|double)/i;
const TEMPORAL = /^(timestamp|timestamptz|date|datetime)\b/i;

function compareNumber(value: number, text: string): Comparison {
  if (!NUMERIC.test(text)) {
    const truth = readBoolean(text);
    return truth === null ? null : value - (truth ? 1 : 0);
  }
  const other = Number(text);
  // Beyond 2^53 a JSON number has lost digits: saying "equal" could show a row that is not the one asked for.
  if (!Number.isSafeInteger(value) && Number.isInteger(value)) {
    if (other === value) return String(value) === text.trim() ? 0 : null;
  } else if (Number.isInteger(other) && !Number.isSafeInteger(other) && other === value) return null;
  return value === other ? 0 : value < other ? -1 : 1;
}

/** A number that came as text, so that it keeps digits which a JSON number would lose. */
function compareLongNumber(value: string, text: string): Comparison {
  const left = value.trim();
  const right = text.trim();
  if (INTEGER.test(left) && INTEGER.test(right)) {
    const difference = BigInt(left) - BigInt(right);
    return difference === 0n ? 0 : difference < 0n ? -1 : 1;
  }
  if (!NUMERIC.test(left) || !NUMERIC.test(right)) return null;
  const difference = Number(left) - Number(right);
  // Decimals too close for a double to tell apart may be equal or not.
  return difference === 0 && left !== right && left.length + right.length > 30 ? null : difference;
}

/** PostgreSQL writes UUIDs in lower case and reads either; SQLite compares their text. Where they differ: unknown. */
function compareUuid(value: string, text: string): Comparison {
  const order = compareText(value, text);
  return order !== 0 && value.toLowerCase() === text.toLowerCase() ? null : order;
}

/** PostgreSQL's spellings of a boolean. */
function readBoolean(text: string): boolean | null {
  switch (text.trim().toLowerCase()) {
    case 'true':
    case 't':
    case 'yes':
    case 'y':
    case 'on':
    case '1':
      return true;
    case 'false':
    case 'f':
    case 'no':
    case 'n':
    case 'off':
    case '0':
      return false;
    default:
      return null;
  }
}

/** By code points, as SQLite's BINARY collation and PostgreSQL's C: UTF-16 order differs beyond the basic plane. */
function compareText(left: string, right: string): number {
  if (left === right) return 0;
  const shorter = Math.min(left.length, right.length);
  let at = 0;
  while (at < shorter && left.charCodeAt(at) === right.charCodeAt(at)) at += 1;
  if (at === shorter) return left.length - right.length;
  // Step back onto the start of a surrogate pair that the strings share the first half of.
  const code = left.charCodeAt(at - 1);
  const start = at > 0 && code >= 0xd800 && code <= 0xdbff ? at - 1 : at;
  return (left.codePointAt(start) ?? 0) - (right.codePointAt(start) ?? 0);
}

/** Digits of a second's fraction beyond milliseconds, which Date drops. */
function finerDigits(text: string): string {
  const dot = text.lastIndexOf('.');
  if (dot === -1) return '';
  let end = dot + 1;
  while (end < text.length && text.charCodeAt(end) >= 48 && text.charCodeAt(end) <= 57) end += 1;
  let stop = end;
  while (stop > dot + 4 && text.charCodeAt(stop - 1) === 48) stop -= 1;
  return text.slice(dot + 4, Math.max(stop, dot + 4));
}

const HAS_ZONE = /(z|[+-]\d\d(:?\d\d)?)$/i;

function instant(text: string): number {
  const iso = text.trim().replace(' ', 'T');
  const time = iso.includes('T');
  const zoned = time && HAS_ZONE.test(iso.slice(iso.indexOf('T')));
  const short = zoned && /[+-]\d\d$/.test(iso);
  return Date.parse(time ? (short ? `${iso}:00` : zoned ? iso : `${iso}Z`) : iso);
}

function compareTime(left: string, right: string): Comparison {
  const difference = instant(left) - instant(right);
  if (Number.isNaN(difference)) return null;
  return difference === 0 ? compareText(finerDigits(left), finerDigits(right)) : difference;
}

/**
 * Compares a stored value with a filter's text under the value's own type, as the engine does after binding the
 * text under the column's type. Null, an array, an object, or text that is no value of that type: null.
 */
export function compareValue(
  value: JsonValue | undefined,
  text: string,
  type: string | undefined,
): Comparison {
  switch (typeof value) {
    case 'number':
      return compareNumber(value, text);
    case 'string':
      if (type === undefined) return compareText(value, text);
      if (TEMPORAL.test(type)) return compareTime(value, text);
      if (NUMBER_TYPE.test(type)) return compareLongNumber(value, text);
      return type === 'uuid' ? compareUuid(value, text) : compareText(value, text);
    case 'boolean': {
      const other = readBoolean(text);
      return other === null ? null : Number(value) - Number(other);
    }
    default:
      return null;
  }
}
