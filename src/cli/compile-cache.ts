import { mkdirSync } from 'node:fs';
import { enableCompileCache } from 'node:module';
import { join } from 'node:path';

/**
 * Keeps compiled modules (and TypeScript without its types) in `cache/` of the data folder, for this thread and, by
 * the environment, for worker threads and Node children: a warm start takes about half the time. Not in the system's
 * temporary folder, where another user could put code in their place. Without it the board only starts slower, so a
 * folder that cannot be made is left for the self test to explain.
 */
export function keepCompiled(dataDir: string): void {
  const folder = join(dataDir, 'cache');
  try {
    mkdirSync(dataDir, { recursive: true, mode: 0o711 });
    mkdirSync(folder, { recursive: true, mode: 0o700 });
  } catch {
    return;
  }
  enableCompileCache(folder);
  process.env.NODE_COMPILE_CACHE ??= folder;
}
