import { LIMITS } from '../limits.ts';
import type { JsonValue } from './query.ts';

/** Sixteen digits in a row: the shortest text that can hold an integer beyond 2^53. */
const LONG_NUMBER = /\d{16}/;
/** A number with an exponent of three digits, outside of a string as far as what stands before it tells. */
const HUGE_NUMBER = /(?:^|[:,[])\s*-?\d+(?:\.\d+)?[eE]\+?\d{3}/;
/** The escape of half a surrogate pair: of either half, since a pair is written as two. */
const SURROGATE = /\\u[dD][89a-fA-F]/;
const INTEGER = /^-?\d+$/;
/** Longest integer kept exact; no engine's integer has more digits, and a BigInt of millions takes seconds to read. */
const DIGITS = 400;

type Reviver = (key: string, value: unknown) => unknown;

/** The third argument gives a number as it was written (V8 has it from Node 21 on; TypeScript's library has not). */
const keepExact = (_key: string, value: unknown, context?: { readonly source?: string }): unknown => {
  if (typeof value !== 'number' || Number.isSafeInteger(value)) return value;
  const source = context?.source ?? '';
  return source.length <= DIGITS && INTEGER.test(source) ? BigInt(source) : value;
};

const keepFinite: typeof keepExact = (key, value, context) => {
  const kept = keepExact(key, value, context);
  if (kept === Number.POSITIVE_INFINITY || kept === Number.NEGATIVE_INFINITY)
    throw new RangeError('a number is too large');
  return kept;
};

/** Whether arrays and objects stand inside each other more than `most` deep. Malformed text may give either answer. */
function isDeeper(text: string, most: number): boolean {
  if (text.length <= most) return false;
  let depth = 0;
  for (let at = 0; at < text.length; at += 1) {
    switch (text.charCodeAt(at)) {
      case 34: // "
        at = endOfString(text, at);
        break;
      case 91: // [
      case 123: // {
        depth += 1;
        if (depth > most) return true;
        break;
      case 93: // ]
      case 125: // }
        depth -= 1;
        break;
      default:
        break;
    }
  }
  return false;
}

/** Where the string that begins at `start` ends; the last character of a text that does not close it. */
function endOfString(text: string, start: number): number {
  for (let at = start + 1; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code === 34) return at;
    if (code === 92) at += 1;
  }
  return text.length;
}

/**
 * Halves of surrogate pairs are no characters: what writes UTF-8 puts one and the same sign in their place, so that
 * texts, ids among them, which differed would be the same.
 */
const keepWhole: typeof keepExact = (key, value, context) => {
  if (!key.isWellFormed() || (typeof value === 'string' && !value.isWellFormed()))
    throw new RangeError('a text holds half of a surrogate pair');
  return keepFinite(key, value, context);
};

/**
 * A JSON text as a value in which integers beyond 2^53 are BigInts. Throws SyntaxError for what is no JSON, and
 * RangeError for what is nested deeper than LIMITS.jsonDepth: serializers walk values by recursion.
 */
export const parseExact = (text: string): JsonValue => parse(text, LONG_NUMBER.test(text) ? keepExact : null);

function parse(text: string, reviver: typeof keepExact | null): JsonValue {
  if (isDeeper(text, LIMITS.jsonDepth)) throw new RangeError(`nested deeper than ${LIMITS.jsonDepth}`);
  // JSON.parse gives JSON values and nothing else, and the revivers add BigInts.
  return (reviver === null ? JSON.parse(text) : JSON.parse(text, reviver as Reviver)) as JsonValue;
}

/**
 * The same for what comes from a client; a number beyond the range of doubles, which would be stored as NULL, and a text
 * that no encoding has throw too.
 */
export function parseFinite(text: string): JsonValue {
  if (SURROGATE.test(text)) return parse(text, keepWhole);
  return parse(text, LONG_NUMBER.test(text) || HUGE_NUMBER.test(text) ? keepFinite : null);
}

/** A member of JSON beside TypeScript's library: text that JSON.stringify writes as it is. */
const { rawJSON } = JSON as unknown as { readonly rawJSON: (text: string) => unknown };

const writeExact: Reviver = (_key, value) => (typeof value === 'bigint' ? rawJSON(value.toString()) : value);

/** JSON text of a value that may hold BigInts; one without them pays nothing for it. */
export function stringifyExact(value: unknown): string {
  try {
    return JSON.stringify(value);
  } catch {
    return JSON.stringify(value, writeExact);
  }
}
