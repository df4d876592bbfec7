import { MagError } from '../../../errors.ts';
import type { ResponseSettings } from '../engine.ts';
import { allowedHeaders } from '../response-headers.ts';
import type { Bound } from './wire.ts';

/** What functions, triggers and policies set for the reply, read in the transaction in which they did. */
export const responseSettings: Bound = {
  text:
    `SELECT pg_catalog.current_setting('response.status', true), ` +
    `pg_catalog.current_setting('response.headers', true)`,
  name: 'mag_response',
  values: [],
};

function pairsOf(text: string): [string, string][] | null {
  let list: unknown;
  try {
    list = JSON.parse(text);
  } catch {
    return null;
  }
  if (!Array.isArray(list)) return null;
  const pairs: [string, string][] = [];
  for (const each of list) {
    const [pair, ...more] = typeof each === 'object' && each !== null ? Object.entries(each) : [];
    if (pair === undefined || more.length > 0 || typeof pair[1] !== 'string') return null;
    pairs.push([pair[0], pair[1]]);
  }
  return pairs;
}

/** A setting that was local to an earlier transaction is an empty text, which says nothing. */
const isSet = (text: string | null | undefined): text is string =>
  text !== null && text !== undefined && text !== '';

/** Empty where nothing was set. Throws PGRST111 and PGRST112, when what the query did is done. */
export function responseOf([status, headers]: readonly (string | null)[]): {
  readonly response?: ResponseSettings;
} {
  if (!isSet(status) && !isSet(headers)) return {};
  const pairs = isSet(headers) ? pairsOf(headers) : [];
  const allowed = pairs === null ? null : allowedHeaders(pairs);
  if (allowed === null) throw new MagError('PGRST111');
  if (!isSet(status)) return { response: { headers: allowed } };
  const code = Number(status);
  if (!/^\d{3}$/.test(status) || code < 200 || code > 599) throw new MagError('PGRST112');
  return { response: { headers: allowed, status: code } };
}
