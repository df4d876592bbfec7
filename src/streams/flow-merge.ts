import {
  checkCount,
  createFlow,
  type Flow,
  type FlowEmitter,
  type FlowObserver,
  type FlowOperator,
  type FlowProducer,
  type FlowSubscription,
  lacking,
} from './flow.ts';
import { type FlowInput, toFlow } from './flow-iterables.ts';
import { Ring } from './flow-ring.ts';
import { NO_SUBSCRIPTION } from './flow-stage.ts';

export interface MergeOptions {
  /** Inner sources at once at most. Upstream is asked for so many items and for one more as each inner one ends. */
  readonly concurrency: number;
}

/**
 * Turns each item into a source of its own and emits what they give, as it comes. Each inner source is one item ahead
 * of the subscriber at most. The first error, of the outer or an inner source, cancels the others. Throws RangeError
 * where the concurrency is no positive whole number.
 */
export function mergeMap<In, Out>(
  project: (value: In) => FlowInput<Out>,
  { concurrency }: MergeOptions,
): FlowOperator<In, Out> {
  checkCount('mergeMap with a concurrency', concurrency);
  if (concurrency === 1) return concatMap(project);
  return (source) => createFlow<Out>((emitter) => new Merger(source, emitter, project, concurrency));
}

/** Turns each item into a source of its own and emits what they give, one source after the other. */
export function concatMap<In, Out>(project: (value: In) => FlowInput<Out>): FlowOperator<In, Out> {
  return (source) => createFlow<Out>((emitter) => new Chainer(source, emitter, project));
}

class Merger<In, Out> implements FlowProducer, FlowObserver<In> {
  readonly #emitter: FlowEmitter<Out>;
  readonly #project: (value: In) => FlowInput<Out>;
  readonly #concurrency: number;
  #upstream: FlowSubscription = NO_SUBSCRIPTION;
  readonly #inner = new Set<Inner<Out>>();
  /** Those that hold an item, in the order in which these came: at most one entry each. */
  readonly #ready = new Ring<Inner<Out>>();
  #asked = 0;
  #isLast = false;

  constructor(
    source: Flow<In>,
    emitter: FlowEmitter<Out>,
    project: (value: In) => FlowInput<Out>,
    concurrency: number,
  ) {
    this.#emitter = emitter;
    this.#project = project;
    this.#concurrency = concurrency;
    source.subscribe(this);
  }

  start(subscription: FlowSubscription): void {
    this.#upstream = subscription;
  }

  pull(): void {
    while (this.#emitter.demand > 0 && this.#ready.length > 0) {
      const inner = this.#ready.shift();
      const value = inner.take();
      this.#emitter.next(value);
      inner.ask();
    }
    if (this.#emitter.demand > 0 && !this.#isLast) {
      const more = lacking(this.#concurrency - this.#inner.size, this.#asked);
      this.#asked += more;
      if (more > 0) this.#upstream.request(more);
    }
    if (this.#isLast && this.#inner.size === 0) this.#emitter.complete();
  }

  cancel(): void {
    this.#upstream.cancel();
    for (const inner of this.#inner) inner.cancel();
    this.#inner.clear();
    this.#ready.clear();
  }

  next(value: In): void {
    this.#asked -= 1;
    let flow: Flow<Out>;
    try {
      flow = toFlow(this.#project(value));
    } catch (error) {
      this.error(error);
      return;
    }
    const inner = new Inner(this);
    this.#inner.add(inner);
    flow.subscribe(inner);
  }

  error(error: unknown): void {
    this.cancel();
    this.#emitter.error(error);
  }

  complete(): void {
    this.#isLast = true;
    this.#emitter.wake();
  }

  holds(inner: Inner<Out>): void {
    this.#ready.push(inner);
    this.#emitter.wake();
  }

  ended(inner: Inner<Out>): void {
    this.#inner.delete(inner);
    this.#emitter.wake();
  }
}

/** One inner source with place for one item. */
class Inner<T> implements FlowObserver<T> {
  readonly #owner: {
    holds(inner: Inner<T>): void;
    ended(inner: Inner<T>): void;
    error(error: unknown): void;
  };
  #subscription: FlowSubscription | null = null;
  #held: T | undefined;
  #holds = false;
  #complete = false;

  constructor(owner: {
    holds(inner: Inner<T>): void;
    ended(inner: Inner<T>): void;
    error(error: unknown): void;
  }) {
    this.#owner = owner;
  }

  start(subscription: FlowSubscription): void {
    this.#subscription = subscription;
    subscription.request(1);
  }

  next(value: T): void {
    this.#held = value;
    this.#holds = true;
    this.#owner.holds(this);
  }

  error(error: unknown): void {
    this.#owner.error(error);
  }

  complete(): void {
    this.#complete = true;
    if (!this.#holds) this.#owner.ended(this);
  }

  /** What it holds; its place is free then. */
  take(): T {
    const value = this.#held as T; // only called while it holds
    this.#held = undefined;
    this.#holds = false;
    return value;
  }

  ask(): void {
    if (this.#complete && !this.#holds) this.#owner.ended(this);
    else this.#subscription?.request(1);
  }

  cancel(): void {
    this.#subscription?.cancel();
  }
}

class Chainer<In, Out> implements FlowProducer, FlowObserver<In> {
  readonly #emitter: FlowEmitter<Out>;
  readonly #project: (value: In) => FlowInput<Out>;
  #upstream: FlowSubscription = NO_SUBSCRIPTION;
  #inner: FlowSubscription | null = null;
  /** Asked of the inner source and not come yet. */
  #asked = 0;
  #isAsking = false;
  #isLast = false;

  constructor(source: Flow<In>, emitter: FlowEmitter<Out>, project: (value: In) => FlowInput<Out>) {
    this.#emitter = emitter;
    this.#project = project;
    source.subscribe(this);
  }

  start(subscription: FlowSubscription): void {
    this.#upstream = subscription;
  }

  pull(): void {
    if (this.#inner !== null) {
      const more = lacking(this.#emitter.demand, this.#asked);
      this.#asked += more;
      if (more > 0) this.#inner.request(more);
      return;
    }
    if (this.#isLast) this.#emitter.complete();
    else if (this.#emitter.demand > 0 && !this.#isAsking) {
      this.#isAsking = true;
      this.#upstream.request(1);
    }
  }

  cancel(): void {
    this.#upstream.cancel();
    this.#inner?.cancel();
    this.#inner = null;
  }

  next(value: In): void {
    this.#isAsking = false;
    this.#asked = 0;
    let flow: Flow<Out>;
    try {
      flow = toFlow(this.#project(value));
    } catch (error) {
      this.error(error);
      return;
    }
    flow.subscribe({
      start: (subscription) => {
        this.#inner = subscription;
      },
      next: (item) => {
        this.#asked -= 1;
        this.#emitter.next(item);
      },
      error: (error) => this.error(error),
      complete: () => {
        this.#inner = null;
        this.#emitter.wake();
      },
    });
    this.#emitter.wake();
  }

  error(error: unknown): void {
    this.cancel();
    this.#emitter.error(error);
  }

  complete(): void {
    this.#isLast = true;
    this.#emitter.wake();
  }
}
