import { asObservable, iterate } from './flow-interop.ts';

/** Who receives a flow's items. Signals come one at a time; after `error` or `complete` comes nothing. */
export interface FlowObserver<T> {
  /**
   * Called once, before every other signal, with what `subscribe` returns later: a source may emit before it has
   * returned. `request` and `cancel` may be called inside it.
   */
  start?(subscription: FlowSubscription): void;
  next(value: T): void;
  error(error: unknown): void;
  complete(): void;
}

export interface FlowSubscription {
  /**
   * Asks for so many more items (a positive whole number, or Infinity); safe inside `next`. Anything else ends the
   * flow with a RangeError.
   */
  request(count: number): void;
  /** Nothing comes after it. Idempotent. */
  cancel(): void;
}

export interface SubscribeOptions {
  /** Items asked for at once; without it nothing comes before the first `request`. */
  readonly request?: number;
}

/**
 * A source of items with demand: it emits no more than was asked for. The rules are those of Reactive Streams
 * (https://github.com/reactive-streams/reactive-streams-jvm): signals are serial, one terminal signal at most,
 * nothing after cancel.
 *
 * `for await` asks for one item at a time; leaving the loop cancels. RxJS takes a flow wherever it takes an
 * Observable (`from(flow)`): an item is asked for when the one before it was taken.
 */
export interface Flow<T> extends AsyncIterable<T, void, undefined> {
  /** Throws TypeError without an observer, and what the observer's own `next` throws. */
  subscribe(observer: FlowObserver<T>, options?: SubscribeOptions): FlowSubscription;
  pipe(): Flow<T>;
  pipe<A>(a: FlowOperator<T, A>): Flow<A>;
  pipe<A, B>(a: FlowOperator<T, A>, b: FlowOperator<A, B>): Flow<B>;
  pipe<A, B, C>(a: FlowOperator<T, A>, b: FlowOperator<A, B>, c: FlowOperator<B, C>): Flow<C>;
  pipe<A, B, C, D>(
    a: FlowOperator<T, A>,
    b: FlowOperator<A, B>,
    c: FlowOperator<B, C>,
    d: FlowOperator<C, D>,
  ): Flow<D>;
  pipe<A, B, C, D, E>(
    a: FlowOperator<T, A>,
    b: FlowOperator<A, B>,
    c: FlowOperator<B, C>,
    d: FlowOperator<C, D>,
    e: FlowOperator<D, E>,
  ): Flow<E>;
  pipe<A, B, C, D, E, F>(
    a: FlowOperator<T, A>,
    b: FlowOperator<A, B>,
    c: FlowOperator<B, C>,
    d: FlowOperator<C, D>,
    e: FlowOperator<D, E>,
    f: FlowOperator<E, F>,
  ): Flow<F>;
  pipe<A, B, C, D, E, F, G>(
    a: FlowOperator<T, A>,
    b: FlowOperator<A, B>,
    c: FlowOperator<B, C>,
    d: FlowOperator<C, D>,
    e: FlowOperator<D, E>,
    f: FlowOperator<E, F>,
    g: FlowOperator<F, G>,
  ): Flow<G>;
  pipe<A, B, C, D, E, F, G, H>(
    a: FlowOperator<T, A>,
    b: FlowOperator<A, B>,
    c: FlowOperator<B, C>,
    d: FlowOperator<C, D>,
    e: FlowOperator<D, E>,
    f: FlowOperator<E, F>,
    g: FlowOperator<F, G>,
    h: FlowOperator<G, H>,
  ): Flow<H>;
  pipe<A, B, C, D, E, F, G, H, I>(
    a: FlowOperator<T, A>,
    b: FlowOperator<A, B>,
    c: FlowOperator<B, C>,
    d: FlowOperator<C, D>,
    e: FlowOperator<D, E>,
    f: FlowOperator<E, F>,
    g: FlowOperator<F, G>,
    h: FlowOperator<G, H>,
    i: FlowOperator<H, I>,
  ): Flow<I>;
  pipe<A, B, C, D, E, F, G, H, I, J>(
    a: FlowOperator<T, A>,
    b: FlowOperator<A, B>,
    c: FlowOperator<B, C>,
    d: FlowOperator<C, D>,
    e: FlowOperator<D, E>,
    f: FlowOperator<E, F>,
    g: FlowOperator<F, G>,
    h: FlowOperator<G, H>,
    i: FlowOperator<H, I>,
    j: FlowOperator<I, J>,
  ): Flow<J>;
  /** Past ten operators their types are followed no further. */
  pipe<A, B, C, D, E, F, G, H, I, J>(
    a: FlowOperator<T, A>,
    b: FlowOperator<A, B>,
    c: FlowOperator<B, C>,
    d: FlowOperator<C, D>,
    e: FlowOperator<D, E>,
    f: FlowOperator<E, F>,
    g: FlowOperator<F, G>,
    h: FlowOperator<G, H>,
    i: FlowOperator<H, I>,
    j: FlowOperator<I, J>,
    ...more: readonly FlowOperator<never, unknown>[]
  ): Flow<unknown>;
}

