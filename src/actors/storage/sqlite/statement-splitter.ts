import { isInternalName } from './sqlite-schema.ts';

/** One statement of a script, without the semicolon that ends it. */
export interface SqlStatement {
  readonly text: string;
  /** Its first word in capitals: SELECT, WITH, CREATE, … */
  readonly keyword: string;
  /** Whether it names parameters as PostgreSQL does: $1, $2. */
  readonly dollarParams: boolean;
  /** How many values it takes; null where it names some in a way that none can be given to, or in two ways. */
  readonly parameters: number | null;
  /** Whether a word of it could write: INSERT, UPDATE, DELETE or REPLACE. Strings and comments do not count. */
  readonly mayWrite: boolean;
  /** Whether it names something of the board's own in whatever quotes: SQLite takes 'x' for a name too. */
  readonly namesInternal: boolean;
}

/** Strings, quoted names, comments, words, parameters and single characters, in this order of preference. */
const TOKEN =
  /'(?:[^']|'')*'?|"(?:[^"]|"")*"?|`(?:[^`]|``)*`?|\[[^\]]*\]?|--[^\n]*|\/\*[\s\S]*?(?:\*\/|$)|\?\d*|\$\d+|[:@#][\p{L}_$][\p{L}\p{N}_$]*|[\p{L}_$][\p{L}\p{N}_$]*|\s+|[\s\S]/gu;

const isBlank = (token: string): boolean =>
  token.startsWith('--') || token.startsWith('/*') || /^\s/.test(token);

const WRITING = new Set(['INSERT', 'UPDATE', 'DELETE', 'REPLACE']);

/** What is known of the statement being read. */
class Reading {
  text = '';
  words: string[] = [];
  dollarParams = false;
  /** Highest number of a value that is asked for by `?`; NaN beside one that cannot be given. */
  #questions = 0;
  #dollars = 0;
  mayWrite = false;
  namesInternal = false;
  /** Last two tokens that are no blanks. */
  last = '';
  beforeLast = '';

  add(token: string): void {
    this.text += token;
    if (isBlank(token)) return;
    const upper = token.toUpperCase();
    if (this.words.length < 4) this.words.push(upper);
    if (/^\$\d/.test(token)) this.dollarParams = true;
    this.#count(token);
    if (WRITING.has(upper)) this.mayWrite = true;
    if (isInternalName(token.replace(/^['"`[]/, ''))) this.namesInternal = true;
    this.beforeLast = this.last;
    this.last = upper;
  }

  #count(token: string): void {
    const number = Number(token.slice(1));
    if (token === '?') this.#questions += 1;
    else if (/^\?\d/.test(token)) this.#questions = Math.max(this.#questions, number);
    else if (/^\$\d/.test(token)) this.#dollars = Math.max(this.#dollars, number);
    else if (/^[:@#$]./.test(token)) this.#questions = Number.NaN;
  }

  /** CREATE [TEMP|TEMPORARY] TRIGGER: its body holds statements, and ends with `; END`. */
  get isTrigger(): boolean {
    const [first, second, third] = this.words;
    return (
      first === 'CREATE' &&
      (second === 'TRIGGER' || ((second === 'TEMP' || second === 'TEMPORARY') && third === 'TRIGGER'))
    );
  }

  /** Whether a semicolon here ends the statement; sqlite3_complete decides by the same rule. */
  get endsHere(): boolean {
    return !this.isTrigger || (this.last === 'END' && this.beforeLast === ';');
  }

  done(): SqlStatement | null {
    const [keyword] = this.words;
    if (keyword === undefined) return null;
    const { dollarParams, mayWrite, namesInternal } = this;
    const total = this.#questions + this.#dollars;
    const isMixed = this.#questions > 0 && this.#dollars > 0;
    const parameters = Number.isNaN(total) || isMixed ? null : total;
    return { text: this.text.trim(), keyword, dollarParams, parameters, mayWrite, namesInternal };
  }
}

/** Splits a script at the semicolons that end statements; empty statements are left out. */
export function splitStatements(script: string): readonly SqlStatement[] {
  const statements: SqlStatement[] = [];
  let reading = new Reading();
  const finish = (): void => {
    const statement = reading.done();
    if (statement !== null) statements.push(statement);
    reading = new Reading();
  };
  for (const [token] of script.matchAll(TOKEN)) {
    if (token === ';' && reading.endsHere) finish();
    else reading.add(token);
  }
  finish();
  return statements;
}

const READING = new Set(['SELECT', 'VALUES', 'WITH', 'EXPLAIN', 'PRAGMA']);

/** Whether a script only reads, as far as its words tell: it may then run beside the project's writer. */
export const onlyReads = (statements: readonly SqlStatement[]): boolean =>
  statements.every((statement) => READING.has(statement.keyword) && !statement.mayWrite);
