import { createHash } from 'node:crypto';
import { NUMERIC, readBoolean } from '../../../protocol/compare-scalars.ts';
import type { JsonValue, Row } from '../../../protocol/query.ts';

/** Longest text that stands in an index itself; a longer one is hashed. */
const INLINE_CHARS = 128;

const textEntry = (text: string): string =>
  text.length > INLINE_CHARS || text.includes('\0')
    ? `h${createHash('sha1').update(text).digest('base64')}`
    : `s${text}`;

const numberEntry = (value: number | bigint): string => `n${value === 0 ? 0 : value}`;

/** What an index holds for a value; null for one that equals no text: null itself, lists, objects. */
export function entryOf(value: JsonValue | undefined): string | null {
  switch (typeof value) {
    case 'string':
      return textEntry(value);
    case 'number':
    case 'bigint':
      return numberEntry(value);
    case 'boolean':
      return value ? 'b1' : 'b0';
    default:
      return null;
  }
}

/** The member of an index for a document: its value, NUL, its place among the ids. Null where it is not indexed. */
export function indexMember(document: Row, field: string, member: string): string | null {
  const entry = entryOf(Object.hasOwn(document, field) ? document[field] : undefined);
  return entry === null ? null : `${entry}\0${member}`;
}

/** Every entry whose value a filter's text may equal; the filter itself decides. */
export function entryCandidates(text: string): readonly string[] {
  const found = new Set([textEntry(text)]);
  if (NUMERIC.test(text)) {
    found.add(numberEntry(Number(text)));
    const digits = text.trim();
    if (/^[-+]?\d+$/.test(digits)) found.add(numberEntry(BigInt(digits)));
  }
  const truth = readBoolean(text);
  if (truth !== null) found.add(truth ? 'b1' : 'b0').add(truth ? 'n1' : 'n0');
  return [...found];
}

/** The part of an index that holds one value. */
export const entryRange = (entry: string): { readonly min: string; readonly max: string } => ({
  min: `[${entry}\0`,
  max: `(${entry}\u0001`,
});
