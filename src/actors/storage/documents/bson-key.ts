import type { Binary, BSONRegExp, Code, Document, ObjectId, Timestamp } from 'bson';
import {
  type BsonValue,
  compareText,
  numberParts,
  RANK,
  rankOf,
  tagOf,
  timestampValue,
} from './bson-value.ts';

/**
 * Values as bytes whose order is BSON's, so that SQLite's own order of blobs answers equality, ranges and sorts.
 * A value's bytes end themselves: several after each other make a compound key. Numbers of all types share one form,
 * so that 1 and 1.0 are one key.
 */
export function keyOf(value: BsonValue): Buffer {
  const rank = rankOf(value);
  const body = bodyOf(rank, value);
  return body === null ? Buffer.of(rank) : Buffer.concat([Buffer.of(rank), body]);
}

/** The first key after everything that begins with these bytes. */
export function keyAfter(prefix: Buffer): Buffer {
  return Buffer.concat([prefix, Buffer.of(0xff, 0xff)]);
}

/** Keys of one type lie between these. */
export const rankBounds = (rank: number): { readonly from: Buffer; readonly to: Buffer } => ({
  from: Buffer.of(rank),
  to: Buffer.of(rank + 1),
});

function bodyOf(rank: number, value: BsonValue): Buffer | null {
  switch (rank) {
    case RANK.number:
      return numberKey(value);
    case RANK.string:
      return textKey(String(value));
    case RANK.object:
      return objectKey(value as Document); // rankOf says so
    case RANK.array:
      return arrayKey(value as readonly BsonValue[]); // rankOf says so
    case RANK.binary:
      return binaryKey(value);
    case RANK.objectId:
      return Buffer.from((value as ObjectId).id); // rankOf says so
    case RANK.boolean:
      return Buffer.of(value === true ? 1 : 0);
    case RANK.date:
      return signedKey(BigInt((value as Date).getTime() || 0)); // rankOf says so
    case RANK.timestamp:
      return unsignedKey(timestampValue(value as Timestamp)); // rankOf says so
    case RANK.regex:
      return regexKey(value);
    case RANK.code:
      return textKey((value as Code).code); // rankOf says so
    default:
      return null;
  }
}

const SIGN = 1n << 63n;

function unsignedKey(value: bigint): Buffer {
  const bytes = Buffer.allocUnsafe(8);
  bytes.writeBigUInt64BE(BigInt.asUintN(64, value));
  return bytes;
}

const signedKey = (value: bigint): Buffer => unsignedKey(value + SIGN);

/** Bits of a rest beyond the nearest double: an integer of 64 bits is at most 1,024 away from it. */
const REST_MIDDLE = 0x8000;

function numberKey(value: BsonValue): Buffer {
  const { double, rest } = numberParts(value);
  const bytes = Buffer.allocUnsafe(10);
  // NaN sorts before every number, and -0 is 0.
  if (Number.isNaN(double)) {
    bytes.fill(0);
    return bytes;
  }
  bytes.writeDoubleBE(double === 0 ? 0 : double);
  if (((bytes[0] ?? 0) & 0x80) === 0) bytes[0] = (bytes[0] ?? 0) | 0x80;
  else for (let at = 0; at < 8; at += 1) bytes[at] = ~(bytes[at] ?? 0) & 0xff;
  bytes.writeUInt16BE(REST_MIDDLE + rest, 8);
  return bytes;
}

/** Text and its end; a NUL inside is written so that it sorts after the end. */
function textKey(text: string): Buffer {
  const bytes = Buffer.from(text, 'utf8');
  if (!bytes.includes(0)) return Buffer.concat([bytes, END]);
  const parts: Buffer[] = [];
  for (let from = 0; ; ) {
    const zero = bytes.indexOf(0, from);
    if (zero === -1) {
      parts.push(bytes.subarray(from));
      break;
    }
    parts.push(bytes.subarray(from, zero), ZERO);
    from = zero + 1;
  }
  return Buffer.concat([...parts, END]);
}

/** Nothing that follows an end begins with less: ranks begin at 1. */
const END = Buffer.of(0, 0);
const ZERO = Buffer.of(0, 0xff);

function objectKey(value: Document): Buffer {
  const parts: Buffer[] = [];
  for (const [name, member] of Object.entries(value)) {
    // BSON compares the type first, then the name, then the value.
    parts.push(Buffer.of(rankOf(member)), textKey(name), keyOf(member));
  }
  return Buffer.concat([...parts, Buffer.of(0)]);
}

const arrayKey = (value: readonly BsonValue[]): Buffer =>
  Buffer.concat([...value.map((item) => keyOf(item)), Buffer.of(0)]);

function binaryKey(value: BsonValue): Buffer {
  const binary = tagOf(value) === 'Binary' ? (value as Binary) : null; // its tag says so
  const bytes = binary === null ? (value as Uint8Array) : binary.value(); // rankOf says so
  const head = Buffer.allocUnsafe(5);
  head.writeUInt32BE(bytes.length);
  head[4] = binary?.sub_type ?? 0;
  return Buffer.concat([head, bytes]);
}

function regexKey(value: BsonValue): Buffer {
  if (tagOf(value) === 'BSONRegExp') {
    const { pattern, options } = value as BSONRegExp; // its tag says so
    return Buffer.concat([textKey(pattern), textKey(options)]);
  }
  const { source, flags } = value as RegExp; // rankOf says so
  return Buffer.concat([textKey(source), textKey(flags)]);
}

/** Order of two values of one place in BSON's order; of others, that of their places. */
export function compareValues(a: BsonValue, b: BsonValue): number {
  if (typeof a === 'number' && typeof b === 'number' && !Number.isNaN(a) && !Number.isNaN(b)) return a - b;
  if (typeof a === 'string' && typeof b === 'string') return compareText(a, b);
  const left = rankOf(a);
  const right = rankOf(b);
  if (left !== right) return left - right;
  return Buffer.compare(keyOf(a), keyOf(b));
}

export const sameValue = (a: BsonValue, b: BsonValue): boolean =>
  a === b || (rankOf(a) === rankOf(b) && compareValues(a, b) === 0);
