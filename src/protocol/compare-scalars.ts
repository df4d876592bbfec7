/** Order of a stored value against a filter's text: negative, zero, positive, or null where it cannot be told. */
export type Comparison = number | null;

export const NUMERIC = /^\s*[-+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d+)?\s*$/;
/** As JSON writes one. */
const WRITTEN = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d{1,3})?$/;
const INTEGER = /^[-+]?\d+$/;

/** The number that a text is to documents, which know no type to read it as; null where it is none, or beyond a double. */
export function numberWritten(text: string): number | null {
  if (!WRITTEN.test(text)) return null;
  const value = Number(text);
  return Number.isFinite(value) ? value : null;
}

export function compareNumber(value: number, text: string): Comparison {
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

/** An integer beyond 2^53: equal only to a text of the same digits, since a double may stand for many. */
export function compareBigInt(value: bigint, text: string): Comparison {
  const digits = text.trim();
  if (INTEGER.test(digits)) {
    const other = BigInt(digits);
    return value === other ? 0 : value < other ? -1 : 1;
  }
  if (!NUMERIC.test(digits)) return null;
  const difference = Number(value) - Number(digits);
  return difference === 0 ? null : difference;
}

/** A number that came as text, so that it keeps digits which a JSON number would lose. */
export function compareLongNumber(value: string, text: string): Comparison {
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

/** PostgreSQL's spellings of a boolean. */
export function readBoolean(text: string): boolean | null {
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
export function compareText(left: string, right: string): number {
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
