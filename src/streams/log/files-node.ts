import { close, constants, fdatasync, fstat, ftruncate, open, read, writev } from 'node:fs';
import { open as openHandle, readdir, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { MagError } from '../../errors.ts';
import { isBusy, lockFile } from './file-lock.ts';
import type { LogFile, LogFiles } from './files.ts';
import { makeFolders } from './make-folders.ts';

/**
 * Linux makes a write durable by itself: one trip to the thread pool instead of two. Elsewhere the flag is missing, or
 * stops short of the drive's cache (macOS), where Node's fdatasync does not.
 */
const WRITES_THROUGH = process.platform === 'linux';
const FLAGS = constants.O_RDWR | (WRITES_THROUGH ? constants.O_DSYNC : 0);

const openFd = promisify(open);
const closeFd = promisify(close);
const syncFd = promisify(fdatasync);
const statFd = promisify(fstat);
const truncateFd = promisify(ftruncate);

const sizeOf = (parts: readonly Uint8Array[]): number => parts.reduce((sum, part) => sum + part.length, 0);

/** What is left where a write took less than it was given. */
const without = (parts: readonly Uint8Array[], count: number): readonly Uint8Array[] => {
  let skip = count;
  return parts.flatMap((part) => {
    const cut = Math.min(skip, part.length);
    skip -= cut;
    return cut === part.length ? [] : [part.subarray(cut)];
  });
};

class NodeFile implements LogFile {
  readonly #fd: number;

  constructor(fd: number) {
    this.#fd = fd;
  }

  /** Callbacks, not promises of promises: this is the path of every append. */
  write(bytes: Uint8Array, position: number, behind?: Uint8Array): Promise<void> {
    return new Promise((resolve, reject) => {
      const step = (parts: readonly Uint8Array[], at: number): void => {
        writev(this.#fd, parts, at, (error, count) => {
          if (error !== null) reject(error);
          else if (count < sizeOf(parts)) step(without(parts, count), at + count);
          else if (WRITES_THROUGH) resolve();
          else fdatasync(this.#fd, (problem) => (problem === null ? resolve() : reject(problem)));
        });
      };
      step(behind === undefined ? [bytes] : [bytes, behind], position);
    });
  }

  read(into: Uint8Array, position: number): Promise<number> {
    return new Promise((resolve, reject) => {
      const step = (done: number): void => {
        read(this.#fd, into, done, into.length - done, position + done, (error, count) => {
          if (error !== null) reject(error);
          else if (count === 0 || done + count === into.length) resolve(done + count);
          else step(done + count);
        });
      };
      step(0);
    });
  }

  async size(): Promise<number> {
    return (await statFd(this.#fd)).size;
  }

  async truncate(size: number): Promise<void> {
    await truncateFd(this.#fd, size);
    await syncFd(this.#fd);
  }

  close(): Promise<void> {
    return closeFd(this.#fd);
  }
}

async function syncFolder(folder: string): Promise<void> {
  // Windows cannot open a folder; there the rename itself is all that can be had.
  if (process.platform === 'win32') return;
  const handle = await openHandle(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

export const nodeFiles: LogFiles = {
  makeFolder: async (path) => {
    const made = makeFolders(path, 0o700);
    if (made !== undefined) await syncFolder(dirname(made));
  },
  list: (folder) => readdir(folder),
  open: async (path, create) => {
    const flags = create ? FLAGS | constants.O_CREAT | constants.O_TRUNC : FLAGS;
    return new NodeFile(await openFd(path, flags, 0o600));
  },
  rename: async (from, to) => {
    await rename(from, to);
    await syncFolder(dirname(to));
  },
  remove: (path) => rm(path, { force: true }),
  lock: (folder) => {
    try {
      return lockFile(join(folder, 'lock'));
    } catch (error) {
      if (isBusy(error)) throw new MagError('MAG_LOG_LOCKED', { folder }, { cause: error });
      throw error;
    }
  },
};
