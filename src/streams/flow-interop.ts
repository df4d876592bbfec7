import type { FlowObserver, FlowSubscription } from './flow.ts';

/** The part of a flow that other kinds of streams are made from. */
interface Source<T> {
  subscribe(observer: FlowObserver<T>): FlowSubscription;
}

/** Somebody who awaits `next()`. */
interface Waiting<T> {
  resolve(result: IteratorResult<T, void>): void;
  reject(error: unknown): void;
}

const DONE: IteratorReturnResult<void> = { done: true, value: undefined };

/**
 * A flow as an async iterator: each `next()` asks for one item, so nothing is held here. It subscribes at the first
 * one; `return()` cancels. An error is thrown by one `next()`, after which it is done, as with a generator.
 */
export function iterate<T>(source: Source<T>): AsyncIterator<T, void, undefined> {
  /** One for each item that was asked for and has not come. */
  const waiting: Waiting<T>[] = [];
  let subscription: FlowSubscription | null = null;
  let ended = false;
  let failure: { readonly error: unknown } | null = null;
  const finish = (): void => {
    ended = true;
    for (const one of waiting.splice(0)) one.resolve(DONE);
  };
  const observer: FlowObserver<T> = {
    start: (given) => {
      subscription = given;
    },
    next: (value) => waiting.shift()?.resolve({ done: false, value }),
    error: (error) => {
      const first = waiting.shift();
      if (first === undefined) failure = { error };
      else first.reject(error);
      finish();
    },
    complete: finish,
  };
  return {
    next: () => {
      if (subscription === null && !ended) subscription = source.subscribe(observer);
      if (failure !== null) {
        const { error } = failure;
        failure = null;
        return Promise.reject(error);
      }
      if (ended) return Promise.resolve(DONE);
      return new Promise((resolve, reject) => {
        waiting.push({ resolve, reject });
        subscription?.request(1);
      });
    },
    return: () => {
      subscription?.cancel();
      finish();
      return Promise.resolve(DONE);
    },
  };
}

/** What RxJS's `from` and XState hand over; both may leave methods out. */
interface PartialObserver<T> {
  readonly closed?: boolean;
  next?(value: T): void;
  error?(error: unknown): void;
  complete?(): void;
}

/** The `Symbol.observable` form: asks for an item when the one before it was taken, which is when `next` returns. */
export function asObservable<T>(source: Source<T>): {
  subscribe(observer: PartialObserver<T>): { unsubscribe(): void };
} {
  return {
    subscribe: (observer) => {
      let subscription: FlowSubscription | null = null;
      const upstream = source.subscribe({
        start: (given) => {
          subscription = given;
        },
        next: (value) => {
          observer.next?.(value);
          // What a synchronous `take` has closed cannot call unsubscribe yet: `subscribe` has not returned.
          if (observer.closed === true) subscription?.cancel();
          else subscription?.request(1);
        },
        error: (error) => observer.error?.(error),
        complete: () => observer.complete?.(),
      });
      upstream.request(1);
      return { unsubscribe: () => upstream.cancel() };
    },
  };
}
