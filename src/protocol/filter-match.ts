import { type ColumnRules, compareValue, likeValue, type RowTypes, truthOfValue } from './compare-value.ts';
import type { CompareOperator, Filter, IsValue, JsonValue, Row } from './query.ts';

/** SQL's three truth values; null is unknown, and a row is shown only where the filter is true. */
export type Truth = boolean | null;

const not = (truth: Truth): Truth => (truth === null ? null : !truth);

function compare(
  value: JsonValue | undefined,
  op: CompareOperator,
  text: string,
  rules: ColumnRules | null,
): Truth {
  if (value === null || value === undefined) return null;
  if (op === 'like' || op === 'ilike') return likeValue(value, text, op === 'ilike', rules);
  const order = compareValue(value, text, rules);
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
    default:
      return null;
  }
}

/** A list holds the value, or one of its members could not be compared, or it does not. An empty list holds nothing. */
function within(value: JsonValue | undefined, texts: readonly string[], rules: ColumnRules | null): Truth {
  if (texts.length === 0) return false;
  let unknown = false;
  for (const text of texts) {
    const truth = compare(value, 'eq', text, rules);
    if (truth === true) return true;
    if (truth === null) unknown = true;
  }
  return unknown ? null : false;
}

function is(value: JsonValue | undefined, wanted: IsValue, rules: ColumnRules | null): Truth {
  const missing = value === null || value === undefined;
  switch (wanted) {
    case 'null':
    case 'unknown':
      return missing;
    case 'not_null':
      return !missing;
    default: {
      if (missing) return false;
      const truth = truthOfValue(value, rules);
      return truth === null ? null : truth === (wanted === 'true');
    }
  }
}

function all(terms: readonly Filter[], row: Row, types?: RowTypes): Truth {
  let truth: Truth = true;
  for (const term of terms) {
    const next = evaluate(term, row, types);
    if (next === false) return false;
    if (next === null) truth = null;
  }
  return truth;
}

function any(terms: readonly Filter[], row: Row, types?: RowTypes): Truth {
  let truth: Truth = false;
  for (const term of terms) {
    const next = evaluate(term, row, types);
    if (next === true) return true;
    if (next === null) truth = null;
  }
  return truth;
}

/**
 * What the row's engine would say of the filter on it, a column that the row lacks counting as NULL. Where JavaScript
 * cannot be sure of the engine's answer (a number beyond 2^53, a type it knows nothing of), or the engine would refuse
 * the filter, it is unknown, which shows nothing.
 */
export function evaluate(filter: Filter, row: Row, types?: RowTypes): Truth {
  const truth = plain(filter, row, types);
  return filter.negated ? not(truth) : truth;
}

function plain(filter: Filter, row: Row, types?: RowTypes): Truth {
  switch (filter.kind) {
    case 'and':
      return all(filter.terms, row, types);
    case 'or':
      return any(filter.terms, row, types);
    case 'is':
      return is(columnOf(row, filter.column.name), filter.value, rulesOf(filter.column.name, types));
    case 'in':
      return within(columnOf(row, filter.column.name), filter.values, rulesOf(filter.column.name, types));
    case 'compare': {
      const { name } = filter.column;
      return compare(columnOf(row, name), filter.op, filter.value, rulesOf(name, types));
    }
    default:
      return null; // Only the engine knows.
  }
}

const rulesOf = (column: string, types: RowTypes | undefined): ColumnRules | null =>
  types === undefined ? null : { engine: types.engine, type: types.typeOf(column) };

const columnOf = (row: Row, column: string): JsonValue | undefined =>
  Object.hasOwn(row, column) ? row[column] : undefined;

/** Whether the filter selects the row. */
export const matches = (filter: Filter, row: Row, types?: RowTypes): boolean =>
  evaluate(filter, row, types) === true;
