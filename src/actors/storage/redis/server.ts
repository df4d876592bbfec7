import { createHash } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  writeFileSync,
} from 'node:fs';
import { totalmem } from 'node:os';
import { join } from 'node:path';
import { describeError } from '../../../errors.ts';
import { LIMITS } from '../../../limits.ts';
import { POOL_LIMITS } from '../../../limits-pools.ts';
import type { Host } from '../../../runtime/host.ts';
import type { Log } from '../../../runtime/log.ts';
import { freeDataDir, type ManagedChildren } from '../managed-children.ts';
import { choosePort, ManagedProcess, type ServerOfOurs } from '../managed-server.ts';
import { findServer } from '../server-binary.ts';
import { RedisConnection, type RedisTarget } from './connection.ts';

export interface RedisServerOptions {
  /** The board's data folder. */
  readonly dataFolder: string;
  /** Its folder for secrets, 0700. */
  readonly secretsFolder: string;
  readonly children: ManagedChildren;
  readonly host: Host;
  readonly log: Log;
}

const QUIT_MS = 3_000;

/** A redis-server of this machine, or null. */
export const redisBinary = (): string | null => findServer(['redis-server', 'valkey-server']);

/** A redis-server as one child process, for one incarnation. Its data, its password and (where free) its port stay. */
export class RedisServer implements ServerOfOurs<RedisTarget> {
  readonly #options: RedisServerOptions;
  readonly #process: ManagedProcess;
  readonly detail = null;

  constructor(options: RedisServerOptions) {
    this.#options = options;
    const { children, host } = options;
    this.#process = new ManagedProcess({
      ...{ kind: 'redis', children, host },
      signals: [
        ['SIGTERM', LIMITS.drainSeconds * 500],
        ['SIGKILL', QUIT_MS],
      ],
    });
  }

  get exited(): Promise<string> {
    return this.#process.exited;
  }

  get pid(): number | null {
    return this.#process.pid;
  }

  async start(): Promise<RedisTarget> {
    const { dataFolder, secretsFolder, host, log } = this.#options;
    const since = host.now();
    const binary = redisBinary();
    if (binary === null) throw new Error(NO_BINARY);
    mkdirSync(join(dataFolder, 'redis', 'data'), { recursive: true, mode: 0o700 });
    // Processes are found by the folder they stand in, which the system names without symbolic links.
    const folder = realpathSync(join(dataFolder, 'redis'));
    chmodSync(folder, 0o700);
    const dataDir = join(folder, 'data');
    await freeDataDir(dataDir, host, log);
    const port = await choosePort(join(folder, 'port'));
    const target = {
      ...{ host: '127.0.0.1', port, user: 'default' },
      password: serverPassword(secretsFolder, host),
    };
    const users = join(folder, 'users.acl');
    writeWhole(users, usersOf(users, target.password));
    const config = join(folder, 'redis.conf');
    writeFileSync(config, settings(target, dataDir, users), { mode: 0o600 });
    const spawn = {
      ...{ command: binary, args: [config], cwd: dataDir, ownGroup: true },
      env: { PATH: process.env.PATH ?? '', LANG: 'C', LC_ALL: 'C' },
      onOutput: (text: string) => this.#hear(text),
    };
    await this.#process.start(spawn, { port, dataDir }, () => answers(target, host, since));
    log.info({ port, pid: this.pid }, 'Redis answers');
    return target;
  }

  stop(): Promise<void> {
    return this.#process.stop();
  }

  #hear(text: string): void {
    for (const line of text.split('\n')) {
      // Redis marks its warnings with a number sign.
      if (/^\d+:\w .* # /.test(line) && !EXPECTED.test(line)) this.#options.log.warn({ from: 'redis' }, line);
      else if (line.trim() !== '') this.#options.log.debug({ from: 'redis' }, line);
    }
  }
}

/**
 * For each rule of a project's user that allows one function alone. There is no other way to say so, and without it the
 * user could call whatever else is loaded.
 */
