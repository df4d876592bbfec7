/** Who receives a flow's items. Signals come one at a time; after `error` or `complete` comes nothing. */
export interface FlowObserver<T> {
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

/**
 * A source of items with demand: it emits no more than was asked for. The rules are those of Reactive Streams
 * (https://github.com/reactive-streams/reactive-streams-jvm): signals are serial, one terminal signal at most,
 * nothing after cancel.
 */
export interface Flow<T> {
  subscribe(observer: FlowObserver<T>, options?: { readonly request?: number }): FlowSubscription;
  pipe<A>(first: FlowOperator<T, A>): Flow<A>;
  pipe<A, B>(first: FlowOperator<T, A>, second: FlowOperator<A, B>): Flow<B>;
  pipe<A, B, C>(first: FlowOperator<T, A>, second: FlowOperator<A, B>, third: FlowOperator<B, C>): Flow<C>;
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
  /** Emit what there is, within the demand. Never called inside itself or inside a signal. */
  pull(): void;
  /** The subscriber went away, or broke the rules. Called at most once, and not after a terminal signal. */
  cancel?(): void;
}

/** Makes a flow from what produces for one subscriber. */
export function createFlow<T>(start: (emitter: FlowEmitter<T>) => FlowProducer): Flow<T> {
  const flow: Flow<T> = {
    subscribe: (observer, options = {}) => {
      const subscription = new Subscription(observer);
      subscription.start(start);
      if (options.request !== undefined) subscription.request(options.request);
      return subscription;
    },
    // Each operator takes what the one before it gives; the overloads above hold their types together.
    pipe: (...operators: readonly FlowOperator<never, unknown>[]) =>
      operators.reduce(
        (source, operator) => operator(source as Flow<never>),
        flow as Flow<unknown>,
      ) as Flow<never>,
  };
  return flow;
}

class Subscription<T> implements FlowSubscription, FlowEmitter<T> {
  readonly #observer: FlowObserver<T>;
  #producer: FlowProducer | null = null;
  #demand = 0;
  #ended = false;
  #signalling = false;
  #pulling = false;
  #again = false;
  /** A terminal signal that came up inside `next`, to be told when that returns. */
  #last: (() => void) | null = null;

  constructor(observer: FlowObserver<T>) {
    this.#observer = observer;
  }

  start(start: (emitter: FlowEmitter<T>) => FlowProducer): void {
    const producer = start(this);
    // It may have ended, or been cancelled by its observer, while it started.
    if (this.#ended) return;
    this.#producer = producer;
    this.wake();
  }

  get demand(): number {
    return this.#ended ? 0 : this.#demand;
  }

  request(count: number): void {
    if (this.#ended) return;
    if (!(count > 0) || (!Number.isInteger(count) && count !== Number.POSITIVE_INFINITY)) {
      const producer = this.#producer;
      this.error(new RangeError(`request(${count}): a positive whole number is needed`));
      producer?.cancel?.();
      return;
    }
    this.#demand += count;
    this.wake();
  }

  cancel(): void {
    this.#last = null;
    if (this.#ended) return;
    this.#ended = true;
    const producer = this.#producer;
    this.#producer = null;
    producer?.cancel?.();
  }

  next(value: T): void {
    if (this.#ended) return;
    if (this.#demand <= 0) throw new RangeError('an item that nobody asked for');
    if (this.#signalling) throw new RangeError('an item inside another one');
    this.#demand -= 1;
    this.#signalling = true;
    try {
      this.#observer.next(value);
    } catch (error) {
      // An observer that throws is in no state to get more.
      this.cancel();
      throw error;
    } finally {
      this.#signalling = false;
    }
    this.#last?.();
    this.#last = null;
    if (this.#again && !this.#pulling) this.wake();
  }

  error(error: unknown): void {
    this.#end(() => this.#observer.error(error));
  }

  complete(): void {
    this.#end(() => this.#observer.complete());
  }

  wake(): void {
    this.#again = true;
    if (this.#pulling || this.#signalling) return;
    this.#pulling = true;
    try {
      while (this.#again && !this.#ended && this.#producer !== null) {
        this.#again = false;
        this.#producer.pull();
      }
    } finally {
      this.#pulling = false;
    }
  }

  #end(signal: () => void): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#producer = null;
    if (this.#signalling) this.#last = signal;
    else signal();
  }
}

/** How many more to ask for upstream: `asked` are under way, and once it was told to send all there is no more to say. */
export function lacking(wanted: number, asked: number): number {
  return asked === Number.POSITIVE_INFINITY ? 0 : Math.max(0, wanted - asked);
}
