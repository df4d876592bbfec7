import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createFlow, type Flow } from '../../src/streams/flow.ts';
import { batch } from '../../src/streams/flow-batch.ts';
import { fromAsyncIterable } from '../../src/streams/flow-iterables.ts';
import { concatMap, mergeMap } from '../../src/streams/flow-merge.ts';
import { filter, map, scan, take, tap } from '../../src/streams/flow-operators.ts';
import { catchError, retry } from '../../src/streams/flow-resume.ts';
import { share } from '../../src/streams/flow-share.ts';
import { buffer, fromArray, fromPush } from '../../src/streams/flow-sources.ts';
import { window } from '../../src/streams/flow-window.ts';
import { FlowProbe } from '../support/flow-probe.ts';
import { counting } from '../support/flow-subjects.ts';

/** An operator and what it does to an array. */
interface Step {
  readonly name: string;
  readonly flow: (source: Flow<number>) => Flow<number>;
  readonly model: (items: readonly number[]) => readonly number[];
}

const repeated = (n: number): number[] => Array.from({ length: Math.abs(n) % 4 }, () => n);
const chunks = (items: readonly number[], size: number): number[][] =>
  Array.from({ length: Math.ceil(items.length / size) }, (_, place) =>
    items.slice(place * size, (place + 1) * size),
  );
const sum = (items: readonly number[]): number => items.reduce((total, n) => total + n, 0);
const step = (name: string, flow: Step['flow'], model: Step['model']): Step => ({ name, flow, model });
const same = (name: string, flow: Step['flow']): Step => step(name, flow, (items) => items);
const size = fc.integer({ min: 1, max: 5 });

const steps: fc.Arbitrary<Step> = fc.oneof(
  fc.integer({ min: -3, max: 3 }).map((k) =>
    step(
      `map(+${k})`,
      (source) => source.pipe(map((n) => n + k)),
      (items) => items.map((n) => n + k),
    ),
  ),
  fc.integer({ min: 2, max: 4 }).map((k) =>
    step(
      `filter(%${k})`,
      (source) => source.pipe(filter((n) => n % k !== 0)),
      (items) => items.filter((n) => n % k !== 0),
    ),
  ),
  fc.integer({ min: 0, max: 30 }).map((k) =>
    step(
      `take(${k})`,
      (source) => source.pipe(take(k)),
      (items) => items.slice(0, k),
    ),
  ),
  size.map((k) =>
    step(
      `batch(${k})`,
      (source) => source.pipe(batch({ size: k }), map(sum)),
      (items) => chunks(items, k).map(sum),
    ),
  ),
  size.map((k) =>
    same(`window(${k})`, (source) =>
      source.pipe(
        window({ size: k }),
        concatMap((items) => items),
      ),
    ),
  ),
  size.map((k) =>
    step(
      `the first of each window(${k})`,
      (source) =>
        source.pipe(
          window({ size: k }),
          concatMap((items) => items.pipe(take(1))),
        ),
      (items) => chunks(items, k).map(([first]) => first!),
    ),
  ),
  fc.constantFrom(
    step(
      'scan',
      (source) => source.pipe(scan((total, n) => total + n, 0)),
      (items) => items.map((_, place) => sum(items.slice(0, place + 1))),
    ),
    step(
      'concatMap to arrays',
      (source) => source.pipe(concatMap(repeated)),
      (items) => items.flatMap(repeated),
    ),
    step(
      'concatMap to flows',
      (source) => source.pipe(concatMap((n) => fromArray(repeated(n)))),
      (items) => items.flatMap(repeated),
    ),
    same('mergeMap of one each, one at a time', (source) =>
      source.pipe(mergeMap((n) => [n], { concurrency: 1 })),
    ),
    same('mergeMap of one each', (source) =>
      source.pipe(mergeMap((n) => fromArray([n]), { concurrency: 3 })),
    ),
    same('share', (source) => source.pipe(share({ capacity: 3, slow: 'wait' }))),
    same('retry', (source) => source.pipe(retry(2))),
    same('catchError', (source) => source.pipe(catchError(() => fromArray<number>([])))),
    same('tap', (source) => source.pipe(tap(() => {}))),
  ),
);

const source: fc.Arbitrary<(items: readonly number[]) => Flow<number>> = fc.constantFrom(
  fromArray,
  (items) => {
    const push = fromPush<number>(buffer(1_000));
    for (const item of items) push.push(item);
    push.complete();
    return push.flow;
  },
);

