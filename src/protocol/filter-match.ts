import { compareValue, type TypeOf } from './compare-value.ts';
import { like } from './like.ts';
import type { CompareOperator, Filter, IsValue, JsonValue, Row } from './query.ts';

/** SQL's three truth values; null is unknown, and a row is shown only where the filter is true. */
export type Truth = boolean | null;

const not = (truth: Truth): Truth => (truth === null ? null : !truth);

function compare(value: JsonValue | undefined, op: CompareOperator, text: string, type?: string): Truth {
  if (value === null || value === undefined) return null;
  if (op === 'like' || op === 'ilike') {
    if (typeof value === 'object') return null;
    const given = String(value);
    return op === 'like' ? like(given, text) : like(given.toLowerCase(), text.toLowerCase());
  }
  const order = compareValue(value, text, type);
  if (order === null) return null;
  switch (op) {
    case 'eq':
      return order === 0;
    case 'neq':
      return order !== 0;
    case 'gt':
      return order > 0;
    case 'gte':
      return order >= 0;
    case 'lt':
      return order < 0;
    case 'lte':
      return order <= 0;
  }
}

/** A list holds the value, or one of its members could not be compared, or it does not. An empty list holds nothing. */
function within(value: JsonValue | undefined, texts: readonly string[], type?: string): Truth {
  if (texts.length === 0) return false;
  let unknown = false;
  for (const text of texts) {
    const truth = compare(value, 'eq', text, type);
    if (truth === true) return true;
    if (truth === null) unknown = true;
  }
  return unknown ? null : false;
}

function is(value: JsonValue | undefined, wanted: IsValue): Truth {
  const missing = value === null || value === undefined;
  switch (wanted) {
    case 'null':
    case 'unknown':
      return missing;
    case 'not_null':
      return !missing;
    case 'true':
      return value === true || (typeof value === 'number' && value !== 0);
    case 'false':
      return value === false || value === 0;
  }
}

function all(terms: readonly Filter[], row: Row, typeOf?: TypeOf): Truth {
  let truth: Truth = true;
  for (const term of terms) {
    const next = evaluate(term, row, typeOf);
    if (next === false) return false;
    if (next === null) truth = null;
  }
  return truth;
}

function any(terms: readonly Filter[], row: Row, typeOf?: TypeOf): Truth {
  let truth: Truth = false;
  for (const term of terms) {
    const next = evaluate(term, row, typeOf);
    if (next === true) return true;
    if (next === null) truth = null;
  }
  return truth;
}

/**
 * What SQL would say of the filter on this row, a column that the row lacks counting as NULL. Where JavaScript
 * cannot be sure of the engine's answer (a number beyond 2^53, text that is no value of the column's type) it is
 * unknown, which shows nothing.
 */
export function evaluate(filter: Filter, row: Row, typeOf?: TypeOf): Truth {
  const truth = plain(filter, row, typeOf);
  return filter.negated ? not(truth) : truth;
}

function plain(filter: Filter, row: Row, typeOf?: TypeOf): Truth {
  switch (filter.kind) {
    case 'and':
      return all(filter.terms, row, typeOf);
    case 'or':
      return any(filter.terms, row, typeOf);
    case 'is':
      return is(columnOf(row, filter.column.name), filter.value);
    case 'in':
      return within(columnOf(row, filter.column.name), filter.values, typeOf?.(filter.column.name));
    case 'compare':
      return compare(
        columnOf(row, filter.column.name),
        filter.op,
        filter.value,
        typeOf?.(filter.column.name),
      );
  }
}

const columnOf = (row: Row, column: string): JsonValue | undefined =>
  Object.hasOwn(row, column) ? row[column] : undefined;

/** Whether the filter selects the row. */
export const matches = (filter: Filter, row: Row, typeOf?: TypeOf): boolean =>
  evaluate(filter, row, typeOf) === true;
