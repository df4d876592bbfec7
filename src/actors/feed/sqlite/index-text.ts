/** What only the text of a CREATE INDEX statement says: SQLite's pragmas give neither expressions nor conditions. */
export interface IndexText {
  /** The terms between the parentheses, without ASC or DESC. */
  readonly terms: readonly string[];
  readonly where: string | null;
}

const CLOSING: Readonly<Record<string, string>> = { "'": "'", '"': '"', '`': '`', '[': ']' };

/** Index after the string, quoted name or comment that begins at `at`, or `at` itself where none does. */
function skipOpaque(sql: string, at: number): number {
  const first = sql.charAt(at);
  if (sql.startsWith('--', at)) return indexAfter(sql, '\n', at);
  if (sql.startsWith('/*', at)) return indexAfter(sql, '*/', at + 2);
  const closing = CLOSING[first];
  if (closing === undefined) return at;
  for (let end = at + 1; end < sql.length; end += 1) {
    if (sql.charAt(end) !== closing) continue;
    if (closing === ']' || sql.charAt(end + 1) !== closing) return end + 1;
    end += 1;
  }
  return sql.length;
}

function indexAfter(sql: string, mark: string, from: number): number {
  const found = sql.indexOf(mark, from);
  return found < 0 ? sql.length : found + mark.length;
}

/** Takes apart a CREATE INDEX statement as sqlite_schema holds it; null where it has no such form. */
export function parseUniqueIndex(sql: string): IndexText | null {
  const terms: string[] = [];
  let depth = 0;
  let start = -1;
  for (let at = 0; at < sql.length; ) {
    const after = skipOpaque(sql, at);
    if (after > at) {
      at = after;
      continue;
    }
    const letter = sql.charAt(at);
    if (letter === '(') {
      depth += 1;
      if (depth === 1) start = at + 1;
    } else if (letter === ',' && depth === 1) {
      terms.push(withoutDirection(sql.slice(start, at)));
      start = at + 1;
    } else if (letter === ')') {
      depth -= 1;
      if (depth === 0) {
        terms.push(withoutDirection(sql.slice(start, at)));
        return { terms, where: condition(sql.slice(at + 1)) };
      }
    }
    at += 1;
  }
  return null;
}

/** A newline ends what may be a line comment, so that the text can stand inside parentheses. */
const withoutDirection = (term: string): string => `${term.replace(/\s+(asc|desc)\s*$/i, '').trim()}\n`;

function condition(rest: string): string | null {
  const match = /^(?:\s|--[^\n]*\n|\/\*[\s\S]*?\*\/)*where\b([\s\S]*)$/i.exec(rest);
  return match?.[1] === undefined ? null : `${match[1].trim()}\n`;
}
