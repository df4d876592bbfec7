import type { Flow, FlowSubscription } from '../../src/streams/flow.ts';

/** Holds what a flow gives until it is asked for. */
export class Inbox<T> {
  readonly #items: T[] = [];
  readonly #subscription: FlowSubscription;
  #ended: { readonly error: unknown } | null = null;
  #wake: () => void = () => {};
  #last: T | null = null;

  constructor(flow: Flow<T>, request = 1_000) {
    this.#subscription = flow.subscribe(
      {
        next: (item) => {
          this.#items.push(item);
          this.#wake();
        },
        error: (error) => {
          this.#ended = { error };
          this.#wake();
        },
        complete: () => {
          this.#ended = { error: new Error('the flow is complete') };
          this.#wake();
        },
      },
      { request },
    );
  }

  /** Items that came and were not taken. */
  get waiting(): number {
    return this.#items.length;
  }

  /** The item that was taken last. */
  get last(): T {
    if (this.#last === null) throw new Error('nothing was taken yet');
    return this.#last;
  }

  async next(): Promise<T> {
    for (;;) {
      const item = this.#items.shift();
      if (item !== undefined) {
        this.#last = item;
        return item;
      }
      if (this.#ended !== null) throw this.#ended.error;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  request(count: number): void {
    this.#subscription.request(count);
  }

  cancel(): void {
    this.#subscription.cancel();
  }
}

/** Waits until it holds; the test's own timeout ends a wait in vain. */
export async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 2));
}
