/**
 * Builds MagUI (ui/) into ui/dist with Vite, but only when its sources changed since the last build.
 * Run by npm's `prepare`, and by `mag start` in a checkout.
 */
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const PACKAGES = ['vite', 'preact', '@preact/signals'];

export interface BuildOptions {
  /** The checkout; default: this one. */
  readonly root?: string;
  /** Takes the one line there may be to say; default: standard output. */
  readonly say?: (line: string) => void;
}

/** Installed version of a package; null where it is not installed. */
function versionOf(root: string, name: string): string | null {
  try {
    const text = readFileSync(join(root, 'node_modules', name, 'package.json'), 'utf8');
    const parsed: unknown = JSON.parse(text);
    return parsed !== null && typeof parsed === 'object' && 'version' in parsed
      ? String(parsed.version)
      : null;
  } catch {
    return null;
  }
}

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
function sourceHash(root: string): string {
  const hash = createHash('sha256');
  for (const name of PACKAGES) hash.update(`${name}@${versionOf(root, name)}\n`);
  // The page shares code with the board: src/protocol.
  const folders = [join(root, 'ui'), join(root, 'src', 'protocol')].filter((folder) => existsSync(folder));
  for (const path of folders.flatMap((folder) => [...filesUnder(folder)]).sort()) {
    hash.update(`${relative(root, path).replaceAll('\\', '/')}\n`).update(readFileSync(path));
  }
  return hash.digest('hex');
}

/**
 * Whether a build is due: a few milliseconds of hashing. A package without ui/src (a published one) has nothing to
 * build from and never is.
 */
export function uiIsStale(root: string = ROOT): boolean {
  if (!existsSync(join(root, 'ui', 'src'))) return false;
  try {
    return readFileSync(join(root, 'ui', 'dist', '.stamp'), 'utf8') !== sourceHash(root);
  } catch {
    return true;
  }
}

const isCollision = (error: unknown): boolean =>
  error instanceof Error && /^(ENOTEMPTY|EEXIST|ENOENT)$/.test(String(Reflect.get(error, 'code')));

/** Puts the new build in the old one's place. Another process may be doing the same: then one of them is enough. */
function replace(root: string, fresh: string, old: string): void {
  const dist = join(root, 'ui', 'dist');
  for (let tries = 0; ; tries += 1) {
    try {
      if (existsSync(dist)) renameSync(dist, `${old}-${tries}`);
      renameSync(fresh, dist);
      return;
    } catch (error) {
      if (!isCollision(error) || tries === 9) throw error;
      if (!uiIsStale(root)) return;
    }
  }
}

/**
 * Builds when stale; says nothing when fresh. What serves ui/dist meanwhile never sees half a page, and a build
 * that fails leaves the old page as it was.
 * @returns `fresh`, `built`, or `unavailable` where Vite is not installed (the board then runs without its page).
 * @throws what Vite throws for sources that do not compile.
 */
export async function buildUi(options: BuildOptions = {}): Promise<'fresh' | 'built' | 'unavailable'> {
  const { root = ROOT, say = console.log } = options;
  if (!uiIsStale(root)) return 'fresh';
  if (PACKAGES.some((name) => versionOf(root, name) === null)) {
    say('MagUI is not built: Vite is not installed here (npm ci without --omit=dev installs it).');
    return 'unavailable';
  }
  const { build } = await import('vite');
  const stamp = sourceHash(root);
  const ui = join(root, 'ui');
  // Beside the target, since a rename does not cross file systems.
  const staging = mkdtempSync(join(ui, 'dist-'));
  const fresh = join(staging, 'new');
  try {
    await build({
      root: ui,
      configFile: join(ui, 'vite.config.ts'),
      logLevel: 'error',
      build: { outDir: fresh, emptyOutDir: true },
    });
    writeFileSync(join(fresh, '.stamp'), stamp);
    replace(root, fresh, join(staging, 'old'));
  } finally {
    rmSync(staging, { recursive: true, force: true });
  }
  say('MagUI built (ui/dist).');
  return 'built';
}

if (import.meta.main) await buildUi();
