import type { Cursor } from './cursor.ts';

const DASH = 45;
const GREATER = 62;

/** Characters that end a bare name; anything else, spaces and non-ASCII letters included, belongs to it. */
function endsName(code: number): boolean {
  switch (code) {
    case 33: // !
    case 34: // "
    case 40: // (
    case 41: // )
    case 42: // *
    case 44: // ,
    case 46: // .
    case 58: // :
    case 61: // =
      return true;
    default:
      return code < 32;
  }
}

/** A `"…"` with backslash escapes, the cursor on its first quote. */
function readQuoted(cursor: Cursor): string {
  const { text } = cursor;
  const start = cursor.at;
  let from = start + 1;
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
  return cursor.fail('the quote is not closed', start);
}

/** A column name, bare or quoted. Spaces around a bare one do not count. */
export function readName(cursor: Cursor): string {
  cursor.skipSpaces();
  if (cursor.peek() === '"') {
    const quoted = readQuoted(cursor);
    cursor.skipSpaces();
    if (quoted === '') cursor.fail('a column name is empty');
    rejectPath(cursor);
    return quoted;
  }
  const { text } = cursor;
  const start = cursor.at;
  let at = start;
  for (; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (endsName(code) || (code === DASH && text.charCodeAt(at + 1) === GREATER)) break;
  }
  let end = at;
  while (end > start && text.charCodeAt(end - 1) === 32) end -= 1;
  if (end === start) cursor.fail('expected a column name');
  cursor.at = at;
  rejectPath(cursor);
  return text.slice(start, end);
}

function rejectPath(cursor: Cursor): void {
  if (cursor.looksAt('->')) cursor.fail('JSON paths are not supported yet');
}

/** An element of a list or a logic tree: quoted, or everything up to `,` or `)`. */
export function readElement(cursor: Cursor): string {
  const { text } = cursor;
  const start = cursor.at;
  if (text.charCodeAt(start) === 34) {
    const quoted = readQuoted(cursor);
    const next = cursor.peek();
    if (next === '' || next === ',' || next === ')') return quoted;
    // As PostgREST: a quote that does not span the element is an ordinary character.
    cursor.at = start;
  }
  let at = start;
  for (; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code === 44 || code === 41) break;
  }
  cursor.at = at;
  return text.slice(start, at);
}

/** A whole text of names between commas, as `columns` and `on_conflict` carry it. */
export function readNames(cursor: Cursor, most: number): string[] {
  const names: string[] = [];
  do {
    if (names.length === most) cursor.fail(`more than ${most} names`);
    names.push(readName(cursor));
  } while (cursor.take(','));
  cursor.expectEnd();
  return names;
}
