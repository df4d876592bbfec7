import fc from 'fast-check';
import { from, Subject } from 'rxjs';
import { describe, expect, it } from 'vitest';
import type { Flow, FlowSubscription } from '../../src/streams/flow.ts';
import { batch, filter, map } from '../../src/streams/flow-operators.ts';
import { fromObservable, toObservable } from '../../src/streams/flow-rx.ts';
import { fromArray, fromPush, LATEST } from '../../src/streams/flow-sources.ts';

/** An observer that notes every signal and fails where one breaks the rules. */
class Probe<T> {
  readonly items: T[] = [];
  ending: 'complete' | 'error' | null = null;
  reason: unknown = null;
  requested = 0;
  cancelled = false;
  subscription: FlowSubscription | null = null;
  /** Runs inside `next`. */
  onItem: () => void = () => {};
  #inside = false;

  subscribe(flow: Flow<T>): this {
    this.subscription = flow.subscribe({
      next: (value) => {
        this.#signal();
        this.items.push(value);
        expect(this.items.length, 'more than was requested').toBeLessThanOrEqual(this.requested);
        this.#inside = true;
        this.onItem();
        this.#inside = false;
      },
      error: (error) => {
        this.#signal();
        this.ending = 'error';
        this.reason = error;
      },
      complete: () => {
        this.#signal();
        this.ending = 'complete';
      },
    });
    return this;
  }

  request(count: number): void {
    if (count > 0) this.requested += count;
    this.subscription!.request(count);
  }

  cancel(): void {
    this.cancelled = true;
    this.subscription!.cancel();
  }

  #signal(): void {
    expect(this.#inside, 'a signal inside a signal').toBe(false);
    expect(this.ending, 'a signal after the end').toBe(null);
    expect(this.cancelled, 'a signal after cancel').toBe(false);
  }
}

const numbers = fc.array(fc.integer({ min: 0, max: 20 }), { maxLength: 40 });
const requests = fc.array(fc.integer({ min: 1, max: 7 }), { maxLength: 20 });

interface Shape {
  readonly flow: (items: readonly number[]) => Flow<unknown>;
  readonly expected: (items: readonly number[]) => unknown[];
}

const even = (n: number): boolean => n % 2 === 0;
const chunks = (items: readonly number[], size: number): number[][] =>
  Array.from({ length: Math.ceil(items.length / size) }, (_, place) =>
    items.slice(place * size, (place + 1) * size),
  );

/** A source that pushes everything before anybody asks. */
const pushed = (items: readonly number[]): Flow<number> => {
  const source = fromPush<number>({ capacity: 1_000, overflow: 'error' });
  for (const item of items) source.push(item);
  source.complete();
  return source.flow;
};

const SHAPES: Readonly<Record<string, Shape>> = {
  'an array': { flow: fromArray, expected: (items) => [...items] },
  'a push source': { flow: pushed, expected: (items) => [...items] },
  'map and filter': {
    flow: (items) =>
      fromArray(items).pipe(
        filter(even),
        map((n) => n + 1),
        filter((n: number) => n > 5),
      ),
    expected: (items) =>
      items
        .filter(even)
        .map((n) => n + 1)
        .filter((n) => n > 5),
  },
  batch: { flow: (items) => pushed(items).pipe(batch({ size: 3 })), expected: (items) => chunks(items, 3) },
  'batch of filter': {
    flow: (items) => fromArray(items).pipe(filter(even), batch({ size: 2 })),
    expected: (items) => chunks(items.filter(even), 2),
  },
  'an Observable and back': {
    flow: (items) => fromObservable(toObservable(fromArray(items)), { capacity: 1_000, overflow: 'error' }),
    expected: (items) => [...items],
  },
};

describe.each(Object.entries(SHAPES))('a flow of %s', (_name, { flow, expected }) => {
  it('emits what was asked for and no more, in order, then completes once', () => {
    fc.assert(
      fc.property(numbers, requests, (items, asked) => {
        const probe = new Probe().subscribe(flow(items));
        for (const count of asked) {
          probe.request(count);
          const wanted = expected(items);
          expect(probe.items).toEqual(wanted.slice(0, Math.min(wanted.length, probe.requested)));
        }
        probe.request(Number.POSITIVE_INFINITY);
        expect(probe.items).toEqual(expected(items));
        expect(probe.ending).toBe('complete');
      }),
    );
  });

  it('is asked from inside next without a signal inside a signal, at any depth', () => {
    const many = Array.from({ length: 20_000 }, (_, n) => n % 20);
    const probe = new Probe();
    probe.onItem = () => probe.request(1);
    probe.subscribe(flow(many.slice(0, 900)));
    probe.request(1);
    expect(probe.items).toEqual(expected(many.slice(0, 900)));
  });

  it('says nothing after cancel, also when cancelled inside next', () => {
    fc.assert(
      fc.property(numbers, fc.integer({ min: 1, max: 10 }), (items, after) => {
        const probe = new Probe();
        probe.onItem = () => {
          if (probe.items.length === after) probe.cancel();
        };
        probe.subscribe(flow(items));
        probe.request(Number.POSITIVE_INFINITY);
        probe.subscription!.cancel();
        probe.subscription!.request(1);
        expect(probe.items).toEqual(expected(items).slice(0, after));
      }),
    );
  });

  it.each([0, -1, 1.5, Number.NaN])('takes request(%d) for an error', (count) => {
    const probe = new Probe().subscribe(flow([2, 4, 8, 10, 12, 14]));
    probe.request(1);
    probe.request(count);
    expect(probe.reason).toBeInstanceOf(RangeError);
    probe.subscription!.request(1);
    expect(probe.items).toEqual(expected([2, 4, 8, 10, 12, 14]).slice(0, 1));
  });
});

