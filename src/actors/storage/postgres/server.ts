import { join } from 'node:path';
import { describeError } from '../../../errors.ts';
import { LIMITS } from '../../../limits.ts';
import { type Host, type HostProcess, sleep } from '../../../runtime/host.ts';
import type { Log } from '../../../runtime/log.ts';
import type { ManagedChildren } from '../managed-children.ts';
import { choosePort, lastLines, type ServerOfOurs } from '../managed-server.ts';
import { childSettings, placeServer } from '../server-place.ts';
import { systemUser } from '../system-user.ts';
import { prepareBinaries } from './binaries.ts';
import { ensureCluster, SUPERUSER, writeSettings } from './cluster.ts';
import { PgConnection } from './connection.ts';
import { isServerError } from './failures.ts';

/** Where a server answers, and as whom it is administered. */
export interface ServerAddress {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
}

export interface PostgresServerOptions {
  /** The board's data folder. */
  readonly dataFolder: string;
  /** Its folder for secrets, 0700. */
  readonly secretsFolder: string;
  readonly children: ManagedChildren;
  readonly host: Host;
  readonly log: Log;
  /** How long a fast shutdown may take before an immediate one, milliseconds. */
  readonly drainMs?: number;
}

const READY_POLL_MS = 15;
const QUIT_MS = 3_000;

/**
 * The embedded PostgreSQL as one child process, for one incarnation: start it, watch `exited`, and make a new one
 * after that. The cluster, its password and (where still free) its port stay.
 */
export class PostgresServer implements ServerOfOurs<ServerAddress> {
  readonly #options: PostgresServerOptions;
  #child: HostProcess | null = null;
  #stopping = false;
  #settle: (reason: string) => void = () => {};
  /** Resolves once with why the server is gone; `stopped` after stop(). */
  readonly exited: Promise<string>;
  /** Why the cluster is not inside the data folder, for the tree; null where it is. */
  detail: string | null = null;

  constructor(options: PostgresServerOptions) {
    this.#options = options;
    this.exited = new Promise((resolve) => {
      this.#settle = resolve;
    });
  }

  get pid(): number | null {
    return this.#child?.pid ?? null;
  }

  /** Makes the cluster on first use, starts the server and waits until it answers. Rejects with a sentence. */
  async start(): Promise<ServerAddress> {
    const { dataFolder, secretsFolder, children, host, log } = this.#options;
    const user = systemUser('postgres');
    const binaries = prepareBinaries(user, log);
    const place = placeServer({ folder: 'postgres', title: 'PostgreSQL' }, dataFolder, user, host);
    this.detail = place.moved;
    if (place.moved !== null) log.warn({ folder: place.folder }, place.moved);
    const { password } = await ensureCluster({ place, binaries, user, secretsFolder, children, host, log });
    const port = await choosePort(join(place.folder, 'port'));
    writeSettings(place, user, port);
    if (this.#stopping) throw new Error('PostgreSQL was stopped before it started');
    const child = host.spawnProcess({
      command: binaries.postgres,
      args: ['-D', place.dataDir],
      onOutput: (text) => this.#hear(text),
      ...childSettings(place, user),
    });
    this.#child = child;
    children.record({
      pid: child.pid,
      kind: 'postgres',
      command: binaries.postgres,
      port,
      dataDir: place.dataDir,
    });
    const gone = child.exited.then(({ code, signal }) => {
      children.forget(child.pid);
      const how = signal ?? `code ${code}`;
      const reason = this.#stopping
        ? 'stopped'
        : `PostgreSQL ended with ${how}: ${lastLines(child.lastOutput())}`;
      this.#settle(reason);
      return reason;
    });
    const address = { host: '127.0.0.1', port, user: SUPERUSER, password };
    await this.#ready(address, gone);
    log.info({ port, pid: child.pid }, `PostgreSQL ${binaries.version} answers`);
    return address;
  }

  /** Fast shutdown (open transactions are undone), then immediate, then by force. Idempotent. */
  async stop(): Promise<void> {
    this.#stopping = true;
    const child = this.#child;
    if (child === null) {
      this.#settle('stopped');
      return;
    }
    const { host } = this.#options;
    const steps = [
      ['SIGINT', this.#options.drainMs ?? LIMITS.drainSeconds * 500],
      ['SIGQUIT', QUIT_MS],
      ['SIGKILL', QUIT_MS],
    ] as const;
    for (const [signal, patience] of steps) {
      child.kill(signal);
      const wait = new AbortController();
      const ended = this.exited.then(() => true);
      const late = sleep(host, patience, wait.signal).then(
        () => false,
        () => true,
      );
      const done = await Promise.race([ended, late]);
      wait.abort();
      if (done) return;
    }
  }

  async #ready(address: ServerAddress, gone: Promise<string>): Promise<void> {
    const { host } = this.#options;
    const until = host.now() + LIMITS.startTimeoutMs;
    let ended: string | null = null;
    void gone.then((reason) => {
      ended = reason;
    });
    let last: unknown = null;
    while (host.now() < until) {
      if (ended !== null) throw new Error(ended);
      try {
        const connection = await PgConnection.open({ ...address, database: 'postgres' });
        await connection.end();
        return;
      } catch (error) {
        if (isServerError(error) && error.code === '28P01') {
          await this.stop();
          throw new Error(`PostgreSQL does not know the password in ${this.#options.secretsFolder}`, {
            cause: error,
          });
        }
        last = error; // Refused or still starting up; the loop ends with the process or the deadline.
      }
      await sleep(host, READY_POLL_MS);
    }
    await this.stop();
    throw new Error(`PostgreSQL did not answer within ${LIMITS.startTimeoutMs} ms: ${describeError(last)}`);
  }

  #hear(text: string): void {
    for (const line of text.split('\n')) {
      // Our own first connections meet a server that starts; that is no news.
      if (/FATAL|PANIC/.test(line) && !line.includes('starting up'))
        this.#options.log.warn({ from: 'postgres' }, line);
      else if (line.trim() !== '') this.#options.log.debug({ from: 'postgres' }, line);
    }
  }
}
