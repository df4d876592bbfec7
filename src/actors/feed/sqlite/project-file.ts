import { readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { LIMITS } from '../../../limits.ts';
import { type Host, sleep } from '../../../runtime/host.ts';

/** SQLite's primary result code of a thrown error, 0 for any other error. */
export function sqliteCode(error: unknown): number {
  // node:sqlite puts the extended result code on its errors; TypeScript's Error does not know the field.
  const code = error instanceof Error ? (error as Error & { errcode?: unknown }).errcode : undefined;
  return typeof code === 'number' ? code & 0xff : 0;
}

/** SQLITE_BUSY or SQLITE_LOCKED: somebody else holds what we need, for a while. */
export const isBusy = (error: unknown): boolean => sqliteCode(error) === 5 || sqliteCode(error) === 6;

/** Runs `work`, again and again while the database is busy, without ever blocking the thread on a lock. */
export async function whenFree<T>(host: Host, work: () => T): Promise<T> {
  const deadline = host.now() + LIMITS.feedLockMs;
  for (;;) {
    try {
      return work();
    } catch (error) {
      if (!isBusy(error) || host.now() > deadline) throw error;
    }
    await sleep(host, 1 + host.random() * 10);
  }
}

/** A connection that never waits on a lock and leaves checkpoints to the project's single writer. */
export function openProjectFile(file: string): DatabaseSync {
  // Without this a missing file would be created empty, and look like a project that lost its data.
  statSync(file);
  const db = new DatabaseSync(file, { timeout: 0 });
  try {
    db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA wal_autocheckpoint = 0');
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}

/** Runs `work` in a write transaction; throws a busy error at once where somebody else writes. */
export function inWriteTransaction<T>(db: DatabaseSync, work: () => T): T {
  db.exec('BEGIN IMMEDIATE');
  try {
    const result = work();
    db.exec('COMMIT');
    return result;
  } catch (error) {
    if (db.isTransaction) db.exec('ROLLBACK');
    throw error;
  }
}

/** What was true of the file when the feed last looked; kept beside it, so that a restored copy is recognised. */
export interface Seal {
  readonly epoch: string;
  readonly head: number;
  readonly inode: string;
}

/** Beside the project file, as SQLite keeps its own. */
const sealPath = (file: string): string => `${file}-feed`;

export function inodeOf(file: string): string {
  const { dev, ino } = statSync(file, { bigint: true });
  return `${dev}:${ino}`;
}

export function readSeal(file: string): Seal | null {
  try {
    const seal: unknown = JSON.parse(readFileSync(sealPath(file), 'utf8'));
    if (typeof seal !== 'object' || seal === null) return null;
    // Narrowed field by field just below.
    const { epoch, head, inode } = seal as Record<string, unknown>;
    return typeof epoch === 'string' && typeof head === 'number' && typeof inode === 'string'
      ? { epoch, head, inode }
      : null;
  } catch {
    // Missing or torn: the same to us, continuity cannot be shown.
    return null;
  }
}

export function writeSeal(file: string, seal: Seal): void {
  const temporary = `${sealPath(file)}.new`;
  writeFileSync(temporary, JSON.stringify(seal), { mode: 0o600 });
  renameSync(temporary, sealPath(file));
}
