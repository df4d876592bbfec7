import { createHash, createHmac, createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';
import type { TokenKeys } from '../../protocol/project.ts';

/** DER of an Ed25519 private key (RFC 8410) up to its 32 bytes. */
const PKCS8_PREFIX = Buffer.from('302e020100300506032b657004220420', 'hex');

const derive = (masterKey: Uint8Array, ref: string, purpose: string, version: number): Buffer =>
  createHmac('sha256', masterKey).update(`project-token:${ref}:${purpose}:${version}`).digest();

/** The private half of a project's EdDSA key. Never leaves the main thread. */
export function signingKey(masterKey: Uint8Array, ref: string, version: number): KeyObject {
  const seed = derive(masterKey, ref, 'ed25519', version);
  return createPrivateKey({ key: Buffer.concat([PKCS8_PREFIX, seed]), format: 'der', type: 'pkcs8' });
}

/** RFC 7638: the same for everybody who computes it from the key. */
const thumbprint = (x: string): string =>
  createHash('sha256').update(`{"crv":"Ed25519","kty":"OKP","x":"${x}"}`).digest('base64url');

/**
 * What a project's tokens are verified with, derived from the master key as its API keys are: nothing is stored, and
 * a rotation of the keys ends every token. `secret` is a text whose UTF-8 bytes are the HS256 key, as supabase's is.
 */
export function tokenKeys(masterKey: Uint8Array, ref: string, version: number): TokenKeys {
  const { x = '' } = createPublicKey(signingKey(masterKey, ref, version)).export({ format: 'jwk' });
  return {
    secret: `mag_jwt_${derive(masterKey, ref, 'hs256', version).toString('base64url')}`,
    publicKey: x,
    keyId: thumbprint(x),
  };
}

/** RFC 7517: what anybody may verify this project's EdDSA tokens with. */
export const keySetOf = ({ publicKey, keyId }: TokenKeys): object => ({
  keys: [
    { kty: 'OKP', crv: 'Ed25519', x: publicKey, kid: keyId, alg: 'EdDSA', use: 'sig', key_ops: ['verify'] },
  ],
});
