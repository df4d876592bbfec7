import { type Binary, type Document, EJSON, Long, ObjectId } from 'bson';
import { DatabaseError } from '../../../errors.ts';
import { numberWritten } from '../../../protocol/compare-scalars.ts';
import { stringifyExact } from '../../../protocol/exact-json.ts';
import type { JsonValue, Row } from '../../../protocol/query.ts';
import { tagOf } from '../documents/bson-value.ts';
import { fieldOf, KEY } from './fields.ts';

const OBJECT_ID = /^[0-9a-f]{24}$/;
const INSTANT = /^\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?(?:Z|[+-]\d\d(?::?\d\d)?)?)?$/;
const INT64 = 2n ** 63n;

function numberOf(text: string): number | Long | null {
  const value = numberWritten(text);
  if (value === null) return null;
  if (Number.isSafeInteger(value) || !/^-?\d+$/.test(text)) return value;
  const exact = BigInt(text);
  return exact >= -INT64 && exact < INT64 ? Long.fromBigInt(exact) : value;
}

/**
 * What a text of a URL may stand for in documents, which have no column types: the text itself, and the number,
 * boolean, instant or ObjectId that is written so. A comparison holds where it holds for the stored value's own type.
 */
export function meanings(text: string): readonly unknown[] {
  const values: unknown[] = [text];
  const number = numberOf(text);
  if (number !== null) values.push(number);
  else if (text === 'true' || text === 'false') values.push(text === 'true');
  else if (OBJECT_ID.test(text)) values.push(new ObjectId(text));
  else if (INSTANT.test(text)) {
    const time = Date.parse(text.includes(' ') ? text.replace(' ', 'T') : text);
    if (!Number.isNaN(time)) values.push(new Date(time));
  }
  return values;
}

/** A value of a body as it is stored. Throws 22003 for an integer that BSON has no type for. */
export function toBson(value: JsonValue): unknown {
  if (typeof value === 'bigint') {
    if (value >= -INT64 && value < INT64) return Long.fromBigInt(value);
    throw new DatabaseError('22003', 'An integer is out of range: MongoDB keeps 64 bits');
  }
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(toBson);
  const entries = Object.entries(value);
  const odd = entries.find(([name]) => name.startsWith('$') || name.includes('\0'));
  if (odd !== undefined)
    throw new DatabaseError('22023', `A field cannot be named "${odd[0].slice(0, 60)}"`, {
      hint: 'Names that begin with $ are MongoDB’s operators.',
    });
  return Object.fromEntries(entries.map(([name, member]) => [name, toBson(member)]));
}

/** The key as it is stored: texts and numbers as the client gave them. Throws 22P02 for anything else. */
export function keyValue(value: JsonValue): unknown {
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'bigint')
    return toBson(value);
  throw new DatabaseError('22P02', `The ${KEY} of a document must be text or a number`);
}

/** A row as a document; without a key it gets a new one. */
export function toDocument(row: Row, columns: readonly string[] | undefined): Document {
  const fields: [string, unknown][] = [];
  let key: unknown = null;
  for (const [name, value] of Object.entries(row)) {
    if (columns !== undefined && !columns.includes(name)) continue;
    const field = fieldOf(name);
    if (field !== '_id') fields.push([field, toBson(value)]);
    else if (value !== null) key = keyValue(value);
  }
  return Object.fromEntries([['_id', key ?? new ObjectId().toHexString()], ...fields]);
}

/** Members of a document as JSON writes them: numbers exact, instants as ISO, bytes as PostgreSQL's hex. */
export function toJson(value: unknown): JsonValue {
  switch (typeof value) {
    case 'number':
      return Number.isFinite(value) ? value : String(value);
    case 'string':
    case 'boolean':
    case 'bigint':
      return value;
    case 'object':
      return value === null ? null : objectToJson(value);
    default:
      return null;
  }
}

function objectToJson(value: object): JsonValue {
  if (Array.isArray(value)) return value.map(toJson);
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? null : value.toISOString();
  switch (tagOf(value)) {
    case null:
      return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, toJson(member)]));
    case 'ObjectId':
    case 'Decimal128':
      return String(value);
    case 'Long':
      return BigInt(String(value));
    case 'Binary':
      return bytesText(value as Binary); // its tag says so
    default:
      return JSON.parse(EJSON.stringify(value)) as JsonValue; // EJSON's own text
  }
}

function bytesText(binary: Binary): string {
  const hex = Buffer.from(binary.value()).toString('hex');
  if (binary.sub_type !== UUID_SUBTYPE || hex.length !== 32) return `\\x${hex}`;
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

const UUID_SUBTYPE = 4;

/** Whether JSON.stringify writes a value as toJson would. */
function isPlain(value: unknown): boolean {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return true;
    case 'number':
      return Number.isFinite(value);
    case 'object':
      if (value === null) return true;
      if (Array.isArray(value)) return value.every(isPlain);
      if (value instanceof Date) return !Number.isNaN(value.getTime());
      if (tagOf(value) !== null) return tagOf(value) === 'ObjectId';
      for (const name in value) if (!isPlain(value[name as keyof typeof value])) return false;
      return true;
    default:
      return false;
  }
}

/** A document as a row, its key first and under its own name. */
export function toRow(document: Document): Row {
  const { _id: key, ...others } = document;
  const row: [string, JsonValue][] = [[KEY, toJson(key)]];
  for (const [name, value] of Object.entries(others)) if (name !== KEY) row.push([name, toJson(value)]);
  return Object.fromEntries(row);
}

/** The same as text. `_id` stands first in what is stored: its name is all that has to change in most documents. */
export function rowText(document: Document): string {
  let first = true;
  for (const name in document) {
    if (first ? name !== '_id' : name === KEY) return stringifyExact(toRow(document));
    first = false;
    if (!isPlain(document[name])) return stringifyExact(toRow(document));
  }
  return `{"${KEY}":${JSON.stringify(document).slice('{"_id":'.length)}`;
}
