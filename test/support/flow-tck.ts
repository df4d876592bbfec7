import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import type { Flow, FlowSubscription } from '../../src/streams/flow.ts';
import { FlowProbe, quiet, turn, until } from './flow-probe.ts';

export interface TckSubject {
  /** A flow of so many items, for one subscriber at least. */
  readonly make: (count: number) => Flow<unknown> | Promise<Flow<unknown>>;
  /** A flow of so many items and then this error; absent where it cannot fail. */
  readonly fail?: (count: number, error: Error) => Flow<unknown> | Promise<Flow<unknown>>;
  /** Serves one subscriber and refuses the second, instead of giving each its own items. */
  readonly isUnicast?: boolean;
  /** Counts whether the source behind the flow was told of a cancel; absent where there is none. */
  readonly cancellable?: (onCancel: () => void) => Flow<unknown> | Promise<Flow<unknown>>;
  /** An item may be late by turns, as over a link. */
  readonly isAsync?: boolean;
}

const collectGarbage = (): void => {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
};

/**
 * The rules of Reactive Streams 1.0.4 that a publisher and its subscriptions must keep, by their numbers
 * (https://github.com/reactive-streams/reactive-streams-jvm). What the language settles needs no test: 1.9 "null" is
 * TypeScript's and a TypeError, 3.1 and 3.5 "thread-safe" do not arise in one thread.
 */
export function tck(name: string, subject: TckSubject): void {
  describe(`${name} keeps the rules of Reactive Streams`, () => {
    publisherRules(subject);
    endingRules(subject);
    subscriptionRules(subject);
    cancelRules(subject);
  });
}

/** Everything that was going to come has come, and no rule was broken. */
async function settled(probe: FlowProbe<unknown>): Promise<void> {
  await quiet();
  expect(probe.broken).toEqual([]);
}

function publisherRules({ make, isUnicast = false }: TckSubject): void {
  it('1.1 emits no more than was requested, over any number of requests', async () => {
    const probe = FlowProbe.on(await make(10));
    await settled(probe);
    expect(probe.items).toHaveLength(0);
    for (const count of [1, 1, 2, 3]) {
      probe.request(count);
      await until(() => probe.items.length === probe.requested);
      await settled(probe);
    }
    expect(probe.items).toHaveLength(7);
    expect(probe.ending).toBe(null);
    probe.cancel();
  });

  it('1.2 may emit less than was requested and end', async () => {
    const probe = FlowProbe.on(await make(3));
    probe.request(10);
    await until(() => probe.isOver);
    expect(probe.items).toHaveLength(3);
    await settled(probe);
  });

  it('1.3 signals serially, also when asked from inside a signal', async () => {
    const probe = new FlowProbe<unknown>();
    probe.onStart = () => probe.request(1);
    probe.onItem = () => probe.request(2);
    probe.subscribe(await make(50));
    await until(() => probe.isOver);
    expect(probe.items).toHaveLength(50);
    await settled(probe);
  });

  it('1.9 starts a subscriber before it signals anything, and refuses what is none', async () => {
    const probe = FlowProbe.on(await make(0));
    await settled(probe);
    const other = await make(1);
    expect(() => other.subscribe(null as never)).toThrow(TypeError);
    expect(() => other.subscribe({} as never)).toThrow(TypeError);
    probe.cancel();
  });

  it('1.10 and 1.11 give each subscriber its own subscription, or refuse the second with an error', async () => {
    const flow = await make(5);
    const first = FlowProbe.on(flow);
    const second = FlowProbe.on(flow);
    second.request(10);
    first.request(2);
    await until(() => second.isOver && first.items.length === 2);
    expect(second.ending).toBe(isUnicast ? 'error' : 'complete');
    if (isUnicast) expect(second.reason).toMatchObject({ code: 'MAG_FLOW_SUBSCRIBED' });
    await settled(first);
    await settled(second);
    expect(first.items).toHaveLength(2);
    first.cancel();
  });
}

/** Of what can fail: the rules have no meaning for what cannot. */
function failureRules(fail: NonNullable<TckSubject['fail']>): void {
  it('1.4 tells a failure as error, after the items before it', async () => {
    const wrong = new Error('on purpose');
    const probe = FlowProbe.on(await fail(2, wrong));
    probe.request(10);
    await until(() => probe.isOver);
    expect(probe.ending).toBe('error');
    expect(probe.reason).toMatchObject({ message: 'on purpose' });
    await settled(probe);
  });

  it('2.10 tells a failure that needs no demand without any', async () => {
    const probe = FlowProbe.on(await fail(0, new Error('on purpose')));
    // Where a first item must be asked for to learn of the failure, this one request is it.
    await quiet();
    if (!probe.isOver) probe.request(1);
    await until(() => probe.isOver);
    expect(probe.ending).toBe('error');
    await settled(probe);
  });
}

function endingRules({ make, fail }: TckSubject): void {
  if (fail !== undefined) failureRules(fail);

  it('1.5 completes when there is no more', async () => {
    for (const count of [0, 1, 7]) {
      const probe = FlowProbe.on(await make(count));
      probe.request(count + 1);
      await until(() => probe.isOver);
      expect(probe.ending).toBe('complete');
      expect(probe.items).toHaveLength(count);
      await settled(probe);
    }
  });

  it('1.6 and 1.7 signal nothing after the end, whatever is asked then', async () => {
    const probe = FlowProbe.on(await make(2));
    probe.request(5);
    await until(() => probe.isOver);
    probe.request(5);
    probe.request(-1);
    probe.request(5);
    await settled(probe);
    expect(probe.ending).toBe('complete');
  });
}

