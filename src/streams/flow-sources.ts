import { MagError } from '../errors.ts';
import { LIMITS } from '../limits.ts';
import { createFlow, type Flow, type FlowEmitter } from './flow.ts';
import { Ring } from './flow-ring.ts';

/** What happens to an item that comes while nobody asks and the buffer is full. */
export interface OverflowPolicy {
  /** Items held at most; with 0 each item must have been asked for. */
  readonly capacity: number;
  readonly overflow: 'error' | 'drop_oldest' | 'drop_newest';
  /** Told of each item that is lost. */
  readonly onDrop?: () => void;
}

/** An overflow policy, or the name of one with the default capacity of LIMITS.flowBuffer items. */
export type Overflowing = OverflowPolicy | 'latest' | 'drop_oldest' | 'drop_newest' | 'error';

/** Only the newest item is kept. */
export const LATEST: OverflowPolicy = { capacity: 1, overflow: 'drop_oldest' };

/** So many items are kept, and one more is an error. */
export const buffer = (capacity: number): OverflowPolicy => checked({ capacity, overflow: 'error' });

/** Throws RangeError: what is no whole number would bound nothing. */
function checked(policy: OverflowPolicy): OverflowPolicy {
  const least = policy.overflow === 'error' ? 0 : 1;
  if (!Number.isSafeInteger(policy.capacity) || policy.capacity < least)
    throw new RangeError(`a capacity of ${policy.capacity}: a whole number of at least ${least} is needed`);
  return policy;
}

/** `error` by name holds nothing: an item that nobody asked for is the error. */
export function overflowPolicy(policy: Overflowing): OverflowPolicy {
  if (policy === 'latest') return LATEST;
  if (policy === 'error') return buffer(0);
  return typeof policy === 'string' ? { capacity: LIMITS.flowBuffer, overflow: policy } : checked(policy);
}

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

/**
 * One subscriber; what is pushed before it comes is buffered under the same policy. A buffer that overflows with
 * `error` ends the flow with MAG_FLOW_OVERFLOW, after what it holds; a second subscriber gets MAG_FLOW_SUBSCRIBED.
 */
export function fromPush<T>(policy: Overflowing): PushFlow<T> {
  return new Push<T>(overflowPolicy(policy));
}

type Ending = { readonly kind: 'complete' } | { readonly kind: 'error'; readonly error: unknown };

class Push<T> implements PushFlow<T> {
  readonly #policy: OverflowPolicy;
  readonly flow: Flow<T>;
  readonly #buffer = new Ring<T>();
  #ending: Ending | null = null;
  #emitter: FlowEmitter<T> | null = null;
  #subscribed = false;
  #gone = false;
  dropped = 0;

  constructor(policy: OverflowPolicy) {
    this.#policy = policy;
    this.flow = createFlow<T>((emitter) => {
      if (this.#subscribed) throw new MagError('MAG_FLOW_SUBSCRIBED');
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
    // What can go out at once never waits here, so what waits had no demand, or came inside another item's `next`.
    const { capacity, overflow } = this.#policy;
    const waiting = this.#buffer.length;
    const full = capacity === 0 ? waiting > 0 || (this.#emitter?.demand ?? 0) === 0 : waiting >= capacity;
    if (full && (overflow !== 'drop_oldest' || waiting === 0)) {
      this.#drop();
      if (overflow === 'error') this.error(new MagError('MAG_FLOW_OVERFLOW', { capacity }));
      return false;
    }
    if (full) {
      this.#buffer.shift();
      this.#drop();
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
    while (emitter.demand > 0 && this.#buffer.length > 0) emitter.next(this.#buffer.shift());
    if (this.#buffer.length > 0 || this.#ending === null) return;
    if (this.#ending.kind === 'error') emitter.error(this.#ending.error);
    else emitter.complete();
  }

  #drop(): void {
    this.dropped += 1;
    this.#policy.onDrop?.();
  }

  #cancel(): void {
    this.#gone = true;
    this.#buffer.clear();
  }
}
