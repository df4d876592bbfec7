import { MagError } from '../../errors.ts';
import { LIMITS } from '../../limits.ts';
import type { CountKind } from '../../protocol/query.ts';
import { BoundedCache } from './grammar/bounded-cache.ts';

/** The Prefer header, as PostgREST reads it. */
export interface Preferences {
  readonly returns: 'minimal' | 'representation' | 'headers-only';
  readonly count: CountKind | null;
  readonly resolution: 'merge' | 'ignore' | null;
  readonly missing: 'null' | 'default';
  /** What to confirm in Preference-Applied, by kind of request; empty where nothing. */
  readonly applied: { readonly read: string; readonly insert: string; readonly write: string };
}

interface Found {
  returns: Preferences['returns'] | null;
  count: CountKind | null;
  resolution: Preferences['resolution'];
  missing: Preferences['missing'] | null;
  strict: boolean;
  refused: string[];
}

/** Takes one preference; false where it is unknown or not offered yet. */
function take(found: Found, preference: string): boolean {
  switch (preference) {
    case 'return=minimal':
      found.returns = 'minimal';
      return true;
    case 'return=representation':
      found.returns = 'representation';
      return true;
    case 'return=headers-only':
      found.returns = 'headers-only';
      return true;
    case 'count=exact':
      found.count = 'exact';
      return true;
    case 'count=planned':
      found.count = 'planned';
      return true;
    case 'count=estimated':
      found.count = 'estimated';
      return true;
    case 'resolution=merge-duplicates':
      found.resolution = 'merge';
      return true;
    case 'resolution=ignore-duplicates':
      found.resolution = 'ignore';
      return true;
    case 'missing=default':
      found.missing = 'default';
      return true;
    case 'missing=null':
      found.missing = 'null';
      return true;
    case 'handling=strict':
      found.strict = true;
      return true;
    case 'handling=lenient':
    case 'tx=commit':
      return true;
    default:
      return preference === '';
  }
}

function confirm(found: Found): Preferences['applied'] {
  const returns = found.returns === null ? [] : [`return=${found.returns}`];
  const count = found.count === null ? [] : [`count=${found.count}`];
  const resolution = found.resolution === null ? [] : [`resolution=${found.resolution}-duplicates`];
  const missing = found.missing === null ? [] : [`missing=${found.missing}`];
  const strict = found.strict ? ['handling=strict'] : [];
  return {
    read: [...count, ...strict].join(', '),
    insert: [...resolution, ...missing, ...returns, ...count, ...strict].join(', '),
    write: [...returns, ...count, ...strict].join(', '),
  };
}

function parse(header: string): Preferences {
  const found: Found = {
    returns: null,
    count: null,
    resolution: null,
    missing: null,
    strict: false,
    refused: [],
  };
  for (const part of header.split(',')) {
    const preference = part.trim();
    if (!take(found, preference)) found.refused.push(preference);
  }
  if (found.strict && found.refused.length > 0) {
    throw new MagError('PGRST122', {}, { details: `Invalid preferences: ${found.refused.join(', ')}` });
  }
  return {
    returns: found.returns ?? 'minimal',
    count: found.count,
    resolution: found.resolution,
    missing: found.missing ?? 'null',
    applied: confirm(found),
  };
}

const cache = new BoundedCache<Preferences>(LIMITS.grammarCacheEntries);
const NONE = parse('');

/** Throws PGRST122 for an unknown preference, or one not offered yet, under handling=strict; else it is ignored. */
export const preferencesOf = (header: string | string[] | undefined): Preferences => {
  if (header === undefined) return NONE;
  return cache.get(typeof header === 'string' ? header : header.join(','), parse);
};
