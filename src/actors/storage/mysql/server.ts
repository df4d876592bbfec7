import { chownSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { LIMITS } from '../../../limits.ts';
import { POOL_LIMITS } from '../../../limits-pools.ts';
import type { Host } from '../../../runtime/host.ts';
import type { Log } from '../../../runtime/log.ts';
import { freeDataDir, type ManagedChildren } from '../managed-children.ts';
import { choosePort, lastLines, ManagedProcess, type ServerOfOurs } from '../managed-server.ts';
import { findServer } from '../server-binary.ts';
import { childSettings, placeServer, type ServerPlace } from '../server-place.ts';
import { type SystemUser, systemUser } from '../system-user.ts';
import { MysqlConnection } from './connection.ts';
import { nativeHash } from './provisioning.ts';

/** Where a server answers, and as whom it is administered. */
export interface MysqlAddress {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
}

export interface MysqlServerOptions {
  /** The board's data folder. */
  readonly dataFolder: string;
  /** Its folder for secrets, 0700. */
  readonly secretsFolder: string;
  readonly children: ManagedChildren;
  readonly host: Host;
  readonly log: Log;
}

interface Binaries {
  readonly server: string;
  readonly install: string;
}

/** A MariaDB server of this machine, or null. MySQL's own `mysqld` comes without the second of the two. */
export function mariadbBinaries(): Binaries | null {
  const server = findServer(['mariadbd', 'mysqld']);
  const install = findServer(['mariadb-install-db', 'mysql_install_db']);
  return server === null || install === null ? null : { server, install };
}

export const NO_BINARY =
  'no mariadbd (with mariadb-install-db) is on PATH or in /usr/sbin, and MAG_MYSQL_URL is not set';

const ADMIN = 'magmobo';
const KILL_MS = 3_000;
/** Connections beside the board's pools: its own administration, cancellations, and tools under credentials. */
const SPARE_CONNECTIONS = 60;

/** MariaDB as one child process, for one incarnation. Its data, its password and (where free) its port stay. */
export class MysqlServer implements ServerOfOurs<MysqlAddress> {
  readonly #options: MysqlServerOptions;
  readonly #process: ManagedProcess;
  /** Why the data are not inside the data folder, for the tree; null where they are. */
  detail: string | null = null;

  constructor(options: MysqlServerOptions) {
    this.#options = options;
    const { children, host } = options;
    this.#process = new ManagedProcess({
      ...{ kind: 'mysql', children, host },
      signals: [
        ['SIGTERM', LIMITS.drainSeconds * 500],
        ['SIGKILL', KILL_MS],
      ],
    });
  }

  get exited(): Promise<string> {
    return this.#process.exited;
  }

  get pid(): number | null {
    return this.#process.pid;
  }

  async start(): Promise<MysqlAddress> {
    const { dataFolder, secretsFolder, host, log } = this.#options;
    const binaries = mariadbBinaries();
    if (binaries === null) throw new Error(NO_BINARY);
    const user = systemUser('mysql');
    const place = placeServer({ folder: 'mysql', title: 'MariaDB' }, dataFolder, user, host);
    this.detail = place.moved;
    if (place.moved !== null) log.warn({ folder: place.folder }, place.moved);
    await freeDataDir(place.dataDir, host, log);
    await this.#install(binaries, place, user);
    const port = await choosePort(join(place.folder, 'port'));
    const address = { host: '127.0.0.1', port, user: ADMIN, password: adminPassword(secretsFolder, host) };
    const settings = writeFor(user, join(place.folder, 'my.cnf'), settingsText(place, port));
    writeFor(user, join(place.folder, 'accounts.sql'), accountsText(address.password));
    const spawn = {
      ...{ command: binaries.server, args: [`--defaults-file=${settings}`] },
      ...childSettings(place, user),
      onOutput: (text: string) => this.#hear(text),
    };
    await this.#process.start(spawn, { port, dataDir: place.dataDir }, () => answers(address));
    log.info({ port, pid: this.pid }, 'MariaDB answers');
    return address;
  }

  stop(): Promise<void> {
    return this.#process.stop();
  }

  /** Makes the system tables where they are missing or were left half made: the marker beside them is written last. */
  async #install(binaries: Binaries, place: ServerPlace, user: SystemUser | null): Promise<void> {
    const { host, children } = this.#options;
    const marker = join(place.folder, 'complete');
    if (existsSync(marker)) return;
    rmSync(place.dataDir, { recursive: true, force: true });
    mkdirSync(place.dataDir, { mode: 0o700 });
    if (user !== null) chownSync(place.dataDir, user.uid, user.gid);
    const child = host.spawnProcess({
      command: binaries.install,
      args: [
        ...['--no-defaults', `--datadir=${place.dataDir}`, '--skip-test-db', '--skip-name-resolve'],
        // Whoever administers it is named by the server itself at each start.
        '--auth-root-authentication-method=normal',
      ],
      ...childSettings(place, user),
    });
    children.record({
      ...{ pid: child.pid, kind: 'initdb', command: binaries.install, port: null, dataDir: place.dataDir },
    });
    const { code, signal } = await child.exited;
    children.forget(child.pid);
    if (code !== 0)
      throw new Error(`${binaries.install} ended with ${signal ?? code}: ${lastLines(child.lastOutput())}`);
    writeFileSync(marker, '');
  }

  #hear(text: string): void {
    for (const line of text.split('\n')) {
      if (line.includes('[ERROR]')) this.#options.log.warn({ from: 'mysql' }, line);
      else if (line.trim() !== '') this.#options.log.debug({ from: 'mysql' }, line);
    }
  }
}

