import { stringifyExact } from '../../../protocol/exact-json.ts';
import type { ColumnRef, JsonValue, Row } from '../../../protocol/query.ts';

/** One step into a value: a member of an object, or a place of a list, from its end where negative. */
function step(value: JsonValue, at: string | number): JsonValue {
  if (typeof value !== 'object' || value === null) return null;
  if (Array.isArray(value)) {
    const place = typeof at === 'number' ? at : /^-?\d{1,9}$/.test(at) ? Number(at) : Number.NaN;
    const found: JsonValue | undefined = value.at(place);
    return Number.isNaN(place) ? null : (found ?? null);
  }
  // An object that is no array: the one other kind of JSON value.
  const members = value as Row;
  const name = String(at);
  return (Object.hasOwn(members, name) ? members[name] : null) ?? null;
}

/** What a column refers to in a document; null where there is nothing. */
export function valueAt(document: Row, { name, path }: ColumnRef): JsonValue {
  const top = (Object.hasOwn(document, name) ? document[name] : null) ?? null;
  return path === undefined ? top : path.steps.reduce<JsonValue>(step, top);
}

/** The same as it is shown: `->>` gives text. */
export function shownAt(document: Row, column: ColumnRef): JsonValue {
  const value = valueAt(document, column);
  if (column.path?.text !== true || value === null || typeof value === 'string') return value;
  return stringifyExact(value);
}

/** What PostgREST calls a column that is read through a path: its last key. */
export function nameOf({ name, path }: ColumnRef): string {
  const key = path?.steps.findLast((each) => typeof each === 'string');
  return typeof key === 'string' ? key : name;
}