const numbers = fc.array(fc.integer({ min: -20, max: 20 }), { maxLength: 40 });
const requests = fc.array(fc.oneof(fc.integer({ min: 1, max: 9 }), fc.constant(Number.POSITIVE_INFINITY)), {
  maxLength: 20,
});
const chain = fc.array(steps, { maxLength: 6 });
const named = (made: readonly Step[]): string => made.map(({ name }) => name).join(' → ');

describe('any chain of operators', () => {
  it('gives what the same chain over arrays gives, item by item as it is asked', () => {
    fc.assert(
      fc.property(numbers, source, chain, requests, (items, from, made, asked) => {
        const expected = made.reduce<readonly number[]>((all, { model }) => model(all), items);
        const probe = FlowProbe.on(made.reduce((all, { flow }) => flow(all), from(items)));
        for (const count of asked) {
          probe.request(count);
          expect(probe.items, named(made)).toEqual(expected.slice(0, probe.requested));
        }
        probe.request(Number.POSITIVE_INFINITY);
        expect(probe.items, named(made)).toEqual(expected);
        expect(probe.ending).toBe('complete');
        expect(probe.broken).toEqual([]);
      }),
      { numRuns: 1_500 },
    );
  });

  it('says nothing after a cancel, and ends its source exactly once', () => {
    fc.assert(
      fc.property(chain, fc.integer({ min: 0, max: 12 }), requests, (made, after, asked) => {
        const ends: string[] = [];
        let emitted = 0;
        let started = 0;
        const watched = createFlow<number>((emitter) => {
          started += 1;
          return {
            pull: () => {
              while (emitter.demand > 0 && emitted < 2_000) {
                emitted += 1;
                emitter.next(emitted);
              }
              if (emitted < 2_000 || ends.length > 0) return;
              ends.push('complete');
              emitter.complete();
            },
            cancel: () => void ends.push('cancel'),
          };
        });
        const probe = new FlowProbe<number>();
        probe.onItem = () => {
          if (probe.items.length === after) probe.cancel();
        };
        probe.subscribe(made.reduce((all, { flow }) => flow(all), watched));
        for (const count of asked) if (!probe.isCancelled) probe.request(count);
        if (!probe.isOver) probe.cancel();
        const before = [probe.items.length, emitted];
        probe.request(10);
        expect([probe.items.length, emitted], named(made)).toEqual(before);
        expect(probe.broken).toEqual([]);
        // A `take(0)` never starts it.
        expect(ends, named(made)).toHaveLength(started);
      }),
      { numRuns: 500 },
    );
  });

  it('gives the same through promises and async iterators', async () => {
    await fc.assert(
      fc.asyncProperty(numbers, chain, async (items, made) => {
        const expected = made.reduce<readonly number[]>((all, { model }) => model(all), items);
        async function* slowly(): AsyncGenerator<number> {
          yield* items;
        }
        const flow = made.reduce<Flow<number>>(
          (all, { flow }) => flow(all).pipe(concatMap((n) => Promise.resolve(n))),
          fromAsyncIterable(slowly()),
        );
        const seen: number[] = [];
        for await (const item of flow) seen.push(item);
        expect(seen, named(made)).toEqual(expected);
      }),
      { numRuns: 200 },
    );
  });
});

describe('retry', () => {
  it.each([-1, 1.5, Number.NaN])('refuses %s times, which would never be over', (times) => {
    expect(() => retry(times)).toThrow(RangeError);
  });
});

describe('a million items from a synchronous source', () => {
  const million = 1_000_000;
  const shapes: Readonly<Record<string, (from: Flow<number>) => Flow<unknown>>> = {
    'filter that keeps none': (from) => from.pipe(filter(() => false)),
    'mergeMap to nothing': (from) => from.pipe(mergeMap(() => [], { concurrency: 2 })),
    'concatMap to one': (from) => from.pipe(concatMap((n) => fromArray([n]))),
    'a chain asked one by one': (from) =>
      from.pipe(
        map((n) => n + 1),
        scan((_, n) => n, 0),
        take(million),
      ),
    'batch and flatten': (from) =>
      from.pipe(
        batch({ size: 100 }),
        concatMap((items) => items),
      ),
    share: (from) => from.pipe(share({ capacity: 10, slow: 'wait' })),
  };
  it.each(Object.entries(shapes))('do not fill the stack: %s', (_name, shape) => {
    let count = 0;
    let ended = false;
    const subscription = shape(counting(million)).subscribe({
      next: () => {
        count += 1;
        subscription.request(1);
      },
      error: (error) => {
        throw error;
      },
      complete: () => {
        ended = true;
      },
    });
    subscription.request(1);
    expect(ended).toBe(true);
    expect([0, million]).toContain(count);
  });
});
