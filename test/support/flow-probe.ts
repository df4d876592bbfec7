import type { Flow, FlowObserver, FlowSubscription } from '../../src/streams/flow.ts';

/** A turn of the event loop, with what ports and sockets have to say in it. */
export const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Long enough for what crosses a port or a socket of this process and was going to come; never asserted upon. */
export async function quiet(turns = 12): Promise<void> {
  for (let count = 0; count < turns; count += 1) await turn();
}

/** Waits until it holds; a test's own time limit ends what never does. */
export async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await turn();
}

/** An observer that notes every signal, and each rule that one breaks. */
export class FlowProbe<T> implements FlowObserver<T> {
  readonly items: T[] = [];
  readonly broken: string[] = [];
  ending: 'complete' | 'error' | null = null;
  reason: unknown = null;
  requested = 0;
  isCancelled = false;
  /** Run inside the signals. */
  onStart: () => void = () => {};
  onItem: (value: T) => void = () => {};
  onEnd: () => void = () => {};
  #subscription: FlowSubscription | null = null;
  #depth = 0;

  static on<T>(flow: Flow<T>): FlowProbe<T> {
    const probe = new FlowProbe<T>();
    probe.subscribe(flow);
    return probe;
  }

  subscribe(flow: Flow<T>): void {
    const subscription = flow.subscribe(this);
    if (this.#subscription !== null && this.#subscription !== subscription) {
      this.broken.push('1.9: start and subscribe give different subscriptions');
    }
    this.#subscription = subscription;
  }

  start(subscription: FlowSubscription): void {
    if (this.#subscription !== null) this.broken.push('2.12: started twice');
    this.#subscription = subscription;
    this.onStart();
  }

  next(value: T): void {
    this.#signal('next');
    this.items.push(value);
    if (this.items.length > this.requested) this.broken.push('1.1: more items than were requested');
    this.#depth += 1;
    this.onItem(value);
    this.#depth -= 1;
  }

  error(error: unknown): void {
    this.#signal('error');
    this.ending = 'error';
    this.reason = error;
    this.onEnd();
  }

  complete(): void {
    this.#signal('complete');
    this.ending = 'complete';
    this.onEnd();
  }

  request(count: number): void {
    if (count > 0) this.requested += count;
    this.#subscription!.request(count);
  }

  cancel(): void {
    this.isCancelled = true;
    this.#subscription!.cancel();
  }

  get isOver(): boolean {
    return this.ending !== null;
  }

  #signal(name: string): void {
    if (this.#subscription === null) this.broken.push(`1.9: ${name} before start`);
    if (this.#depth > 0) this.broken.push(`1.3: ${name} inside next`);
    if (this.ending !== null) this.broken.push(`1.7: ${name} after ${this.ending}`);
    if (this.isCancelled) this.broken.push(`1.8: ${name} after cancel`);
  }
}
