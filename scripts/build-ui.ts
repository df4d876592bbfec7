/**
 * Builds MagUI (ui/) into ui/dist with Vite, but only when its sources changed since the last build.
 * Run by npm's `prepare`, and by `mag start` in a checkout.
 */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const UI = join(ROOT, 'ui');
const DIST = join(UI, 'dist');
const STAMP = join(DIST, '.stamp');

/** Types that the page shares with the board are compiled into nothing, functions are not: all of it is hashed. */
const SHARED = join(ROOT, 'src', 'protocol');
const PACKAGES = ['vite', 'preact', '@preact/signals'];

const versionOf = (name: string): string => {
  try {
    const text = readFileSync(join(ROOT, 'node_modules', name, 'package.json'), 'utf8');
    const parsed: unknown = JSON.parse(text);
    return parsed !== null && typeof parsed === 'object' && 'version' in parsed ? String(parsed.version) : '';
  } catch {
    return 'absent';
  }
};

function* filesUnder(folder: string): Generator<string> {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isFile()) yield path;
    else if (entry.isDirectory() && entry.name !== 'node_modules' && !entry.name.startsWith('dist')) {
      yield* filesUnder(path);
    }
  }
}

/** SHA-256 over everything the build reads, independent of where the checkout lies. */
function sourceHash(): string {
  const hash = createHash('sha256');
  for (const name of PACKAGES) hash.update(`${name}@${versionOf(name)}\n`);
  for (const path of [...filesUnder(UI), ...filesUnder(SHARED)].sort()) {
    hash.update(`${relative(ROOT, path).replaceAll('\\', '/')}\n`).update(readFileSync(path));
  }
  return hash.digest('hex');
}

/** Whether a build is due. A package without ui/src (a published one) has nothing to build from and never is. */
export function uiIsStale(): boolean {
  if (!existsSync(join(UI, 'src'))) return false;
  try {
    return readFileSync(STAMP, 'utf8') !== sourceHash();
  } catch {
    return true;
  }
}

/**
 * Builds when stale; says nothing when fresh. The new build replaces the old one in one rename, so that a board
 * that is serving ui/dist meanwhile never sees half a page.
 * @returns `fresh`, `built`, or `unavailable` where Vite is not installed (the board then runs without its page).
 * @throws what Vite throws for sources that do not compile.
 */
export async function buildUi(
  say: (line: string) => void = console.log,
): Promise<'fresh' | 'built' | 'unavailable'> {
  if (!uiIsStale()) return 'fresh';
  if (PACKAGES.some((name) => versionOf(name) === 'absent')) {
    say('MagUI is not built: Vite is not installed here (npm ci without --omit=dev installs it).');
    return 'unavailable';
  }
  const { build } = await import('vite');
  const stamp = sourceHash();
  const fresh = join(UI, `dist-${process.pid}`);
  const old = join(UI, `dist-old-${process.pid}`);
  try {
    await build({
      root: UI,
      configFile: join(UI, 'vite.config.ts'),
      logLevel: 'error',
      build: { outDir: fresh, emptyOutDir: true },
    });
    writeFileSync(join(fresh, '.stamp'), stamp);
    if (existsSync(DIST)) renameSync(DIST, old);
    renameSync(fresh, DIST);
  } finally {
    rmSync(fresh, { recursive: true, force: true });
    rmSync(old, { recursive: true, force: true });
  }
  say('MagUI built (ui/dist).');
  return 'built';
}

if (import.meta.main) await buildUi();
