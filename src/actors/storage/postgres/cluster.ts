import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join, resolve } from 'node:path';
import { LIMITS } from '../../../limits.ts';
import type { Host } from '../../../runtime/host.ts';
import type { Log } from '../../../runtime/log.ts';
import { freeDataDir, type ManagedChildren } from '../managed-children.ts';
import { lastLines } from '../managed-server.ts';
import { type Binaries, SHARED_FOLDER } from './binaries.ts';
import { closedFolder, letThrough, type SystemUser } from './system-user.ts';

/** The embedded server's superuser. */
export const SUPERUSER = 'magmobo';

/** Where a cluster lives. */
export interface ClusterPlace {
  /** Ours alone; holds the cluster and the marker of its completion. */
  readonly folder: string;
  /** PostgreSQL's data directory. */
  readonly dataDir: string;
  /** Why it is not inside the board's data folder; null where it is. */
  readonly moved: string | null;
}

/**
 * Decides where the cluster goes, and opens the way to it. As root PostgreSQL runs as another user, who needs to pass
 * through every parent: we grant that on the data folder itself, and go elsewhere where a folder above is closed.
 */
export function placeCluster(dataFolder: string, user: SystemUser | null, host: Host): ClusterPlace {
  mkdirSync(dataFolder, { recursive: true });
  // Processes are found by the folder they stand in, which the system names without symbolic links.
  const root = realpathSync(dataFolder);
  let folder = join(root, 'postgres');
  let moved: string | null = null;
  if (user !== null) {
    const closed = closedFolder(resolve(root, '..'), user);
    if (closed === null) letThrough(root, user);
    else {
      folder = join(SHARED_FOLDER, placeName(root, host));
      moved = `PostgreSQL's data lies in ${folder}: the system user ${user.name} cannot enter ${closed}`;
      mkdirSync(SHARED_FOLDER, { recursive: true, mode: 0o755 });
    }
  }
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  if (user !== null) chownSync(folder, user.uid, user.gid);
  chmodSync(folder, 0o700);
  return { folder, dataDir: join(folder, 'data'), moved };
}

/**
 * Name of the cluster's folder outside the data folder: kept in the data folder, so that another one made later at the
 * same path does not take this one's cluster for its own.
 */
function placeName(root: string, host: Host): string {
  const file = join(root, 'postgres-place');
  if (!existsSync(file))
    writeFileSync(file, Buffer.from(host.randomBytes(8)).toString('hex'), { mode: 0o600 });
  return readFileSync(file, 'utf8').trim();
}

export interface ClusterOptions {
  readonly place: ClusterPlace;
  readonly binaries: Binaries;
  readonly user: SystemUser | null;
  /** `secrets/` of the data folder. */
  readonly secretsFolder: string;
  readonly children: ManagedChildren;
  readonly host: Host;
  readonly log: Log;
}

/** The superuser's password, made on first use and kept for its owner's eyes. */
export function superuserPassword(secretsFolder: string, host: Host): string {
  const file = join(secretsFolder, 'postgres-superuser');
  if (existsSync(file)) return readFileSync(file, 'utf8').trim();
  const password = Buffer.from(host.randomBytes(24)).toString('base64url');
  mkdirSync(secretsFolder, { recursive: true, mode: 0o700 });
  writeFileSync(`${file}.tmp`, `${password}\n`, { mode: 0o600 });
  renameSync(`${file}.tmp`, file);
  return password;
}

/** Makes the cluster where it is missing or was left half made: the marker beside it is written last. */
export async function ensureCluster(options: ClusterOptions): Promise<{ readonly password: string }> {
  const { place, host, log } = options;
  const password = superuserPassword(options.secretsFolder, host);
  const marker = join(place.folder, 'complete');
  await freeDataDir(place.dataDir, host, log);
  if (existsSync(marker)) return { password };
  if (existsSync(place.dataDir)) {
    log.warn({ dataDir: place.dataDir }, 'a half-made PostgreSQL cluster is removed and made again');
    rmSync(place.dataDir, { recursive: true, force: true });
  }
  await runInitdb(options, password);
  writeFileSync(marker, `${options.binaries.version}\n`);
  return { password };
}

async function runInitdb(options: ClusterOptions, password: string): Promise<void> {
  const { place, binaries, user, host, children } = options;
  const passwordFile = join(place.folder, 'password.tmp');
  writeFileSync(passwordFile, password, { mode: 0o600 });
  if (user !== null) chownSync(passwordFile, user.uid, user.gid);
  const child = host.spawnProcess({
    command: binaries.initdb,
    args: [
      ...['-D', place.dataDir, '-U', SUPERUSER, `--pwfile=${passwordFile}`, '--auth=scram-sha-256'],
      // The builtin provider sorts by code point and knows Unicode's cases on every platform alike.
      ...['-E', 'UTF8', '--locale=C', '--locale-provider=builtin', '--builtin-locale=C.UTF-8'],
      '--no-instructions',
    ],
    ...childSettings(place, user),
  });
  children.record({
    pid: child.pid,
    kind: 'initdb',
    command: binaries.initdb,
    port: null,
    dataDir: place.dataDir,
  });
  const { code, signal } = await child.exited;
  children.forget(child.pid);
  rmSync(passwordFile, { force: true });
  if (code !== 0) throw new Error(`initdb ended with ${signal ?? code}: ${lastLines(child.lastOutput())}`);
}

/** What every program of the cluster is started with. */
export const childSettings = (place: ClusterPlace, user: SystemUser | null) => ({
  cwd: place.folder,
  env: { PATH: process.env.PATH ?? '', LANG: 'C', LC_ALL: 'C' },
  ownGroup: true,
  ...(user === null ? {} : { uid: user.uid, gid: user.gid }),
});

/** Settings of the server; ours alone, so the file is written anew at each start. */
export function writeSettings(place: ClusterPlace, user: SystemUser | null, port: number): void {
  const settings: Readonly<Record<string, string>> = {
    listen_addresses: "'127.0.0.1'",
    port: String(port),
    unix_socket_directories: "''",
    password_encryption: "'scram-sha-256'",
    max_connections: '100',
    // Room for changes of every project: a slot and its sender each.
    wal_level: 'logical',
    max_wal_senders: '64',
    max_replication_slots: '64',
    max_slot_wal_keep_size: `${Math.round(LIMITS.slotWalBytes / 1024 / 1024)}MB`,
    fsync: 'on',
    synchronous_commit: 'on',
    max_wal_size: '256MB',
    // Idle memory and idle processes count: no I/O workers, no apply launcher, small buffers.
    shared_buffers: '32MB',
    io_method: "'sync'",
    max_logical_replication_workers: '0',
    max_worker_processes: '4',
    huge_pages: 'off',
    // Compiling a statement takes longer than most of ours run.
    jit: 'off',
    logging_collector: 'off',
    log_destination: "'stderr'",
    log_line_prefix: "''",
    log_min_messages: 'log',
    log_checkpoints: 'off',
    // A tenant's failing statement is the tenant's affair, and its text does not belong into the board's log.
    log_min_error_statement: 'panic',
    log_timezone: "'UTC'",
    timezone: "'UTC'",
    datestyle: "'iso, mdy'",
  };
  const lines = Object.entries(settings).map(([name, value]) => `${name} = ${value}`);
  const file = join(place.dataDir, 'postgresql.conf');
  writeFileSync(file, `# Written by the board at each start.\n${lines.join('\n')}\n`, { mode: 0o600 });
  if (user !== null) chownSync(file, user.uid, user.gid);
}
