import { DatabaseSync } from 'node:sqlite';

const SQLITE_BUSY = 5;

export const isBusy = (error: unknown): boolean =>
  error instanceof Error && 'errcode' in error && error.errcode === SQLITE_BUSY;

/**
 * Takes a file for one holder, over all threads and processes. The lock is SQLite's lock on that file, which the kernel
 * frees when the process dies, however it dies; a pid file would outlive it. Throws SQLite's errors: isBusy() tells that
 * another holds it.
 */
export function lockFile(path: string): { release(): void } {
  const database = new DatabaseSync(path, { timeout: 0 });
  try {
    database.exec('PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE');
  } catch (error) {
    database.close();
    throw error;
  }
  return {
    release: () => {
      if (database.isOpen) database.close();
    },
  };
}
