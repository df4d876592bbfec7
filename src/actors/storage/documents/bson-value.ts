import type { Document, Timestamp } from 'bson';

/** A value as BSON's reader gives it: `promoteLongs` makes numbers of what a number holds exactly. */
export type BsonValue = unknown;

/**
 * Which of BSON's classes a value is of, by the name that it carries: a driver and a server may each have loaded their own
 * copy of the classes.
 */
export const tagOf = (value: BsonValue): string | null => {
  if (typeof value !== 'object' || value === null) return null;
  const name: unknown = Reflect.get(value, '_bsontype');
  return typeof name === 'string' ? name : null;
};

/** An embedded document, and not one of BSON's own classes. */
export const isPlainDocument = (value: BsonValue): value is Document =>
  typeof value === 'object' &&
  value !== null &&
  !Array.isArray(value) &&
  !(value instanceof Date) &&
  !(value instanceof RegExp) &&
  !ArrayBuffer.isView(value) &&
  tagOf(value) === null;

/** Places of the types in BSON's order; types of one place compare by value. */
export const RANK = {
  minKey: 1,
  null: 5,
  number: 10,
  string: 20,
  object: 30,
  array: 35,
  binary: 40,
  objectId: 45,
  boolean: 50,
  date: 55,
  timestamp: 60,
  regex: 65,
  code: 70,
  maxKey: 127,
} as const;

const TAG_RANKS: Readonly<Record<string, number>> = {
  Long: RANK.number,
  Int32: RANK.number,
  Double: RANK.number,
  Decimal128: RANK.number,
  ObjectId: RANK.objectId,
  Binary: RANK.binary,
  Timestamp: RANK.timestamp,
  BSONRegExp: RANK.regex,
  BSONSymbol: RANK.string,
  Code: RANK.code,
  MinKey: RANK.minKey,
  MaxKey: RANK.maxKey,
};

export function rankOf(value: BsonValue): number {
  switch (typeof value) {
    case 'undefined':
      return RANK.null;
    case 'number':
    case 'bigint':
      return RANK.number;
    case 'string':
      return RANK.string;
    case 'boolean':
      return RANK.boolean;
    default:
      break;
  }
  if (value === null) return RANK.null;
  if (Array.isArray(value)) return RANK.array;
  if (value instanceof Date) return RANK.date;
  if (value instanceof RegExp) return RANK.regex;
  if (ArrayBuffer.isView(value)) return RANK.binary;
  const name = tagOf(value);
  return name === null ? RANK.object : (TAG_RANKS[name] ?? RANK.object);
}

/** BSON's type numbers and aliases that this value answers to, for `$type`. */
export function typeNamesOf(value: BsonValue): readonly string[] {
  if (value === undefined) return [];
  if (value === null) return ['null'];
  if (typeof value === 'number') {
    if (!Number.isInteger(value)) return ['double', 'number'];
    // A reader promotes int, long and double alike: which of the wide ones it was is not known any more.
    return value >= -(2 ** 31) && value < 2 ** 31 ? ['int', 'number'] : ['long', 'double', 'number'];
  }
  const tag = tagOf(value);
  if (tag === 'Long' || typeof value === 'bigint') return ['long', 'number'];
  if (tag === 'Decimal128') return ['decimal', 'number'];
  const rank = rankOf(value);
  return NAMES[rank] ?? [];
}

const NAMES: Readonly<Record<number, readonly string[]>> = {
  [RANK.string]: ['string'],
  [RANK.object]: ['object'],
  [RANK.array]: ['array'],
  [RANK.binary]: ['binData'],
  [RANK.objectId]: ['objectId'],
  [RANK.boolean]: ['bool'],
  [RANK.date]: ['date'],
  [RANK.timestamp]: ['timestamp'],
  [RANK.regex]: ['regex'],
  [RANK.code]: ['javascript'],
  [RANK.minKey]: ['minKey'],
  [RANK.maxKey]: ['maxKey'],
};

/** `$type` takes numbers too. */
export const TYPE_NUMBERS: Readonly<Record<number, string>> = {
  [-1]: 'minKey',
  1: 'double',
  2: 'string',
  3: 'object',
  4: 'array',
  5: 'binData',
  7: 'objectId',
  8: 'bool',
  9: 'date',
  10: 'null',
  11: 'regex',
  13: 'javascript',
  16: 'int',
  17: 'timestamp',
  18: 'long',
  19: 'decimal',
  127: 'maxKey',
};

export const TYPE_ALIASES: ReadonlySet<string> = new Set([...Object.values(TYPE_NUMBERS), 'number']);

/** A number's double and what an integer of 64 bits has beyond it. */
export function numberParts(value: BsonValue): { readonly double: number; readonly rest: number } {
  if (typeof value === 'number') return { double: value, rest: 0 };
  if (tagOf(value) === 'Decimal128') return { double: Number(String(value)), rest: 0 };
  const exact = typeof value === 'bigint' ? value : BigInt(String(value));
  const double = Number(exact);
  return { double, rest: Number(exact - BigInt(double)) };
}

/** Order by code points, as UTF-8 has it. */
export function compareText(a: string, b: string): number {
  const end = Math.min(a.length, b.length);
  for (let at = 0; at < end; at += 1) {
    const left = a.charCodeAt(at);
    const right = b.charCodeAt(at);
    if (left === right) continue;
    // Surrogates stand for code points above all others, though their units do not.
    const above = (unit: number): number => (unit >= 0xd800 && unit <= 0xdfff ? unit + 0x10000 : unit);
    return above(left) - above(right);
  }
  return a.length - b.length;
}

export const timestampValue = (value: Timestamp): bigint => BigInt.asUintN(64, value.toBigInt());
