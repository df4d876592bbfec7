import { LIMITS } from '../../../limits.ts';
import type { JsonPath } from '../../../protocol/query.ts';
import type { Cursor } from './cursor.ts';
import { readQuoted } from './words.ts';

const KEY = 'any non reserved character different from: .,>()';
/** PostgreSQL's int4. */
const LAST_PLACE = 2_147_483_647;

const isDigit = (code: number): boolean => code >= 48 && code <= 57;

/** What may follow a place in an array; behind anything else the digits were a key's. */
function placeEnds(text: string, at: number): boolean {
  switch (text.charAt(at)) {
    case '':
    case '.':
    case ',':
    case ')':
      return true;
    case ':':
      return text.charAt(at + 1) === ':';
    case '-':
      return text.charAt(at + 1) === '>';
    default:
      return false;
  }
}

/** `3`, `-1`; null where a key stands here. */
function readPlace(cursor: Cursor): number | null {
  const { text, at: start } = cursor;
  const negative = text.charCodeAt(start) === 45;
  const first = negative ? start + 1 : start;
  let at = first;
  while (isDigit(text.charCodeAt(at))) at += 1;
  if (negative && at === first) cursor.unexpected('digit', at);
  if (at === first) return null;
  if (!placeEnds(text, at)) {
    if (negative) cursor.unexpectedRest('digit, "->", "::", ".", "," or end of input', at);
    return null;
  }
  const place = Number(text.slice(first, at));
  if (place > LAST_PLACE) cursor.refuse('the place in an array is too large');
  cursor.at = at;
  return negative && place > 0 ? -place : place;
}

/** A bare key may hold all but `(-:.,>)`, and dashes between the others. */
function readKey(cursor: Cursor): string {
  const { text, at: start } = cursor;
  let at = start;
  for (; at < text.length; at += 1) {
    const character = text.charAt(at);
    if (character === '-' && at > start && text.charAt(at + 1) !== '>') continue;
    if ('(-:.,>)'.includes(character)) break;
  }
  const key = text.slice(start, at).trim();
  if (key === '') cursor.unexpected(`"-", digit or ${KEY}`, start);
  cursor.at = at;
  return key;
}

function readStep(cursor: Cursor): string | number {
  const place = readPlace(cursor);
  if (place !== null) return place;
  const start = cursor.at;
  const key = cursor.peek() === '"' ? readQuoted(cursor) : readKey(cursor);
  if (key.includes('\0')) cursor.refuse('a key holds a NUL', start);
  return key;
}

/** `->a->0->>b`, the cursor on its first arrow. */
export function readPath(cursor: Cursor): JsonPath {
  const steps: (string | number)[] = [];
  let text = false;
  while (cursor.looksAt('->')) {
    if (text) cursor.refuse('->> gives text: nothing can follow it');
    if (steps.length === LIMITS.jsonPathSteps) cursor.refuse(`more than ${LIMITS.jsonPathSteps} steps`);
    cursor.at += 2;
    text = cursor.take('>');
    steps.push(readStep(cursor));
  }
  return { steps, text };
}

/** What a path's value is called without an alias: its last key, else its column. */
export function nameOfPath(column: string, path: JsonPath): string {
  for (let at = path.steps.length - 1; at >= 0; at -= 1) {
    const step = path.steps[at];
    if (typeof step === 'string') return step;
  }
  return column;
}
