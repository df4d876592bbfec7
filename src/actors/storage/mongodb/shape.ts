import type { Document } from 'bson';
import { stringifyExact } from '../../../protocol/exact-json.ts';
import type { JsonPath, JsonValue, OrderTerm, SelectItem } from '../../../protocol/query.ts';
import { fieldOf, KEY, nameOf, pathOf, unsupported } from './fields.ts';
import { rowText, toJson, toRow } from './values.ts';

/** How documents become the rows of a select. */
export interface Shape {
  /** Which fields are asked for; null: all of them. */
  readonly projection: Document | null;
  readonly toText: (document: Document) => string;
}

interface Column {
  readonly name: string;
  readonly field: string;
  readonly path: JsonPath | undefined;
}

/** A step into a JSON value: null where there is nothing, as SQL has it. */
function stepInto(value: JsonValue, step: string | number): JsonValue {
  if (typeof value !== 'object' || value === null) return null;
  if (Array.isArray(value)) return typeof step === 'number' ? (value.at(step) ?? null) : null;
  return typeof step === 'string' && Object.hasOwn(value, step)
    ? ((value as { readonly [key: string]: JsonValue })[step] ?? null) // no array: an object
    : null;
}

/** `->>`: a text as it is, anything else as its JSON. */
const asText = (value: JsonValue): JsonValue =>
  value === null || typeof value === 'string' ? value : stringifyExact(value);

function columnValue(document: Document, { field, path }: Column): JsonValue {
  const value = Object.hasOwn(document, field) ? toJson(document[field]) : null;
  if (path === undefined) return value;
  const found = path.steps.reduce<JsonValue>(stepInto, value);
  return path.text ? asText(found) : found;
}

/** Throws MAG_ENGINE_UNSUPPORTED for what is no column. */
export function shapeOf(items: readonly SelectItem[]): Shape {
  if (items.length === 1 && items[0]?.kind === 'all') return { projection: null, toText: rowText };
  const columns: Column[] = [];
  let all = false;
  for (const item of items) {
    if (item.kind === 'all') all = true;
    else if (item.kind !== 'column')
      throw unsupported(item.kind === 'count' ? 'aggregate' : 'embed related tables');
    else {
      if (item.cast !== undefined) throw unsupported('cast columns');
      if (item.aggregate !== undefined) throw unsupported('aggregate');
      const { name, path } = item.column;
      columns.push({ name: item.alias ?? nameOf(name, path), field: fieldOf(name), path });
    }
  }
  const toText = (document: Document): string =>
    stringifyExact(
      Object.fromEntries([
        ...(all ? Object.entries(toRow(document)) : []),
        ...columns.map((column) => [column.name, columnValue(document, column)]),
      ]),
    );
  if (all) return { projection: null, toText };
  const isPlain = columns.every(
    ({ name, field, path }) => path === undefined && name === (field === '_id' ? KEY : field),
  );
  const fields = new Set(columns.map(({ field }) => field));
  const projection = Object.fromEntries([...fields].map((field) => [field, 1]));
  const whole = isPlain && columns[0]?.field === '_id' ? columns.map(({ field }) => field) : null;
  return {
    projection: fields.has('_id') ? projection : { _id: 0, ...projection },
    // Most documents have the fields that are asked for, in the order of the question.
    toText:
      whole === null
        ? toText
        : (document) => (hasExactly(document, whole) ? rowText(document) : toText(document)),
  };
}

function hasExactly(document: Document, fields: readonly string[]): boolean {
  let at = 0;
  for (const name in document) {
    if (name !== fields[at]) return false;
    at += 1;
  }
  return at === fields.length;
}

/** How rows are put in order, and in which phases where nulls do not stand where MongoDB puts them. */
export interface Ordering {
  readonly sort: Document;
  /** The only field whose nulls must be moved, or null where none or several must. */
  readonly moved: { readonly path: string; readonly nulls: 'first' | 'last' } | null;
  /** Several fields' nulls must be moved: the sort needs computed fields. */
  readonly computed:
    | readonly { readonly path: string; readonly direction: 1 | -1; readonly nullsFirst: boolean }[]
    | null;
}

export function orderingOf(order: readonly OrderTerm[]): Ordering | null {
  if (order.length === 0) return null;
  const terms = order.map(({ column, direction, nulls, relation }) => {
    if (relation !== undefined) throw unsupported('embed related tables');
    const ascending = direction === 'asc';
    const nullsFirst = (nulls ?? (ascending ? 'last' : 'first')) === 'first';
    const { path } = pathOf(column);
    // MongoDB takes null for the least of all values. A key is never null.
    return {
      path,
      direction: ascending ? (1 as const) : (-1 as const),
      nullsFirst,
      moves: path !== '_id' && nullsFirst !== ascending,
    };
  });
  const seen = new Set<string>();
  const distinct = terms.filter(({ path }) => !seen.has(path) && seen.add(path));
  const sort = Object.fromEntries(distinct.map(({ path, direction }) => [path, direction]));
  const [first] = distinct;
  if (first === undefined || !distinct.some(({ moves }) => moves))
    return { sort, moved: null, computed: null };
  if (distinct.slice(1).every(({ moves }) => !moves) && first.moves)
    return { sort, moved: { path: first.path, nulls: first.nullsFirst ? 'first' : 'last' }, computed: null };
  return { sort, moved: null, computed: distinct };
}

/** Stages that sort with each field's nulls where they are wanted. */
export function sortingStages(computed: NonNullable<Ordering['computed']>): readonly Document[] {
  const place = (index: number): string => `__mag_null_${index}`;
  const flags = Object.fromEntries(
    computed.map(({ path, nullsFirst }, index) => [
      place(index),
      { $cond: [{ $eq: [{ $ifNull: [`$${path}`, null] }, null] }, nullsFirst ? 0 : 1, nullsFirst ? 1 : 0] },
    ]),
  );
  const sort = Object.fromEntries(
    computed.flatMap(({ path, direction }, index) => [
      [place(index), 1],
      [path, direction],
    ]),
  );
  return [{ $set: flags }, { $sort: sort }, { $unset: computed.map((_, index) => place(index)) }];
}