/** The part of the runtime's Host that flows need; they lie below it. */
export interface FlowTimers {
  setTimer(delayMs: number, callback: () => void): { readonly id: unknown };
  clearTimer(timer: { readonly id: unknown }): void;
}

export type FlowOperator<In, Out> = (source: Flow<In>) => Flow<Out>;

/** What a source is given to emit with. */
export interface FlowEmitter<T> {
  /** Items that may be emitted now; 0 once the flow has ended. */
  readonly demand: number;
  /** Throws RangeError without demand, and inside another `next`: both are mistakes of the source. */
  next(value: T): void;
  error(error: unknown): void;
  complete(): void;
  /** There may be something to emit: runs `pull` now, or as soon as the signal under way is over. */
  wake(): void;
}

/** The source's side of one subscription. */
export interface FlowProducer {
  /** Emit what there is, within the demand. Never called inside itself or inside a signal. A throw ends the flow. */
  pull(): void;
  /** The subscriber went away, or broke the rules. Called at most once, and not after a terminal signal. */
  cancel?(): void;
}

/** Makes a flow from what produces for one subscriber. What `start` throws is told to the subscriber as an error. */
export function createFlow<T>(start: (emitter: FlowEmitter<T>) => FlowProducer): Flow<T> {
  return relayFlow((observer) => {
    const subscription = new Subscription(observer);
    subscription.start(start);
    return subscription;
  });
}

/**
 * A flow whose subscriptions keep the rules themselves: for operators that hand their subscriber's demand straight on,
 * and so need no book of their own. It saves half the cost of an item.
 */
export function relayFlow<T>(subscribe: (observer: FlowObserver<T>) => FlowSubscription): Flow<T> {
  // The class's pipe reduces whatever it is given; the overloads of Flow hold its types together.
  return new Relay(subscribe) as unknown as Flow<T>;
}

class Relay<T> {
  readonly #subscribe: (observer: FlowObserver<T>) => FlowSubscription;

  constructor(subscribe: (observer: FlowObserver<T>) => FlowSubscription) {
    this.#subscribe = subscribe;
  }

  subscribe(observer: FlowObserver<T>, options?: SubscribeOptions): FlowSubscription {
    if (typeof observer?.next !== 'function') throw new TypeError('a flow needs an observer with `next`');
    const subscription = this.#subscribe(observer);
    if (options?.request !== undefined) subscription.request(options.request);
    return subscription;
  }

  pipe(...operators: readonly FlowOperator<unknown, unknown>[]): unknown {
    // Each operator takes what the one before it gives.
    return operators.reduce((source, operator) => operator(source), this as unknown as Flow<unknown>);
  }

  [Symbol.asyncIterator](): AsyncIterator<T, void, undefined> {
    return iterate(this);
  }
}

// Both keys: RxJS and XState look for Symbol.observable where something has defined it, else for the string.
const INTEROP: readonly PropertyKey[] = ['@@observable', Symbol.observable ?? '@@observable'];
for (const key of new Set(INTEROP)) {
  Object.defineProperty(Relay.prototype, key, {
    value(this: Relay<unknown>) {
      return asObservable(this);
    },
  });
}

/** Takes the place of a subscriber that is gone, so that nothing holds on to it (rule 3.13). */
export const NOBODY: FlowObserver<unknown> = { next: () => {}, error: () => {}, complete: () => {} };

