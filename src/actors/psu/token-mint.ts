import { createHmac, sign } from 'node:crypto';
import { MagError } from '../../errors.ts';
import { LIMITS } from '../../limits.ts';
import { type MintedToken, TOKEN_ALGORITHMS, type TokenRequest } from '../../protocol/tokens.ts';
import { signingKey, tokenKeys } from './token-keys.ts';

export interface Signer {
  readonly masterKey: Uint8Array;
  readonly ref: string;
  /** Version of the project's keys. */
  readonly version: number;
  /** The project's URL. */
  readonly url: string;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

/** Claims that the board states by itself. */
const OWN = ['role', 'iss', 'iat', 'exp', 'nbf'];

const DEFAULT_SECONDS = 3_600;

const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');

/** Signs a token of a project. Throws MAG_BAD_REQUEST. */
export function mintToken(signer: Signer, request: TokenRequest): MintedToken {
  const { role, claims = {}, expiresIn = DEFAULT_SECONDS, algorithm = TOKEN_ALGORITHMS[0] } = request;
  const own = Object.keys(claims).find((name) => OWN.includes(name));
  if (own !== undefined)
    throw new MagError('MAG_BAD_REQUEST', { problem: `claims.${own} is set by the board` });
  const { masterKey, ref, version, url, now } = signer;
  const iat = Math.floor(now / 1_000);
  const exp = iat + expiresIn;
  const { keyId, secret } = tokenKeys(masterKey, ref, version);
  const header =
    algorithm === 'HS256' ? { alg: algorithm, typ: 'JWT' } : { alg: algorithm, typ: 'JWT', kid: keyId };
  const body = { aud: role, ...claims, iss: `${url}/auth/v1`, iat, exp, role };
  const signed = `${encode(header)}.${encode(body)}`;
  const signature =
    algorithm === 'HS256'
      ? createHmac('sha256', secret).update(signed).digest()
      : sign(null, Buffer.from(signed), signingKey(masterKey, ref, version));
  const token = `${signed}.${signature.toString('base64url')}`;
  if (token.length > LIMITS.tokenBytes)
    throw new MagError('MAG_BAD_REQUEST', {
      problem: `the token would be longer than ${LIMITS.tokenBytes} bytes`,
    });
  return { token, role, algorithm, expiresAt: new Date(exp * 1_000).toISOString() };
}
