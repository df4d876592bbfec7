import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describeError, MagError } from '../../errors.ts';
import { isBusy, lockFile } from '../../streams/log/file-lock.ts';
import type { DataFolder } from './data-folder.ts';
import { replacePrivateFile } from './private-file.ts';

export interface DataLock {
  release(): void;
}

/** The pid that the holder wrote down, for the message only: the lock itself is the kernel's. */
function holderOf(path: string): string {
  try {
    const holder: unknown = JSON.parse(readFileSync(path, 'utf8'));
    if (typeof holder === 'object' && holder !== null && 'pid' in holder) return String(holder.pid);
  } catch {
    // Not there yet, or half written: the lock is held all the same.
  }
  return 'unknown';
}

/**
 * Takes the data folder for this process, by a lock that the kernel frees when the process dies. Throws MAG_DATA_LOCKED
 * while another live board holds it, MAG_DATA_UNUSABLE where the file cannot be locked at all.
 */
export function lockDataFolder(folder: DataFolder, startedAt: string): DataLock {
  const holder = join(folder.run, 'holder.json');
  let lock: DataLock | undefined;
  try {
    lock = lockFile(join(folder.run, 'board.lock'));
    replacePrivateFile(holder, `${JSON.stringify({ pid: process.pid, startedAt })}\n`);
    return lock;
  } catch (error) {
    lock?.release();
    if (isBusy(error)) {
      throw new MagError('MAG_DATA_LOCKED', { folder: folder.root, pid: holderOf(holder) }, { cause: error });
    }
    const problem = `its lock cannot be taken (${describeError(error)})`;
    throw new MagError('MAG_DATA_UNUSABLE', { folder: folder.root, problem }, { cause: error });
  }
}
