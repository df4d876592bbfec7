/** One element of a LIKE pattern: a literal character, `_`, or `%`. */
type Token = string | typeof ONE | typeof ANY;
const ONE = Symbol('one character');
const ANY = Symbol('any run of characters');

function tokens(pattern: string): Token[] {
  const found: Token[] = [];
  let escaped = false;
  for (const character of pattern) {
    if (escaped) {
      found.push(character);
      escaped = false;
    } else if (character === '\\') escaped = true;
    else if (character === '%') found.push(ANY);
    else found.push(character === '_' ? ONE : character);
  }
  return found;
}

/**
 * Whether a pattern ends inside an escape: PostgreSQL calls that an error, SQLite a pattern that nothing matches. Both
 * parsers of filters refuse it, so that neither an engine nor `like` ever sees one.
 */
export const endsInEscape = (pattern: string): boolean => /(?:^|[^\\])(?:\\\\)*\\$/.test(pattern);

/**
 * SQL LIKE with `%`, `_` and backslash escapes, by code points. Walks with one point of return (the last `%`), so
 * that its cost is at most |pattern| × |text|, whatever the pattern.
 */
export function like(text: string, pattern: string): boolean {
  const wanted = tokens(pattern);
  const given = Array.from(text);
  let at = 0;
  let next = 0;
  let anyAt = -1;
  let resume = 0;
  while (at < given.length) {
    const token = wanted[next];
    if (token === ANY) {
      anyAt = next;
      resume = at;
      next += 1;
    } else if (token !== undefined && (token === ONE || token === given[at])) {
      at += 1;
      next += 1;
    } else if (anyAt !== -1) {
      resume += 1;
      at = resume;
      next = anyAt + 1;
    } else {
      return false;
    }
  }
  while (wanted[next] === ANY) next += 1;
  return next === wanted.length;
}
