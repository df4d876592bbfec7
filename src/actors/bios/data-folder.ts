import { chmodSync, closeSync, fsyncSync, openSync, rmSync, statSync, writeSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { describeError, MagError } from '../../errors.ts';
import { makeFolders } from '../../streams/log/make-folders.ts';

/** Where things lie in the data folder. */
export interface DataFolder {
  readonly root: string;
  /** Lock, board.json, children.json: what belongs to one run. */
  readonly run: string;
  readonly secrets: string;
  readonly audit: string;
  /** The board's own database. */
  readonly boardFile: string;
}

const unusable = (folder: string, error: unknown): MagError =>
  new MagError('MAG_DATA_UNUSABLE', { folder, problem: describeError(error) }, { cause: error });

/**
 * Makes the data folder and its private rooms; harmless where they exist. The folder itself may be passed through
 * (x) but not listed: an embedded PostgreSQL runs as another system user and must reach its own room below.
 * Throws MAG_DATA_UNUSABLE.
 */
export function openDataFolder(root: string): DataFolder {
  const folder: DataFolder = {
    root,
    run: join(root, 'run'),
    secrets: join(root, 'secrets'),
    audit: join(root, 'audit'),
    boardFile: join(root, 'board.sqlite'),
  };
  try {
    makeFolders(root, 0o711);
    const { mode, uid } = statSync(root);
    if (uid === process.getuid?.() && (mode & 0o011) !== 0o011) chmodSync(root, (mode & 0o777) | 0o011);
    for (const room of [folder.run, folder.secrets, folder.audit]) {
      makeFolders(room, 0o700);
      chmodSync(room, 0o700);
    }
    return folder;
  } catch (error) {
    throw unusable(root, error);
  }
}

/**
 * Really writes and syncs, because permissions, quotas and read-only mounts show only then, and looks at the free
 * space (`minFree` bytes). Throws MAG_DATA_UNUSABLE.
 */
export async function probeDisk(folder: DataFolder, minFree: number): Promise<void> {
  const probe = join(folder.run, 'probe');
  try {
    const file = openSync(probe, 'w', 0o600);
    try {
      writeSync(file, 'written to see whether this folder can be written\n');
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    rmSync(probe);
  } catch (error) {
    throw unusable(folder.root, error);
  }
  const { bavail, bsize } = await statfs(folder.root);
  const free = bavail * bsize;
  if (free < minFree) {
    const mebibytes = (bytes: number): string => `${Math.floor(bytes / 1024 / 1024)} MiB`;
    const problem = `only ${mebibytes(free)} are free, ${mebibytes(minFree)} are needed`;
    throw new MagError('MAG_DATA_UNUSABLE', { folder: folder.root, problem }, { hint: 'Free some space.' });
  }
}
