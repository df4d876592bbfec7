import { parseExact } from '../../protocol/exact-json.ts';
import type { Row } from '../../protocol/query.ts';
import type { Engine } from '../storage/engine.ts';
import { knownTable } from '../storage/sql/tables.ts';
import type { RestCall } from './rest-call.ts';

/**
 * Makes a single-row insert give back its primary key, for the client that wants only its Location. False where the
 * request is another one or the table has no key; it then stays as it is.
 */
export async function returnKey(engine: Engine, call: RestCall): Promise<boolean> {
  const { query } = call;
  if (query?.kind !== 'insert' || query.rows.length !== 1) return false;
  const table = knownTable(await engine.schema(call), query.schema, query.table);
  const key = (table?.columns ?? []).filter((column) => column.primaryKey > 0);
  if (key.length === 0) return false;
  key.sort((left, right) => left.primaryKey - right.primaryKey);
  call.query = { ...query, returning: key.map(({ name }) => ({ kind: 'column', column: { name } })) };
  return true;
}

/** `/todos?id=eq.5`, of a view's key that is null `?id=is.null`: where the row that was written is read; null where none was. */
export function locationOf({ query, result }: RestCall): string | null {
  if (query?.kind !== 'insert' || result === null) return null;
  // The engine's own output: an array of row objects.
  const [row] = parseExact(result.json) as readonly Row[];
  if (row === undefined) return null;
  const pairs = Object.entries(row).map(([name, value]) => {
    const is = value === null ? 'is.null' : `eq.${encodeURIComponent(String(value))}`;
    return `${encodeURIComponent(name)}=${is}`;
  });
  return `/${encodeURIComponent(query.table)}?${pairs.join('&')}`;
}

const UNESCAPED = /[^\x21-\x7e]/;
const EACH_UNESCAPED = /[^\x21-\x7e]/g;
/** A byte of the URL that should have been escaped; Node reads each as a letter. */
const escaped = (byte: string): string => `%${byte.charCodeAt(0).toString(16).padStart(2, '0')}`;

const KEY = 'apikey=';
const [AMPERSAND, EQUALS] = [38, 61];

/** A character of a parameter's name, or -1 where it ends. */
function nameCode(search: string, at: number): number {
  const code = search.charCodeAt(at);
  return at >= search.length || code === EQUALS || code === AMPERSAND ? -1 : code;
}

/** Whether the name that begins at `left` comes after the one at `right`. */
function isAfter(search: string, left: number, right: number): boolean {
  for (let step = 0; ; step += 1) {
    const [a, b] = [nameCode(search, left + step), nameCode(search, right + step)];
    if (a !== b || a === -1) return a > b;
  }
}

const endOf = (search: string, start: number): number => {
  const end = search.indexOf('&', start);
  return end === -1 ? search.length : end;
};

/** Where each parameter begins, by their names; null where they stand so already, and all of them count. */
function sortedStarts(search: string): readonly number[] | null {
  const starts: number[] = [];
  let asGiven = true;
  for (let at = 0; at <= search.length; ) {
    const end = endOf(search, at);
    let place = starts.length;
    if (end === at || search.startsWith(KEY, at)) asGiven = false;
    else {
      while (place > 0 && isAfter(search, starts[place - 1] ?? 0, at)) place -= 1;
      if (place === starts.length) starts.push(at);
      else {
        starts.splice(place, 0, at);
        asGiven = false;
      }
    }
    at = end + 1;
  }
  return asGiven ? null : starts;
}

/**
 * `/todos?id=eq.5&select=title`: what was read, its parameters in alphabetical order as PostgREST writes it, those of one
 * name as they came. A key that came with the URL stays out: what this names may be kept and shown.
 */
export function contentLocation(table: string, search: string): string {
  const path = `/${encodeURIComponent(table)}`;
  if (search === '') return path;
  if (UNESCAPED.test(search)) return contentLocation(table, search.replace(EACH_UNESCAPED, escaped));
  const starts = sortedStarts(search);
  if (starts === null) return `${path}?${search}`;
  let text = path;
  for (const [index, start] of starts.entries())
    text += `${index === 0 ? '?' : '&'}${search.slice(start, endOf(search, start))}`;
  return text;
}
