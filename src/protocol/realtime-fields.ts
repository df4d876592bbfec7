import type { JsonValue } from './query.ts';

/** A JSON object as its fields; anything else has none. */
export type Fields = { readonly [key: string]: JsonValue };

const NONE: Fields = {};

export function fieldsOf(value: unknown): Fields {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return NONE;
  // Only what JSON.parse gave comes here.
  return value as Fields;
}
