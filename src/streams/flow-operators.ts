import { type Flow, type FlowObserver, type FlowOperator, type FlowSubscription, isDemand } from './flow.ts';
import { Stage, staged } from './flow-stage.ts';

export { batch } from './flow-batch.ts';

/** Passes each item's image on. A throw ends the flow with that error. */
export function map<In, Out>(project: (value: In) => Out): FlowOperator<In, Out> {
  return staged((down) => new Mapping(down, project));
}

class Mapping<In, Out> extends Stage<In, Out> {
  readonly #project: (value: In) => Out;

  constructor(down: FlowObserver<Out>, project: (value: In) => Out) {
    super(down);
    this.#project = project;
  }

  next(value: In): void {
    let image: Out;
    try {
      image = this.#project(value);
    } catch (error) {
      this.fail(error);
      return;
    }
    this.down.next(image);
  }
}

/** Calls back with each item on its way. A throw ends the flow with that error. */
export function tap<T>(look: (value: T) => void): FlowOperator<T, T> {
  return map((value) => {
    look(value);
    return value;
  });
}

/** Passes on what has been folded so far, after each item; the seed itself is not passed on. */
export function scan<In, Out>(fold: (folded: Out, value: In) => Out, seed: Out): FlowOperator<In, Out> {
  return staged((down) => {
    // Each subscriber folds from the seed.
    let folded = seed;
    return new Mapping(down, (value) => {
      folded = fold(folded, value);
      return folded;
    });
  });
}

/** Passes on the items that hold; asks for another one for each that does not. */
export function filter<In, Out extends In>(holds: (value: In) => value is Out): FlowOperator<In, Out>;
export function filter<T>(holds: (value: T) => boolean): FlowOperator<T, T>;
export function filter<T>(holds: (value: T) => boolean): FlowOperator<T, T> {
  return staged((down) => new Filtering(down, holds));
}

class Filtering<T> extends Stage<T, T> {
  readonly #holds: (value: T) => boolean;

  constructor(down: FlowObserver<T>, holds: (value: T) => boolean) {
    super(down);
    this.#holds = holds;
  }

  next(value: T): void {
    let passes: boolean;
    try {
      passes = this.#holds(value);
    } catch (error) {
      this.fail(error);
      return;
    }
    if (passes) this.down.next(value);
    else this.up.request(1);
  }
}

/**
 * The first so many items, then the end; the source is asked for no more than these, and cancelled. Throws RangeError
 * where `count` is no whole number of at least 0.
 */
export function take<T>(count: number): FlowOperator<T, T> {
  if (!Number.isInteger(count) || count < 0) throw new RangeError(`take(${count}): a whole number is needed`);
  return staged((down) => new Taking(down, count));
}

class Taking<T> extends Stage<T, T> {
  #left: number;
  #unasked: number;
  #over = false;

  constructor(down: FlowObserver<T>, count: number) {
    super(down);
    this.#left = count;
    this.#unasked = count;
  }

  override start(subscription: FlowSubscription): void {
    super.start(subscription);
    if (this.#left === 0) this.#finish();
  }

  override request(count: number): void {
    if (!isDemand(count)) {
      this.up.request(count);
      return;
    }
    const more = Math.min(count, this.#unasked);
    this.#unasked -= more;
    if (more > 0) this.up.request(more);
  }

  override cancel(): void {
    this.#over = true;
    super.cancel();
  }

  next(value: T): void {
    this.#left -= 1;
    this.down.next(value);
    if (this.#left === 0) this.#finish();
  }

  #finish(): void {
    if (this.#over) return;
    this.#over = true;
    this.up.cancel();
    this.down.complete();
  }
}

/** Ends when the notifier emits its first item, or resolves; its failure is the flow's. Its mere end says nothing. */
export function takeUntil<T>(notifier: Flow<unknown> | PromiseLike<unknown>): FlowOperator<T, T> {
  return staged((down) => new Until(down, notifier));
}

class Until<T> extends Stage<T, T> {
  readonly #notify: Flow<unknown> | PromiseLike<unknown>;
  #notifier: FlowSubscription | null = null;
  #ending: (() => void) | null = null;
  #inside = false;
  #over = false;

  constructor(down: FlowObserver<T>, notifier: Flow<unknown> | PromiseLike<unknown>) {
    super(down);
    this.#notify = notifier;
  }

  override start(subscription: FlowSubscription): void {
    super.start(subscription);
    const end = (): void => this.#end(() => this.down.complete());
    const fail = (error: unknown): void => this.#end(() => this.down.error(error));
    if (this.#over) return;
    if ('then' in this.#notify) {
      this.#notify.then(end, fail);
      return;
    }
    const notifier = this.#notify.subscribe({ next: end, error: fail, complete: () => {} });
    this.#notifier = notifier;
    if (this.#over) notifier.cancel();
    else notifier.request(1);
  }

  next(value: T): void {
    this.#inside = true;
    try {
      this.down.next(value);
    } finally {
      this.#inside = false;
    }
    const ending = this.#ending;
    this.#ending = null;
    if (!this.#over) ending?.();
  }

  override error(error: unknown): void {
    this.#leave();
    this.down.error(error);
  }

  override complete(): void {
    this.#leave();
    this.down.complete();
  }

  override cancel(): void {
    this.#leave();
    super.cancel();
  }

  /** A notifier that fires while an item is being taken waits until it was. */
  #end(signal: () => void): void {
    if (this.#over) return;
    const ending = (): void => {
      this.#leave();
      this.up.cancel();
      signal();
    };
    if (this.#inside) this.#ending = ending;
    else ending();
  }

  #leave(): void {
    this.#over = true;
    this.#notifier?.cancel();
    this.#notifier = null;
  }
}
