import {
  type Flow,
  type FlowObserver,
  type FlowOperator,
  type FlowSubscription,
  NOBODY,
  relayFlow,
} from './flow.ts';

/** What stands for a subscription until there is one. */
export const NO_SUBSCRIPTION: FlowSubscription = { request: () => {}, cancel: () => {} };

/**
 * Between a source and a subscriber: the observer of one and the subscription of the other. What is asked for goes
 * straight through to the source, which keeps the book.
 */
export abstract class Stage<In, Out> implements FlowObserver<In>, FlowSubscription {
  protected down: FlowObserver<Out>;
  protected up: FlowSubscription = NO_SUBSCRIPTION;

  constructor(down: FlowObserver<Out>) {
    this.down = down;
  }

  start(subscription: FlowSubscription): void {
    this.up = subscription;
    this.down.start?.(this);
  }

  abstract next(value: In): void;

  error(error: unknown): void {
    this.down.error(error);
  }

  complete(): void {
    this.down.complete();
  }

  request(count: number): void {
    this.up.request(count);
  }

  cancel(): void {
    this.down = NOBODY;
    this.up.cancel();
  }

  /** The operator itself failed, inside `next`. */
  protected fail(error: unknown): void {
    this.up.cancel();
    this.down.error(error);
  }
}

/** An operator made of stages. */
export function staged<In, Out>(make: (down: FlowObserver<Out>) => Stage<In, Out>): FlowOperator<In, Out> {
  return (source: Flow<In>) =>
    relayFlow<Out>((down) => {
      const stage = make(down);
      source.subscribe(stage);
      return stage;
    });
}
