import type { Ask } from './ask.ts';
import type { MailboxOptions, Message } from './spec.ts';

/** One message on its way to an actor. */
export interface Delivery {
  /** The path it is for: the actor's own, or one below a remote mount. */
  readonly to: string;
  readonly message: Message;
  /** Who waits for an answer, if anybody does. */
  readonly ask: Ask | null;
}

export type Offer =
  | { readonly kind: 'taken' }
  | { readonly kind: 'refused' }
  /** Taken, at the expense of another (or of itself): the dropped one is given back. */
  | { readonly kind: 'dropped'; readonly delivery: Delivery };

const TAKEN: Offer = { kind: 'taken' };
const REFUSED: Offer = { kind: 'refused' };
const FIRST_SIZE = 8;

/** A bounded ring. It grows with use up to its capacity, so that an idle actor costs next to nothing. */
export class Mailbox {
  readonly capacity: number;
  readonly #overflow: MailboxOptions['overflow'];
  #ring: (Delivery | undefined)[];
  #head = 0;
  #size = 0;
  #dropped = 0;

  constructor(options: MailboxOptions) {
    this.capacity = options.capacity;
    this.#overflow = options.overflow;
    this.#ring = new Array(Math.min(FIRST_SIZE, options.capacity));
  }

  get depth(): number {
    return this.#size;
  }

  /** Deliveries refused or dropped since the incarnation began. */
  get dropped(): number {
    return this.#dropped;
  }

  offer(delivery: Delivery): Offer {
    if (this.#size < this.capacity) {
      this.#push(delivery);
      return TAKEN;
    }
    this.#dropped += 1;
    // Backpressure needs a sender that can wait; until flows reach the mailbox it acts as reject.
    if (this.#overflow === 'reject' || this.#overflow === 'backpressure') return REFUSED;
    if (this.#overflow === 'drop_newest') return { kind: 'dropped', delivery };
    const oldest = this.take();
    this.#push(delivery);
    return oldest === undefined ? TAKEN : { kind: 'dropped', delivery: oldest };
  }

  take(): Delivery | undefined {
    if (this.#size === 0) return undefined;
    const delivery = this.#ring[this.#head];
    this.#ring[this.#head] = undefined;
    this.#head = (this.#head + 1) % this.#ring.length;
    this.#size -= 1;
    return delivery;
  }

  /** Takes everything that is left. */
  clear(): readonly Delivery[] {
    const left: Delivery[] = [];
    for (let next = this.take(); next !== undefined; next = this.take()) left.push(next);
    return left;
  }

  #push(delivery: Delivery): void {
    if (this.#size === this.#ring.length) this.#grow();
    this.#ring[(this.#head + this.#size) % this.#ring.length] = delivery;
    this.#size += 1;
  }

  #grow(): void {
    const ring: (Delivery | undefined)[] = new Array(Math.min(this.capacity, this.#ring.length * 2));
    for (let index = 0; index < this.#size; index += 1)
      ring[index] = this.#ring[(this.#head + index) % this.#ring.length];
    this.#ring = ring;
    this.#head = 0;
  }
}
