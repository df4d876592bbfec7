import { LIMITS } from '../../../limits.ts';
import type { ColumnRef } from '../../../protocol/query.ts';
import { Cursor } from './cursor.ts';
import { isNameCharacter, readColumn, readName } from './words.ts';

/** Names in front of a key's last one: the embedded tables that lead to what it means. */
export type EmbedPath = readonly string[];

export const ROOT: EmbedPath = [];

function readPath(cursor: Cursor): { readonly path: EmbedPath; readonly column: ColumnRef } {
  let column = readColumn(cursor);
  if (cursor.peek() !== '.') return { path: ROOT, column };
  const path: string[] = [];
  while (column.path === undefined && cursor.take('.')) {
    if (path.length === LIMITS.embedDepth) cursor.refuse(`embedded deeper than ${LIMITS.embedDepth}`);
    path.push(column.name);
    column = readColumn(cursor);
  }
  return { path, column };
}

/** Most keys are a plain name, and say so at one look. */
function isPlainName(key: string): boolean {
  for (let at = 0; at < key.length; at += 1) {
    const code = key.charCodeAt(at);
    if (code === 32 || !isNameCharacter(code)) return false;
  }
  return key !== '';
}

/** `column`, `data->>key`, `actors.roles.name`. Throws PGRST100. */
export function parseColumnKey(key: string): { readonly path: EmbedPath; readonly column: ColumnRef } {
  if (isPlainName(key)) return { path: ROOT, column: { name: key } };
  const cursor = new Cursor(key, 'tree path');
  const read = readPath(cursor);
  cursor.expectEnd('letter, digit, "-", "->>", "->", delimiter (.) or end of input');
  return read;
}

/** `actors.order`, `actors.roles.limit`: the path in front of the word. Throws PGRST100. */
export function parseWordKey(key: string): EmbedPath {
  const dot = key.lastIndexOf('.');
  return dot === -1 ? ROOT : readNamesOf(new Cursor(key.slice(0, dot), 'tree path'));
}

function readNamesOf(cursor: Cursor): EmbedPath {
  const path: string[] = [];
  do {
    if (path.length === LIMITS.embedDepth) cursor.refuse(`embedded deeper than ${LIMITS.embedDepth}`);
    path.push(readName(cursor));
  } while (cursor.take('.'));
  cursor.expectEnd('letter, digit, "-", delimiter (.) or end of input');
  return path;
}

/** `not.and`, `actors.or`, `actors.not.and`: a `not` anywhere in front negates. Throws PGRST100. */
export function parseLogicKey(key: string): { readonly path: EmbedPath; readonly negated: boolean } {
  const path = parseWordKey(key);
  const negated = path.includes('not');
  return { path: negated ? path.filter((name) => name !== 'not') : path, negated };
}

export type ReservedWord = 'and' | 'or' | 'order' | 'limit' | 'offset';

/** The word that ends a key and makes it no filter on a column. */
export function reservedWord(key: string): ReservedWord | null {
  const word = key.slice(key.lastIndexOf('.') + 1);
  switch (word) {
    case 'and':
    case 'or':
    case 'order':
    case 'limit':
    case 'offset':
      return word;
    default:
      return null;
  }
}
