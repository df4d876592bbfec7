import { Observable } from 'rxjs';
import { createFlow, type Flow, lacking } from './flow.ts';
import { fromPush, type OverflowPolicy } from './flow-sources.ts';

/**
 * A flow as an RxJS Observable. RxJS has no way to ask; what it has is that a synchronous chain has consumed an item
 * when `next` returns, so the next one is asked for then.
 */
export function toObservable<T>(flow: Flow<T>): Observable<T> {
  return new Observable<T>((subscriber) => {
    const subscription = flow.subscribe({
      next: (value) => {
        subscriber.next(value);
        if (!subscriber.closed) subscription.request(1);
      },
      error: (error) => subscriber.error(error),
      complete: () => subscriber.complete(),
    });
    subscription.request(1);
    return () => subscription.cancel();
  });
}

/** An Observable as a flow: it pushes whether asked or not, so the policy says what becomes of the surplus. */
export function fromObservable<T>(source: Observable<T>, policy: OverflowPolicy): Flow<T> {
  return createFlow<T>((emitter) => {
    let asked = 0;
    const push = fromPush<T>(policy);
    const inner = push.flow.subscribe({
      next: (value) => {
        asked -= 1;
        emitter.next(value);
      },
      error: (error) => emitter.error(error),
      complete: () => emitter.complete(),
    });
    const subscription = source.subscribe({
      next: (value) => void push.push(value),
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
        subscription.unsubscribe();
        inner.cancel();
      },
    };
  });
}
