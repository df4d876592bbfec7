import { createFlow, type Flow, type FlowEmitter } from './flow.ts';

/** What happens to an item that comes while nobody asks and the buffer is full. */
export interface OverflowPolicy {
  /** Items held at most; at least 1. */
  readonly capacity: number;
  readonly overflow: 'error' | 'drop_oldest' | 'drop_newest';
}

/** Only the newest item is kept. */
export const LATEST: OverflowPolicy = { capacity: 1, overflow: 'drop_oldest' };

/** The items of an array, to each subscriber from the first on. */
export function fromArray<T>(items: readonly T[]): Flow<T> {
  return createFlow((emitter) => {
    let at = 0;
    return {
      pull: () => {
        while (emitter.demand > 0 && at < items.length) {
          const item = items[at] as T; // `at` is inside the array
          at += 1;
          emitter.next(item);
        }
        if (at >= items.length) emitter.complete();
      },
    };
  });
}

/** A flow with its other end: for sources that cannot be asked to wait. */
export interface PushFlow<T> {
  readonly flow: Flow<T>;
  /** False where an item was dropped for it (or the flow has ended). */
  push(value: T): boolean;
  error(error: unknown): void;
  complete(): void;
  readonly dropped: number;
  readonly buffered: number;
}

/** One subscriber; what is pushed before it comes is buffered under the same policy. */
export function fromPush<T>(policy: OverflowPolicy): PushFlow<T> {
  return new Push<T>(policy);
}

type Ending = { readonly kind: 'complete' } | { readonly kind: 'error'; readonly error: unknown };

class Push<T> implements PushFlow<T> {
  readonly #policy: OverflowPolicy;
  readonly flow: Flow<T>;
  #buffer: T[] = [];
  #ending: Ending | null = null;
  #emitter: FlowEmitter<T> | null = null;
  #subscribed = false;
  #gone = false;
  dropped = 0;

  constructor(policy: OverflowPolicy) {
    this.#policy = policy;
    this.flow = createFlow<T>((emitter) => {
      if (this.#subscribed) {
        emitter.error(new Error('this flow has its one subscriber already'));
        return { pull: () => {} };
      }
      this.#subscribed = true;
      this.#emitter = emitter;
      return { pull: () => this.#pull(emitter), cancel: () => this.#cancel() };
    });
  }

  get buffered(): number {
    return this.#buffer.length;
  }

  push(value: T): boolean {
    if (this.#ending !== null || this.#gone) return false;
    const full = this.#buffer.length >= this.#policy.capacity && (this.#emitter?.demand ?? 0) === 0;
    if (full && this.#policy.overflow !== 'drop_oldest') {
      this.dropped += 1;
      if (this.#policy.overflow === 'error') {
        this.error(new RangeError(`more than ${this.#policy.capacity} items wait for their consumer`));
      }
      return false;
    }
    if (full) {
      this.#buffer.shift();
      this.dropped += 1;
    }
    this.#buffer.push(value);
    this.#emitter?.wake();
    return !full;
  }

  error(error: unknown): void {
    this.#ending ??= { kind: 'error', error };
    this.#emitter?.wake();
  }

  complete(): void {
    this.#ending ??= { kind: 'complete' };
    this.#emitter?.wake();
  }

  /** What is buffered comes before the end. */
  #pull(emitter: FlowEmitter<T>): void {
    while (emitter.demand > 0 && this.#buffer.length > 0) emitter.next(this.#buffer.shift() as T); // not empty
    if (this.#buffer.length > 0 || this.#ending === null) return;
    if (this.#ending.kind === 'error') emitter.error(this.#ending.error);
    else emitter.complete();
  }

  #cancel(): void {
    this.#gone = true;
    this.#buffer = [];
  }
}
