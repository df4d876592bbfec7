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

/**
 * `/todos?id=eq.5&select=title`: what was read, its parameters in alphabetical order as PostgREST writes it. A key that
 * came with the URL stays out: what this names may be kept and shown.
 */
export function contentLocation(table: string, search: string): string {
  const path = `/${encodeURIComponent(table)}`;
  if (search === '') return path;
  if (UNESCAPED.test(search)) return contentLocation(table, search.replace(EACH_UNESCAPED, escaped));
  if (!search.includes('&') && !search.startsWith('apikey=')) return `${path}?${search}`;
  const pairs = search.split('&').filter((pair) => pair !== '' && !pair.startsWith('apikey='));
  return pairs.length === 0 ? path : `${path}?${pairs.sort().join('&')}`;
}
