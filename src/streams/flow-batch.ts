import {
  checkCount,
  createFlow,
  type Flow,
  type FlowEmitter,
  type FlowOperator,
  type FlowProducer,
  type FlowSubscription,
  type FlowTimers,
  lacking,
} from './flow.ts';
import { NO_SUBSCRIPTION } from './flow-stage.ts';

export interface BatchOptions {
  /** Items in a batch at most. */
  readonly size: number;
  /** How long an item may wait for others; absent: until the batch is full or the source ends. */
  readonly within?: { readonly host: FlowTimers; readonly ms: number };
}

/**
 * Collects items into arrays of at least one. A request for a batch asks for a whole batch of items. Throws RangeError
 * where the size is no positive whole number.
 */
export function batch<T>(options: BatchOptions): FlowOperator<T, readonly T[]> {
  checkCount('batch', options.size);
  return (source: Flow<T>): Flow<readonly T[]> =>
    createFlow<readonly T[]>((emitter) => new Batcher(source, emitter, options));
}

class Batcher<T> implements FlowProducer {
  readonly #emitter: FlowEmitter<readonly T[]>;
  readonly #options: BatchOptions;
  #upstream: FlowSubscription = NO_SUBSCRIPTION;
  #held: T[] = [];
  #asked = 0;
  #timer: { readonly id: unknown } | null = null;
  #due = false;
  #ending: (() => void) | null = null;

  constructor(source: Flow<T>, emitter: FlowEmitter<readonly T[]>, options: BatchOptions) {
    this.#emitter = emitter;
    this.#options = options;
    source.subscribe({
      start: (subscription) => {
        this.#upstream = subscription;
      },
      next: (value) => {
        this.#asked -= 1;
        this.#held.push(value);
        this.#startTimer();
        if (this.#held.length >= options.size) emitter.wake();
      },
      error: (error) => this.#end(() => emitter.error(error)),
      complete: () => this.#end(() => emitter.complete()),
    });
  }

  pull(): void {
    const { size } = this.#options;
    const isReady = (): boolean =>
      this.#held.length >= size || (this.#held.length > 0 && (this.#due || this.#ending !== null));
    while (this.#emitter.demand > 0 && isReady()) {
      // A batch that is just full changes hands without a copy.
      const taken = this.#held.length === size ? this.#held : this.#held.slice(0, size);
      this.#held = this.#held.length === size ? [] : this.#held.slice(size);
      this.#due = false;
      if (this.#held.length === 0) this.#stopTimer();
      this.#emitter.next(taken);
    }
    if (this.#ending !== null) {
      if (this.#held.length === 0) this.#ending();
      return;
    }
    // Enough for every batch that was asked for, with what is held or under way.
    const wanted = this.#emitter.demand === 0 ? 0 : this.#emitter.demand * size - this.#held.length;
    const more = lacking(wanted, this.#asked);
    this.#asked += more;
    if (more > 0) this.#upstream.request(more);
  }

  cancel(): void {
    this.#stopTimer();
    this.#held = [];
    this.#upstream.cancel();
  }

  #end(ending: () => void): void {
    this.#ending = () => {
      this.#stopTimer();
      ending();
    };
    this.#emitter.wake();
  }

  #startTimer(): void {
    const { within } = this.#options;
    if (within === undefined || this.#timer !== null) return;
    this.#timer = within.host.setTimer(within.ms, () => {
      this.#timer = null;
      this.#due = true;
      this.#emitter.wake();
    });
  }

  #stopTimer(): void {
    if (this.#timer !== null) this.#options.within?.host.clearTimer(this.#timer);
    this.#timer = null;
  }
}
