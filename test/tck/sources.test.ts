import { Readable } from 'node:stream';
import { Subject } from 'rxjs';
import { createFlow } from '../../src/streams/flow.ts';
import { fromAsyncIterable, fromIterable, fromPromise } from '../../src/streams/flow-iterables.ts';
import { fromReadable, toReadable } from '../../src/streams/flow-node.ts';
import { fromObservable, toObservable } from '../../src/streams/flow-rx.ts';
import { buffer, fromArray, fromPush } from '../../src/streams/flow-sources.ts';
import { cancelTold, counting, failing } from '../support/flow-subjects.ts';
import { tck } from '../support/flow-tck.ts';

const numbers = (count: number): number[] => Array.from({ length: count }, (_, place) => place);

const pushed = (count: number, error?: Error) => {
  const source = fromPush<number>(buffer(Math.max(1, count)));
  for (let place = 0; place < count; place += 1) source.push(place);
  if (error === undefined) source.complete();
  else source.error(error);
  return source.flow;
};

function* generated(count: number, error?: Error): Generator<number> {
  for (let place = 0; place < count; place += 1) yield place;
  if (error !== undefined) throw error;
}

async function* awaited(count: number, error?: Error): AsyncGenerator<number> {
  yield* generated(count, error);
}

/** An iterable that can be iterated anew, and says when an iterator is given back. */
const iterable = (count: number, error?: Error, onReturn: () => void = () => {}): Iterable<number> => ({
  *[Symbol.iterator]() {
    let isWhole = false;
    try {
      yield* generated(count, error);
      isWhole = true;
    } finally {
      if (!isWhole) onReturn();
    }
  },
});

const asyncIterable = (
  count: number,
  error?: Error,
  onReturn: () => void = () => {},
): AsyncIterable<number> => ({
  async *[Symbol.asyncIterator]() {
    let isWhole = false;
    try {
      yield* awaited(count, error);
      isWhole = true;
    } finally {
      if (!isWhole) onReturn();
    }
  },
});

tck('createFlow', { make: counting, fail: failing, cancellable: cancelTold });

tck('fromArray', { make: (count) => fromArray(numbers(count)) });

tck('fromPush', { make: pushed, fail: pushed, isUnicast: true });

tck('fromIterable', {
  make: (count) => fromIterable(iterable(count)),
  fail: (count, error) => fromIterable(iterable(count, error)),
  cancellable: (onCancel) => fromIterable(iterable(9, undefined, onCancel)),
});

tck('fromAsyncIterable', {
  make: (count) => fromAsyncIterable(asyncIterable(count)),
  fail: (count, error) => fromAsyncIterable(asyncIterable(count, error)),
  cancellable: (onCancel) => fromAsyncIterable(asyncIterable(9, undefined, onCancel)),
  isAsync: true,
});

tck('a flow through its own async iterator', {
  make: (count) => fromAsyncIterable(counting(count)),
  fail: (count, error) => fromAsyncIterable(failing(count, error)),
  cancellable: (onCancel) => fromAsyncIterable(cancelTold(onCancel)),
  isAsync: true,
});

tck('fromObservable', {
  make: (count) => fromObservable(toObservable(counting(count)), buffer(Math.max(1, count))),
  fail: (count, error) => fromObservable(toObservable(failing(count, error)), buffer(10)),
  cancellable: (onCancel) => {
    const subject = new Subject<number>();
    return createFlow((emitter) => {
      const inner = fromObservable(subject, buffer(1)).subscribe(
        { next: (n) => emitter.next(n), error: (e) => emitter.error(e), complete: () => emitter.complete() },
        { request: 100 },
      );
      return {
        pull: () => {
          if (emitter.demand > 0) subject.next(1);
        },
        cancel: () => {
          inner.cancel();
          if (!subject.observed) onCancel();
        },
      };
    });
  },
});

tck('fromReadable', {
  make: (count) => fromReadable(Readable.from(generated(count))),
  fail: (count, error) => fromReadable(Readable.from(generated(count, error))),
  cancellable: (onCancel) => {
    const readable = Readable.from(generated(9));
    readable.on('close', onCancel);
    return fromReadable(readable);
  },
  isUnicast: true,
  isAsync: true,
});

tck('toReadable and back', {
  make: (count) => fromReadable(toReadable(counting(count))),
  fail: (count, error) => fromReadable(toReadable(failing(count, error))),
  cancellable: (onCancel) => fromReadable(toReadable(cancelTold(onCancel))),
  isUnicast: true,
  isAsync: true,
});

tck('fromPromise, one after the other', {
  make: (count) =>
    fromAsyncIterable({
      async *[Symbol.asyncIterator]() {
        for (let place = 0; place < count; place += 1) yield* fromPromise(Promise.resolve(place));
      },
    }),
  isAsync: true,
});
