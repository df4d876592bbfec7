import { chmodSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describeError, MagError } from '../../errors.ts';
import type { Host } from '../../runtime/host.ts';
import type { Log } from '../../runtime/log.ts';
import { createPrivateFile } from '../bios/private-file.ts';

const KEY_BYTES = 32;

const isAbsent = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && error.code === 'ENOENT';

/** A secret that others could read is closed again, loudly: whoever could read it may have done so. */
export function closeToOthers(path: string, log: Log): void {
  if (process.platform === 'win32' || (statSync(path).mode & 0o077) === 0) return;
  chmodSync(path, 0o600);
  log.warn({ file: path }, 'secret file was readable by others; its permissions are 0600 again');
}

/**
 * The 32 random bytes from which every key of this board is derived (`secrets/master.key`, base64url). Made at first
 * boot in one piece, never overwritten. Throws MAG_SECRET_UNUSABLE.
 */
export function loadMasterKey(secretsFolder: string, host: Host, log: Log): Buffer {
  const file = join(secretsFolder, 'master.key');
  try {
    closeToOthers(file, log);
  } catch (error) {
    if (!isAbsent(error)) throw unusable(file, describeError(error), error);
    createPrivateFile(file, `${Buffer.from(host.randomBytes(KEY_BYTES)).toString('base64url')}\n`);
  }
  let text: string;
  try {
    text = readFileSync(file, 'utf8').trim();
  } catch (error) {
    throw unusable(file, describeError(error), error);
  }
  const key = Buffer.from(text, 'base64url');
  if (key.length !== KEY_BYTES || key.toString('base64url') !== text) {
    throw unusable(file, `it does not hold ${KEY_BYTES} bytes in base64url`);
  }
  return key;
}

const unusable = (file: string, problem: string, cause?: unknown): MagError =>
  new MagError('MAG_SECRET_UNUSABLE', { file, problem }, { cause });
