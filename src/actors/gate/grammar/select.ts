import { LIMITS } from '../../../limits.ts';
import type { SelectItem } from '../../../protocol/query.ts';
import { Cursor } from './cursor.ts';
import { readName } from './words.ts';

/** What a request without `select` gets: every column. */
export const ALL: readonly SelectItem[] = [{ kind: 'all' }];

function rejectLater(cursor: Cursor): void {
  if (cursor.looksAt('::')) cursor.fail('casts are not supported yet');
  if (cursor.looksAt('(')) cursor.fail('embedding other tables is not supported yet');
  if (cursor.looksAt('!')) cursor.fail('embedding other tables is not supported yet');
  if (cursor.looksAt('.')) cursor.fail('aggregates are not supported yet');
}

function readItem(cursor: Cursor): SelectItem {
  cursor.skipSpaces();
  if (cursor.take('*')) {
    cursor.skipSpaces();
    return { kind: 'all' };
  }
  if (cursor.looksAt('...')) cursor.fail('spreading other tables is not supported yet');
  const first = readName(cursor);
  rejectLater(cursor);
  if (!cursor.take(':')) return { kind: 'column', column: { name: first } };
  const name = readName(cursor);
  rejectLater(cursor);
  return { kind: 'column', column: { name }, alias: first };
}

/** `*`, `a,b`, `alias:col`; an empty text means every column. Throws PGRST100. */
export function parseSelect(text: string): readonly SelectItem[] {
  if (text === '' || text === '*') return ALL;
  const cursor = new Cursor(text, 'select');
  const items: SelectItem[] = [];
  do {
    if (items.length === LIMITS.selectItems) cursor.fail(`more than ${LIMITS.selectItems} columns`);
    items.push(readItem(cursor));
  } while (cursor.take(','));
  cursor.expectEnd();
  return items;
}
