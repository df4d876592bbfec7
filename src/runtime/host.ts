import type { MessagePort, Transferable } from 'node:worker_threads';

/** A pending timer; the host knows what is inside. */
export interface Timer {
  readonly id: unknown;
}

/** A running worker thread, child process or their simulated form. */
export interface HostProcess {
  readonly pid: number;
  /** Resolves once, when it is gone, with what ended it. */
  readonly exited: Promise<{ readonly code: number | null; readonly signal: string | null }>;
  kill(signal: 'SIGTERM' | 'SIGINT' | 'SIGKILL' | 'SIGQUIT'): void;
  /** IPC, where the process was started with it. */
  send?(message: unknown): void;
  onMessage?(listener: (message: unknown) => void): void;
  /** The last lines of its standard error, for the reason of a failure. */
  lastOutput(): string;
}

export interface SpawnOptions {
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly uid?: number;
  readonly gid?: number;
  /** Open an IPC channel (Node children). */
  readonly ipc?: boolean;
  /** Own process group: a Ctrl-C on the terminal then reaches the board alone, which stops the child after its drain. */
  readonly ownGroup?: boolean;
  /** What the child writes, as it comes; chunks, not lines. */
  readonly onOutput?: (text: string) => void;
}

/**
 * The one door through which the runtime and everything above it reaches time, entropy, scheduling, threads,
 * processes and ports. host-node.ts is the real one; a test drives the same code on a virtual one.
 */
export interface Host {
  /** Monotonic milliseconds with a fraction; the zero is arbitrary. */
  now(): number;
  /** Milliseconds since the Unix epoch. */
  wallTime(): number;
  /** Uniform in [0, 1). */
  random(): number;
  /** Cryptographically strong on the real host. */
  randomBytes(size: number): Uint8Array;
  setTimer(delayMs: number, callback: () => void): Timer;
  clearTimer(timer: Timer): void;
  /** Runs the callback in a later turn of the event loop, after pending I/O. */
  defer(callback: () => void): void;
  /** Runs the callback at the end of the current turn. */
  soon(callback: () => void): void;
  channel(): { readonly port1: MessagePort; readonly port2: MessagePort };
  spawnProcess(options: SpawnOptions): HostProcess;
}

export type { MessagePort, Transferable };

/** Waits on the host's clock; rejects with the signal's reason when it aborts. */
export function sleep(host: Host, delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) {
      reject(signal.reason);
      return;
    }
    const onAbort = (): void => {
      host.clearTimer(timer);
      reject(signal?.reason);
    };
    const timer = host.setTimer(delayMs, () => {
      signal?.removeEventListener('abort', onAbort);
      resolve();
    });
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}
