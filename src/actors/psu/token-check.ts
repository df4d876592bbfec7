import { createHmac, createPublicKey, type KeyObject, timingSafeEqual, verify } from 'node:crypto';
import { MagError } from '../../errors.ts';
import { LIMITS } from '../../limits.ts';
import type { Principal } from '../../protocol/principal.ts';
import type { TokenKeys } from '../../protocol/project.ts';

type Claims = Readonly<Record<string, unknown>>;

/** Who a token speaks for, and until when on the wall clock, milliseconds. */
export interface VerifiedToken {
  readonly principal: Principal;
  readonly until: number;
}

/** Clocks of other machines may be so far off; PostgREST's allowance. */
const SKEW_SECONDS = 30;

const ROLES: readonly Principal['role'][] = ['anon', 'authenticated', 'service_role'];

const undecodable = (problem: string, details: string | null = null): MagError =>
  new MagError('PGRST301', { problem }, { details });
const unacceptable = (problem: string): MagError => new MagError('PGRST303', { problem });

/** A JSON object in base64url always begins so, and its parts are between dots; no API key of ours has either. */
export const looksLikeToken = (credential: string): boolean =>
  credential.startsWith('ey') || credential.startsWith('ew') || credential.includes('.');

const publicKeys = new WeakMap<TokenKeys, KeyObject>();

function publicKeyOf(keys: TokenKeys): KeyObject {
  const known = publicKeys.get(keys);
  if (known !== undefined) return known;
  const jwk = { kty: 'OKP', crv: 'Ed25519', x: keys.publicKey };
  const key = createPublicKey({ key: jwk, format: 'jwk' });
  publicKeys.set(keys, key);
  return key;
}

function decode(part: string): Claims | null {
  try {
    const value: unknown = JSON.parse(Buffer.from(part, 'base64url').toString());
    // An object that is no array is a record of unknowns.
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Claims) : null;
  } catch {
    return null;
  }
}

/** By the one key that goes with the algorithm, so that neither can be passed off as the other's. */
function isSigned(keys: TokenKeys, algorithm: unknown, signed: string, signature: string): boolean {
  if (algorithm === 'HS256') {
    // Compared as text: base64url has several spellings of the same bytes, and only one is the token that we know.
    const expected = Buffer.from(createHmac('sha256', keys.secret).update(signed).digest('base64url'));
    const given = Buffer.from(signature);
    return given.length === expected.length && timingSafeEqual(given, expected);
  }
  if (algorithm !== 'EdDSA') {
    const why = algorithm === 'none' ? "JWT is unsecured but expected 'alg' was not 'none'" : null;
    throw undecodable('Wrong or unsupported encoding algorithm', why);
  }
  const bytes = Buffer.from(signature, 'base64url');
  return (
    bytes.toString('base64url') === signature && verify(null, Buffer.from(signed), publicKeyOf(keys), bytes)
  );
}

/** Seconds since the epoch; null where the token does not say. */
function time(claims: Claims, name: 'exp' | 'nbf' | 'iat'): number | null {
  const value = claims[name] ?? null;
  if (value === null) return null;
  if (typeof value !== 'number' || !Number.isFinite(value))
    throw unacceptable(`The JWT '${name}' claim must be a number`);
  return value;
}

function checkAudience({ aud = null }: Claims): void {
  const texts = Array.isArray(aud) ? aud : [aud ?? ''];
  if (texts.every((text) => typeof text === 'string')) return;
  throw unacceptable("The JWT 'aud' claim must be a string or an array of strings");
}

/** Until when the claims hold, milliseconds. `now`: seconds since the epoch. */
function checkTimes(claims: Claims, now: number): number {
  const [exp, nbf, iat] = [time(claims, 'exp'), time(claims, 'nbf'), time(claims, 'iat')];
  // Written so that a clock that gives no number refuses.
  if (exp !== null && !(now <= exp + SKEW_SECONDS)) throw unacceptable('JWT expired');
  if (nbf !== null && !(now >= nbf - SKEW_SECONDS)) throw unacceptable('JWT not yet valid');
  if (iat !== null && !(now >= iat - SKEW_SECONDS)) throw unacceptable('JWT issued at future');
  return exp === null ? Number.POSITIVE_INFINITY : (exp + SKEW_SECONDS) * 1_000;
}

function roleOf({ role: given = null }: Claims): Principal['role'] {
  if (given === null) return 'anon';
  const role = ROLES.find((known) => known === given);
  if (role === undefined) throw unacceptable(`The JWT 'role' claim must be one of ${ROLES.join(', ')}`);
  return role;
}

/**
 * Verifies a project's token: signature first, then what it says. Messages and codes are PostgREST's, which its clients
 * know. `aud` may be anything of the right form: one key signs for one project only.
 *
 * @param now milliseconds since the epoch. Throws PGRST301 (no token of this project's) or PGRST303 (its claims).
 */
export function verifyToken(keys: TokenKeys, token: string, now: number): VerifiedToken {
  if (token.length > LIMITS.tokenBytes)
    throw undecodable("JWT couldn't be decoded", `It is longer than ${LIMITS.tokenBytes} bytes`);
  const parts = token.split('.');
  const [header = '', payload = '', signature = ''] = parts;
  if (parts.length !== 3) throw undecodable(`Expected 3 parts in JWT; got ${parts.length}`);
  const head = decode(header);
  if (head === null) throw undecodable('JWT cryptographic operation failed');
  // RFC 7515: extensions that must be understood, of which we know none.
  if (head.crit !== undefined) throw undecodable("JWT couldn't be decoded", 'Its header has crit');
  if (!isSigned(keys, head.alg, `${header}.${payload}`, signature)) {
    const why = 'None of the keys was able to decode the JWT';
    throw undecodable('No suitable key or wrong key type', why);
  }
  const claims = decode(payload);
  if (claims === null) throw unacceptable('Parsing claims failed');
  const until = checkTimes(claims, now / 1_000);
  checkAudience(claims);
  const role = roleOf(claims);
  return { principal: Object.freeze({ role, claims: Object.freeze({ ...claims, role }) }), until };
}
