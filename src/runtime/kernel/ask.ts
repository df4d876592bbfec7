import { MagError } from '../../errors.ts';
import { LIMITS } from '../../limits.ts';
import type { Host } from '../host.ts';
import type { Message } from '../spec.ts';
import type { SendResult } from '../system.ts';
import type { Deadlines, Due } from './deadlines.ts';

export interface AskOptions {
  /** Milliseconds, at most LIMITS.timerMs; default LIMITS.askTimeoutMs. */
  readonly timeout?: number;
  readonly signal?: AbortSignal;
}

/** What an ask needs of its system. */
export interface AskGround {
  readonly host: Host;
  readonly deadlines: Deadlines;
}

/** What an offer gives that ran out of time: an abort of its caller stays one. */
export const orRejected = (ask: Ask): Promise<SendResult> =>
  ask.promise.catch((error: unknown) => {
    if (error instanceof MagError && error.code === 'MAG_ASK_TIMEOUT') return 'rejected';
    throw error;
  }) as Promise<SendResult>; // it is resolved with nothing else

/** Whole milliseconds. What is no number would never be over. */
function wholeTimeout(given: number | undefined): number {
  if (given === undefined || Number.isNaN(given)) return LIMITS.askTimeoutMs;
  return Math.min(Math.max(0, Math.ceil(given)), LIMITS.timerMs);
}

/**
 * One question on its way. It settles exactly once: by an answer, a failure on the way, its deadline or its caller's
 * abort. Who holds it meanwhile (an actor, a link) is told by `onSettled`, so that nothing piles up there.
 */
export class Ask implements Due {
  readonly path: string;
  readonly deadline: number;
  readonly promise: Promise<unknown>;
  previous: Due | null = null;
  next: Due | null = null;
  queue: Due['queue'] = null;
  readonly #ground: AskGround;
  readonly #timeout: number;
  #resolve: ((value: unknown) => void) | null = null;
  #reject: ((error: unknown) => void) | null = null;
  #onSettled: (() => void) | (() => void)[] | null = null;

  constructor(ground: AskGround, path: string, options?: AskOptions) {
    const timeout = wholeTimeout(options?.timeout);
    this.path = path;
    this.#ground = ground;
    this.#timeout = timeout;
    this.deadline = ground.host.now() + timeout;
    this.promise = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    if (options?.signal !== undefined) this.#follow(options.signal);
    if (!this.settled) ground.deadlines.add(this, timeout);
  }

  get settled(): boolean {
    return this.#resolve === null;
  }

  /** Milliseconds left, at least 1: what another thread's clock can make sense of. */
  timeLeft(): number {
    return Math.max(1, this.deadline - this.#ground.host.now());
  }

  onSettled(listener: () => void): void {
    const known = this.#onSettled;
    if (this.settled) listener();
    else if (known === null) this.#onSettled = listener;
    else if (typeof known === 'function') this.#onSettled = [known, listener];
    else known.push(listener);
  }

  /** The message with the function that answers this. */
  question(message: Message): Message {
    return { ...message, type: message.type, reply: (value: unknown) => this.resolve(value) };
  }

  resolve(value: unknown): void {
    const resolve = this.#resolve;
    if (resolve === null) return;
    this.#settle();
    resolve(value);
  }

  reject(error: unknown): void {
    const reject = this.#reject;
    if (reject === null) return;
    this.#settle();
    reject(error);
  }

  expire(): void {
    this.reject(new MagError('MAG_ASK_TIMEOUT', { path: this.path, ms: this.#timeout }));
  }

  #settle(): void {
    this.#resolve = null;
    this.#reject = null;
    this.#ground.deadlines.remove(this);
    const told = this.#onSettled;
    if (told === null) return;
    this.#onSettled = null;
    if (typeof told === 'function') told();
    else for (const listener of told) listener();
  }

  #follow(signal: AbortSignal): void {
    const onAbort = (): void => this.reject(signal.reason);
    if (signal.aborted) {
      onAbort();
      return;
    }
    signal.addEventListener('abort', onAbort, { once: true });
    this.onSettled(() => signal.removeEventListener('abort', onAbort));
  }
}