async function answers(address: MysqlAddress): Promise<boolean> {
  const connection = await MysqlConnection.open({ ...address, database: '' });
  await connection.end();
  return true;
}

/** The administrator's password, made on first use and kept for its owner's eyes. */
function adminPassword(secretsFolder: string, host: Host): string {
  const file = join(secretsFolder, 'mysql-admin');
  if (existsSync(file)) return readFileSync(file, 'utf8').trim();
  const password = Buffer.from(host.randomBytes(24)).toString('base64url');
  mkdirSync(secretsFolder, { recursive: true, mode: 0o700 });
  writeFileSync(`${file}.tmp`, `${password}\n`, { mode: 0o600 });
  renameSync(`${file}.tmp`, file);
  return password;
}

/** Writes a file that the server's user, and nobody else, can read. */
function writeFor(user: SystemUser | null, file: string, text: string): string {
  writeFileSync(file, text, { mode: 0o600 });
  if (user !== null) chownSync(file, user.uid, user.gid);
  return file;
}

/** Run by the server at each start, before it lets anybody in: one administrator, whose password is known to us alone. */
function accountsText(password: string): string {
  const admin = `'${ADMIN}'@'127.0.0.1'`;
  return [
    `DELETE FROM mysql.global_priv WHERE User IN ('', 'root', 'mysql')`,
    'FLUSH PRIVILEGES',
    `CREATE USER IF NOT EXISTS ${admin} IDENTIFIED BY PASSWORD '${nativeHash(password)}'`,
    `ALTER USER ${admin} IDENTIFIED BY PASSWORD '${nativeHash(password)}'`,
    `GRANT ALL PRIVILEGES ON *.* TO ${admin} WITH GRANT OPTION`,
    '',
  ].join(';\n');
}

/** Settings of the server; ours alone, so the file is written anew at each start. */
function settingsText(place: ServerPlace, port: number): string {
  const settings: Readonly<Record<string, string | number>> = {
    datadir: place.dataDir,
    'init-file': join(place.folder, 'accounts.sql'),
    'pid-file': join(place.folder, 'mariadbd.pid'),
    // Beside the data, where a long path cannot be too long for a socket.
    socket: 'mariadbd.sock',
    tmpdir: place.folder,
    'bind-address': '127.0.0.1',
    port,
    'skip-name-resolve': 1,
    'character-set-server': 'utf8mb4',
    max_connections: POOL_LIMITS.serverConnections.mysql + SPARE_CONNECTIONS,
    // Acknowledged is on the disk.
    innodb_flush_log_at_trx_commit: 1,
    innodb_doublewrite: 1,
    // A row is one JSON text, and it is made in one piece.
    max_allowed_packet: LIMITS.resultBytes,
    group_concat_max_len: LIMITS.resultBytes,
    // Idle memory counts.
    innodb_buffer_pool_size: '64M',
    innodb_log_file_size: '64M',
    key_buffer_size: '1M',
    aria_pagecache_buffer_size: '8M',
    performance_schema: 0,
    // A tenant reads no file of the machine, and runs nothing outside its requests.
    local_infile: 0,
    secure_file_priv: place.folder,
    event_scheduler: 'DISABLED',
    'skip-symbolic-links': 1,
  };
  const lines = Object.entries(settings).map(([name, value]) => `${name} = ${value}`);
  return `# Written by the board at each start.\n[mariadbd]\n${lines.join('\n')}\n`;
}
