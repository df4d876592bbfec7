import { LIMITS } from '../../../limits.ts';
import type { OrderTerm } from '../../../protocol/query.ts';
import { Cursor } from './cursor.ts';
import { readName } from './words.ts';

export const UNORDERED: readonly OrderTerm[] = [];

function readTerm(cursor: Cursor): OrderTerm {
  const name = readName(cursor);
  if (cursor.looksAt('(')) cursor.fail('ordering by an embedded table is not supported yet');
  let direction: 'asc' | 'desc' = 'asc';
  if (cursor.take('.desc')) direction = 'desc';
  else cursor.take('.asc');
  const nulls = cursor.take('.nullsfirst') ? 'first' : cursor.take('.nullslast') ? 'last' : null;
  cursor.skipSpaces();
  if (!cursor.done() && cursor.peek() !== ',') {
    cursor.fail('expected asc, desc, nullsfirst, nullslast or ","');
  }
  return nulls === null ? { column: { name }, direction } : { column: { name }, direction, nulls };
}

/** `a.desc.nullslast,b`. Throws PGRST100. */
export function parseOrder(text: string): readonly OrderTerm[] {
  if (text === '') return UNORDERED;
  const cursor = new Cursor(text, 'order');
  const terms: OrderTerm[] = [];
  do {
    if (terms.length === LIMITS.orderTerms) cursor.fail(`more than ${LIMITS.orderTerms} terms`);
    terms.push(readTerm(cursor));
  } while (cursor.take(','));
  cursor.expectEnd();
  return terms;
}
