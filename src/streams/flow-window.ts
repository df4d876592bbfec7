import { MagError } from '../errors.ts';
import {
  checkCount,
  createFlow,
  type Flow,
  type FlowEmitter,
  type FlowObserver,
  type FlowOperator,
  type FlowProducer,
  type FlowSubscription,
  lacking,
} from './flow.ts';
import type { BatchOptions } from './flow-batch.ts';
import { Ring } from './flow-ring.ts';
import { NO_SUBSCRIPTION } from './flow-stage.ts';

/**
 * Splits the source into flows one after the other, each of at least one item and at most `size`, ended early by
 * `within`. A window opens with its first item; the source is asked for the others as the window's subscriber asks,
 * so a window that nobody reads stands still with its first item. A window cancelled early is skipped to its end. Each
 * window has one subscriber. A cancel of the outer flow lets a window that is being read run to its end.
 */
export function window<T>(options: BatchOptions): FlowOperator<T, Flow<T>> {
  checkCount('window', options.size);
  return (source) => createFlow<Flow<T>>((emitter) => new Windower(source, emitter, options));
}

/** Tells a flow how it ends. */
type Ending = (end: { error(error: unknown): void; complete(): void }) => void;

class Windower<T> implements FlowProducer, FlowObserver<T> {
  readonly #emitter: FlowEmitter<Flow<T>>;
  readonly #options: BatchOptions;
  #upstream: FlowSubscription = NO_SUBSCRIPTION;
  #open: Window<T> | null = null;
  #timer: { readonly id: unknown } | null = null;
  /** Came after their window had closed by its time: at most what that one had asked for. They open the next one. */
  readonly #early = new Ring<T>();
  #asked = 0;
  #ending: Ending | null = null;
  #isOuterGone = false;

  constructor(source: Flow<T>, emitter: FlowEmitter<Flow<T>>, options: BatchOptions) {
    this.#emitter = emitter;
    this.#options = options;
    source.subscribe(this);
  }

  start(subscription: FlowSubscription): void {
    this.#upstream = subscription;
  }

  pull(): void {
    while (this.#emitter.demand > 0 && this.#open === null && this.#early.length > 0) {
      const first = new Window<T>(this);
      this.#begin(first);
      while (this.#open === first && this.#early.length > 0) this.#add(first, this.#early.shift());
      this.#emitter.next(first.flow);
    }
    if (this.#ending !== null) {
      if (this.#early.length > 0) return;
      // Opened after the end, by what had come before it.
      this.#open?.end(this.#ending);
      this.#open = null;
      this.#stopTimer();
      this.#ending(this.#emitter);
    } else if (this.#emitter.demand > 0) {
      if (this.#open === null) this.#ask(1);
      else if (this.#open.isCancelled) this.#ask(this.#options.size - this.#open.count);
    }
  }

  cancel(): void {
    this.#isOuterGone = true;
    if (this.#open?.isRead === true && !this.#open.isCancelled) return;
    this.#close();
    this.#upstream.cancel();
  }

  next(value: T): void {
    this.#asked -= 1;
    if (this.#open !== null) {
      this.#add(this.#open, value);
      if (this.#open === null) this.#emitter.wake();
      return;
    }
    this.#early.push(value);
    this.#emitter.wake();
  }

  error(error: unknown): void {
    this.#end((end) => end.error(error));
  }

  complete(): void {
    this.#end((end) => end.complete());
  }

  /** The subscriber of a window asks, or is gone. */
  wanted(window: Window<T>, demand: number): void {
    if (window === this.#open) this.#ask(Math.min(demand, this.#options.size - window.count));
  }

  cancelled(window: Window<T>): void {
    if (window !== this.#open) return;
    if (this.#isOuterGone) {
      this.#close();
      this.#upstream.cancel();
    } else this.#emitter.wake();
  }

  #begin(window: Window<T>): void {
    this.#open = window;
    const { within } = this.#options;
    if (within === undefined) return;
    this.#timer = within.host.setTimer(within.ms, () => {
      this.#timer = null;
      this.#close();
      this.#emitter.wake();
    });
  }

  #add(window: Window<T>, value: T): void {
    window.count += 1;
    window.push(value);
    if (window.count === this.#options.size && window === this.#open) this.#close();
  }

  #close(): void {
    const window = this.#open;
    this.#open = null;
    this.#stopTimer();
    window?.end((end) => end.complete());
    if (this.#isOuterGone) this.#upstream.cancel();
  }

  #end(tell: Ending): void {
    const window = this.#open;
    this.#open = null;
    this.#stopTimer();
    this.#ending = tell;
    window?.end(tell);
    this.#emitter.wake();
  }

  #stopTimer(): void {
    if (this.#timer !== null) this.#options.within?.host.clearTimer(this.#timer);
    this.#timer = null;
  }

  #ask(wanted: number): void {
    const more = lacking(wanted, this.#asked);
    this.#asked += more;
    if (more > 0) this.#upstream.request(more);
  }
}

class Window<T> {
  readonly flow: Flow<T>;
  /** Items it has had, also those that nobody took. */
  count = 0;
  isRead = false;
  isCancelled = false;
  readonly #held = new Ring<T>();
  #emitter: FlowEmitter<T> | null = null;
  #ending: Ending | null = null;

  constructor(owner: Windower<T>) {
    this.flow = createFlow<T>((emitter) => {
      if (this.#emitter !== null) throw new MagError('MAG_FLOW_SUBSCRIBED');
      this.#emitter = emitter;
      this.isRead = true;
      return {
        pull: () => {
          while (emitter.demand > 0 && this.#held.length > 0) emitter.next(this.#held.shift());
          if (this.#held.length > 0) return;
          if (this.#ending !== null) this.#ending(emitter);
          else if (emitter.demand > 0) owner.wanted(this, emitter.demand);
        },
        cancel: () => {
          this.isCancelled = true;
          this.#held.clear();
          owner.cancelled(this);
        },
      };
    });
  }

  push(value: T): void {
    if (this.isCancelled) return;
    this.#held.push(value);
    this.#emitter?.wake();
  }

  end(ending: Ending): void {
    this.#ending = ending;
    this.#emitter?.wake();
  }
}
