/**
 * Strings, quoted names, dollar quotes, comments, words and single characters, as PostgreSQL reads them, in this order
 * of preference. Of a block comment it is the beginning: comments nest.
 */
const TOKEN =
  /[eE]'(?:[^'\\]|\\[\s\S]|'')*'?|'(?:[^']|'')*'?|"(?:[^"]|"")*"?|\$([\p{L}_][\p{L}\p{N}_]*)?\$[\s\S]*?\$\1\$|--[^\n]*|\/\*|[\p{L}_$][\p{L}\p{N}_$]*|\s+|[\s\S]/uy;

/** Where the block comment ends that begins at `start`. */
function commentEnd(script: string, start: number): number {
  const mark = /\/\*|\*\//g;
  mark.lastIndex = start;
  for (let depth = 0; ; ) {
    const found = mark.exec(script);
    if (found === null) return script.length;
    depth += found[0] === '/*' ? 1 : -1;
    if (depth === 0) return mark.lastIndex;
  }
}

/** What counts, words in capitals. */
function* tokens(script: string): Generator<string> {
  const token = new RegExp(TOKEN);
  for (let at = 0; at < script.length; ) {
    token.lastIndex = at;
    const [text = ''] = token.exec(script) ?? [];
    at = text === '/*' ? commentEnd(script, at) : at + text.length;
    if (!/^(?:--|\/\*|\s)/.test(text)) yield text.toUpperCase();
  }
}

const ROUTINES = new Set(['FUNCTION', 'PROCEDURE']);

function definesRoutine([first, second = '', third, fourth = '']: readonly string[]): boolean {
  if (first !== 'CREATE') return false;
  return ROUTINES.has(second) || (second === 'OR' && third === 'REPLACE' && ROUTINES.has(fourth));
}

/**
 * Reads one script. A routine's body in SQL's own words, `BEGIN ATOMIC …; END`, holds statements of its own, and its
 * end is the one END that begins a statement and ends no transaction.
 */
class Reader {
  #words: string[] = [];
  #parentheses = 0;
  #before = '';
  #inBody = false;

  /** The first words of the statement that ends, or has a body that begins, with this token. */
  take(token: string): readonly string[] | null {
    const before = this.#before;
    this.#before = token;
    if (token === ';') return this.#next();
    if (token === '(') this.#parentheses += 1;
    else if (token === ')') this.#parentheses -= 1;
    const begins = token === 'ATOMIC' && before === 'BEGIN' && this.#parentheses === 0;
    if (begins && !this.#inBody && definesRoutine(this.#words)) {
      this.#inBody = true;
      return this.#next();
    }
    if (this.#inBody && this.#words.length === 0 && token === 'END') {
      this.#inBody = false;
      this.#words.push('CREATE'); // What follows is still of that statement.
    } else if (this.#words.length < 4) this.#words.push(token);
    return null;
  }

  #next(): readonly string[] {
    const words = this.#words;
    this.#words = [];
    this.#parentheses = 0;
    return words;
  }

  end(): readonly string[] {
    return this.#next();
  }
}

function* beginnings(script: string): Generator<readonly string[]> {
  const reader = new Reader();
  for (const token of tokens(script)) {
    const words = reader.take(token);
    if (words !== null && words.length > 0) yield words;
  }
  yield reader.end();
}

const CONTROL = new Set(['BEGIN', 'START', 'COMMIT', 'END', 'ABORT']);

function controls([first = '', second = '', third = '']: readonly string[]): boolean {
  if (first === 'PREPARE') return second === 'TRANSACTION';
  if (first !== 'ROLLBACK') return CONTROL.has(first);
  // To a savepoint it leaves the transaction open.
  return second !== 'TO' && !(['WORK', 'TRANSACTION'].includes(second) && third === 'TO');
}

/** The words of the first statement that begins or ends a transaction, or null. Seen too often rather than too rarely. */
export function transactionControl(script: string): string | null {
  for (const words of beginnings(script)) if (controls(words)) return words.slice(0, 2).join(' ');
  return null;
}
