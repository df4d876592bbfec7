import type { Document } from 'bson';
import { keyAfter, keyOf, rankBounds } from './bson-key.ts';
import { type BsonValue, isPlainDocument, rankOf } from './bson-value.ts';
import type { CollectionInfo, IndexInfo } from './catalog.ts';
import { patternOf } from './pattern.ts';

/** Keys from here (included) to there (not). */
export interface Range {
  readonly from: Buffer;
  readonly to: Buffer;
}

/** How the documents that may match are found; whoever reads them tests each against the whole filter. */
export type Access =
  | { readonly kind: 'keys'; readonly keys: readonly Buffer[] }
  | { readonly kind: 'key_range'; readonly range: Range; readonly descending: boolean }
  | {
      readonly kind: 'index';
      readonly index: IndexInfo;
      readonly ranges: readonly Range[];
      readonly descending: boolean;
    }
  | { readonly kind: 'scan' };

export interface Plan {
  readonly access: Access;
  /** The documents come in the order of the sort. */
  readonly sorted: boolean;
}

/** What a filter says of one field, as far as an index can use it. */
interface Bounds {
  /** The value is one of these. */
  equal: readonly BsonValue[] | null;
  ranges: Range[];
}

const EVERYTHING: Range = { from: Buffer.alloc(0), to: Buffer.of(0xff, 0xff) };

const usable = (value: BsonValue): boolean =>
  value !== undefined && !Array.isArray(value) && patternOf(value) === null;

const after = (value: BsonValue): Buffer => keyAfter(keyOf(value));

function rangeOf(operator: string, value: BsonValue): Range | null {
  if (!usable(value)) return null;
  const { from, to } = rankBounds(rankOf(value));
  switch (operator) {
    case '$gt':
    case '$gte':
      return { from: keyOf(value), to };
    case '$lt':
      return { from, to: keyOf(value) };
    case '$lte':
      return { from, to: after(value) };
    default:
      return null;
  }
}

function readCondition(bounds: Bounds, condition: BsonValue): void {
  const isOperators = isPlainDocument(condition) && Object.keys(condition)[0]?.startsWith('$') === true;
  if (!isOperators) {
    if (usable(condition)) bounds.equal ??= [condition];
    return;
  }
  for (const [operator, value] of Object.entries(condition)) {
    if (operator === '$eq' && usable(value)) bounds.equal ??= [value];
    else if (operator === '$in' && Array.isArray(value) && value.every(usable)) bounds.equal ??= value;
    else {
      const range = rangeOf(operator, value);
      if (range !== null) bounds.ranges.push(range);
    }
  }
}

/** What must hold of each field: of the document itself and of every term of its `$and`s. */
function readFilter(filter: Document, into: Map<string, Bounds>): void {
  for (const [name, condition] of Object.entries(filter)) {
    if (name === '$and' && Array.isArray(condition)) {
      for (const term of condition) if (isPlainDocument(term)) readFilter(term, into);
    } else if (!name.startsWith('$')) {
      const bounds = into.get(name) ?? { equal: null, ranges: [] };
      readCondition(bounds, condition);
      into.set(name, bounds);
    }
  }
}

/** The ranges' intersection; over several entries of one document each bound may hold for another entry. */
function narrowed(ranges: readonly Range[], multikey: boolean): Range | null {
  const [first] = ranges;
  if (first === undefined) return null;
  if (multikey) return first;
  return ranges.reduce((a, b) => ({
    from: Buffer.compare(a.from, b.from) < 0 ? b.from : a.from,
    to: Buffer.compare(a.to, b.to) < 0 ? a.to : b.to,
  }));
}

const usableNull = (index: IndexInfo, values: readonly BsonValue[]): boolean =>
  !index.sparse || values.every((value) => value !== null);

function indexRanges(index: IndexInfo, fields: ReadonlyMap<string, Bounds>): readonly Range[] | null {
  let prefixes: readonly Buffer[] = [Buffer.alloc(0)];
  let depth = 0;
  for (const { name } of index.fields) {
    const equal = fields.get(name)?.equal ?? null;
    if (equal === null || !usableNull(index, equal) || prefixes.length * equal.length > MOST_KEYS) break;
    const keys = equal.map(keyOf);
    prefixes = prefixes.flatMap((prefix) => keys.map((key) => Buffer.concat([prefix, key])));
    depth += 1;
  }
  if (depth > 0) return prefixes.map((prefix) => ({ from: prefix, to: keyAfter(prefix) }));
  const bounds = fields.get(index.fields[0]?.name ?? '');
  const range = bounds === undefined ? null : narrowed(bounds.ranges, index.multikey);
  return range === null ? null : [range];
}

/** Beyond so many keys walking the whole collection is no worse. */
const MOST_KEYS = 4_096;

/** Direction of a sort by this field alone, or null. */
function soleSort(sort: Document | null, field: string): 1 | -1 | null {
  if (sort === null) return null;
  const entries = Object.entries(sort);
  const [first] = entries;
  if (entries.length !== 1 || first?.[0] !== field) return null;
  return Number(first[1]) < 0 ? -1 : 1;
}

function byIndex(
  collection: CollectionInfo,
  fields: ReadonlyMap<string, Bounds>,
  sort: Document | null,
): Plan | null {
  let found: Plan | null = null;
  for (const index of collection.indexes) {
    const ranges = indexRanges(index, fields);
    if (ranges === null) continue;
    const first = index.fields[0]?.name ?? '';
    const direction =
      index.fields.length === 1 && ranges.length === 1 && !index.multikey ? soleSort(sort, first) : null;
    const plan: Plan = {
      access: { kind: 'index', index, ranges, descending: direction === -1 },
      sorted: direction !== null,
    };
    if (index.unique || plan.sorted) return plan;
    found ??= plan;
  }
  return found;
}

function bySort(collection: CollectionInfo, sort: Document | null): Plan | null {
  const direction = soleSort(sort, '_id');
  if (direction !== null)
    return { access: { kind: 'key_range', range: EVERYTHING, descending: direction < 0 }, sorted: true };
  for (const index of collection.indexes) {
    const found = soleSort(sort, index.fields[0]?.name ?? '');
    if (found === null || index.fields.length !== 1 || index.multikey || index.sparse) continue;
    const access: Access = { kind: 'index', index, ranges: [EVERYTHING], descending: found < 0 };
    return { access, sorted: true };
  }
  return null;
}

/** Chooses how to find what a filter may match; `_id` comes before indexes, and those before a walk over everything. */
export function planAccess(collection: CollectionInfo, filter: Document, sort: Document | null): Plan {
  const fields = new Map<string, Bounds>();
  readFilter(filter, fields);
  const id = fields.get('_id');
  if (id?.equal && id.equal.length <= MOST_KEYS) {
    const keys = new Map(id.equal.map(keyOf).map((key) => [key.toString('latin1'), key]));
    return { access: { kind: 'keys', keys: [...keys.values()] }, sorted: sort === null || keys.size < 2 };
  }
  const found = byIndex(collection, fields, sort);
  if (found !== null) return { ...found, sorted: found.sorted || sort === null };
  const range = id === undefined ? null : narrowed(id.ranges, false);
  if (range !== null) {
    const direction = soleSort(sort, '_id');
    const access: Access = { kind: 'key_range', range, descending: direction === -1 };
    return { access, sorted: sort === null || direction !== null };
  }
  return bySort(collection, sort) ?? { access: { kind: 'scan' }, sorted: sort === null };
}
