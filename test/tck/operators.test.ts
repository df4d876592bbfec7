import type { Flow } from '../../src/streams/flow.ts';
import { batch } from '../../src/streams/flow-batch.ts';
import { concatMap, mergeMap } from '../../src/streams/flow-merge.ts';
import { filter, map, scan, take, takeUntil, tap } from '../../src/streams/flow-operators.ts';
import { catchError, retry } from '../../src/streams/flow-resume.ts';
import { share } from '../../src/streams/flow-share.ts';
import { buffer, fromArray, fromPush } from '../../src/streams/flow-sources.ts';
import { window } from '../../src/streams/flow-window.ts';
import { cancelTold, counting, failing } from '../support/flow-subjects.ts';
import { tck } from '../support/flow-tck.ts';

/** An operator that gives one item for each, over sources of every kind. */
const oneToOne: Readonly<Record<string, (source: Flow<number>) => Flow<unknown>>> = {
  map: (source) => source.pipe(map((n) => n + 1)),
  tap: (source) => source.pipe(tap(() => {})),
  scan: (source) => source.pipe(scan((sum, n) => sum + n, 0)),
  'filter that lets all through': (source) => source.pipe(filter(() => true)),
  'take of more than there is': (source) => source.pipe(take(1_000_000)),
  'takeUntil of what never comes': (source) => source.pipe(takeUntil(new Promise(() => {}))),
  'batch of one': (source) => source.pipe(batch({ size: 1 })),
  'window of one': (source) => source.pipe(window({ size: 1 })),
  'concatMap to an array': (source) => source.pipe(concatMap((n) => [n])),
  'concatMap to a flow': (source) => source.pipe(concatMap((n) => fromArray([n]))),
  'mergeMap to a flow': (source) => source.pipe(mergeMap((n) => fromArray([n]), { concurrency: 3 })),
  catchError: (source) => source.pipe(catchError((error) => failing(0, error as Error))),
  'a chain of eight': (source) =>
    source.pipe(
      map((n) => n * 2),
      tap(() => {}),
      filter((n) => n % 2 === 0),
      scan((_, n) => n, 0),
      take(1_000_000),
      concatMap((n) => [n]),
      batch({ size: 1 }),
      map(([n]) => n),
    ),
};

for (const [name, operate] of Object.entries(oneToOne)) {
  tck(name, {
    make: (count) => operate(counting(count)),
    fail: (count, error) => operate(failing(count, error)),
    cancellable: (onCancel) => operate(cancelTold(onCancel)),
  });
}

// Two subscribers see the same items: the slower one may lose what it has no room for, but not hold the other up.
tck('share', {
  make: (count) => counting(count).pipe(share({ capacity: 8, slow: 'drop_newest' })),
  fail: (count, error) => failing(count, error).pipe(share({ capacity: 8, slow: 'wait' })),
  cancellable: (onCancel) => cancelTold(onCancel).pipe(share({ capacity: 8, slow: 'wait' })),
});

tck('filter that lets every third through', {
  make: (count) => counting(count * 3).pipe(filter((n) => n % 3 === 0)),
  fail: (count, error) => failing(count * 3, error).pipe(filter((n) => n % 3 === 0)),
});

tck('take', {
  make: (count) => counting(count * 2).pipe(take(count)),
  cancellable: (onCancel) => cancelTold(onCancel).pipe(take(5)),
});

tck('takeUntil that was told in time', {
  make: (count) => {
    const bell = fromPush<number>(buffer(1));
    const all = counting(count + 5);
    return all.pipe(
      tap((n) => {
        if (n === count) bell.push(1);
      }),
      takeUntil(bell.flow),
      filter((n) => n < count),
    );
  },
  isUnicast: true,
});

tck('concatMap of several each', {
  make: (count) =>
    counting(Math.ceil(count / 4)).pipe(concatMap((n) => counting(Math.min(4, count - n * 4)))),
});

tck('mergeMap of several each', {
  make: (count) =>
    counting(Math.ceil(count / 4)).pipe(
      mergeMap((n) => counting(Math.min(4, count - n * 4)), { concurrency: 2 }),
    ),
});

tck('mergeMap to promises', {
  make: (count) => counting(count).pipe(mergeMap((n) => Promise.resolve(n), { concurrency: 4 })),
  fail: (count, error) =>
    counting(count + 1).pipe(concatMap((n) => (n < count ? Promise.resolve(n) : Promise.reject(error)))),
  cancellable: (onCancel) =>
    cancelTold(onCancel).pipe(mergeMap((n) => Promise.resolve(n), { concurrency: 4 })),
  isAsync: true,
});

tck('batch of three', {
  make: (count) => counting(count * 3).pipe(batch({ size: 3 })),
  fail: (count, error) => failing(count * 3, error).pipe(batch({ size: 3 })),
});

tck('windows of three, read one after the other', {
  make: (count) =>
    counting(count).pipe(
      window({ size: 3 }),
      concatMap((items) => items),
    ),
  fail: (count, error) =>
    failing(count, error).pipe(
      window({ size: 3 }),
      concatMap((items) => items),
    ),
  cancellable: (onCancel) =>
    cancelTold(onCancel).pipe(
      window({ size: 3 }),
      concatMap((items) => items),
    ),
});

tck('retry', {
  make: (count) => {
    let tries = 0;
    return counting(count).pipe(
      map((n) => {
        if (n === 0 && tries++ === 0) throw new Error('the first time');
        return n;
      }),
      retry(3),
    );
  },
  fail: (count, error) => failing(count, error).pipe(retry(0)),
});
