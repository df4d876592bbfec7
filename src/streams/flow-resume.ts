import {
  createFlow,
  type Flow,
  type FlowEmitter,
  type FlowObserver,
  type FlowOperator,
  type FlowProducer,
  type FlowSubscription,
  lacking,
} from './flow.ts';
import { NO_SUBSCRIPTION } from './flow-stage.ts';

/** Goes on with another flow after an error; what was asked for and not emitted yet is asked of that one. */
export function catchError<In, Out = In>(recover: (error: unknown) => Flow<Out>): FlowOperator<In, In | Out> {
  return (source) => createFlow<In | Out>((emitter) => new Resuming<In | Out>(source, emitter, recover, 1));
}

/**
 * Subscribes to the source anew after an error, so many times at most; the last error is the flow's. Throws RangeError
 * where that is neither a whole number nor Infinity: a count that never comes to 0 would go on for ever unasked.
 */
export function retry<T>(times: number): FlowOperator<T, T> {
  const isCount = Number.isSafeInteger(times) && times >= 0;
  if (!isCount && times !== Number.POSITIVE_INFINITY)
    throw new RangeError(`retry(${times}): a whole number or Infinity is needed`);
  return (source) => createFlow<T>((emitter) => new Resuming(source, emitter, () => source, times));
}

class Resuming<T> implements FlowProducer, FlowObserver<T> {
  readonly #emitter: FlowEmitter<T>;
  readonly #after: (error: unknown) => Flow<T>;
  #upstream: FlowSubscription = NO_SUBSCRIPTION;
  #left: number;
  #asked = 0;
  #following: Flow<T> | null;

  constructor(source: Flow<T>, emitter: FlowEmitter<T>, after: (error: unknown) => Flow<T>, times: number) {
    this.#emitter = emitter;
    this.#after = after;
    this.#left = times;
    this.#following = source;
  }

  pull(): void {
    // Here and not inside the error, so that a source that fails at once a thousand times does not fill the stack.
    if (this.#following !== null) {
      const source = this.#following;
      this.#following = null;
      this.#asked = 0;
      source.subscribe(this);
      if (this.#following !== null) return;
    }
    const more = lacking(this.#emitter.demand, this.#asked);
    this.#asked += more;
    if (more > 0) this.#upstream.request(more);
  }

  cancel(): void {
    this.#following = null;
    this.#upstream.cancel();
  }

  start(subscription: FlowSubscription): void {
    this.#upstream = subscription;
  }

  next(value: T): void {
    this.#asked -= 1;
    this.#emitter.next(value);
  }

  error(error: unknown): void {
    if (this.#left === 0) {
      this.#emitter.error(error);
      return;
    }
    this.#left -= 1;
    try {
      this.#following = this.#after(error);
    } catch (failure) {
      this.#emitter.error(failure);
      return;
    }
    this.#emitter.wake();
  }

  complete(): void {
    this.#emitter.complete();
  }
}