describe('a deep chain', () => {
  it('of 20,000 items asked one by one does not grow the stack', () => {
    const items = Array.from({ length: 20_000 }, (_, n) => n);
    const probe = new Probe<number>();
    probe.onItem = () => probe.request(1);
    probe.subscribe(
      fromArray(items).pipe(
        map((n) => n),
        filter(() => true),
      ),
    );
    probe.request(1);
    expect(probe.items.length).toBe(20_000);
  });
});

describe('what goes wrong', () => {
  it('in an operator ends the flow with that error and stops the source', () => {
    const source = fromPush<number>({ capacity: 10, overflow: 'error' });
    const wrong = new Error('no');
    const probe = new Probe<number>().subscribe(
      source.flow.pipe(
        map((n) => {
          if (n === 2) throw wrong;
          return n;
        }),
      ),
    );
    probe.request(5);
    source.push(1);
    source.push(2);
    expect(probe.items).toEqual([1]);
    expect(probe.reason).toBe(wrong);
    expect(source.push(3)).toBe(false);
  });

  it('in an observer reaches who caused it, and stops the source', () => {
    const source = fromPush<number>({ capacity: 10, overflow: 'error' });
    const seen: number[] = [];
    source.flow.pipe(map((n) => n)).subscribe(
      {
        next: (n) => {
          seen.push(n);
          throw new Error('broken observer');
        },
        error: () => seen.push(-1),
        complete: () => seen.push(-2),
      },
      { request: 10 },
    );
    expect(() => source.push(1)).toThrow('broken observer');
    expect(source.push(2)).toBe(false);
    expect(seen).toEqual([1]);
  });
});

describe('a full buffer', () => {
  const overfull = (overflow: 'error' | 'drop_oldest' | 'drop_newest') => {
    const source = fromPush<number>({ capacity: 2, overflow });
    const probe = new Probe<number>().subscribe(source.flow);
    for (let n = 1; n <= 4; n += 1) source.push(n);
    probe.request(10);
    return { source, probe };
  };

  it('drops the oldest, the newest, or ends the flow, and counts', () => {
    expect(overfull('drop_oldest')).toMatchObject({
      source: { dropped: 2 },
      probe: { items: [3, 4], ending: null },
    });
    expect(overfull('drop_newest')).toMatchObject({
      source: { dropped: 2 },
      probe: { items: [1, 2], ending: null },
    });
    expect(overfull('error')).toMatchObject({
      source: { dropped: 1 },
      probe: { items: [1, 2], ending: 'error' },
    });
  });

  it('of one keeps the latest of an Observable that pushes on', () => {
    const subject = new Subject<number>();
    const probe = new Probe<number>().subscribe(fromObservable(subject, LATEST));
    probe.request(1);
    for (const n of [1, 2, 3]) subject.next(n);
    probe.request(1);
    probe.cancel();
    expect(probe.items).toEqual([1, 3]);
    expect(subject.observed).toBe(false);
  });
});

describe('a batch with a time', () => {
  it('goes out with what there is when the time is over, and never waits when it is full', () => {
    let due = (): void => {};
    const host = {
      setTimer: (_ms: number, callback: () => void) => {
        due = callback;
        return { id: 1 };
      },
      clearTimer: () => {
        due = () => {};
      },
    };
    const source = fromPush<number>({ capacity: 10, overflow: 'error' });
    const probe = new Probe<readonly number[]>().subscribe(
      source.flow.pipe(batch({ size: 3, within: { host, ms: 10 } })),
    );
    probe.request(3);
    source.push(1);
    source.push(2);
    expect(probe.items).toEqual([]);
    due();
    expect(probe.items).toEqual([[1, 2]]);
    for (const n of [3, 4, 5, 6]) source.push(n);
    expect(probe.items).toEqual([
      [1, 2],
      [3, 4, 5],
    ]);
    source.complete();
    expect(probe.items).toEqual([[1, 2], [3, 4, 5], [6]]);
    expect(probe.ending).toBe('complete');
  });
});

describe('toObservable', () => {
  it('passes an error and an unsubscribe on to the flow', () => {
    const source = fromPush<number>({ capacity: 1, overflow: 'error' });
    const seen: unknown[] = [];
    const subscription = toObservable(source.flow).subscribe((n) => seen.push(n));
    source.push(1);
    subscription.unsubscribe();
    expect(source.push(2)).toBe(false);
    expect(seen).toEqual([1]);
    let reason: unknown;
    toObservable(fromObservable(from([1]), LATEST).pipe(map(() => Promise.reject))).subscribe({
      error: (error: unknown) => {
        reason = error;
      },
    });
    expect(reason).toBeUndefined();
  });
});
