import { MagError } from '../../errors.ts';
import { LIMITS } from '../../limits.ts';
import { BoundedCache } from './grammar/bounded-cache.ts';

/** What a REST reply is written as. `object`: the one row itself, or a 406. */
export type MediaType = 'json' | 'object' | 'csv';

const NAMES: Readonly<Record<string, MediaType>> = {
  '*/*': 'json',
  'application/*': 'json',
  'application/json': 'json',
  'application/vnd.pgrst.array+json': 'json',
  'application/vnd.pgrst.array': 'json',
  'application/vnd.pgrst.object+json': 'object',
  'application/vnd.pgrst.object': 'object',
  'text/csv': 'csv',
};

function parse(header: string): MediaType {
  for (const part of header.split(',')) {
    const [name = '', ...parameters] = part.split(';').map((text) => text.trim().toLowerCase());
    if (!Object.hasOwn(NAMES, name) || parameters.includes('nulls=stripped')) continue;
    const type = NAMES[name];
    if (type !== undefined) return type;
  }
  throw new MagError('PGRST107', { types: header.slice(0, 200) });
}

const cache = new BoundedCache<MediaType>(LIMITS.grammarCacheEntries);

/** The first type of an Accept header that can be written; quality values do not matter. Throws PGRST107 (406). */
export const acceptedType = (header: string | undefined): MediaType =>
  header === undefined || header === '*/*' || header === '' ? 'json' : cache.get(header, parse);

/** Throws MAG_UNSUPPORTED_MEDIA_TYPE where a body says it is something other than JSON. */
export function requireJson(contentType: string | undefined): void {
  if (contentType === undefined || contentType === '' || contentType === 'application/json') return;
  const name = (contentType.split(';')[0] ?? '').trim().toLowerCase();
  if (name === 'application/json' || name.endsWith('+json')) return;
  throw new MagError('MAG_UNSUPPORTED_MEDIA_TYPE', { type: name.slice(0, 100) });
}
