import { createHash, timingSafeEqual } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describeError, MagError } from '../../errors.ts';
import { LIMITS } from '../../limits.ts';
import type { Host } from '../../runtime/host.ts';
import type { Log } from '../../runtime/log.ts';
import { replacePrivateFile } from '../bios/private-file.ts';
import { closeToOthers } from './master-key.ts';

export interface AdminKey {
  /** The key itself, only on the boot that generated it: it is shown once and stored nowhere. */
  readonly generated: string | null;
  /** Changes with the key; what is bound to it ends with it. */
  readonly fingerprint: string;
  verify(credential: string): boolean;
}

interface AdminKeyOptions {
  readonly secretsFolder: string;
  /** MAG_ADMIN_KEY: used instead of the stored one, and never stored. */
  readonly override: string | null;
  readonly host: Host;
  readonly log: Log;
}

const sha256 = (text: string | Buffer): Buffer => createHash('sha256').update(text).digest();

function readStored(file: string, log: Log): Buffer | null {
  let text: string;
  try {
    closeToOthers(file, log);
    text = readFileSync(file, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null;
    throw new MagError('MAG_SECRET_UNUSABLE', { file, problem: describeError(error) }, { cause: error });
  }
  const [, hash] = /^sha256\.([A-Za-z0-9_-]{43})\s*$/.exec(text) ?? [];
  if (hash === undefined) {
    const hint = 'Delete the file to have a new admin key generated at the next start.';
    throw new MagError('MAG_SECRET_UNUSABLE', { file, problem: 'it holds no hash of a key' }, { hint });
  }
  return Buffer.from(hash, 'base64url');
}

/** Compares digests, in constant time: a wrong key costs the board a microsecond, so no flood of them can lock it. */
const keyOf = (digest: Buffer, generated: string | null): AdminKey => ({
  generated,
  fingerprint: sha256(digest).toString('hex'),
  verify: (credential) =>
    credential.length <= LIMITS.credentialBytes && timingSafeEqual(sha256(credential), digest),
});

/**
 * Opens the admin key: MAG_ADMIN_KEY where it is set; else the hash in `secrets/admin.hash`; else a new key
 * (`mag_admin_` and 43 base64url characters), whose SHA-256 is stored: what is stored is 256 random bits, which no
 * slow hash could make harder to guess. A key that an operator chose is never stored. Throws MAG_SECRET_UNUSABLE.
 */
export function openAdminKey(options: AdminKeyOptions): AdminKey {
  if (options.override !== null) return keyOf(sha256(options.override), null);
  const file = join(options.secretsFolder, 'admin.hash');
  const stored = readStored(file, options.log);
  if (stored !== null) return keyOf(stored, null);
  const generated = `mag_admin_${Buffer.from(options.host.randomBytes(32)).toString('base64url')}`;
  const digest = sha256(generated);
  replacePrivateFile(file, `sha256.${digest.toString('base64url')}\n`);
  return keyOf(digest, generated);
}
