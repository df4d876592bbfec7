import { DatabaseError } from '../../../errors.ts';
import { LIMITS } from '../../../limits.ts';

const SPECIAL = /[\\^$.*+?()[\]{}|/]/;

const literal = (character: string): string => (SPECIAL.test(character) ? `\\${character}` : character);

/** The pieces between the `%` of a pattern, each as a regular expression of fixed length. */
function piecesOf(pattern: string): readonly string[] {
  const pieces: string[] = [''];
  let escaped = false;
  for (const character of pattern) {
    const last = pieces.length - 1;
    if (escaped) {
      pieces[last] += literal(character);
      escaped = false;
    } else if (character === '\\') escaped = true;
    else if (character === '%') pieces.push('');
    else pieces[last] += character === '_' ? ONE : literal(character);
  }
  return pieces;
}

/** With the option `u` this is a code point in MongoDB's dialect and in JavaScript's. */
const ONE = '[\\s\\S]';
const END = '(?![\\s\\S])';

/**
 * SQL's LIKE as a regular expression that never goes back: each piece between two `%` is taken where it comes first,
 * held in a lookahead that cannot be entered again. Without it a pattern with many `%` costs exponential time.
 */
export function likePattern(pattern: string): string {
  if (Buffer.byteLength(pattern) > LIMITS.likePatternBytes)
    throw new DatabaseError('22025', 'LIKE or GLOB pattern too complex');
  const pieces = piecesOf(pattern);
  const [head = '', ...others] = pieces;
  const tail = others.pop();
  if (tail === undefined) return `^${head}${END}`;
  let group = 0;
  const middle = others
    .filter((piece) => piece !== '')
    .map((piece) => {
      group += 1;
      return `(?=([\\s\\S]*?${piece}))\\${group}`;
    });
  // `\1` before a digit would be read as `\10`.
  const held = middle.map((part) => `${part}(?:)`).join('');
  return tail === '' ? `^${head}${held}` : `^${head}${held}[\\s\\S]*${tail}${END}`;
}
