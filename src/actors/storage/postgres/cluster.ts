import { chownSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { LIMITS } from '../../../limits.ts';
import { POOL_LIMITS } from '../../../limits-pools.ts';
import type { Host } from '../../../runtime/host.ts';
import type { Log } from '../../../runtime/log.ts';
import { freeDataDir, type ManagedChildren } from '../managed-children.ts';
import { lastLines } from '../managed-server.ts';
import { childSettings, type ServerPlace } from '../server-place.ts';
import type { SystemUser } from '../system-user.ts';
import type { Binaries } from './binaries.ts';

/** The embedded server's superuser. */
export const SUPERUSER = 'magmobo';
/** Connections beside the board's pools: its own administration, change feeds, and tools under credentials. */
const SPARE_CONNECTIONS = 60;

export interface ClusterOptions {
  readonly place: ServerPlace;
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

/** Settings of the server; ours alone, so the file is written anew at each start. */
export function writeSettings(place: ServerPlace, user: SystemUser | null, port: number): void {
  const settings: Readonly<Record<string, string>> = {
    listen_addresses: "'127.0.0.1'",
    port: String(port),
    unix_socket_directories: "''",
    password_encryption: "'scram-sha-256'",
    max_connections: String(POOL_LIMITS.serverConnections.postgres + SPARE_CONNECTIONS),
    // Room for changes of every project: a slot and its sender each.
    wal_level: 'logical',
    max_wal_senders: '64',
    max_replication_slots: '64',
    max_slot_wal_keep_size: `${Math.round(LIMITS.slotWalBytes / 1024 / 1024)}MB`,
    fsync: 'on',
    synchronous_commit: 'on',
    max_wal_size: '256MB',
    // A project's database is made in an eighth of these: with less, the server writes each page of it by itself.
    shared_buffers: '128MB',
    // Idle memory and idle processes count: no I/O workers, no apply launcher.
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
