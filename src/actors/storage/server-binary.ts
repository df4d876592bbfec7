import { accessSync, constants, statSync } from 'node:fs';
import { join } from 'node:path';

/** Where distributions put servers, which is not always on a user's PATH. */
const SERVER_FOLDERS = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'];

/** First of the names that is an executable on PATH or among the system's own folders; null where none is. */
export function findServer(names: readonly string[], path = process.env.PATH ?? ''): string | null {
  const folders = [...path.split(':').filter((folder) => folder.startsWith('/')), ...SERVER_FOLDERS];
  for (const name of names) {
    const found = folders.map((folder) => join(folder, name)).find(isExecutable);
    if (found !== undefined) return found;
  }
  return null;
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}
