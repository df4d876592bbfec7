import { LIMITS } from '../../../limits.ts';
import type { Cursor } from './cursor.ts';

/** One quoted element, `at` on its quote; where it ends, or -1. */
function quotedElement(text: string, at: number): { readonly value: string; readonly end: number } | null {
  let value = '';
  for (let next = at + 1; next < text.length; next += 1) {
    const character = text.charAt(next);
    if (character === '"') return { value, end: next + 1 };
    if (character === '\\') next += 1;
    value += text.charAt(next);
  }
  return null;
}

function bareElement(text: string, at: number): { readonly value: string; readonly end: number } {
  let value = '';
  let next = at;
  for (; next < text.length; next += 1) {
    const character = text.charAt(next);
    if (character === ',' || character === '}' || character === '{' || character === '"') break;
    if (character === '\\') next += 1;
    value += text.charAt(next);
  }
  return { value: value.trimEnd(), end: next };
}

const skip = (text: string, at: number): number => {
  let next = at;
  while (text.charAt(next) === ' ') next += 1;
  return next;
};

/** `{a,"b,c"}`, PostgreSQL's array literal in one dimension, as `(any)` and `(all)` take it. `at`: where it began. */
export function parseArray(cursor: Cursor, text: string, at: number): string[] {
  const fail = (place: number, expecting: string): never => {
    const found = text.charAt(place);
    const shown = found === '' ? 'end of input' : JSON.stringify(found);
    return cursor.refuse(`unexpected ${shown} expecting ${expecting}`, at + place);
  };
  let next = skip(text, 0);
  if (text.charAt(next) !== '{') fail(next, '"{"');
  next = skip(text, next + 1);
  const values: string[] = [];
  const empty = text.charAt(next) === '}';
  while (!empty) {
    if (values.length === LIMITS.inListItems) cursor.refuse(`more than ${LIMITS.inListItems} values`, at);
    const quoted = text.charAt(next) === '"';
    const element = quoted ? quotedElement(text, next) : bareElement(text, next);
    if (element === null) return fail(text.length, '"\\""');
    if (!quoted && element.end === next) fail(next, 'a value');
    if (!quoted && element.value.toLowerCase() === 'null') cursor.refuse('a list holds no NULL', at + next);
    values.push(element.value);
    next = skip(text, element.end);
    if (text.charAt(next) !== ',') break;
    next = skip(text, next + 1);
  }
  if (text.charAt(next) !== '}') fail(next, '"," or "}"');
  next = skip(text, next + 1);
  if (next < text.length) fail(next, 'end of input');
  return values;
}
