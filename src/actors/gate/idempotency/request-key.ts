import { hash } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { MagError } from '../../../errors.ts';
import { LIMITS } from '../../../limits.ts';
import type { Principal } from '../../../protocol/principal.ts';

/** An idempotency key as it is remembered: digests, since keys and bodies may hold anything. */
export interface RequestKey {
  readonly key: string;
  readonly fingerprint: string;
}

/** What makes two requests the same one. */
export interface KeyedRequest {
  readonly principal: Principal;
  /** Method and path under the project: `POST /rest/v1/orders`. */
  readonly target: string;
  /** Query string without its `?`. */
  readonly search: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

const invalid = (problem: string): MagError => new MagError('MAG_IDEMPOTENCY_KEY_INVALID', { problem });

/** What could not be kept to is refused: a key that is not minded would be worse than none. */
export const unkeyed = (where: string): MagError => invalid(`it is not supported ${where}`);

const VISIBLE = /^[\x20-\x7e]+$/;

/** The key as the header has it, bare or in the quotes of a structured field. Throws MAG_IDEMPOTENCY_KEY_INVALID. */
function keyOf(header: string | readonly string[]): string {
  if (typeof header !== 'string') throw invalid('it was given twice');
  const isQuoted = header.length > 1 && header.startsWith('"') && header.endsWith('"');
  const key = isQuoted ? header.slice(1, -1) : header;
  if (key === '') throw invalid('it is empty');
  if (key.length > LIMITS.idempotencyKeyChars)
    throw invalid(`it is longer than ${LIMITS.idempotencyKeyChars} characters`);
  if (!VISIBLE.test(key)) throw invalid('it holds other characters than printable ASCII');
  return key;
}

/** Headers that change what a request does or how it is answered. */
const MEANINGFUL = [
  'prefer',
  'accept',
  'accept-profile',
  'content-profile',
  'content-type',
  'range',
] as const;

/** Each part with its length, so that no two lists of parts read alike. */
const digest = (parts: readonly string[]): string =>
  hash('sha256', parts.map((part) => `${part.length}:${part}`).join(''), 'base64url');

/** The project's key may come in the query string and be rotated between a request and its retry. */
const withoutApiKey = (search: string): string =>
  search.includes('apikey=')
    ? search
        .split('&')
        .filter((pair) => !pair.startsWith('apikey='))
        .join('&')
    : search;

/** Claims that change while the user stays the same. */
const OF_THE_TOKEN: ReadonlySet<string> = new Set(['role', 'iat', 'exp', 'nbf', 'jti', 'session_id']);

/** Who a principal is: its `sub`, and where that is no text all that its token says of it. */
function userOf({ claims }: Principal): readonly string[] {
  if (typeof claims['sub'] === 'string') return [claims['sub']];
  const said = Object.entries(claims).filter(([name]) => !OF_THE_TOKEN.has(name));
  return said.length === 0
    ? ['']
    : ['', JSON.stringify(said.toSorted(([left], [right]) => (left < right ? -1 : 1)))];
}

/**
 * What a request with an Idempotency-Key is remembered under. A key belongs to the role, and where there is one to the
 * user: nobody meets another one's. Throws MAG_IDEMPOTENCY_KEY_INVALID.
 */
export function requestKey(header: string | readonly string[], request: KeyedRequest): RequestKey {
  const { principal, target, search, headers, body } = request;
  const [user = '', ...others] = userOf(principal);
  const meaning = MEANINGFUL.map((name) => String(headers[name] ?? ''));
  return {
    key: digest([principal.role, user, keyOf(header), ...others]),
    fingerprint: digest([target, withoutApiKey(search), ...meaning, body]),
  };
}
