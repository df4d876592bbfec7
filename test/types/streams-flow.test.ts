import { from, type Observable } from 'rxjs';
import { describe, expect, expectTypeOf, it } from 'vitest';
import {
  batch,
  concatMap,
  type Flow,
  filter,
  fromArray,
  fromAsyncIterable,
  map,
  mergeMap,
  type RecordBatch,
  receiveFlow,
  receiveRecords,
  scan,
  share,
  take,
  tap,
  toActor,
  toObservable,
  window,
} from '../../src/index.ts';
import { portLinks } from '../support/flow-links.ts';

const numbers = fromArray([1, 2, 3]);

describe('the types of a flow', () => {
  it('are followed through ten operators, and what is wrong between two of them is an error', async () => {
    const ten = numbers.pipe(
      map((n) => String(n)),
      tap((text) => expectTypeOf(text).toEqualTypeOf<string>()),
      filter((text) => text !== ''),
      map((text) => text.length),
      scan((lengths: readonly number[], length) => [...lengths, length], []),
      mergeMap((lengths) => Promise.resolve(lengths.length), { concurrency: 2 }),
      concatMap((n) => [n, n]),
      take(3),
      share({ capacity: 2, slow: 'wait' }),
      batch({ size: 2 }),
    );
    expectTypeOf(ten).toEqualTypeOf<Flow<readonly number[]>>();
    const seen: (readonly number[])[] = [];
    for await (const items of ten) seen.push(items);
    expect(seen).toEqual([[1, 1], [2]]);
    const half = (n: number): number => n / 2;
    // @ts-expect-error a text cannot be halved
    numbers.pipe(map(String), map(half));
    expectTypeOf(numbers.pipe()).toEqualTypeOf<Flow<number>>();
  });

  it('narrow with a filter that is a type guard', () => {
    const mixed = fromArray<string | number>([1, 'a']);
    const texts = mixed.pipe(filter((value) => typeof value === 'string'));
    expectTypeOf(texts).toEqualTypeOf<Flow<string>>();
  });

  it('go over to RxJS, async iterables, windows and links', async () => {
    expectTypeOf(toObservable(numbers)).toEqualTypeOf<Observable<number>>();
    expectTypeOf(from(numbers)).toEqualTypeOf<Observable<number>>();
    expectTypeOf(fromAsyncIterable(numbers)).toEqualTypeOf<Flow<number>>();
    expectTypeOf(numbers.pipe(window({ size: 2 }))).toEqualTypeOf<Flow<Flow<number>>>();
    const links = portLinks();
    const { receiver } = await links.open();
    expectTypeOf(receiveFlow<string>(receiver, { window: 1 })).toEqualTypeOf<Flow<string>>();
    expectTypeOf(receiveRecords(receiver, { window: 1 })).toEqualTypeOf<Flow<RecordBatch>>();
    await links.close();
  });

  it('let an actor take only the messages it knows', () => {
    const target = { offer: (message: { type: 'N' }) => Promise.resolve(message && ('sent' as const)) };
    expectTypeOf(toActor(fromArray([{ type: 'N' as const }]), target)).resolves.toHaveProperty('sent');
    // @ts-expect-error a message of another type
    void toActor(fromArray([{ type: 'M' as const }]), target);
  });
});
