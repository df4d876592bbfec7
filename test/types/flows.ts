import {
  type ActorSystem,
  batch,
  type Flow,
  filter,
  fromIterable,
  map,
  mergeMap,
  type Question,
  scan,
  toActor,
} from '../../src/index.ts';
import type { Equal, Expect } from './equal.ts';

/** What the compiler knows of a flow: each operator's items are the next one's. */
type Store = { type: 'STORED'; count: number } | Question<{ type: 'TOTAL' }, number>;

export function operators(words: Flow<string>): void {
  const lengths = words.pipe(map((word) => word.length));
  type _Mapped = Expect<Equal<typeof lengths, Flow<number>>>;
  const batches = lengths.pipe(batch({ size: 10 }));
  type _Batched = Expect<Equal<typeof batches, Flow<readonly number[]>>>;
  const merged = batches.pipe(mergeMap(async (some) => some.join(), { concurrency: 2 }));
  type _Merged = Expect<Equal<typeof merged, Flow<string>>>;
  const folded = lengths.pipe(scan((all: readonly number[], one) => [...all, one], []));
  type _Folded = Expect<Equal<typeof folded, Flow<readonly number[]>>>;
  const narrowed = fromIterable([1, 'a']).pipe(filter((item) => typeof item === 'string'));
  type _Narrowed = Expect<Equal<typeof narrowed, Flow<string>>>;
  // @ts-expect-error: a string has no toFixed
  words.pipe(map((word) => word.toFixed()));
}

export async function actors(system: ActorSystem, counts: Flow<number>): Promise<void> {
  const store = system.slot<Store>('app/store');
  const delivered = await toActor(counts.pipe(map((count): Store => ({ type: 'STORED', count }))), store);
  type _Sent = Expect<Equal<typeof delivered.sent, number>>;
  await toActor(counts.pipe(map((count) => ({ type: 'STORED' as const, count }))), store);
  // @ts-expect-error: the store takes no numbers
  await toActor(counts, store);
  // @ts-expect-error: the store takes no such message
  await toActor(counts.pipe(map((count) => ({ type: 'LOST' as const, count }))), store);
}
