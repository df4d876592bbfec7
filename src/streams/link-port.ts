import type { MessagePort } from 'node:worker_threads';
import { describeError } from '../errors.ts';
import { createFlow, type Flow, type FlowEmitter, type FlowSubscription } from './flow.ts';

/** From the receiving end to the sending one. */
type Grant = { readonly credit: number } | { readonly cancel: true };

/** From the sending end to the receiving one; a batch holds what one turn produced. */
type Parcel<T> =
  | { readonly items: readonly T[] }
  | { readonly complete: true }
  | { readonly error: { readonly message: string; readonly code: string | null } };

/**
 * Sends a flow over a port: as many items as the other end has granted, never more, in one message per turn. Ends
 * with the flow, a cancel, or the port. Returns how to stop from this end.
 */
export function sendFlow<T>(
  host: { soon(callback: () => void): void },
  flow: Flow<T>,
  port: MessagePort,
): () => void {
  let waiting: T[] = [];
  let ended = false;
  const post = (parcel: Parcel<T>): void => port.postMessage(parcel);
  const flush = (): void => {
    if (waiting.length === 0) return;
    const items = waiting;
    waiting = [];
    if (!ended) post({ items });
  };
  const end = (parcel: Parcel<T>): void => {
    flush();
    if (!ended) post(parcel);
    stop();
  };
  let subscription: FlowSubscription | null = null;
  const onMessage = (message: Grant): void => {
    if ('cancel' in message) stop();
    else subscription?.request(message.credit);
  };
  function stop(): void {
    if (ended) return;
    ended = true;
    waiting = [];
    port.off('message', onMessage);
    port.off('close', stop);
    subscription?.cancel();
  }
  port.on('message', onMessage);
  port.on('close', stop);
  subscription = flow.subscribe({
    next: (value) => {
      waiting.push(value);
      // Bounded by the credit: what waits here was asked for.
      if (waiting.length === 1) host.soon(flush);
    },
    error: (error) => end({ error: { message: describeError(error), code: codeOf(error) } }),
    complete: () => end({ complete: true }),
  });
  return stop;
}

const codeOf = (error: unknown): string | null =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : null;

export interface ReceiveOptions {
  /** Items under way or held here at most; granted anew by halves, as the subscriber consumes. */
  readonly window: number;
}

/** The far end's flow, for one subscriber. A port that closes before the flow has ended is an error. */
export function receiveFlow<T>(port: MessagePort, { window }: ReceiveOptions): Flow<T> {
  return createFlow<T>((emitter) => new Receiver(port, emitter, window));
}

class Receiver<T> {
  readonly #port: MessagePort;
  readonly #emitter: FlowEmitter<T>;
  readonly #window: number;
  #held: T[] = [];
  #at = 0;
  #consumed = 0;
  #ending: (() => void) | null = null;

  constructor(port: MessagePort, emitter: FlowEmitter<T>, window: number) {
    this.#port = port;
    this.#emitter = emitter;
    this.#window = window;
    port.on('message', this.#onParcel);
    port.on('close', this.#onClose);
    this.#grant(window);
  }

  pull(): void {
    while (this.#emitter.demand > 0 && this.#at < this.#held.length) {
      const item = this.#held[this.#at] as T; // inside the array
      this.#at += 1;
      this.#emitter.next(item);
      // Only now: `next` has returned, so the last operator has had it.
      this.#consumed += 1;
    }
    if (this.#at >= this.#held.length) {
      this.#held = [];
      this.#at = 0;
      if (this.#ending !== null) {
        this.#detach();
        this.#ending();
        return;
      }
    }
    if (this.#consumed * 2 >= this.#window) {
      this.#grant(this.#consumed);
      this.#consumed = 0;
    }
  }

  cancel(): void {
    this.#detach();
    this.#held = [];
    this.#port.postMessage({ cancel: true } satisfies Grant);
  }

  readonly #onParcel = (parcel: Parcel<T>): void => {
    if ('items' in parcel) {
      const rest = this.#held.slice(this.#at);
      this.#at = 0;
      this.#held = rest.length === 0 ? [...parcel.items] : [...rest, ...parcel.items];
    } else if ('complete' in parcel) {
      this.#ending = () => this.#emitter.complete();
    } else {
      const { message, code } = parcel.error;
      this.#ending = () =>
        this.#emitter.error(Object.assign(new Error(message), code === null ? {} : { code }));
    }
    this.#emitter.wake();
  };

  readonly #onClose = (): void => {
    this.#ending ??= () => this.#emitter.error(new Error('the port closed before the flow had ended'));
    this.#emitter.wake();
  };

  #grant(credit: number): void {
    this.#port.postMessage({ credit } satisfies Grant);
  }

  #detach(): void {
    this.#port.off('message', this.#onParcel);
    this.#port.off('close', this.#onClose);
  }
}
