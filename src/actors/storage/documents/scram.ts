import { createHash, createHmac, pbkdf2Sync, timingSafeEqual } from 'node:crypto';
import { DocumentError } from './document-error.ts';

/** What a server keeps of a password (RFC 5802, with SHA-256). */
export interface ScramVerifier {
  readonly salt: Buffer;
  readonly iterations: number;
  readonly storedKey: Buffer;
  readonly serverKey: Buffer;
}

/** The least that drivers accept. Our passwords are 256 random bits: more rounds would protect nothing. */
export const ITERATIONS = 4_096;

const hmac = (key: Buffer, text: string): Buffer => createHmac('sha256', key).update(text).digest();
const sha256 = (bytes: Buffer): Buffer => createHash('sha256').update(bytes).digest();

export function scramVerifier(password: string, salt: Buffer, iterations = ITERATIONS): ScramVerifier {
  const salted = pbkdf2Sync(password, salt, iterations, 32, 'sha256');
  return {
    ...{ salt, iterations },
    storedKey: sha256(hmac(salted, 'Client Key')),
    serverKey: hmac(salted, 'Server Key'),
  };
}

const refused = (): DocumentError => new DocumentError('AuthenticationFailed', 'Authentication failed.');

function attribute(parts: readonly string[], name: string): string {
  const part = parts.find((each) => each.startsWith(`${name}=`));
  if (part === undefined) throw refused();
  return part.slice(2);
}

/** One conversation, from the client's first message to the server's last. Throws AuthenticationFailed. */
export class ScramConversation {
  readonly user: string;
  readonly #firstBare: string;
  readonly #clientNonce: string;
  #serverFirst = '';
  #nonce = '';

  /** @param first `n,,n=user,r=nonce`. */
  constructor(first: string) {
    if (!first.startsWith('n,,')) throw refused();
    this.#firstBare = first.slice(3);
    const parts = this.#firstBare.split(',');
    this.user = attribute(parts, 'n').replaceAll('=2C', ',').replaceAll('=3D', '=');
    this.#clientNonce = attribute(parts, 'r');
    if (this.#clientNonce === '' || this.#clientNonce.length > 256) throw refused();
  }

  /** @param serverNonce unpredictable, in base64. */
  challenge(verifier: ScramVerifier, serverNonce: string): string {
    this.#nonce = this.#clientNonce + serverNonce;
    this.#serverFirst = `r=${this.#nonce},s=${verifier.salt.toString('base64')},i=${verifier.iterations}`;
    return this.#serverFirst;
  }

  /** Checks the client's proof and gives the server's own. */
  finish(final: string, verifier: ScramVerifier): string {
    const parts = final.split(',');
    if (attribute(parts, 'c') !== 'biws' || attribute(parts, 'r') !== this.#nonce) throw refused();
    const proof = Buffer.from(attribute(parts, 'p'), 'base64');
    const withoutProof = final.slice(0, final.lastIndexOf(',p='));
    const message = `${this.#firstBare},${this.#serverFirst},${withoutProof}`;
    const signature = hmac(verifier.storedKey, message);
    if (proof.length !== signature.length) throw refused();
    const clientKey = Buffer.from(proof.map((byte, at) => byte ^ (signature[at] ?? 0)));
    if (!timingSafeEqual(sha256(clientKey), verifier.storedKey)) throw refused();
    return `v=${hmac(verifier.serverKey, message).toString('base64')}`;
  }
}
