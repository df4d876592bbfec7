import { LIMITS } from '../../../limits.ts';
import { endsInEscape } from '../../../protocol/like.ts';
import type { CompareOperator, Filter, IsValue } from '../../../protocol/query.ts';
import { Cursor } from './cursor.ts';
import { readElement, readName } from './words.ts';

/** PostgREST's operators that this grammar knows of and no engine answers yet. */
const LATER = new Set('match imatch cs cd ov sl sr nxl nxr adj fts plfts phfts wfts isdistinct'.split(' '));

type Operator = CompareOperator | 'in' | 'is';

function asOperator(word: string): Operator | null {
  switch (word) {
    case 'eq':
    case 'neq':
    case 'gt':
    case 'gte':
    case 'lt':
    case 'lte':
    case 'like':
    case 'ilike':
    case 'in':
    case 'is':
      return word;
    default:
      return null;
  }
}

function readOperator(cursor: Cursor): Operator {
  const start = cursor.at;
  const dot = cursor.text.indexOf('.', start);
  const word = cursor.text.slice(start, dot === -1 ? undefined : dot);
  const operator = asOperator(word);
  if (operator === null) {
    const bare = word.slice(0, word.indexOf('(') === -1 ? undefined : word.indexOf('('));
    if (LATER.has(bare) || (bare !== word && asOperator(bare) !== null)) {
      cursor.fail(`the operator ${word.slice(0, 20)} is not supported yet`);
    }
    cursor.fail(`unknown operator "${word.slice(0, 20)}"`);
  }
  if (dot === -1) cursor.fail('expected "." and a value after the operator', cursor.text.length);
  cursor.at = dot + 1;
  return operator;
}

function readIs(cursor: Cursor, word: string, start: number): IsValue {
  const lower = word.toLowerCase();
  switch (lower) {
    case 'null':
    case 'not_null':
    case 'true':
    case 'false':
    case 'unknown':
      return lower;
    default:
      return cursor.fail('expected null, not_null, true, false or unknown', start);
  }
}

/** The one place where the URL's `*` becomes `%`. */
function readPattern(cursor: Cursor, text: string): string {
  if (text.endsWith('\\') && endsInEscape(text))
    cursor.fail('a pattern must not end with its escape character');
  return text.includes('*') ? text.replaceAll('*', '%') : text;
}

function readList(cursor: Cursor): string[] {
  cursor.expect('(');
  const values: string[] = [];
  if (cursor.take(')')) return values;
  do {
    if (values.length === LIMITS.inListItems) cursor.fail(`more than ${LIMITS.inListItems} values`);
    values.push(readElement(cursor));
  } while (cursor.take(','));
  cursor.expect(')');
  return values;
}

/** `op.value` or `not.op.value`; `whole`: the value runs to the end of the text and is not quoted. */
function readCondition(cursor: Cursor, name: string, whole: boolean): Filter {
  cursor.countTerm();
  const column = { name };
  const negated = cursor.take('not.');
  const op = readOperator(cursor);
  if (op === 'in') return { kind: 'in', column, values: readList(cursor), negated };
  const start = cursor.at;
  let value: string;
  if (whole) {
    value = cursor.text.slice(start);
    cursor.at = cursor.text.length;
  } else {
    value = readElement(cursor);
  }
  if (op === 'is') return { kind: 'is', column, value: readIs(cursor, value, start), negated };
  if (op === 'like' || op === 'ilike') value = readPattern(cursor, value);
  return { kind: 'compare', column, op, value, negated };
}

/** `(term,term,…)`, the cursor on the parenthesis. */
function readTerms(cursor: Cursor, kind: 'and' | 'or', negated: boolean): Filter {
  cursor.expect('(');
  cursor.depth += 1;
  if (cursor.depth > LIMITS.filterDepth) cursor.fail(`nested deeper than ${LIMITS.filterDepth}`);
  const terms: Filter[] = [];
  do {
    cursor.skipSpaces();
    terms.push(readTerm(cursor));
    cursor.skipSpaces();
  } while (cursor.take(','));
  cursor.expect(')');
  cursor.depth -= 1;
  return { kind, terms, negated };
}

/** A group where one stands here, else null: `and(…)`, `or(…)`, `not.and(…)`, `not.or(…)`. */
function readGroup(cursor: Cursor): Filter | null {
  const start = cursor.at;
  const negated = cursor.take('not.');
  const kind = cursor.looksAt('and(') ? 'and' : cursor.looksAt('or(') ? 'or' : null;
  if (kind === null) {
    cursor.at = start;
    return null;
  }
  cursor.at += kind.length;
  cursor.countTerm();
  return readTerms(cursor, kind, negated);
}

function readTerm(cursor: Cursor): Filter {
  const group = readGroup(cursor);
  if (group !== null) return group;
  const name = readName(cursor);
  cursor.expect('.');
  return readCondition(cursor, name, false);
}

/** The right side of `column=op.value`. `cursor` counts the terms of the whole request. */
export function parseHorizontal(name: string, text: string): Filter {
  const cursor = new Cursor(text, `the filter on ${name}`);
  const filter = readCondition(cursor, name, true);
  cursor.expectEnd();
  return filter;
}

/** The right side of `or=(…)`, `and=(…)`, `not.or=(…)`, `not.and=(…)`. */
export function parseLogic(kind: 'and' | 'or', negated: boolean, text: string): Filter {
  const cursor = new Cursor(text, `the logic tree of ${kind}`);
  const filter = readTerms(cursor, kind, negated);
  cursor.expectEnd();
  return filter;
}

/**
 * One filter as text: `id=eq.1` (realtime's form, the value runs to the end), `owner.eq.{sub}`, or a group
 * `and(a.eq.1,or(b.gt.2,c.is.null))`. Throws PGRST100 with the position.
 */
export function parseFilter(text: string): Filter {
  const cursor = new Cursor(text, 'the filter');
  cursor.skipSpaces();
  const group = readGroup(cursor);
  if (group !== null) {
    cursor.skipSpaces();
    cursor.expectEnd();
    return group;
  }
  const name = readName(cursor);
  const whole = cursor.take('=');
  if (!whole) cursor.expect('.');
  const filter = readCondition(cursor, name, whole);
  cursor.expectEnd();
  return filter;
}

/** How many terms a filter has, groups counted. */
export function countTerms(filter: Filter): number {
  if (filter.kind !== 'and' && filter.kind !== 'or') return 1;
  let terms = 1;
  for (const term of filter.terms) terms += countTerms(term);
  return terms;
}
