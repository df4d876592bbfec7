import { hash, timingSafeEqual } from 'node:crypto';
import { MagError } from '../../errors.ts';
import { LIMITS } from '../../limits.ts';
import type { Principal } from '../../protocol/principal.ts';
import type { ProjectHandle } from '../../protocol/project.ts';
import { looksLikeToken, type VerifiedToken, verifyToken } from './token-check.ts';

const ANON: Principal = Object.freeze({ role: 'anon', claims: Object.freeze({}) });
const SERVICE: Principal = Object.freeze({ role: 'service_role', claims: Object.freeze({}) });

// Only what was right is remembered, and a rotation, which brings a new handle, forgets it. Of keys a handle has at
// most two; of tokens the newest, so that a signature is checked once and not with each request.
const verifiedKeys = new WeakMap<ProjectHandle, Map<string, Principal>>();
const verifiedTokens = new WeakMap<ProjectHandle, Map<string, VerifiedToken>>();

/** Longest key that is hashed at all; ours are far shorter. */
const KEY_LENGTH = 512;

function verifyKey(handle: ProjectHandle, key: string): Principal {
  const known = verifiedKeys.get(handle);
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
  if (known === undefined) verifiedKeys.set(handle, new Map([[key, principal]]));
  else known.set(key, principal);
  return principal;
}

function same(presented: Buffer, digest: string): boolean {
  const expected = Buffer.from(digest);
  return expected.length === presented.length && timingSafeEqual(presented, expected);
}

function verifyOnce(handle: ProjectHandle, token: string, now: number): Principal {
  const known = verifiedTokens.get(handle) ?? new Map<string, VerifiedToken>();
  const found = known.get(token);
  if (found !== undefined && now <= found.until) return found.principal;
  known.delete(token);
  const { tokenKeys } = handle;
  if (tokenKeys === undefined) throw new MagError('MAG_KEY_INVALID');
  const verified = verifyToken(tokenKeys, token, now);
  const oldest = known.keys().next();
  if (known.size >= LIMITS.verifiedTokens && !oldest.done) known.delete(oldest.value);
  known.set(token, verified);
  verifiedTokens.set(handle, known);
  return verified.principal;
}

const verify = (handle: ProjectHandle, credential: string, now: number): Principal =>
  looksLikeToken(credential) ? verifyOnce(handle, credential, now) : verifyKey(handle, credential);

/** `principalOf` with a clock. */
export type Identify = (
  handle: ProjectHandle,
  apikey: string | undefined,
  bearer: string | undefined,
) => Principal;

/**
 * Who presents these credentials: keys of the project, or tokens that it signed. `apikey` comes from the header or the
 * query, `bearer` is the token of an Authorization header without its scheme; each may be missing. Clients send the
 * project key as both when no user is signed in, so a Bearer equal to the apikey means just the key; another one
 * decides the role and the claims.
 *
 * @param now milliseconds since the epoch. Throws MAG_KEY_MISSING, MAG_KEY_INVALID, PGRST301 or PGRST303.
 */
export function principalOf(
  handle: ProjectHandle,
  apikey: string | undefined,
  bearer: string | undefined,
  now: number,
): Principal {
  if (apikey === undefined || apikey === '') {
    if (bearer === undefined || bearer === '') throw new MagError('MAG_KEY_MISSING');
    return verify(handle, bearer, now);
  }
  const principal = verify(handle, apikey, now);
  if (bearer === '') throw new MagError('PGRST301', { problem: 'Empty JWT is sent in Authorization header' });
  return bearer === undefined || bearer === apikey ? principal : verify(handle, bearer, now);
}

/** The token of `Authorization: Bearer TOKEN`, which may be empty; undefined where there is none. */
export function bearerOf(authorization: string | undefined): string | undefined {
  if (authorization === undefined || authorization.length < 6) return undefined;
  if (authorization.length === 6) return authorization.toLowerCase() === 'bearer' ? '' : undefined;
  return authorization.slice(0, 7).toLowerCase() === 'bearer ' ? authorization.slice(7).trim() : undefined;
}