function subscriptionRules({ make, isAsync = false }: TckSubject): void {
  it('3.2 takes requests from inside start and next', async () => {
    const probe = new FlowProbe<unknown>();
    probe.onStart = () => probe.request(1);
    probe.onItem = () => {
      if (probe.items.length < 4) probe.request(1);
    };
    probe.subscribe(await make(9));
    await until(() => probe.items.length === 4);
    await settled(probe);
    expect(probe.items).toHaveLength(4);
    probe.cancel();
  });

  it('3.3 does not recurse: an item asked for inside next comes when that has returned', async () => {
    const count = isAsync ? 3_000 : 30_000;
    const probe = new FlowProbe<unknown>();
    probe.onItem = () => probe.request(1);
    probe.subscribe(await make(count));
    probe.request(1);
    await until(() => probe.isOver);
    expect(probe.items).toHaveLength(count);
    await settled(probe);
  });

  it('3.8 adds requests up', async () => {
    const probe = FlowProbe.on(await make(100));
    for (const count of [3, 4, 5]) probe.request(count);
    await until(() => probe.items.length === 12);
    await settled(probe);
    expect(probe.items).toHaveLength(12);
    probe.cancel();
  });

  it.each([0, -1, -1_000_000, 0.5, Number.NaN])('3.9 takes request(%d) for an error', async (count) => {
    const probe = FlowProbe.on(await make(5));
    probe.request(1);
    await until(() => probe.items.length === 1);
    probe.request(count);
    await until(() => probe.isOver);
    expect(probe.reason).toBeInstanceOf(RangeError);
    probe.request(1);
    await settled(probe);
    expect(probe.items).toHaveLength(1);
  });

  it('3.17 takes any number of requests, and demand beyond what can be counted', async () => {
    const probe = FlowProbe.on(await make(20));
    for (let round = 0; round < 5; round += 1) probe.request(Number.MAX_SAFE_INTEGER);
    probe.request(Number.POSITIVE_INFINITY);
    probe.request(1);
    await until(() => probe.isOver);
    expect(probe.items).toHaveLength(20);
    await settled(probe);
  });
}

function cancelRule(cancellable: NonNullable<TckSubject['cancellable']>): void {
  it('3.12 and 2.6 tell the source of a cancel, once', async () => {
    let told = 0;
    const probe = FlowProbe.on(
      await cancellable(() => {
        told += 1;
      }),
    );
    probe.request(1);
    await until(() => probe.items.length === 1);
    probe.cancel();
    probe.cancel();
    await until(() => told > 0);
    await settled(probe);
    expect(told).toBe(1);
  });
}

function cancelRules({ make, cancellable }: TckSubject): void {
  it('1.8 and 3.12 signal nothing after a cancel, inside next or outside', async () => {
    const inside = new FlowProbe<unknown>();
    inside.onItem = () => {
      if (inside.items.length === 3) inside.cancel();
    };
    inside.subscribe(await make(100));
    inside.request(100);
    const outside = FlowProbe.on(await make(100));
    outside.request(2);
    await until(() => inside.isCancelled && outside.items.length === 2);
    outside.request(50);
    outside.cancel();
    await settled(inside);
    await settled(outside);
    expect(inside.items).toHaveLength(3);
    expect(inside.ending).toBe(null);
    expect(outside.ending).toBe(null);
  });

  it('3.6, 3.7, 3.15 and 3.16 take requests and cancels after a cancel for nothing', async () => {
    const probe = new FlowProbe<unknown>();
    probe.onStart = () => probe.cancel();
    probe.subscribe(await make(3));
    probe.cancel();
    for (const count of [1, 0, -1, Number.POSITIVE_INFINITY]) probe.request(count);
    await settled(probe);
    expect(probe.items).toHaveLength(0);
    expect(probe.ending).toBe(null);
  });

  if (cancellable !== undefined) cancelRule(cancellable);

  it('3.13 lets go of a subscriber that has cancelled', async () => {
    const held: { subscription: FlowSubscription | null } = { subscription: null };
    const gone = await cancelledObserver(await make(10), held);
    for (let round = 0; round < 50 && gone.deref() !== undefined; round += 1) {
      await turn();
      collectGarbage();
    }
    expect(gone.deref()).toBe(undefined);
    // Held until now: it is the subscription that must not hold on to its observer.
    held.subscription!.cancel();
  });
}

/** In a function of its own, so that no variable of the test holds on to the observer. */
async function cancelledObserver(
  flow: Flow<unknown>,
  held: { subscription: FlowSubscription | null },
): Promise<WeakRef<object>> {
  const seen: unknown[] = [];
  let observer: { next(value: unknown): void; error(): void; complete(): void } | null = {
    next: (value) => void seen.push(value),
    error: () => {},
    complete: () => {},
  };
  const reference = new WeakRef(observer);
  const subscription = flow.subscribe(observer);
  observer = null;
  held.subscription = subscription;
  subscription.request(1);
  while (seen.length === 0) await turn();
  subscription.cancel();
  return reference;
}
