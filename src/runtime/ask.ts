import { MagError } from '../errors.ts';
import { LIMITS } from '../limits.ts';
import type { Host, Timer } from './host.ts';

export interface AskOptions {
  /** Milliseconds; default LIMITS.askTimeoutMs. */
  readonly timeout?: number;
  readonly signal?: AbortSignal;
}

/**
 * One question on its way. It settles exactly once: by an answer, a failure on the way, its deadline or its caller's
 * abort. Who holds it meanwhile (a mailbox, a link) is told by `onSettled`, so that nothing piles up there.
 */
export class Ask {
  readonly path: string;
  readonly deadline: number;
  readonly promise: Promise<unknown>;
  readonly #host: Host;
  readonly #timer: Timer;
  #resolve: (value: unknown) => void = () => {};
  #reject: (error: unknown) => void = () => {};
  #settled = false;
  #onSettled: (() => void)[] = [];

  constructor(host: Host, path: string, options: AskOptions = {}) {
    const timeout = options.timeout ?? LIMITS.askTimeoutMs;
    this.path = path;
    this.deadline = host.now() + timeout;
    this.#host = host;
    this.promise = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    this.#timer = host.setTimer(timeout, () => {
      this.reject(new MagError('MAG_ASK_TIMEOUT', { path, ms: Math.round(timeout) }));
    });
    this.#follow(options.signal);
  }

  get settled(): boolean {
    return this.#settled;
  }

  /** Milliseconds left, at least 1: what another thread's clock can make sense of. */
  timeLeft(): number {
    return Math.max(1, this.deadline - this.#host.now());
  }

  onSettled(listener: () => void): void {
    if (this.#settled) listener();
    else this.#onSettled.push(listener);
  }

  resolve(value: unknown): void {
    if (this.#settle()) this.#resolve(value);
  }

  reject(error: unknown): void {
    if (this.#settle()) this.#reject(error);
  }

  #settle(): boolean {
    if (this.#settled) return false;
    this.#settled = true;
    this.#host.clearTimer(this.#timer);
    const listeners = this.#onSettled;
    this.#onSettled = [];
    for (const listener of listeners) listener();
    return true;
  }

  #follow(signal: AbortSignal | undefined): void {
    if (signal === undefined) return;
    const onAbort = (): void => this.reject(signal.reason);
    if (signal.aborted) {
      onAbort();
      return;
    }
    signal.addEventListener('abort', onAbort, { once: true });
    this.onSettled(() => signal.removeEventListener('abort', onAbort));
  }
}
