/**
 * Strings, quoted names, dollar quotes, comments, words and single characters, as PostgreSQL reads them, in this order
 * of preference. (A nested comment is met as a comment and what is left of it: words that begin no statement.)
 */
const TOKEN =
  /[eE]'(?:[^'\\]|\\[\s\S]|'')*'?|'(?:[^']|'')*'?|"(?:[^"]|"")*"?|\$([\p{L}_][\p{L}\p{N}_]*)?\$[\s\S]*?\$\1\$|--[^\n]*|\/\*[\s\S]*?\*\/|[\p{L}_$][\p{L}\p{N}_$]*|\s+|[\s\S]/gu;

const isBlank = (token: string): boolean => /^(?:--|\/\*|\s)/.test(token);

/** The first words of each statement, in capitals. */
function* beginnings(script: string): Generator<readonly string[]> {
  let words: string[] = [];
  for (const [token] of script.matchAll(TOKEN)) {
    if (token === ';') {
      if (words.length > 0) yield words;
      words = [];
    } else if (!isBlank(token) && words.length < 3) words.push(token.toUpperCase());
  }
  if (words.length > 0) yield words;
}

const CONTROL = new Set(['BEGIN', 'START', 'COMMIT', 'END', 'ABORT']);

function controls([first = '', second = '', third = '']: readonly string[]): boolean {
  if (first === 'PREPARE') return second === 'TRANSACTION';
  if (first !== 'ROLLBACK') return CONTROL.has(first);
  // To a savepoint it leaves the transaction open.
  return second !== 'TO' && !(['WORK', 'TRANSACTION'].includes(second) && third === 'TO');
}

/**
 * The words of the first statement that begins or ends a transaction, or null. Seen too often rather than too rarely:
 * the body of a function in SQL's own words (`BEGIN ATOMIC … END`) is taken for one.
 */
export function transactionControl(script: string): string | null {
  for (const words of beginnings(script)) if (controls(words)) return words.slice(0, 2).join(' ');
  return null;
}
