import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { describeError } from '../../errors.ts';
import { LIMITS } from '../../limits.ts';
import { type Host, type HostProcess, type SpawnOptions, sleep } from '../../runtime/host.ts';
import type { ManagedChildren } from './managed-children.ts';

/** A server that runs on the board's behalf: what starts it lazily needs to know of it. */
export interface ServerOfOurs<Address> {
  /** Starts it and waits until it answers. Rejects with a sentence. */
  start(): Promise<Address>;
  /** Idempotent. */
  stop(): Promise<void>;
  /** Resolves once with why the server is gone; `stopped` after stop(). */
  readonly exited: Promise<string>;
  readonly pid: number | null;
  /** What the tree should say of it; null where there is nothing to say. */
  readonly detail: string | null;
}

export interface ManagedProcessOptions {
  /** `redis`, … */
  readonly kind: string;
  readonly children: ManagedChildren;
  readonly host: Host;
  /** Signals in turn, and how long each is given before the next. */
  readonly signals: readonly (readonly ['SIGTERM' | 'SIGINT' | 'SIGQUIT' | 'SIGKILL', number])[];
}

const READY_POLL_MS = 15;

/** One run of a server's process: recorded as long as it lives, waited for until it answers, stopped step by step. */
export class ManagedProcess {
  readonly #options: ManagedProcessOptions;
  #child: HostProcess | null = null;
  #stopping = false;
  #settle: (reason: string) => void = () => {};
  readonly exited: Promise<string>;

  constructor(options: ManagedProcessOptions) {
    this.#options = options;
    this.exited = new Promise((resolve) => {
      this.#settle = resolve;
    });
  }

  get pid(): number | null {
    return this.#child?.pid ?? null;
  }

  /**
   * Spawns the process and polls `answers` until it says yes. Rejects where the process ends or does not answer in
   * time; `answers` may throw while it is not up yet.
   */
  async start(
    spawn: SpawnOptions,
    place: { readonly port: number; readonly dataDir: string },
    answers: () => Promise<boolean>,
  ): Promise<void> {
    const { kind, children, host } = this.#options;
    if (this.#stopping) throw new Error(`${kind} was stopped before it started`);
    const child = host.spawnProcess(spawn);
    this.#child = child;
    children.record({ pid: child.pid, kind, command: spawn.command, ...place });
    let ended: string | null = null;
    void child.exited.then(({ code, signal }) => {
      children.forget(child.pid);
      ended = `${kind} ended with ${signal ?? `code ${code}`}: ${lastLines(child.lastOutput())}`;
      this.#settle(this.#stopping ? 'stopped' : ended);
    });
    const until = host.now() + LIMITS.startTimeoutMs;
    let last: unknown = null;
    while (host.now() < until) {
      if (ended !== null) throw new Error(ended);
      try {
        if (await answers()) return;
      } catch (error) {
        last = error;
      }
      await sleep(host, READY_POLL_MS);
    }
    await this.stop();
    throw new Error(`${kind} did not answer within ${LIMITS.startTimeoutMs} ms: ${describeError(last)}`);
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    const child = this.#child;
    if (child === null) {
      this.#settle('stopped');
      return;
    }
    for (const [name, patience] of this.#options.signals) {
      child.kill(name);
      const wait = new AbortController();
      const late = sleep(this.#options.host, patience, wait.signal).then(
        () => false,
        () => true,
      );
      const done = await Promise.race([this.exited.then(() => true), late]);
      wait.abort();
      if (done) return;
    }
  }
}

/** The end of a program's output, on one line. */
export const lastLines = (output: string): string =>
  output.split('\n').slice(-4).join(' · ').slice(-LIMITS.errorTextBytes);

/** The port of the last run, kept in `file`, while it is free: open sessions find the restarted server by themselves. */
export async function choosePort(file: string): Promise<number> {
  const last = existsSync(file) ? Number(readFileSync(file, 'utf8')) : 0;
  const port = (last > 0 ? await freePort(last) : null) ?? (await freePort(0));
  if (port === null) throw new Error('no port is free on 127.0.0.1');
  writeFileSync(file, String(port));
  return port;
}

/** The port where it is free (0: any), else null. */
function freePort(port: number): Promise<number | null> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', () => resolve(null));
    probe.listen(port, '127.0.0.1', () => {
      const bound = probe.address();
      probe.close(() => resolve(typeof bound === 'object' && bound !== null ? bound.port : null));
    });
  });
}
