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
import { Ring } from './flow-ring.ts';
import { NO_SUBSCRIPTION } from './flow-stage.ts';

export interface ShareOptions {
  /** Items held at most for a subscriber that has not asked for them. */
  readonly capacity: number;
  /**
   * What a subscriber does that is slower than the others and whose buffer is full: it makes all `wait`, or loses
   * items, or gets MAG_FLOW_OVERFLOW and the others go on.
   */
  readonly slow: 'wait' | 'drop_oldest' | 'drop_newest' | 'error';
  /** Told of each item that a slow subscriber did not get. */
  readonly onDrop?: () => void;
}

/**
 * One subscription to the source for all subscribers, each with its own demand; each sees what comes after it joined.
 * The source is subscribed to with the first one and cancelled with the last; after its end the next subscriber
 * begins anew. An observer that throws ends the flow for all: who shares a source shares its failures.
 */
export function share<T>(options: ShareOptions): FlowOperator<T, T> {
  checkCount('share with a capacity', options.capacity);
  return (source) => {
    const hub = new Hub(source, options);
    return createFlow<T>((emitter) => hub.join(emitter));
  };
}

class Hub<T> implements FlowObserver<T> {
  readonly #source: Flow<T>;
  readonly options: ShareOptions;
  /** Replaced on change: one that joins inside `next` is not told the item under way. */
  #members: readonly Member<T>[] = [];
  #upstream: FlowSubscription = NO_SUBSCRIPTION;
  #asked = 0;
  #isTelling = false;

  constructor(source: Flow<T>, options: ShareOptions) {
    this.#source = source;
    this.options = options;
  }

  join(emitter: FlowEmitter<T>): FlowProducer {
    const member = new Member(this, emitter);
    this.#members = [...this.#members, member];
    if (this.#members.length === 1) {
      this.#asked = 0;
      this.#source.subscribe(this);
    }
    return member;
  }

  leave(member: Member<T>): void {
    const before = this.#members.length;
    this.#members = this.#members.filter((other) => other !== member);
    if (this.#members.length > 0) this.ask();
    else if (before > 0) this.#upstream.cancel();
  }

  start(subscription: FlowSubscription): void {
    this.#upstream = subscription;
  }

  /**
   * As many as the one who wants most, and never more at once than its buffer has room for, so that what comes while
   * it is inside another item's `next` is not lost. Where nobody may lose an item, the fullest buffer decides.
   */
  ask(): void {
    if (this.#isTelling) return;
    let wanted = 0;
    let room = this.options.capacity;
    for (const member of this.#members) {
      wanted = Math.max(wanted, Math.min(member.lacks, member.room));
      room = Math.min(room, member.room);
    }
    const more = lacking(this.options.slow === 'wait' ? Math.min(wanted, room) : wanted, this.#asked);
    this.#asked += more;
    if (more > 0) this.#upstream.request(more);
  }

  next(value: T): void {
    this.#asked -= 1;
    let thrown: { readonly error: unknown } | null = null;
    this.#isTelling = true;
    for (const member of this.#members) {
      try {
        member.take(value);
      } catch (error) {
        thrown ??= { error };
      }
    }
    this.#isTelling = false;
    if (thrown !== null) {
      this.error(thrown.error);
      throw thrown.error;
    }
    this.ask();
  }

  error(error: unknown): void {
    this.#end((member) => member.end(() => member.emitter.error(error)));
  }

  complete(): void {
    this.#end((member) => member.end(() => member.emitter.complete()));
  }

  #end(tell: (member: Member<T>) => void): void {
    const members = this.#members;
    this.#members = [];
    for (const member of members) tell(member);
  }
}

class Member<T> implements FlowProducer {
  readonly #hub: Hub<T>;
  readonly emitter: FlowEmitter<T>;
  readonly #held = new Ring<T>();
  #ending: (() => void) | null = null;

  constructor(hub: Hub<T>, emitter: FlowEmitter<T>) {
    this.#hub = hub;
    this.emitter = emitter;
  }

  /** Asked for beyond what is here already; what it holds while it asks goes out when its `next` returns. */
  get lacks(): number {
    return this.emitter.demand - this.#held.length;
  }

  get room(): number {
    return this.#hub.options.capacity - this.#held.length;
  }

  take(value: T): void {
    if (this.#ending !== null) return;
    const { capacity, slow, onDrop } = this.#hub.options;
    // Where all wait for the slowest there is always room: no more than that was asked for.
    if (slow !== 'wait' && this.#held.length >= capacity) {
      onDrop?.();
      if (slow === 'drop_newest') return;
      if (slow === 'drop_oldest') this.#held.shift();
      else {
        this.end(() => this.emitter.error(new MagError('MAG_FLOW_OVERFLOW', { capacity })));
        this.#hub.leave(this);
        return;
      }
    }
    this.#held.push(value);
    this.emitter.wake();
  }

  /** What is held comes before the end. */
  end(ending: () => void): void {
    this.#ending ??= ending;
    this.emitter.wake();
  }

  pull(): void {
    while (this.emitter.demand > 0 && this.#held.length > 0) this.emitter.next(this.#held.shift());
    if (this.#ending !== null) {
      if (this.#held.length === 0) this.#ending();
      return;
    }
    this.#hub.ask();
  }

  cancel(): void {
    this.#held.clear();
    this.#hub.leave(this);
  }
}
