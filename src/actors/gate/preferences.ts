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
  /** Where times are told; null where no zone was asked for, or the engine knows of none. */
  readonly timezone: string | null;
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

type Known = Family | 'max-affected' | 'timezone';

/** Longer than the name of any zone. */
const ZONE_CHARS = 64;

const isFamily = (name: string): name is Family => Object.hasOwn(VALUES, name);

class Found {
  readonly #values = new Map<Known, string>();
  readonly refused: string[] = [];
  readonly #zones: boolean;

  constructor(zones: boolean) {
    this.#zones = zones;
  }

  take(preference: string): void {
    if (preference === '') return;
    const equals = preference.indexOf('=');
    const name = preference.slice(0, equals);
    const value = preference.slice(equals + 1);
    if (isFamily(name) && VALUES[name].includes(value)) this.#first(name, value);
    // As PostgREST: one that is no number is not refused, and says nothing.
    else if (name === 'max-affected') this.#first(name, /^\d{1,15}$/.test(value) ? value : '');
    else if (name === 'timezone' && this.#zones && value.length <= ZONE_CHARS) this.#first(name, value);
    else this.refused.push(preference);
  }

  #first(name: Known, value: string): void {
    if (value !== '' && !this.#values.has(name)) this.#values.set(name, value);
  }

  of(name: Family): string | null {
    return this.#values.get(name) ?? null;
  }

  get timezone(): string | null {
    return this.#values.get('timezone') ?? null;
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
    if (this.timezone !== null) said.push(`timezone=${this.timezone}`);
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

function parse(header: string, zones: boolean): Preferences {
  const found = new Found(zones);
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
    timezone: found.timezone,
    maxAffected: found.maxAffected,
    applied: confirm(found),
  };
}

const plain = new BoundedCache<Preferences>(LIMITS.grammarCacheEntries);
const zoned = new BoundedCache<Preferences>(LIMITS.grammarCacheEntries);
const parsePlain = (header: string): Preferences => parse(header, false);
const parseZoned = (header: string): Preferences => parse(header, true);
const NONE = parsePlain('');

/**
 * Throws PGRST122 for an unknown preference, or one not offered, under handling=strict; else it is ignored. `zones`:
 * whether the engine tells times of a zone that is asked for.
 */
export const preferencesOf = (header: string | string[] | undefined, zones = false): Preferences => {
  if (header === undefined) return NONE;
  const text = typeof header === 'string' ? header : header.join(',');
  return zones ? zoned.get(text, parseZoned) : plain.get(text, parsePlain);
};
