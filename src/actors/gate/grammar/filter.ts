import { LIMITS } from '../../../limits.ts';
import { endsInEscape } from '../../../protocol/like.ts';
import type { ColumnRef, Filter, IsValue } from '../../../protocol/query.ts';
import { parseArray } from './array-literal.ts';
import { Cursor } from './cursor.ts';
import { type Operator, readOperator } from './operators.ts';
import { FIELD_NAME, readColumn, readElement, readLogicValue } from './words.ts';

const IS = 'isVal: (null, not_null, true, false, unknown)';
const TERM = `${FIELD_NAME}, negation operator (not) or logic operator (and, or)`;
const AFTER_FIELD = 'letter, digit, "-", "->>", "->" or delimiter (.)';

function readIs(cursor: Cursor, word: string, start: number): IsValue {
  const lower = word.trimEnd().toLowerCase();
  switch (lower) {
    case 'null':
    case 'not_null':
    case 'true':
    case 'false':
    case 'unknown':
      return lower;
    default:
      return cursor.unexpected(IS, start);
  }
}

/** The one place where the URL's `*` becomes `%`. */
function readPattern(cursor: Cursor, text: string, at: number): string {
  if (text.endsWith('\\') && endsInEscape(text))
    cursor.refuse('a pattern must not end with its escape character', at);
  return text.includes('*') ? text.replaceAll('*', '%') : text;
}

function readList(cursor: Cursor): string[] {
  cursor.skipSpaces();
  cursor.expect('(');
  cursor.skipSpaces();
  const values: string[] = [];
  if (cursor.take(')')) return values;
  do {
    if (values.length === LIMITS.inListItems) cursor.refuse(`more than ${LIMITS.inListItems} values`);
    values.push(readElement(cursor));
  } while (cursor.take(','));
  cursor.expect(')', '"," or ")"');
  cursor.skipSpaces();
  return values;
}

const isPattern = (op: string): boolean => op === 'like' || op === 'ilike';

function withValue(
  cursor: Cursor,
  column: ColumnRef,
  operator: Exclude<Operator, { kind: 'in' }>,
  value: string,
  negated: boolean,
  start: number,
): Filter {
  switch (operator.kind) {
    case 'compare': {
      const { op } = operator;
      return {
        kind: 'compare',
        column,
        op,
        value: isPattern(op) ? readPattern(cursor, value, start) : value,
        negated,
      };
    }
    case 'is':
      return { kind: 'is', column, value: readIs(cursor, value, start), negated };
    case 'quantified': {
      const values = parseArray(cursor, value, start);
      const read = isPattern(operator.op) ? values.map((text) => readPattern(cursor, text, start)) : values;
      return { ...operator, column, values: read, negated };
    }
    default:
      return { ...operator, column, value, negated };
  }
}

/** `op.value` or `not.op.value`; `whole`: the value runs to the end of the text and is not quoted. */
function readCondition(cursor: Cursor, column: ColumnRef, whole: boolean): Filter {
  cursor.countTerm();
  const negated = cursor.take('not.');
  const operator = readOperator(cursor, negated);
  if (operator.kind === 'in') return { kind: 'in', column, values: readList(cursor), negated };
  const start = cursor.at;
  let value: string;
  if (whole) {
    value = cursor.text.slice(start);
    cursor.at = cursor.text.length;
  } else {
    value = readLogicValue(cursor);
  }
  return withValue(cursor, column, operator, value, negated, start);
}

/** `(term,term,…)`, the cursor on the parenthesis. */
function readTerms(cursor: Cursor, kind: 'and' | 'or', negated: boolean): Filter {
  cursor.skipSpaces();
  cursor.expect('(');
  cursor.depth += 1;
  if (cursor.depth > LIMITS.filterDepth) cursor.refuse(`nested deeper than ${LIMITS.filterDepth}`);
  const terms: Filter[] = [];
  do {
    cursor.skipSpaces();
    terms.push(readTerm(cursor));
    cursor.skipSpaces();
  } while (cursor.take(','));
  cursor.expect(')', '"," or ")"');
  cursor.depth -= 1;
  return { kind, terms, negated };
}

/** A group where one stands here, else null: `and(…)`, `or(…)`, `not.and(…)`, `not.or(…)`. */
function readGroup(cursor: Cursor): Filter | null {
  const start = cursor.at;
  const negated = cursor.take('not.');
  const kind = cursor.take('and') ? 'and' : cursor.take('or') ? 'or' : null;
  if (kind !== null) {
    cursor.skipSpaces();
    if (cursor.peek() === '(') {
      cursor.countTerm();
      return readTerms(cursor, kind, negated);
    }
  }
  cursor.at = start;
  return null;
}

function readTerm(cursor: Cursor): Filter {
  const group = readGroup(cursor);
  if (group !== null) return group;
  const column = readColumn(cursor, TERM);
  cursor.expect('.', AFTER_FIELD);
  return readCondition(cursor, column, false);
}

/** The right side of `column=op.value`. */
export function parseHorizontal(column: ColumnRef, text: string): Filter {
  const cursor = new Cursor(text, 'filter');
  const filter = readCondition(cursor, column, true);
  cursor.expectEnd('end of input');
  return filter;
}

/** The right side of `or=(…)`, `and=(…)`, `not.or=(…)`, `not.and=(…)`. */
export function parseLogic(kind: 'and' | 'or', negated: boolean, text: string): Filter {
  // As PostgREST, whose columns count from the operator.
  const operator = `${negated ? 'not.' : ''}${kind}`;
  const cursor = new Cursor(operator + text, 'logic tree', text);
  cursor.at = operator.length;
  cursor.countTerm();
  const filter = readTerms(cursor, kind, negated);
  cursor.expectEndAfterClosers('end of input');
  return filter;
}

/**
 * One filter as text: `id=eq.1` (realtime's form, the value runs to the end), `owner.eq.{sub}`, or a group
 * `and(a.eq.1,or(b.gt.2,c.is.null))`. Throws PGRST100 with the position.
 */
export function parseFilter(text: string): Filter {
  const cursor = new Cursor(text, 'filter');
  cursor.skipSpaces();
  const group = readGroup(cursor);
  if (group !== null) {
    cursor.skipSpaces();
    cursor.expectEnd('end of input');
    return group;
  }
  const column = readColumn(cursor, TERM);
  const whole = cursor.take('=');
  if (!whole) cursor.expect('.', AFTER_FIELD);
  const filter = readCondition(cursor, column, whole);
  cursor.expectEnd('end of input');
  return filter;
}

/** How many terms a filter has, groups counted. */
export function countTerms(filter: Filter): number {
  if (filter.kind !== 'and' && filter.kind !== 'or') return 1;
  let terms = 1;
  for (const term of filter.terms) terms += countTerms(term);
  return terms;
}
