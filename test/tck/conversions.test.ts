import { from } from 'rxjs';
import type { Flow } from '../../src/streams/flow.ts';
import { fromAsyncIterable } from '../../src/streams/flow-iterables.ts';
import { toReadable } from '../../src/streams/flow-node.ts';
import { fromObservable, toObservable } from '../../src/streams/flow-rx.ts';
import { buffer } from '../../src/streams/flow-sources.ts';
import { cancelTold, counting, failing } from '../support/flow-subjects.ts';
import { tck } from '../support/flow-tck.ts';

const ways: Readonly<Record<string, (source: Flow<number>) => AsyncIterable<number>>> = {
  'a Node stream read as an async iterable': (source) => toReadable(source),
  'an async generator around its iterator': async function* (source) {
    yield* source;
  },
};

for (const [name, through] of Object.entries(ways)) {
  tck(`a flow through ${name}`, {
    make: (count) =>
      fromAsyncIterable({ [Symbol.asyncIterator]: () => through(counting(count))[Symbol.asyncIterator]() }),
    fail: (count, error) =>
      fromAsyncIterable({
        [Symbol.asyncIterator]: () => through(failing(count, error))[Symbol.asyncIterator](),
      }),
    cancellable: (onCancel) => fromAsyncIterable(through(cancelTold(onCancel))),
    isAsync: true,
  });
}

tck("a flow through RxJS's from", {
  make: (count) => fromObservable(from(counting(count)), buffer(Math.max(1, count))),
  fail: (count, error) => fromObservable(from(failing(count, error)), buffer(10)),
});

tck('a flow through an Observable that asks for several ahead', {
  make: (count) => fromObservable(toObservable(counting(count), buffer(4)), buffer(Math.max(1, count))),
  fail: (count, error) => fromObservable(toObservable(failing(count, error), buffer(4)), buffer(10)),
});

tck('a flow through an Observable that drops nothing since it is fast enough', {
  make: (count) => fromObservable(toObservable(counting(count), 'drop_newest'), buffer(Math.max(1, count))),
});
