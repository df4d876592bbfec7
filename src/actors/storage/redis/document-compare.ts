import {
  type Comparison,
  compareBigInt,
  compareNumber,
  compareText,
  numberWritten,
} from '../../../protocol/compare-scalars.ts';
import type { Truth } from '../../../protocol/filter-match.ts';
import { like } from '../../../protocol/like.ts';
import type { CompareOperator, IsValue, JsonValue } from '../../../protocol/query.ts';

/**
 * A stored value against a text of the URL, which in documents, that have no column types, stands for itself and for
 * the number or boolean that is written so, as on MongoDB. `other`: for no value of the stored one's type.
 */
function order(value: JsonValue, text: string): Comparison | 'other' {
  switch (typeof value) {
    case 'string':
      return compareText(value, text);
    case 'number':
      return numberWritten(text) === null ? 'other' : compareNumber(value, text);
    case 'bigint':
      return numberWritten(text) === null ? 'other' : compareBigInt(value, text);
    case 'boolean':
      return text === 'true' || text === 'false' ? Number(value) - Number(text === 'true') : 'other';
    default:
      return null; // A list or an object is compared with nothing.
  }
}

/** Of values of two types neither is the greater, and they differ. */
export function compareInDocument(value: JsonValue, op: CompareOperator, text: string): Truth {
  if (op === 'like' || op === 'ilike') {
    if (typeof value !== 'string') return null;
    return op === 'ilike' ? like(value.toLowerCase(), text.toLowerCase()) : like(value, text);
  }
  if (value === null) return null;
  const found = order(value, text);
  if (found === 'other') return op === 'eq' ? false : op === 'neq' ? true : null;
  if (found === null) return null;
  switch (op) {
    case 'eq':
      return found === 0;
    case 'neq':
      return found !== 0;
    case 'gt':
      return found > 0;
    case 'gte':
      return found >= 0;
    case 'lt':
      return found < 0;
    case 'lte':
      return found <= 0;
    default:
      return null;
  }
}

/** An empty list holds nothing. */
export function isAmong(value: JsonValue, texts: readonly string[]): Truth {
  if (texts.length === 0) return false;
  const truths = texts.map((text) => compareInDocument(value, 'eq', text));
  return truths.includes(true) ? true : truths.includes(null) ? null : false;
}

/** Never unknown: of whatever is no boolean neither is true nor false said, and its negation holds. */
export function isInDocument(value: JsonValue, wanted: IsValue): boolean {
  switch (wanted) {
    case 'null':
    case 'unknown':
      return value === null;
    case 'not_null':
      return value !== null;
    default:
      return value === (wanted === 'true');
  }
}
