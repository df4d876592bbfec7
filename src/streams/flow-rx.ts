import { Observable, Subject, takeUntil } from 'rxjs';
import { createFlow, type Flow, type FlowSubscription, lacking } from './flow.ts';
import { buffer, fromPush, type Overflowing, type OverflowPolicy, overflowPolicy } from './flow-sources.ts';
import { NO_SUBSCRIPTION } from './flow-stage.ts';

/** For a consumer that is fed at its own times and not whenever the source has something. */
export interface Delivery {
  /** Calls back when the consumer should get its next item, such as a host's `soon`, or requestAnimationFrame. */
  readonly deliver: (next: () => void) => void;
}

/**
 * A flow as an RxJS Observable. RxJS has no way to ask; what it has is that a synchronous chain has consumed an item
 * when `next` returns.
 *
 * Without a policy the flow is asked for one item then, so that a synchronous chain slows its source. With
 * `buffer(n)`, or any policy that ends in an error, it is asked for n ahead, and again as they are consumed. With a
 * policy that drops, the source is never slowed: what comes before the consumer's next delivery overflows.
 */
export function toObservable<T>(flow: Flow<T>, policy?: Overflowing, delivery?: Delivery): Observable<T> {
  return new Observable<T>((subscriber) => {
    const overflowing = overflowPolicy(policy ?? buffer(1));
    const { capacity, overflow } = overflowing;
    let subscription: FlowSubscription = NO_SUBSCRIPTION;
    const isPaced = overflow !== 'error' || delivery !== undefined;
    const source = isPaced ? paced(flow, overflowing, delivery) : flow;
    const upstream = source.subscribe({
      start: (given) => {
        subscription = given;
      },
      next: (value) => {
        subscriber.next(value);
        if (subscriber.closed) subscription.cancel();
        else subscription.request(1);
      },
      error: (error) => subscriber.error(error),
      complete: () => subscriber.complete(),
    });
    upstream.request(isPaced ? 1 : Math.max(capacity, 1));
    return () => upstream.cancel();
  });
}

/** The flow as one that is asked for all it has: what was not delivered yet waits under the policy. */
function paced<T>(flow: Flow<T>, policy: OverflowPolicy, delivery: Delivery | undefined): Flow<T> {
  return createFlow<T>((emitter) => {
    const push = fromPush<T>(policy);
    let isDue = delivery === undefined;
    let isScheduled = false;
    let inner: FlowSubscription = NO_SUBSCRIPTION;
    let isAsked = false;
    const upstream = flow.subscribe({
      next: (value) => void push.push(value),
      error: (error) => push.error(error),
      complete: () => push.complete(),
    });
    push.flow.subscribe({
      start: (given) => {
        inner = given;
      },
      next: (value) => {
        isAsked = false;
        isDue = delivery === undefined;
        emitter.next(value);
        // Not left to `pull`: a source that emits all it has at once is still inside of it.
        ask();
      },
      error: (error) => emitter.error(error),
      complete: () => emitter.complete(),
    });
    const ask = (): void => {
      if (emitter.demand === 0 || isAsked) return;
      if (isDue) {
        isAsked = true;
        inner.request(1);
      } else if (!isScheduled) {
        isScheduled = true;
        delivery?.deliver(() => {
          isScheduled = false;
          isDue = true;
          emitter.wake();
        });
      }
    };
    let isStarted = false;
    return {
      pull: () => {
        const isFirst = !isStarted && emitter.demand > 0;
        ask();
        if (!isFirst) return;
        isStarted = true;
        upstream.request(Number.POSITIVE_INFINITY);
      },
      cancel: () => {
        upstream.cancel();
        inner.cancel();
      },
    };
  });
}

/**
 * An Observable as a flow: it pushes whether asked or not, so the policy says what becomes of the surplus; an overflow
 * that is an error is MAG_FLOW_OVERFLOW, and ends the subscription to the Observable.
 */
export function fromObservable<T>(source: Observable<T>, policy: Overflowing): Flow<T> {
  return createFlow<T>((emitter) => {
    const { overflow } = overflowPolicy(policy);
    const push = fromPush<T>(policy);
    let asked = 0;
    let inner: FlowSubscription = NO_SUBSCRIPTION;
    push.flow.subscribe({
      start: (given) => {
        inner = given;
      },
      next: (value) => {
        asked -= 1;
        emitter.next(value);
      },
      error: (error) => emitter.error(error),
      complete: () => emitter.complete(),
    });
    // A synchronous Observable can be stopped from inside only: its `subscribe` has not returned yet.
    const halt = new Subject<void>();
    source.pipe(takeUntil(halt)).subscribe({
      next: (value) => {
        if (!push.push(value) && overflow === 'error') halt.next();
      },
      error: (error) => push.error(error),
      complete: () => push.complete(),
    });
    return {
      pull: () => {
        const more = lacking(emitter.demand, asked);
        asked += more;
        if (more > 0) inner.request(more);
      },
      cancel: () => {
        inner.cancel();
        halt.next();
      },
    };
  });
}
