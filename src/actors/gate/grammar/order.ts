import { LIMITS } from '../../../limits.ts';
import type { ColumnRef, OrderTerm } from '../../../protocol/query.ts';
import { Cursor } from './cursor.ts';
import { readColumn } from './words.ts';

export const UNORDERED: readonly OrderTerm[] = [];

const AFTER_FIELD = 'letter, digit, "-", "->>", "->", delimiter (.), "," or end of input';

/** What may follow a column: a direction, nulls, both or neither. */
function readDirection(cursor: Cursor, term: OrderTerm): OrderTerm {
  const direction = cursor.take('.desc') ? 'desc' : cursor.take('.asc') ? 'asc' : null;
  const nulls = cursor.take('.nullsfirst') ? 'first' : cursor.take('.nullslast') ? 'last' : null;
  cursor.skipSpaces();
  if (!cursor.done() && cursor.peek() !== ',') {
    if (nulls !== null) cursor.unexpectedRest('"," or end of input');
    if (cursor.take('.')) {
      if (direction !== null) cursor.unexpectedWord('nullsfirst', '"nullsfirst" or "nullslast"');
      cursor.unexpectedWord('asc', '"asc", "desc", "nullsfirst" or "nullslast"');
    }
    cursor.unexpectedRest(direction === null ? AFTER_FIELD : 'delimiter (.), "," or end of input');
  }
  const directed: OrderTerm = direction === 'desc' ? { ...term, direction } : term;
  return nulls === null ? directed : { ...directed, nulls };
}

function readTerm(cursor: Cursor): OrderTerm {
  const column: ColumnRef = readColumn(cursor);
  if (column.path !== undefined || cursor.peek() !== '(') {
    return readDirection(cursor, { column, direction: 'asc' });
  }
  const opened = cursor.at;
  cursor.at += 1;
  const inner = readColumn(cursor);
  // As PostgREST: a parenthesis that does not hold one column was none of a related table.
  if (!cursor.take(')')) cursor.unexpectedRest(AFTER_FIELD, opened);
  return readDirection(cursor, { relation: column.name, column: inner, direction: 'asc' });
}

/** `a.desc.nullslast,b,director(name)`. Throws PGRST100. */
export function parseOrder(text: string): readonly OrderTerm[] {
  if (text === '') return UNORDERED;
  const cursor = new Cursor(text, 'order');
  const terms: OrderTerm[] = [];
  do {
    if (terms.length === LIMITS.orderTerms) cursor.refuse(`more than ${LIMITS.orderTerms} terms`);
    terms.push(readTerm(cursor));
  } while (cursor.take(','));
  return terms;
}
