import { MagError } from '../../errors.ts';
import { LIMITS } from '../../limits.ts';
import { BoundedCache } from './grammar/bounded-cache.ts';

/** What a REST reply is written as. */
export interface MediaType {
  /** `object`: the one row itself, or a 406. */
  readonly kind: 'json' | 'object' | 'csv';
  /** Keys whose value is null are left out. */
  readonly stripped: boolean;
}

const JSON_ROWS: MediaType = { kind: 'json', stripped: false };
const OBJECT: MediaType = { kind: 'object', stripped: false };

const NAMES: ReadonlyMap<string, MediaType> = new Map([
  ['*/*', JSON_ROWS],
  ['application/*', JSON_ROWS],
  ['application/json', JSON_ROWS],
  ['application/vnd.pgrst.array+json', JSON_ROWS],
  ['application/vnd.pgrst.array', JSON_ROWS],
  ['application/vnd.pgrst.object+json', OBJECT],
  ['application/vnd.pgrst.object', OBJECT],
  ['text/csv', { kind: 'csv', stripped: false }],
]);

interface Range {
  readonly name: string;
  readonly quality: number;
  readonly stripped: boolean;
}

function readRange(text: string): Range {
  const [name = '', ...parameters] = text.split(';').map((part) => part.trim().toLowerCase());
  const quality = parameters.find((parameter) => parameter.startsWith('q='));
  const given = quality === undefined ? 1 : Number(quality.slice(2));
  return {
    name,
    quality: given >= 0 && given <= 1 ? given : 1,
    stripped: parameters.some((parameter) => parameter.replaceAll('"', '') === 'nulls=stripped'),
  };
}

const isVendored = (name: string): boolean => name.startsWith('application/vnd.pgrst.');

function parse(header: string): MediaType {
  const ranges = header.split(',').map(readRange);
  for (const { name, quality, stripped } of ranges.toSorted((left, right) => right.quality - left.quality)) {
    const type = quality === 0 ? undefined : NAMES.get(name);
    if (type !== undefined) return stripped && isVendored(name) ? { ...type, stripped } : type;
  }
  throw new MagError('PGRST107', { types: header.slice(0, 200) });
}

const cache = new BoundedCache<MediaType>(LIMITS.grammarCacheEntries);

/** The type of an Accept header that can be written and is wanted most. Throws PGRST107 (406). */
export const acceptedType = (header: string | undefined): MediaType =>
  header === undefined || header === '*/*' || header === '' ? JSON_ROWS : cache.get(header, parse);

/** What a request's body is written in. */
export type BodyType = 'json' | 'csv' | 'form' | 'text' | 'binary';

const BODIES: ReadonlyMap<string, BodyType> = new Map([
  ['application/json', 'json'],
  ['text/csv', 'csv'],
  ['application/x-www-form-urlencoded', 'form'],
  ['text/plain', 'text'],
  ['application/octet-stream', 'binary'],
]);

/** Throws MAG_UNSUPPORTED_MEDIA_TYPE where a body says it is something that is not taken here. */
export function bodyType(contentType: string | undefined, taken: readonly BodyType[]): BodyType {
  if (contentType === undefined || contentType === '' || contentType === 'application/json') return 'json';
  const name = (contentType.split(';')[0] ?? '').trim().toLowerCase();
  const type = name.endsWith('+json') ? 'json' : BODIES.get(name);
  if (type !== undefined && taken.includes(type)) return type;
  throw new MagError('MAG_UNSUPPORTED_MEDIA_TYPE', { type: name.slice(0, 100) });
}

/** Throws MAG_UNSUPPORTED_MEDIA_TYPE where a body says it is something other than JSON. */
export function requireJson(contentType: string | undefined): void {
  bodyType(contentType, ['json']);
}
