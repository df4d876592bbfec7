import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describeError, MagError } from '../../errors.ts';
import type { DataFolder } from './data-folder.ts';
import { replacePrivateFile } from './private-file.ts';

export interface DataLock {
  release(): void;
}

const SQLITE_BUSY = 5;

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
 * Takes the data folder for this process. The lock is SQLite's lock on a file of its own, which the kernel frees
 * when the process dies, however it dies; a pid file would outlive it. Throws MAG_DATA_LOCKED while another live
 * board holds it, MAG_DATA_UNUSABLE where the file cannot be locked at all.
 */
export function lockDataFolder(folder: DataFolder, startedAt: string): DataLock {
  const holder = join(folder.run, 'holder.json');
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(join(folder.run, 'board.lock'), { timeout: 0 });
    database.exec('PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE');
    replacePrivateFile(holder, `${JSON.stringify({ pid: process.pid, startedAt })}\n`);
  } catch (error) {
    database?.close();
    if (error instanceof Error && 'errcode' in error && error.errcode === SQLITE_BUSY) {
      throw new MagError('MAG_DATA_LOCKED', { folder: folder.root, pid: holderOf(holder) }, { cause: error });
    }
    const problem = `its lock cannot be taken (${describeError(error)})`;
    throw new MagError('MAG_DATA_UNUSABLE', { folder: folder.root, problem }, { cause: error });
  }
  const held = database;
  return {
    release: () => {
      if (held.isOpen) held.close();
    },
  };
}
