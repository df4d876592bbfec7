import { chmodSync } from 'node:fs';
import module from 'node:module';
import { join } from 'node:path';
import { makeFolders } from '../streams/log/make-folders.ts';

let folder: string | null = null;

/**
 * Keeps compiled modules on the disk: reading TypeScript costs each thread half of its start and 25 MB otherwise. In a
 * folder of our own, since what lies there is run. Where it cannot be written, everything works without.
 */
export function openModuleCache(dataDir: string): void {
  try {
    makeFolders(dataDir, 0o711);
    const path = join(dataDir, 'cache');
    makeFolders(path, 0o700);
    chmodSync(path, 0o700);
    useModuleCache(path);
    // Node children take it from here; worker threads are told.
    process.env.NODE_COMPILE_CACHE ??= path;
  } catch {
    folder = null; // A folder that cannot be used is boot's to report, with its hint.
  }
}

/** In a thread or child process: the folder that the main thread uses. */
export function useModuleCache(path: string | null): void {
  if (path === null) return;
  module.enableCompileCache(path);
  folder = path;
}

export const moduleCacheFolder = (): string | null => folder;

/** Writes what was compiled so far, so that a kill does not cost the next start its cache. */
export function saveModuleCache(): void {
  if (folder !== null) module.flushCompileCache();
}