const EXPECTED = /# Deprecation warning: Allowing a first arg of an otherwise blocked command/;

export const NO_BINARY = 'no redis-server is on PATH or in /usr/bin, and MAG_REDIS_URL is not set';

/** Clients beside the board's pools: its own administration, and tools under credentials. */
const SPARE_CLIENTS = 256;

/** From then on a server that loads its data counts as up: it says so to whoever asks, and ends that by itself. */
const LOADING_MS = 10_000;

async function answers(target: RedisTarget, host: Host, since: number): Promise<boolean> {
  const connection = await RedisConnection.open(target, host);
  try {
    return (await connection.call('PING')) === 'PONG';
  } catch (error) {
    if (describeError(error).startsWith('LOADING') && host.now() - since > LOADING_MS) return true;
    throw error;
  } finally {
    connection.close();
  }
}

/** A kill in between leaves what was there before. */
function writeWhole(file: string, text: string): void {
  writeFileSync(`${file}.tmp`, text, { mode: 0o600 });
  renameSync(`${file}.tmp`, file);
}

/** The password of the server's own user, made on first use and kept for its owner's eyes. */
function serverPassword(secretsFolder: string, host: Host): string {
  const file = join(secretsFolder, 'redis-default');
  if (existsSync(file)) return readFileSync(file, 'utf8').trim();
  const password = Buffer.from(host.randomBytes(24)).toString('base64url');
  mkdirSync(secretsFolder, { recursive: true, mode: 0o700 });
  writeWhole(file, `${password}\n`);
  return password;
}

/** Users of the last run, for tools that come before anybody else; the server's own one always has our password. */
function usersOf(file: string, password: string): string {
  const kept = existsSync(file) ? readFileSync(file, 'utf8').split('\n') : [];
  const others = kept.filter((line) => line.startsWith('user ') && !line.startsWith('user default '));
  const hash = createHash('sha256').update(password).digest('hex');
  return `${[`user default on #${hash} ~* &* +@all`, ...others].join('\n')}\n`;
}

/** Half of what there is: everything is in memory, and the rest of the machine needs some. */
const memoryBytes = (): number =>
  Math.floor(Math.min(process.constrainedMemory() || Infinity, totalmem()) / 2);

const quoted = (text: string): string => `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;

/** Settings of the server; ours alone, so the file is written anew at each start. */
function settings({ host, port }: RedisTarget, dataDir: string, users: string): string {
  const lines: readonly (readonly [string, string])[] = [
    ['bind', host],
    ['port', String(port)],
    ['aclfile', quoted(users)],
    ['dir', quoted(dataDir)],
    ['daemonize', 'no'],
    ['supervised', 'no'],
    ['logfile', '""'],
    ['loglevel', 'notice'],
    ['always-show-logo', 'no'],
    // The process is told from a stranger by its command line.
    ['set-proc-title', 'no'],
    // What was acknowledged is on the disk: a write is answered after its fsync.
    ['appendonly', 'yes'],
    ['appendfsync', 'always'],
    ['no-appendfsync-on-rewrite', 'no'],
    ['aof-load-truncated', 'yes'],
    // The append-only file is all; a snapshot would only cost its fork.
    ['save', '""'],
    // Beyond its memory writes are refused: a key dropped to make room is a document acknowledged and lost.
    ['maxmemory-policy', 'noeviction'],
    ['maxmemory', String(memoryBytes())],
    ['databases', '1'],
    // What a reply may hold in an edge worker's memory, and one value of it.
    ['client-output-buffer-limit', `normal ${2 * LIMITS.resultBytes} 0 0`],
    ['proto-max-bulk-len', String(LIMITS.resultBytes / 4)],
    ['maxclients', String(POOL_LIMITS.serverConnections.redis + SPARE_CLIENTS)],
    ['enable-debug-command', 'no'],
    ['enable-module-command', 'no'],
    ['enable-protected-configs', 'no'],
  ];
  return `# Written by the board at each start.\n${lines.map(([name, value]) => `${name} ${value}`).join('\n')}\n`;
}
