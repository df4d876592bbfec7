import { MagError } from '../../errors.ts';
import { LIMITS } from '../../limits.ts';
import { type Accepted, EXPLAIN_OPTIONS, type Explain } from '../storage/engine.ts';
import { BoundedCache } from './grammar/bounded-cache.ts';

/** What a REST reply is written as. */
export interface MediaType {
  /** `object`: the one row itself, or a 406. */
  readonly kind: 'json' | 'object' | 'csv';
  /** Keys whose value is null are left out. */
  readonly stripped: boolean;
  /** It is not the reply itself that is wanted, but how the database would come by it. */
  readonly plan?: Explain;
}

export const JSON_ROWS: MediaType = { kind: 'json', stripped: false };
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

const PLANS: ReadonlyMap<string, Explain['format']> = new Map([
  ['application/vnd.pgrst.plan', 'text'],
  ['application/vnd.pgrst.plan+text', 'text'],
  ['application/vnd.pgrst.plan+json', 'json'],
]);

interface Range {
  readonly name: string;
  readonly quality: number;
  readonly parameters: ReadonlyMap<string, string>;
}

/** A quoted value may hold what separates parameters. */
const PARTS = /(?:"[^"]*"|[^";])+/g;

function readRange(text: string): Range {
  const [name = '', ...rest] = (text.match(PARTS) ?? []).map((part) => part.trim().toLowerCase());
  const parameters = new Map(
    rest.map((part): [string, string] => {
      const equals = part.indexOf('=');
      return [
        part.slice(0, equals).trim(),
        part
          .slice(equals + 1)
          .trim()
          .replaceAll('"', ''),
      ];
    }),
  );
  const given = Number(parameters.get('q') ?? 1);
  return { name: name.trim(), quality: given >= 0 && given <= 1 ? given : 1, parameters };
}

const isVendored = (name: string): boolean => name.startsWith('application/vnd.pgrst.');

function rowsType({ name, parameters }: Range): MediaType | undefined {
  const type = NAMES.get(name);
  const stripped = parameters.get('nulls') === 'stripped';
  return type !== undefined && stripped && isVendored(name) ? { ...type, stripped } : type;
}

function planType({ name, parameters }: Range): MediaType | undefined {
  const format = PLANS.get(name);
  if (format === undefined) return undefined;
  const type = rowsType(readRange(parameters.get('for') ?? 'application/json'));
  const asked = parameters.get('options')?.split('|') ?? [];
  const options = EXPLAIN_OPTIONS.filter((option) => asked.includes(option));
  return type === undefined ? undefined : { ...type, plan: { format, options } };
}

/** What an Accept header asks for, as an engine that makes types itself reads it, and what is written here. */
interface Accept {
  readonly accepts: Accepted;
  /** Null: none of it. */
  readonly media: MediaType | null;
}

const parse =
  (plans: boolean) =>
  (header: string): Accept => {
    const ranges = header.split(',').map(readRange);
    let media: MediaType | null = null;
    const types: Accepted['types'][number][] = [];
    for (const range of ranges.toSorted((left, right) => right.quality - left.quality)) {
      if (range.quality === 0) continue;
      const type = rowsType(range) ?? (plans ? planType(range) : undefined);
      const written = type !== undefined;
      types.push({ name: range.name, written, fixed: written && isVendored(range.name) });
      media ??= type ?? null;
    }
    return { accepts: { types, written: media !== null, header }, media };
  };

const [parseRows, parsePlans] = [parse(false), parse(true)];
const rowsCache = new BoundedCache<Accept>(LIMITS.grammarCacheEntries);
const plansCache = new BoundedCache<Accept>(LIMITS.grammarCacheEntries);
const ANYTHING = parseRows('*/*');

/**
 * @param header of several types that with the highest `q` is wanted most; absent: any.
 * @param plans whether the project shows how its queries run.
 */
export function acceptOf(header: string | undefined, plans = false): Accept {
  if (header === undefined || header === '*/*' || header === '') return ANYTHING;
  return plans ? plansCache.get(header, parsePlans) : rowsCache.get(header, parseRows);
}

/** The type of an Accept header that can be written here and is wanted most. Throws PGRST107 (406). */
export function acceptedType(header: string | undefined, plans = false): MediaType {
  const { media, accepts } = acceptOf(header, plans);
  if (media !== null) return media;
  throw new MagError('PGRST107', { types: accepts.header.slice(0, 200) });
}

/** What a project's description is sent as, as PostgREST's is: as what it is, or as any JSON. */
const DOCUMENTS: ReadonlyMap<string, string> = new Map([
  ['*/*', 'application/json'],
  ['application/*', 'application/json'],
  ['application/json', 'application/json'],
  ['application/openapi+json', 'application/openapi+json'],
]);

/** The media type of a description that an Accept header wants most. Throws PGRST107 (406). */
export function documentType(header: string | undefined): string {
  const asked = header === undefined || header === '' ? '*/*' : header;
  const ranges = asked.split(',').map(readRange);
  for (const { name, quality } of ranges.toSorted((left, right) => right.quality - left.quality)) {
    const type = quality === 0 ? undefined : DOCUMENTS.get(name);
    if (type !== undefined) return type;
  }
  throw new MagError('PGRST107', { types: asked.slice(0, 200) });
}

/** What a request's body is written in. */
export type BodyType = 'json' | 'csv' | 'form' | 'text' | 'xml' | 'binary';

const BODIES: ReadonlyMap<string, BodyType> = new Map([
  ['application/json', 'json'],
  ['text/csv', 'csv'],
  ['application/x-www-form-urlencoded', 'form'],
  ['text/plain', 'text'],
  ['text/xml', 'xml'],
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
