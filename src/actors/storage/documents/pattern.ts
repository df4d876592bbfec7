import type { BSONRegExp } from 'bson';
import { DOCUMENT_LIMITS } from '../../../limits-documents.ts';
import { type BsonValue, tagOf } from './bson-value.ts';
import { badValue } from './document-error.ts';

/** Options of `$regex` that JavaScript has under the same letter. */
const OPTIONS = /^[imsu]*$/;

/** Compiles a pattern of a query. Throws BadValue for what is none here: the dialect is JavaScript's. */
export function compilePattern(source: string, options: string): RegExp {
  if (source.length > DOCUMENT_LIMITS.patternChars) throw badValue('the pattern of $regex is too long');
  if (!OPTIONS.test(options)) throw badValue(`invalid flag in $options: ${options.slice(0, 8)}`);
  try {
    return new RegExp(source, [...new Set(options)].join(''));
  } catch (cause) {
    throw badValue(`Regular expression is invalid: ${cause instanceof Error ? cause.message : 'malformed'}`);
  }
}

/** The pattern that a value is, or null. */
export function patternOf(value: BsonValue): RegExp | null {
  if (tagOf(value) === 'BSONRegExp') {
    const { pattern, options } = value as BSONRegExp; // its tag says so
    return compilePattern(pattern, options);
  }
  return value instanceof RegExp ? compilePattern(value.source, value.flags.replace(/[gyd]/g, '')) : null;
}
