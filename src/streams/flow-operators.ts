import {
  createFlow,
  type Flow,
  type FlowEmitter,
  type FlowOperator,
  type FlowProducer,
  type FlowSubscription,
  type FlowTimers,
  lacking,
} from './flow.ts';

/** Passes each item's image on. A throw ends the flow with that error. */
export function map<In, Out>(project: (value: In) => Out): FlowOperator<In, Out> {
  return transform((value) => ({ value: project(value) }));
}

/** Passes on the items that hold; asks for another one for each that does not. */
export function filter<T>(holds: (value: T) => boolean): FlowOperator<T, T> {
  return transform((value) => (holds(value) ? { value } : null));
}

/** One item in, at most one out; null asks for another one in its place. */
function transform<In, Out>(step: (value: In) => { readonly value: Out } | null): FlowOperator<In, Out> {
  return (source: Flow<In>): Flow<Out> =>
    createFlow<Out>((emitter) => {
      let asked = 0;
      const upstream: FlowSubscription = source.subscribe({
        next: (value) => {
          let result: { readonly value: Out } | null;
          try {
            result = step(value);
          } catch (error) {
            upstream.cancel();
            emitter.error(error);
            return;
          }
          if (result === null) {
            upstream.request(1);
            return;
          }
          asked -= 1;
          emitter.next(result.value);
        },
        error: (error) => emitter.error(error),
        complete: () => emitter.complete(),
      });
      return {
        pull: () => {
          const more = lacking(emitter.demand, asked);
          asked += more;
          if (more > 0) upstream.request(more);
        },
        cancel: () => upstream.cancel(),
      };
    });
}

export interface BatchOptions {
  /** Items in a batch at most. */
  readonly size: number;
  /** How long an item may wait for others; absent: until the batch is full or the source ends. */
  readonly within?: { readonly host: FlowTimers; readonly ms: number };
}

/** Collects items into arrays of at least one. A request for a batch asks for a whole batch of items. */
export function batch<T>(options: BatchOptions): FlowOperator<T, readonly T[]> {
  return (source: Flow<T>): Flow<readonly T[]> =>
    createFlow<readonly T[]>((emitter) => new Batcher(source, emitter, options));
}

class Batcher<T> implements FlowProducer {
  readonly #emitter: FlowEmitter<readonly T[]>;
  readonly #options: BatchOptions;
  readonly #upstream: FlowSubscription;
  #held: T[] = [];
  #asked = 0;
  #timer: { readonly id: unknown } | null = null;
  #due = false;
  #ending: (() => void) | null = null;

  constructor(source: Flow<T>, emitter: FlowEmitter<readonly T[]>, options: BatchOptions) {
    this.#emitter = emitter;
    this.#options = options;
    this.#upstream = source.subscribe({
      next: (value) => {
        this.#asked -= 1;
        this.#held.push(value);
        this.#startTimer();
        if (this.#held.length >= options.size) emitter.wake();
      },
      error: (error) => this.#end(() => emitter.error(error)),
      complete: () => this.#end(() => emitter.complete()),
    });
  }

  pull(): void {
    const { size } = this.#options;
    const isReady = (): boolean =>
      this.#held.length >= size || (this.#held.length > 0 && (this.#due || this.#ending !== null));
    while (this.#emitter.demand > 0 && isReady()) {
      const taken = this.#held.splice(0, size);
      this.#due = false;
      if (this.#held.length === 0) this.#stopTimer();
      this.#emitter.next(taken);
    }
    if (this.#ending !== null) {
      if (this.#held.length === 0) this.#ending();
      return;
    }
    // Enough for every batch that was asked for, with what is held or under way.
    const wanted = this.#emitter.demand === 0 ? 0 : this.#emitter.demand * size - this.#held.length;
    const more = lacking(wanted, this.#asked);
    this.#asked += more;
    if (more > 0) this.#upstream.request(more);
  }

  cancel(): void {
    this.#stopTimer();
    this.#held = [];
    this.#upstream.cancel();
  }

  #end(ending: () => void): void {
    this.#ending = () => {
      this.#stopTimer();
      ending();
    };
    this.#emitter.wake();
  }

  #startTimer(): void {
    const { within } = this.#options;
    if (within === undefined || this.#timer !== null) return;
    this.#timer = within.host.setTimer(within.ms, () => {
      this.#timer = null;
      this.#due = true;
      this.#emitter.wake();
    });
  }

  #stopTimer(): void {
    if (this.#timer !== null) this.#options.within?.host.clearTimer(this.#timer);
    this.#timer = null;
  }
}