class Subscription<T> implements FlowSubscription, FlowEmitter<T> {
  demand = 0;
  #observer: FlowObserver<T>;
  #producer: FlowProducer | null = null;
  #ended = false;
  /** Whether it was the source that has said so. */
  #told = false;
  #signalling = false;
  #pulling = false;
  #again = false;
  /** A terminal signal that came up inside `next`, to be told when that returns. */
  #last: (() => void) | null = null;

  constructor(observer: FlowObserver<T>) {
    this.#observer = observer;
  }

  start(start: (emitter: FlowEmitter<T>) => FlowProducer): void {
    this.#observer.start?.(this);
    if (this.#ended) return;
    let producer: FlowProducer;
    try {
      producer = start(this);
    } catch (error) {
      if (this.#ended) throw error;
      this.error(error);
      return;
    }
    if (this.#ended) {
      // Cancelled by its observer while it started: the producer was not there to be told.
      if (!this.#told) producer.cancel?.();
      return;
    }
    this.#producer = producer;
    this.wake();
  }

  request(count: number): void {
    if (this.#ended) return;
    if (!isDemand(count)) {
      const producer = this.#producer;
      this.error(new RangeError(`request(${count}): a positive whole number is needed`));
      producer?.cancel?.();
      return;
    }
    const sum = this.demand + count;
    // A number that one cannot count down from is as good as all.
    this.demand = sum > Number.MAX_SAFE_INTEGER ? Number.POSITIVE_INFINITY : sum;
    if (this.#signalling || this.#pulling) this.#again = true;
    else this.wake();
  }

  cancel(): void {
    this.#last = null;
    this.#observer = NOBODY;
    if (this.#ended) return;
    this.#ended = true;
    this.demand = 0;
    const producer = this.#producer;
    this.#producer = null;
    producer?.cancel?.();
  }

  next(value: T): void {
    if (this.#ended) return;
    if (this.demand <= 0) throw new RangeError('an item that nobody asked for');
    if (this.#signalling) throw new RangeError('an item inside another one');
    this.demand -= 1;
    this.#signalling = true;
    try {
      this.#observer.next(value);
    } catch (error) {
      // An observer that throws is in no state to get more.
      this.#signalling = false;
      this.cancel();
      throw error;
    }
    this.#signalling = false;
    if (this.#last !== null) this.#tellLast();
    else if (this.#again && !this.#pulling) this.wake();
  }

  error(error: unknown): void {
    const observer = this.#observer;
    this.#end(() => observer.error(error));
  }

  complete(): void {
    const observer = this.#observer;
    this.#end(() => observer.complete());
  }

  wake(): void {
    this.#again = true;
    if (this.#pulling || this.#signalling) return;
    this.#pulling = true;
    try {
      while (this.#again && this.#producer !== null) {
        this.#again = false;
        this.#producer.pull();
      }
    } catch (error) {
      // Ended: it was the observer that threw, and whoever made it emit is told. Else the source has failed.
      if (this.#ended) throw error;
      const producer = this.#producer;
      this.error(error);
      producer?.cancel?.();
    } finally {
      this.#pulling = false;
    }
  }

  #end(signal: () => void): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#told = true;
    this.demand = 0;
    this.#producer = null;
    if (this.#signalling) {
      this.#last = signal;
      return;
    }
    this.#observer = NOBODY;
    signal();
  }

  #tellLast(): void {
    const last = this.#last;
    this.#last = null;
    this.#observer = NOBODY;
    last?.();
  }
}

/** What may be asked for: a positive whole number, or Infinity. */
export const isDemand = (count: number): boolean =>
  count > 0 && (Number.isInteger(count) || count === Number.POSITIVE_INFINITY);

/** How many more to ask for upstream: `asked` are under way, and once it was told to send all there is no more to say. */
export function lacking(wanted: number, asked: number): number {
  return asked === Number.POSITIVE_INFINITY ? 0 : Math.max(0, wanted - asked);
}

/** A bound that an operator was given must be one. */
export function checkCount(what: string, count: number): void {
  if (!Number.isSafeInteger(count) || count < 1) {
    throw new RangeError(`${what} of ${count}: a positive whole number is needed`);
  }
}
