import { chmodSync, chownSync, readFileSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';

/** The account a server runs under where the board itself is root, which PostgreSQL and MariaDB refuse to be. */
export interface SystemUser {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

/** The server's own account where the system has it, else `nobody`; null where we are not root and need nobody else. */
export function systemUser(own: string): SystemUser | null {
  if (process.getuid?.() !== 0) return null;
  const lines = readFileSync('/etc/passwd', 'utf8').split('\n');
  for (const name of [own, 'nobody']) {
    const fields = lines.find((line) => line.startsWith(`${name}:`))?.split(':');
    if (fields !== undefined) return { name, uid: Number(fields[2]), gid: Number(fields[3]) };
  }
  return { name: '65534', uid: 65_534, gid: 65_534 };
}

/** The folders from the root down to `path` itself. */
function ancestors(path: string): readonly string[] {
  const folder = resolve(path);
  const parent = dirname(folder);
  return parent === folder ? [folder] : [...ancestors(parent), folder];
}

function mayEnter(folder: string, user: SystemUser): boolean {
  const { mode, uid, gid } = statSync(folder);
  if (uid === user.uid) return (mode & 0o100) !== 0;
  if (gid === user.gid) return (mode & 0o010) !== 0;
  return (mode & 0o001) !== 0;
}

/** The first folder on the way to `path` (itself included) that the user may not enter, or null. */
export function closedFolder(path: string, user: SystemUser): string | null {
  return ancestors(path).find((folder) => !mayEnter(folder, user)) ?? null;
}

/**
 * Lets the user pass through a folder of ours without reading it: by its group where nobody else had any right in it,
 * so that a private folder does not become everybody's.
 */
export function letThrough(folder: string, user: SystemUser): void {
  if (mayEnter(folder, user)) return;
  const { mode, uid } = statSync(folder);
  if ((mode & 0o077) === 0) {
    chownSync(folder, uid, user.gid);
    chmodSync(folder, (mode & 0o777) | 0o010);
  } else {
    chmodSync(folder, (mode & 0o777) | 0o001);
  }
}
