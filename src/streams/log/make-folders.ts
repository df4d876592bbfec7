import { existsSync, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';

/**
 * Makes a folder and those above it. Level by level: Node's recursive mkdir spins for ever where a folder is there and
 * yet takes none, as /proc is. Gives the topmost one that it made.
 */
export function makeFolders(path: string, mode: number): string | undefined {
  if (existsSync(path)) return undefined;
  const topmost = makeFolders(dirname(path), mode);
  try {
    mkdirSync(path, { mode });
  } catch (error) {
    // Another process may have made it since.
    if (!existsSync(path)) throw error;
  }
  return topmost ?? path;
}
