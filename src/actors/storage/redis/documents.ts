import { DatabaseError, MagError } from '../../../errors.ts';
import { compareText } from '../../../protocol/compare-scalars.ts';
import { parseExact, stringifyExact } from '../../../protocol/exact-json.ts';
import type { JsonValue, OrderTerm, Row, SelectItem } from '../../../protocol/query.ts';
import { nameOf, shownAt, valueAt } from './document-path.ts';

/** A document as Redis holds it; read only where somebody looks into it. */
export class StoredDocument {
  readonly text: string;
  #document: Row | null = null;

  constructor(text: string) {
    this.text = text;
  }

  /** Throws where the text is no document: the project's own user may have written over it. */
  get document(): Row {
    this.#document ??= parseDocument(this.text);
    return this.#document;
  }
}

function parseDocument(text: string): Row {
  let value: JsonValue;
  try {
    value = parseExact(text);
  } catch (cause) {
    throw notADocument(cause);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw notADocument();
  // An object that is no array: the one other kind of JSON value.
  return value as Row;
}

const notADocument = (cause?: unknown): DatabaseError =>
  new DatabaseError('22032', 'A key of the collection holds no JSON document', { cause });

/** Throws MAG_ENGINE_UNSUPPORTED for what the door should have refused. */
const cannot = (what: string): MagError => new MagError('MAG_ENGINE_UNSUPPORTED', { engine: 'redis', what });

/** How documents are shown: their own text where all of one is asked for, else the chosen fields in their order. */
export function projection(items: readonly SelectItem[]): (stored: StoredDocument) => string {
  if (items.length > 0 && items.every(({ kind }) => kind === 'all')) return ({ text }) => text;
  const fields = items.map((item) => {
    if (item.kind === 'all') return null;
    if (item.kind === 'embed') throw cannot('embed related tables');
    if (item.kind === 'count' || item.aggregate !== undefined) throw cannot('aggregate');
    if (item.cast !== undefined) throw cannot('cast columns');
    const { column } = item;
    return {
      column,
      name: column.path === undefined ? column.name : null,
      shown: item.alias ?? nameOf(column),
    };
  });
  const plain = fields.every((field) => field !== null && field.name === field.shown);
  return (stored) => {
    const { document } = stored;
    // A document of just these fields in their order is shown by its own text.
    if (plain && hasExactly(document, fields)) return stored.text;
    const row: [string, JsonValue][] = [];
    for (const field of fields) {
      if (field === null) row.push(...Object.entries(document));
      else row.push([field.shown, shownAt(document, field.column)]);
    }
    return stringifyExact(Object.fromEntries(row));
  };
}

function hasExactly(document: Row, fields: readonly ({ readonly name: string | null } | null)[]): boolean {
  let at = 0;
  for (const name in document) {
    if (fields[at]?.name !== name) return false;
    at += 1;
  }
  return at === fields.length;
}

/** Numbers before texts before booleans before lists and objects. */
function rankOf(value: JsonValue): number {
  switch (typeof value) {
    case 'number':
    case 'bigint':
      return 0;
    case 'string':
      return 1;
    case 'boolean':
      return 2;
    default:
      return 3;
  }
}

/** A total order of values that are not null; what has no order of its own goes by its text. */
export function compareValues(left: JsonValue, right: JsonValue): number {
  const rank = rankOf(left);
  const difference = rank - rankOf(right);
  if (difference !== 0) return difference;
  if (rank === 1) return compareText(String(left), String(right));
  if (rank === 3) return compareText(stringifyExact(left), stringifyExact(right));
  // Numbers, BigInts and booleans compare as they are.
  const [a, b] = [left as number, right as number];
  return a < b ? -1 : a > b ? 1 : 0;
}

const ID = { name: 'id' };

/** Compares documents by the terms, then by id, so that pages of one order never overlap. */
export function comparator(order: readonly OrderTerm[]): (left: Row, right: Row) => number {
  const terms = order.map(({ column, direction, nulls, relation }) => {
    if (relation !== undefined) throw cannot('embed related tables');
    const down = direction === 'desc';
    return {
      column,
      sign: down ? -1 : 1,
      nullSign: (nulls ?? (down ? 'first' : 'last')) === 'first' ? -1 : 1,
    };
  });
  return (left, right) => {
    for (const { column, sign, nullSign } of terms) {
      const [a, b] = [valueAt(left, column), valueAt(right, column)];
      if (a === null || b === null) {
        if (a !== b) return a === null ? nullSign : -nullSign;
        continue;
      }
      const difference = compareValues(a, b);
      if (difference !== 0) return difference * sign;
    }
    return compareValues(valueAt(left, ID), valueAt(right, ID));
  };
}
