import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readFileSync,
  realpathSync,
  writeFileSync,
} from 'node:fs';
import { join, resolve } from 'node:path';
import type { Host } from '../../runtime/host.ts';
import { closedFolder, letThrough, type SystemUser } from './system-user.ts';

/** Folders outside any data folder that hold what a system user must reach. */
export const SHARED_FOLDER = '/var/lib/magmobo';

/** Where a server of ours keeps its data. */
export interface ServerPlace {
  /** Ours alone; holds the data and the marker of their completion. */
  readonly folder: string;
  /** The server's own data directory. */
  readonly dataDir: string;
  /** Why it is not inside the board's data folder; null where it is. */
  readonly moved: string | null;
}

/**
 * Decides where the data go, and opens the way to them. As root a server runs as another user, who needs to pass through
 * every parent: we grant that on the data folder itself, and go elsewhere where a folder above is closed.
 */
export function placeServer(
  server: { readonly folder: string; readonly title: string },
  dataFolder: string,
  user: SystemUser | null,
  host: Host,
): ServerPlace {
  mkdirSync(dataFolder, { recursive: true });
  // Processes are found by the folder they stand in, which the system names without symbolic links.
  const root = realpathSync(dataFolder);
  let folder = join(root, server.folder);
  let moved: string | null = null;
  if (user !== null) {
    const closed = closedFolder(resolve(root, '..'), user);
    if (closed === null) letThrough(root, user);
    else {
      folder = join(SHARED_FOLDER, placeName(server.folder, root, host));
      moved = `${server.title}'s data lies in ${folder}: the system user ${user.name} cannot enter ${closed}`;
      mkdirSync(SHARED_FOLDER, { recursive: true, mode: 0o755 });
    }
  }
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  if (user !== null) chownSync(folder, user.uid, user.gid);
  chmodSync(folder, 0o700);
  return { folder, dataDir: join(folder, 'data'), moved };
}

/**
 * Name of the folder outside the data folder: kept in the data folder, so that another one made later at the
 * same path does not take this one's data for its own.
 */
function placeName(server: string, root: string, host: Host): string {
  const file = join(root, `${server}-place`);
  if (!existsSync(file))
    writeFileSync(file, Buffer.from(host.randomBytes(8)).toString('hex'), { mode: 0o600 });
  return readFileSync(file, 'utf8').trim();
}

/** What every program of the server is started with. */
export const childSettings = (place: ServerPlace, user: SystemUser | null) => ({
  cwd: place.folder,
  env: { PATH: process.env.PATH ?? '', LANG: 'C', LC_ALL: 'C' },
  ownGroup: true,
  ...(user === null ? {} : { uid: user.uid, gid: user.gid }),
});
