import { createFlow, type Flow, type FlowEmitter, type FlowProducer } from './flow.ts';

/** What an operator takes for a source: it must be able to wait, which an Observable is not (see fromObservable). */
export type FlowInput<T> = Flow<T> | PromiseLike<T> | AsyncIterable<T> | Iterable<T>;

/** Throws TypeError for what is none of these. */
export function toFlow<T>(input: FlowInput<T>): Flow<T> {
  if (typeof input === 'object' && input !== null) {
    if ('subscribe' in input && 'pipe' in input && Symbol.asyncIterator in input) return input;
    if (Symbol.asyncIterator in input) return fromAsyncIterable(input);
    if ('then' in input) return fromPromise(input);
    if (Symbol.iterator in input) return fromIterable(input);
  }
  if (typeof input === 'string') return fromIterable(input);
  throw new TypeError('neither a flow, nor a promise, nor an iterable');
}

/** The items of an iterable, taken as they are asked for, to each subscriber from a new iterator. */
export function fromIterable<T>(items: Iterable<T>): Flow<T> {
  return createFlow((emitter) => {
    const iterator = items[Symbol.iterator]();
    return {
      pull: () => {
        while (emitter.demand > 0) {
          const result = iterator.next();
          if (result.done === true) {
            emitter.complete();
            return;
          }
          emitter.next(result.value);
        }
      },
      cancel: () => void iterator.return?.(),
    };
  });
}

/** What a promise resolves to, as a flow of one item. */
export function fromPromise<T>(promise: PromiseLike<T>): Flow<T> {
  return createFlow((emitter) => {
    let settled: { readonly value: T } | null = null;
    promise.then(
      (value) => {
        settled = { value };
        emitter.wake();
      },
      (error) => emitter.error(error),
    );
    return {
      pull: () => {
        if (settled === null || emitter.demand === 0) return;
        emitter.next(settled.value);
        emitter.complete();
      },
    };
  });
}

/**
 * The items of an async iterable, one `next()` at a time and only when asked for; a cancel calls the iterator's
 * `return`. Each subscriber has its own iterator, so a generator object, which has but one, serves one subscriber.
 */
export function fromAsyncIterable<T>(items: AsyncIterable<T>): Flow<T> {
  return createFlow((emitter) => new Pulling(items[Symbol.asyncIterator](), emitter));
}

class Pulling<T> implements FlowProducer {
  readonly #iterator: AsyncIterator<T, unknown>;
  readonly #emitter: FlowEmitter<T>;
  #isWaiting = false;

  constructor(iterator: AsyncIterator<T, unknown>, emitter: FlowEmitter<T>) {
    this.#iterator = iterator;
    this.#emitter = emitter;
  }

  pull(): void {
    if (this.#isWaiting || this.#emitter.demand === 0) return;
    this.#isWaiting = true;
    this.#iterator.next().then(this.#onResult, this.#onError);
  }

  cancel(): void {
    // Nobody is left to hear how the clean-up of the source went.
    this.#iterator.return?.().then(undefined, () => {});
  }

  readonly #onResult = (result: IteratorResult<T, unknown>): void => {
    this.#isWaiting = false;
    if (result.done === true) {
      this.#emitter.complete();
      return;
    }
    this.#emitter.next(result.value);
    this.#emitter.wake();
  };

  readonly #onError = (error: unknown): void => {
    this.#emitter.error(error);
  };
}
