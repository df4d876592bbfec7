import { EJSON } from 'bson';
import { Binary, type ClientSession, Decimal128, Double, Int32, Long, ObjectId, Timestamp } from 'mongodb';
import { type Bag, isBag, list, Mismatch, strings } from './bag.ts';

/** What operators of a test file look up by its name. */
export interface Known {
  readonly value: (name: string) => unknown;
  readonly session: (name: string) => ClientSession;
}

const show = (value: unknown): string => {
  try {
    return EJSON.stringify(value)?.slice(0, 400) ?? String(value);
  } catch {
    return String(value);
  }
};

function fail(path: string, expected: unknown, actual: unknown): never {
  throw new Mismatch(`${path || 'the value'}: expected ${show(expected)}, got ${show(actual)}`);
}

/** Numbers of every kind compare by value. */
function numberOf(value: unknown): number | null {
  if (typeof value === 'number') return value;
  if (typeof value === 'bigint') return Number(value);
  if (value instanceof Int32 || value instanceof Double) return Number(value.value);
  return value instanceof Long && !(value instanceof Timestamp) ? value.toNumber() : null;
}

const TYPES: Readonly<Record<string, (value: unknown) => boolean>> = {
  double: (value) => numberOf(value) !== null,
  int: (value) => numberOf(value) !== null,
  long: (value) => numberOf(value) !== null,
  number: (value) => numberOf(value) !== null,
  string: (value) => typeof value === 'string',
  bool: (value) => typeof value === 'boolean',
  array: (value) => Array.isArray(value),
  object: (value) => isBag(value),
  null: (value) => value === null,
  date: (value) => value instanceof Date,
  objectId: (value) => value instanceof ObjectId,
  binData: (value) => value instanceof Binary,
  decimal: (value) => value instanceof Decimal128,
  timestamp: (value) => value instanceof Timestamp,
};

function bytesOf(value: unknown): string {
  if (value instanceof Binary) return Buffer.from(value.value()).toString('hex');
  return value instanceof Uint8Array ? Buffer.from(value).toString('hex') : '';
}

type Operator = (argument: unknown, actual: unknown, known: Known, path: string, root: boolean) => void;

const OPERATORS: Readonly<Record<string, Operator>> = {
  $$exists: (wanted, actual, _known, path) => {
    if ((actual !== undefined) !== wanted) fail(path, { $$exists: wanted }, actual);
  },
  $$type: (wanted, actual, _known, path) => {
    const types = Array.isArray(wanted) ? strings(wanted) : [String(wanted)];
    if (!types.some((type) => TYPES[type]?.(actual) === true)) fail(path, { $$type: wanted }, actual);
  },
  $$unsetOrMatches: (wanted, actual, known, path, root) => {
    if (actual !== undefined && actual !== null) match(wanted, actual, known, path, root);
  },
  $$sessionLsid: (name, actual, known, path) =>
    match(known.session(String(name)).id, actual, known, path, false),
  $$matchesEntity: (name, actual, known, path) =>
    match(known.value(String(name)), actual, known, path, false),
  $$matchesHexBytes: (hex, actual, _known, path) => {
    if (bytesOf(actual) !== String(hex).toLowerCase()) fail(path, hex, actual);
  },
  $$matchAsDocument: (wanted, actual, known, path) =>
    match(wanted, typeof actual === 'string' ? EJSON.parse(actual) : actual, known, path, false),
  $$matchAsRoot: (wanted, actual, known, path) => match(wanted, actual, known, path, true),
  $$lte: (most, actual, _known, path) => {
    if (!((numberOf(actual) ?? Number.NaN) <= Number(most))) fail(path, { $$lte: most }, actual);
  },
};

function matchDocument(wanted: Bag, actual: unknown, known: Known, path: string, root: boolean): void {
  // The driver keeps sorts as maps, so that their order holds for numbers too.
  const found: unknown = actual instanceof Map ? Object.fromEntries(actual) : actual;
  if (!isBag(found)) fail(path, wanted, found);
  for (const [name, value] of Object.entries(wanted))
    match(value, found[name], known, path === '' ? name : `${path}.${name}`, false);
  if (root) return;
  for (const [name, value] of Object.entries(found))
    if (!Object.hasOwn(wanted, name) && value !== undefined) fail(`${path}.${name}`, 'nothing', value);
}

/** Values of BSON's own types, which are no documents to compare field by field. */
function isValue(value: unknown): boolean {
  if (value instanceof Date || value instanceof Uint8Array) return true;
  return isBag(value) && typeof value['_bsontype'] === 'string' && value['_bsontype'] !== 'DBRef';
}

/** As "Evaluating Matches" of the unified test format has it. Throws Mismatch. */
export function match(wanted: unknown, actual: unknown, known: Known, path = '', root = true): void {
  const number = numberOf(wanted);
  if (number !== null) {
    if (numberOf(actual) !== number) fail(path, wanted, actual);
    return;
  }
  if (Array.isArray(wanted)) {
    if (!Array.isArray(actual) || actual.length !== wanted.length) fail(path, wanted, actual);
    for (const [index, value] of wanted.entries())
      match(value, list(actual)[index], known, `${path}[${index}]`, root && path === '');
    return;
  }
  if (isValue(wanted)) {
    const same = wanted instanceof Date ? Number(wanted) === Number(actual) : show(wanted) === show(actual);
    if (!same) fail(path, wanted, actual);
    return;
  }
  if (!isBag(wanted)) {
    if (wanted !== actual && !(wanted === null && actual === undefined && root)) fail(path, wanted, actual);
    return;
  }
  const [first = ''] = Object.keys(wanted);
  const operator = Object.keys(wanted).length === 1 ? OPERATORS[first] : undefined;
  if (operator !== undefined) operator(wanted[first], actual, known, path, root);
  else matchDocument(wanted, actual, known, path, root);
}
