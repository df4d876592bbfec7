import { compareInPostgres, likeInPostgres } from './compare-postgres.ts';
import {
  type Comparison,
  compareBigInt,
  compareNumber,
  compareText,
  readBoolean,
} from './compare-scalars.ts';
import { compareInSqlite, likeInSqlite, truthInSqlite } from './compare-sqlite.ts';
import { like } from './like.ts';
import type { EngineKind } from './project.ts';
import type { JsonValue } from './query.ts';

/** Whose rules hold for a row's values: the engine they come from, and the types of its columns where they are known. */
export interface RowTypes {
  readonly engine: EngineKind;
  /** PostgreSQL's name where it fits, as the change feed gives it. */
  typeOf(column: string): string | undefined;
}

/** One column of a row; null where nothing is known of it: then its value alone decides. */
export interface ColumnRules {
  readonly engine: EngineKind;
  readonly type: string | undefined;
}

/** By the value alone, for rows of no engine. */
function compareLoosely(value: JsonValue | undefined, text: string): Comparison {
  switch (typeof value) {
    case 'number':
      return compareNumber(value, text);
    case 'bigint':
      return compareBigInt(value, text);
    case 'string':
      return compareText(value, text);
    case 'boolean': {
      const other = readBoolean(text);
      return other === null ? null : Number(value) - Number(other);
    }
    default:
      return null;
  }
}

/**
 * Compares a stored value with a filter's text as its engine does after binding the text under the column's type.
 * Null, an array, an object, a text that is no value of that type, or an answer that is not sure: null.
 */
export function compareValue(
  value: JsonValue | undefined,
  text: string,
  rules: ColumnRules | null,
): Comparison {
  if (rules?.engine === 'sqlite') return compareInSqlite(value, text, rules.type);
  if (rules?.engine === 'postgres' && rules.type !== undefined)
    return compareInPostgres(value, text, rules.type);
  return compareLoosely(value, text);
}

/** Whether a value that is not null matches a LIKE pattern; null where the engine would refuse or is not sure. */
export function likeValue(
  value: JsonValue,
  pattern: string,
  ignoreCase: boolean,
  rules: ColumnRules | null,
): boolean | null {
  if (rules?.engine === 'sqlite') return likeInSqlite(value, pattern, ignoreCase, rules.type);
  if (rules?.engine === 'postgres' && rules.type !== undefined)
    return likeInPostgres(value, pattern, ignoreCase, rules.type);
  if (typeof value === 'object') return null;
  const given = String(value);
  return ignoreCase ? like(given.toLowerCase(), pattern.toLowerCase()) : like(given, pattern);
}

/** What IS TRUE says of a value that is not null; null where the engine would refuse. */
export function truthOfValue(value: JsonValue, rules: ColumnRules | null): boolean | null {
  if (typeof value === 'boolean' && rules?.engine !== 'sqlite') return value;
  if (rules?.engine === 'sqlite') return truthInSqlite(value, rules.type);
  // PostgreSQL knows truth of booleans only.
  return rules === null && typeof value === 'number' ? value !== 0 : null;
}
