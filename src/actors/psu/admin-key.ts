import { createHash, scrypt, timingSafeEqual } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describeError, MagError } from '../../errors.ts';
import { LIMITS } from '../../limits.ts';
import { type Host, sleep } from '../../runtime/host.ts';
import type { Log } from '../../runtime/log.ts';
import { replacePrivateFile } from '../bios/private-file.ts';
import { closeToOthers } from './master-key.ts';

const COST = { N: 16_384, r: 8, p: 1 } as const;
const HASH_BYTES = 32;

export interface AdminKey {
  /** The key itself, only on the boot that generated it: it is shown once and stored nowhere. */
  readonly generated: string | null;
  /** Changes with the key; what is bound to it ends with it. */
  readonly fingerprint: string;
  /** Throws MAG_RATE_LIMITED while too many unknown credentials wait to be checked. */
  verify(credential: string): Promise<boolean>;
}

interface AdminKeyOptions {
  readonly secretsFolder: string;
  /** MAG_ADMIN_KEY: used instead of the stored one, and never stored. */
  readonly override: string | null;
  readonly host: Host;
  readonly log: Log;
}

interface StoredHash {
  readonly salt: Buffer;
  readonly hash: Buffer;
}

const sha256 = (text: string): Buffer => createHash('sha256').update(text).digest();

function stretch(credential: string, salt: Buffer): Promise<Buffer> {
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
  scrypt(credential, salt, HASH_BYTES, COST, (error, key) => (error ? reject(error) : resolve(key)));
  return promise;
}

function readStored(file: string, log: Log): StoredHash | null {
  let text: string;
  try {
    closeToOthers(file, log);
    text = readFileSync(file, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null;
    throw new MagError('MAG_SECRET_UNUSABLE', { file, problem: describeError(error) }, { cause: error });
  }
  const [, salt, hash] = /^scrypt\.([A-Za-z0-9_-]{22})\.([A-Za-z0-9_-]{43})\s*$/.exec(text) ?? [];
  if (salt === undefined || hash === undefined) {
    const hint = 'Delete the file to have a new admin key generated at the next start.';
    throw new MagError('MAG_SECRET_UNUSABLE', { file, problem: 'it holds no scrypt hash' }, { hint });
  }
  return { salt: Buffer.from(salt, 'base64url'), hash: Buffer.from(hash, 'base64url') };
}

/**
 * Checks unknown credentials one at a time, with a growing pause after failures, so that guessing costs the board
 * neither its cores nor its memory. A key that passed once is remembered by its digest and costs a hash from then on.
 */
class Verifier {
  readonly #stored: StoredHash;
  readonly #host: Host;
  #accepted: Buffer | null;
  #waiting = 0;
  #failures = 0;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(stored: StoredHash, host: Host, accepted: Buffer | null) {
    this.#stored = stored;
    this.#host = host;
    this.#accepted = accepted;
  }

  verify(credential: string): Promise<boolean> {
    const digest = sha256(credential);
    if (this.#isAccepted(digest)) return Promise.resolve(true);
    if (this.#waiting >= LIMITS.adminVerifyQueue) return Promise.reject(new MagError('MAG_RATE_LIMITED'));
    this.#waiting += 1;
    const checked = this.#turn
      .then(() => this.#check(credential, digest))
      .finally(() => {
        this.#waiting -= 1;
      });
    this.#turn = checked.catch(() => {});
    return checked;
  }

  #isAccepted(digest: Buffer): boolean {
    return this.#accepted !== null && timingSafeEqual(this.#accepted, digest);
  }

  async #check(credential: string, digest: Buffer): Promise<boolean> {
    // Somebody before us in the queue may have shown the same key.
    if (this.#isAccepted(digest)) return true;
    const pause = Math.min(LIMITS.adminVerifyBackoffMs, 2 ** this.#failures - 1);
    if (pause > 0) await sleep(this.#host, pause);
    const matches = timingSafeEqual(await stretch(credential, this.#stored.salt), this.#stored.hash);
    this.#failures = matches ? 0 : Math.min(this.#failures + 1, 20);
    if (matches) this.#accepted = digest;
    return matches;
  }
}

function fromOverride(override: string): AdminKey {
  const expected = sha256(override);
  return {
    generated: null,
    fingerprint: createHash('sha256').update(expected).digest('hex'),
    verify: (credential) => Promise.resolve(timingSafeEqual(sha256(credential), expected)),
  };
}

/**
 * Opens the admin key: MAG_ADMIN_KEY where it is set; else the hash in `secrets/admin.hash`; else a new key
 * (`mag_admin_` and 43 base64url characters) whose scrypt hash is stored. Throws MAG_SECRET_UNUSABLE.
 */
export async function openAdminKey(options: AdminKeyOptions): Promise<AdminKey> {
  if (options.override !== null) return fromOverride(options.override);
  const file = join(options.secretsFolder, 'admin.hash');
  let stored = readStored(file, options.log);
  let generated: string | null = null;
  if (stored === null) {
    generated = `mag_admin_${Buffer.from(options.host.randomBytes(32)).toString('base64url')}`;
    const salt = Buffer.from(options.host.randomBytes(16));
    stored = { salt, hash: await stretch(generated, salt) };
    const text = `scrypt.${stored.salt.toString('base64url')}.${stored.hash.toString('base64url')}\n`;
    replacePrivateFile(file, text);
  }
  const verifier = new Verifier(stored, options.host, generated === null ? null : sha256(generated));
  return {
    generated,
    fingerprint: createHash('sha256').update(stored.salt).update(stored.hash).digest('hex'),
    verify: (credential) =>
      credential.length > LIMITS.credentialChars ? Promise.resolve(false) : verifier.verify(credential),
  };
}
