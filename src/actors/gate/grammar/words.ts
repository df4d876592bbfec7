import { LIMITS } from '../../../limits.ts';
import type { ColumnRef } from '../../../protocol/query.ts';
import type { Cursor } from './cursor.ts';
import { readPath } from './json-path.ts';

export const FIELD_NAME = 'field name (* or [a..z0..9_$])';

const DASH = 45;
const GREATER = 62;

/** Characters of a bare name: letters of every alphabet, digits, `_`, `$` and spaces. Anything else must be quoted. */
export function isNameCharacter(code: number): boolean {
  if (code >= 97) return code <= 122 || code > 127;
  if (code >= 48 && code <= 57) return true;
  return (code >= 65 && code <= 90) || code === 95 || code === 32 || code === 36;
}

/** A `"…"` with backslash escapes, the cursor on its first quote. */
export const readQuoted = (cursor: Cursor): string =>
  quotedHere(cursor) ?? cursor.unexpected('"\\"" or "\\\\"', cursor.text.length);

/** The same; null, the cursor where it was, if it does not end. */
function quotedHere(cursor: Cursor): string | null {
  const { text } = cursor;
  let from = cursor.at + 1;
  let value = '';
  for (let at = from; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code === 34) {
      cursor.at = at + 1;
      return value + text.slice(from, at);
    }
    if (code === 92) {
      value += text.slice(from, at);
      at += 1;
      from = at;
    }
  }
  return null;
}

function checked(cursor: Cursor, name: string, start: number): string {
  if (name === '') cursor.refuse('a name is empty', start);
  if (name.includes('\0')) cursor.refuse('a name holds a NUL', start);
  return name;
}

/** Where a bare name that starts here ends; dashes belong to it between its other characters. */
function endOfName(cursor: Cursor, start: number, expecting: string): number {
  const { text } = cursor;
  let at = start;
  for (; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (isNameCharacter(code)) continue;
    if (code !== DASH || at === start || text.charCodeAt(at + 1) === GREATER) break;
    if (!isNameCharacter(text.charCodeAt(at + 1))) cursor.unexpected('letter or digit', at + 1);
  }
  return at === start ? cursor.unexpected(expecting, start) : at;
}

/** A name, bare or quoted. Spaces around a bare one do not count. */
export function readName(cursor: Cursor, expecting: string = FIELD_NAME): string {
  cursor.skipSpaces();
  const { text, at: start } = cursor;
  if (text.charCodeAt(start) === 34) {
    const quoted = readQuoted(cursor);
    cursor.skipSpaces();
    return checked(cursor, quoted, start);
  }
  cursor.at = endOfName(cursor, start, expecting);
  let end = cursor.at;
  while (text.charCodeAt(end - 1) === 32) end -= 1;
  return checked(cursor, text.slice(start, end), start);
}

/** A column, with a JSON path where one follows. */
export function readColumn(cursor: Cursor, expecting?: string): ColumnRef {
  const name = readName(cursor, expecting);
  if (!cursor.looksAt('->')) return { name };
  const path = readPath(cursor);
  cursor.skipSpaces();
  return { name, path };
}

/** A type's or a text search configuration's name. */
export function readIdentifier(cursor: Cursor): string {
  const { text, at: start } = cursor;
  let at = start;
  while (at < text.length && isNameCharacter(text.charCodeAt(at))) at += 1;
  const name = text.slice(start, at).trim();
  if (name === '') cursor.unexpected('letter or digit', at);
  cursor.at = at;
  return checked(cursor, name, start);
}

/** Up to `,` or `)`, as it is. */
function readBare(cursor: Cursor): string {
  const { text, at: start } = cursor;
  let at = start;
  for (; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code === 44 || code === 41) break;
  }
  cursor.at = at;
  return text.slice(start, at);
}

function elementEnds(cursor: Cursor): boolean {
  const next = cursor.peek();
  return next === '' || next === ',' || next === ')';
}

/** An element of a list: quoted, or everything up to `,` or `)`. */
export function readElement(cursor: Cursor): string {
  const start = cursor.at;
  if (cursor.peek() !== '"') return readBare(cursor);
  const quoted = quotedHere(cursor);
  if (quoted !== null && elementEnds(cursor)) return quoted;
  // As PostgREST: a quote that does not span the element is an ordinary character.
  cursor.at = start;
  return readBare(cursor);
}

/** A value of a logic tree: as an element, or an array or object whose commas are its own. */
export function readLogicValue(cursor: Cursor): string {
  const start = cursor.at;
  if (cursor.peek() !== '{') return readElement(cursor);
  const { text } = cursor;
  let at = start + 1;
  while (at < text.length && text.charCodeAt(at) !== 123 && text.charCodeAt(at) !== 125) at += 1;
  cursor.at = at + 1;
  if (text.charCodeAt(at) === 125 && elementEnds(cursor)) return text.slice(start, at + 1);
  cursor.at = start;
  return readBare(cursor);
}

/** A whole text of names between commas, as `columns` and `on_conflict` carry it. */
export function readNames(cursor: Cursor, most: number = LIMITS.selectItems): string[] {
  const names: string[] = [];
  do {
    if (names.length === most) cursor.refuse(`more than ${most} names`);
    names.push(readName(cursor));
  } while (cursor.take(','));
  cursor.expectEnd('letter, digit, "-", "," or end of input');
  return names;
}
