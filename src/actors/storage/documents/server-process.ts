import { createHmac } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { LIMITS } from '../../../limits.ts';
import { DOCUMENT_LIMITS } from '../../../limits-documents.ts';
import type { Host, HostProcess, Timer } from '../../../runtime/host.ts';
import type { Log } from '../../../runtime/log.ts';
import type { ManagedChildren } from '../managed-children.ts';

/** Where a document server answers, and as whom it is administered. */
export interface DocumentServerAddress {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
}

export interface DocumentServerProcessOptions {
  /** The board's data folder. */
  readonly dataFolder: string;
  readonly masterKey: Uint8Array;
  /** Path of worker/document-server. */
  readonly entry: string;
  readonly children: Pick<ManagedChildren, 'record' | 'forget'>;
  readonly host: Host;
  /** Whether its users may make commands of their own fail on purpose. */
  readonly faultInjection: boolean;
  readonly log: Log;
  /** How long it may be silent before it is taken for stuck; default from the limits. */
  readonly stuckMs?: number;
}

const ADMIN = 'magmobo';
/** What the process needs of our environment; the board's keys and URLs are none of it. */
const PASSED = ['PATH', 'TMPDIR', 'TEMP', 'TZ', 'LANG', 'SystemRoot', 'NODE_COMPILE_CACHE'] as const;
const HEAP_MB = LIMITS.workerHeapMb;

type Said = { readonly type: 'ready'; readonly port: number } | { readonly type: 'alive' };

/**
 * The embedded document server as one child process, for one incarnation: start it, watch `exited`, and make a new one
 * after that. A command that holds its thread for too long (a pattern without end, say) ends with the process: SIGKILL
 * is the one thing that always works, and what was acknowledged is in its files.
 */
export class DocumentServerProcess {
  readonly #options: DocumentServerProcessOptions;
  readonly #folder: string;
  readonly #stuckMs: number;
  #child: HostProcess | null = null;
  #stopping = false;
  #stuck = false;
  #lastBeat = 0;
  #watch: Timer | null = null;
  #settle: (reason: string) => void = () => {};
  /** Resolves once with why the server is gone; `stopped` after stop(). */
  readonly exited: Promise<string>;
  readonly detail = null;

  constructor(options: DocumentServerProcessOptions) {
    this.#options = options;
    this.#folder = join(options.dataFolder, 'documents');
    this.#stuckMs = options.stuckMs ?? DOCUMENT_LIMITS.stuckMs;
    this.exited = new Promise((resolve) => {
      this.#settle = resolve;
    });
  }

  get pid(): number | null {
    return this.#child?.pid ?? null;
  }

  /** Rejects with a sentence where it does not come up. */
  async start(): Promise<DocumentServerAddress> {
    const { host, entry, log } = this.#options;
    mkdirSync(this.#folder, { recursive: true, mode: 0o700 });
    if (this.#stopping) throw new Error('the document server was stopped before it started');
    const child = host.spawnProcess({
      command: process.execPath,
      args: [`--max-old-space-size=${HEAP_MB}`, entry],
      ...{ ipc: true, ownGroup: true, env: passedEnvironment() },
    });
    this.#follow(child);
    const password = this.#password();
    const port = await this.#ready(child, password);
    writeFileSync(this.#portFile(), String(port), { mode: 0o600 });
    log.info({ port, pid: child.pid }, 'the embedded document server answers');
    return { host: '127.0.0.1', port, user: ADMIN, password };
  }

  /** Idempotent. */
  async stop(): Promise<void> {
    this.#stopping = true;
    const child = this.#child;
    if (child === null) {
      this.#settle('stopped');
      return;
    }
    child.kill('SIGTERM');
    const force = this.#options.host.setTimer(LIMITS.shutdownMs, () => child.kill('SIGKILL'));
    await this.exited;
    this.#options.host.clearTimer(force);
  }

  #follow(child: HostProcess): void {
    const { children, host } = this.#options;
    this.#child = child;
    const { pid } = child;
    children.record({ pid, kind: 'documents', command: process.execPath, port: null, dataDir: null });
    void child.exited.then(({ code, signal }) => {
      children.forget(pid);
      if (this.#watch !== null) host.clearTimer(this.#watch);
      const how = signal ?? `code ${code}`;
      const why = this.#stuck ? `it did not answer for ${this.#stuckMs} ms and was killed` : how;
      this.#settle(this.#stopping ? 'stopped' : `the document server ended: ${why}`);
    });
  }

  #ready(child: HostProcess, password: string): Promise<number> {
    const { promise, resolve, reject } = Promise.withResolvers<number>();
    const { host } = this.#options;
    const late = host.setTimer(LIMITS.startTimeoutMs, () => {
      reject(new Error(`the document server did not answer within ${LIMITS.startTimeoutMs} ms`));
      child.kill('SIGKILL');
    });
    void this.exited.then((reason) => reject(new Error(`${reason} ${child.lastOutput()}`.trim())));
    child.onMessage?.((message) => {
      const said = message as Said; // worker/document-server.ts sends nothing else
      this.#lastBeat = host.now();
      if (said.type !== 'ready') return;
      host.clearTimer(late);
      this.#mind(child);
      resolve(said.port);
    });
    const port = existsSync(this.#portFile()) ? Number(readFileSync(this.#portFile(), 'utf8')) || 0 : 0;
    const { faultInjection } = this.#options;
    child.send?.({ folder: this.#folder, port, admin: { name: ADMIN, password }, faultInjection });
    return promise;
  }

  /** Looks whether it still beats. */
  #mind(child: HostProcess): void {
    const { host } = this.#options;
    this.#watch = host.setTimer(DOCUMENT_LIMITS.heartbeatMs, () => {
      if (host.now() - this.#lastBeat > this.#stuckMs) {
        this.#stuck = true;
        child.kill('SIGKILL');
      } else this.#mind(child);
    });
  }

  #portFile(): string {
    return join(this.#folder, 'port');
  }

  #password(): string {
    return createHmac('sha256', this.#options.masterKey).update('mongodb administrator').digest('base64url');
  }
}

function passedEnvironment(): Record<string, string> {
  const env: Record<string, string> = {};
  for (const name of PASSED) {
    const value = process.env[name];
    if (value !== undefined) env[name] = value;
  }
  return env;
}
