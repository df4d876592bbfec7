import { hash, timingSafeEqual } from 'node:crypto';
import { MagError } from '../../errors.ts';
import type { Principal } from '../../protocol/principal.ts';
import type { ProjectHandle } from '../../protocol/project.ts';

const ANON: Principal = Object.freeze({ role: 'anon', claims: Object.freeze({}) });
const SERVICE: Principal = Object.freeze({ role: 'service_role', claims: Object.freeze({}) });

// Only keys that were right are remembered, so a handle has at most two entries, and a rotation, which brings a new
// handle, forgets them.
const verified = new WeakMap<ProjectHandle, Map<string, Principal>>();

/** Longest key that is hashed at all; ours are far shorter. */
const KEY_LENGTH = 512;

function verify(handle: ProjectHandle, key: string): Principal {
  const known = verified.get(handle);
  const found = known?.get(key);
  if (found !== undefined) return found;
  if (key.length > KEY_LENGTH) throw new MagError('MAG_KEY_INVALID');
  const presented = Buffer.from(hash('sha256', key, 'hex'));
  const { anon, service } = handle.keyDigests;
  // Both are compared whichever matches, so that the time taken says nothing about either.
  const isAnon = same(presented, anon);
  const isService = same(presented, service);
  if (!isAnon && !isService) throw new MagError('MAG_KEY_INVALID');
  const principal = isService ? SERVICE : ANON;
  if (known === undefined) verified.set(handle, new Map([[key, principal]]));
  else known.set(key, principal);
  return principal;
}

function same(presented: Buffer, digest: string): boolean {
  const expected = Buffer.from(digest);
  return expected.length === presented.length && timingSafeEqual(presented, expected);
}

/**
 * Who presents these keys. `apikey` comes from the header or the query, `bearer` is the token of an Authorization
 * header without its scheme; each may be missing. Clients send the project key as both when no user is signed in, so
 * a Bearer equal to the apikey means just the key; another one decides the role, and must be a key of this project.
 * Throws MAG_KEY_MISSING or MAG_KEY_INVALID.
 */
export function principalOf(
  handle: ProjectHandle,
  apikey: string | undefined,
  bearer: string | undefined,
): Principal {
  if (apikey === undefined || apikey === '') {
    if (bearer === undefined || bearer === '') throw new MagError('MAG_KEY_MISSING');
    return verify(handle, bearer);
  }
  const principal = verify(handle, apikey);
  return bearer === undefined || bearer === '' || bearer === apikey ? principal : verify(handle, bearer);
}

/** The token of `Authorization: Bearer TOKEN`; undefined where there is none. */
export function bearerOf(authorization: string | undefined): string | undefined {
  if (authorization === undefined || authorization.length < 8) return undefined;
  return authorization.slice(0, 7).toLowerCase() === 'bearer ' ? authorization.slice(7).trim() : undefined;
}
