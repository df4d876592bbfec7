/** One statement of a script, without the semicolon that ends it. */
export interface ScriptStatement {
  readonly text: string;
  /** Its first words in capitals: `CREATE`, `OR`, `REPLACE`, `TABLE`. */
  readonly words: readonly string[];
  /** How many parameters it takes. */
  readonly parameters: number;
}

/** Strings, quoted names, comments, words and single characters, as MySQL reads them, in this order of preference. */
const TOKEN =
  /'(?:[^'\\]+|\\[\s\S]|'')*'?|"(?:[^"\\]+|\\[\s\S]|"")*"?|`(?:[^`]+|``)*`?|--(?=\s|$)[^\n]*|#[^\n]*|\/\*[\s\S]*?(?:\*\/|$)|[\p{L}_$][\p{L}\p{N}_$]*|\s+|[\s\S]/gu;

/** `/*! … *\/` is a comment for other servers only. */
const isBlank = (token: string): boolean =>
  /^(--|#|\s)/.test(token) || (token.startsWith('/*') && !/^\/\*M?!/.test(token));

const BODIES = new Set(['PROCEDURE', 'FUNCTION', 'TRIGGER', 'EVENT', 'PACKAGE']);
const LOOK = 12;

/** A body holds statements and semicolons of its own: the rest of the script is its. */
function hasBody(words: readonly string[]): boolean {
  if (words[0] === 'BEGIN') return words[1] === 'NOT';
  return words[0] === 'CREATE' && words.some((word) => BODIES.has(word));
}

/** Splits a script at the semicolons that end statements; empty statements are left out. */
export function splitScript(script: string): readonly ScriptStatement[] {
  const statements: ScriptStatement[] = [];
  let text = '';
  let words: string[] = [];
  let parameters = 0;
  const finish = (): void => {
    if (words.length > 0) statements.push({ text: text.trim(), words, parameters });
    text = '';
    words = [];
    parameters = 0;
  };
  for (const [token] of script.matchAll(TOKEN)) {
    if (token === ';' && !hasBody(words)) {
      finish();
      continue;
    }
    text += token;
    if (token === '?') parameters += 1;
    if (!isBlank(token) && words.length < LOOK) words.push(token.toUpperCase());
  }
  finish();
  return statements;
}

const CONTROL = new Set(['START', 'COMMIT', 'ROLLBACK', 'XA', 'LOCK', 'UNLOCK']);

/** Whether the statement opens or ends a transaction by itself. */
export function controlsTransaction({ words }: ScriptStatement): boolean {
  const [first = '', second] = words;
  if (first === 'BEGIN') return second !== 'NOT';
  if (first === 'SET') return words.some((word) => word === 'AUTOCOMMIT' || word === 'TRANSACTION');
  return CONTROL.has(first);
}

const INSIDE = new Set([
  ...[
    'SELECT',
    'WITH',
    'VALUES',
    '(',
    'INSERT',
    'REPLACE',
    'UPDATE',
    'DELETE',
    'SHOW',
    'EXPLAIN',
    'DESCRIBE',
  ],
]);

/** Whether it certainly leaves the transaction open that it runs in: definitions commit it, and procedures may. */
export const staysInside = ({ words: [first = ''] }: ScriptStatement): boolean => INSIDE.has(first);

const DDL = new Set(['CREATE', 'ALTER', 'DROP', 'RENAME', 'TRUNCATE']);

/** Whether it may change the schema. */
export const changesSchema = ({ words: [first = ''] }: ScriptStatement): boolean =>
  DDL.has(first) || first === 'CALL' || first === 'BEGIN' || first === 'EXECUTE';

const KINDS_OF_OBJECT = new Set([
  ...['TABLE', 'VIEW', 'INDEX', 'DATABASE', 'SCHEMA', 'PROCEDURE', 'FUNCTION', 'TRIGGER', 'EVENT', 'USER'],
  ...['SEQUENCE', 'ROLE'],
]);

/** The command as PostgreSQL's tag would name it: SELECT, INSERT, CREATE TABLE. */
export function commandOf({ words }: ScriptStatement): string {
  const [first = ''] = words;
  if (first === 'WITH' || first === '(' || first === 'VALUES') return 'SELECT';
  if (first !== 'CREATE' && first !== 'ALTER' && first !== 'DROP') return first;
  const object = words.find((word) => KINDS_OF_OBJECT.has(word));
  return object === undefined ? first : `${first} ${object}`;
}

const GIVING_ROWS = new Set([
  'SELECT',
  'WITH',
  'VALUES',
  '(',
  'INSERT',
  'REPLACE',
  'DELETE',
  'CALL',
  'BEGIN',
]);

/** Prepared statements give numbers as the server has them; what gives no rows need not be prepared. */
export const mayGiveRows = ({ words: [first = ''] }: ScriptStatement): boolean => GIVING_ROWS.has(first);
