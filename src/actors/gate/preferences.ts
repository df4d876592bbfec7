import { MagError } from '../../errors.ts';
import { LIMITS } from '../../limits.ts';
import type { CountKind } from '../../protocol/query.ts';
import { BoundedCache } from './grammar/bounded-cache.ts';

/** Which kind of request a preference is for. */
export type PreferredFor = 'read' | 'insert' | 'update' | 'delete' | 'put' | 'call';

/** The Prefer header, as PostgREST reads it. */
export interface Preferences {
  readonly returns: 'minimal' | 'representation' | 'headers-only';
  readonly count: CountKind | null;
  readonly resolution: 'merge' | 'ignore' | null;
  readonly missing: 'null' | 'default';
  /** `tx=rollback`: what is written is answered, and undone. */
  readonly rollback: boolean;
  /** Under handling=strict alone; rows that an update, a delete or a call may affect. */
  readonly maxAffected: number | null;
  /** What to confirm in Preference-Applied, by kind of request; empty where nothing. */
  readonly applied: Readonly<Record<PreferredFor, string>>;
}

type Family = 'return' | 'count' | 'resolution' | 'missing' | 'tx' | 'handling';

/** What each preference may say. Of several the first counts. */
const VALUES: Readonly<Record<Family, readonly string[]>> = {
  return: ['minimal', 'representation', 'headers-only'],
  count: ['exact', 'planned', 'estimated'],
  resolution: ['merge-duplicates', 'ignore-duplicates'],
  missing: ['default', 'null'],
  tx: ['commit', 'rollback'],
  handling: ['strict', 'lenient'],
};

const isFamily = (name: string): name is Family => Object.hasOwn(VALUES, name);

class Found {
  readonly #values = new Map<Family | 'max-affected', string>();
  readonly refused: string[] = [];

  take(preference: string): void {
    if (preference === '') return;
    const equals = preference.indexOf('=');
    const name = preference.slice(0, equals);
    const value = preference.slice(equals + 1);
    if (isFamily(name) && VALUES[name].includes(value)) this.#first(name, value);
    // As PostgREST: one that is no number is not refused, and says nothing.
    else if (name === 'max-affected') this.#first(name, /^\d{1,15}$/.test(value) ? value : '');
    else this.refused.push(preference);
  }

  #first(name: Family | 'max-affected', value: string): void {
    if (value !== '' && !this.#values.has(name)) this.#values.set(name, value);
  }

  of(name: Family): string | null {
    return this.#values.get(name) ?? null;
  }

  get strict(): boolean {
    return this.of('handling') === 'strict';
  }

  /** Lenient, it would be a wish that nobody keeps. */
  get maxAffected(): number | null {
    const text = this.strict ? this.#values.get('max-affected') : undefined;
    return text === undefined ? null : Number(text);
  }

  confirm(families: readonly Family[], affected: boolean): string {
    const said = families.flatMap((name) => (this.of(name) === null ? [] : [`${name}=${this.of(name)}`]));
    if (affected && this.maxAffected !== null) said.push(`max-affected=${this.maxAffected}`);
    return said.join(', ');
  }
}

const confirm = (found: Found): Preferences['applied'] => ({
  read: found.confirm(['count', 'tx', 'handling'], false),
  insert: found.confirm(['resolution', 'missing', 'return', 'count', 'tx', 'handling'], false),
  update: found.confirm(['missing', 'return', 'count', 'tx', 'handling'], true),
  delete: found.confirm(['return', 'count', 'tx', 'handling'], true),
  put: found.confirm(['return', 'count', 'tx', 'handling'], false),
  call: found.confirm(['count', 'tx', 'handling'], true),
});

function resolutionOf(text: string | null): Preferences['resolution'] {
  if (text === null) return null;
  return text === 'merge-duplicates' ? 'merge' : 'ignore';
}

function parse(header: string): Preferences {
  const found = new Found();
  for (const part of header.split(',')) found.take(part.trim());
  if (found.strict && found.refused.length > 0) {
    throw new MagError('PGRST122', {}, { details: `Invalid preferences: ${found.refused.join(', ')}` });
  }
  return {
    // The values above are the members of these types.
    returns: (found.of('return') as Preferences['returns'] | null) ?? 'minimal',
    count: found.of('count') as CountKind | null,
    resolution: resolutionOf(found.of('resolution')),
    missing: found.of('missing') === 'default' ? 'default' : 'null',
    rollback: found.of('tx') === 'rollback',
    maxAffected: found.maxAffected,
    applied: confirm(found),
  };
}

const cache = new BoundedCache<Preferences>(LIMITS.grammarCacheEntries);
const NONE = parse('');

/** Throws PGRST122 for an unknown preference, or one not offered, under handling=strict; else it is ignored. */
export const preferencesOf = (header: string | string[] | undefined): Preferences => {
  if (header === undefined) return NONE;
  return cache.get(typeof header === 'string' ? header : header.join(','), parse);
};
