import { MagError } from '../../errors.ts';
import type { Outlet } from '../placement/outlet.ts';
import type { MailboxOptions, Message, Overflow } from '../spec.ts';
import type { Ambient } from './ambient.ts';
import type { Ask } from './ask.ts';

export const notAMessage = (path: string): MagError => new MagError('MAG_MESSAGE_INVALID', { path });

/** One message on its way, with all that may go with it. */
export class Delivery {
  /** The path it is for: the actor's own, or one below a remote mount. */
  readonly to: string;
  readonly message: Message;
  /** Who waits for an answer, if anybody does. */
  readonly ask: Ask | null;
  readonly ambient: Ambient | null;
  /** The incarnation elsewhere that it is meant for, where it was sent through a reference; null through a name. */
  readonly outlet: Outlet | null;

  constructor(
    to: string,
    message: Message,
    ask: Ask | null = null,
    ambient: Ambient | null = null,
    outlet: Outlet | null = null,
  ) {
    if (typeof message !== 'object' || message === null) throw notAMessage(to);
    this.to = to;
    this.message = message;
    this.ask = ask;
    this.ambient = ambient;
    this.outlet = outlet;
  }
}

/** What a mailbox holds: the bare message, or the delivery where something goes with it. */
export type Entry = Message | Delivery;

const FIRST_SIZE = 8;

/** A bounded ring. It grows with use up to its capacity, so that an idle actor costs next to nothing. */
export class Mailbox {
  readonly capacity: number;
  readonly overflow: Overflow;
  /** One message too many costs another one its place, and never its sender a wait. */
  readonly drops: boolean;
  #ring: (Entry | undefined)[] | null = null;
  /** Ring size minus one; sizes are powers of two. */
  #mask = -1;
  #head = 0;
  #size = 0;
  #dropped = 0;

  constructor(options: MailboxOptions) {
    this.capacity = options.capacity;
    this.overflow = options.overflow;
    this.drops = options.overflow === 'drop_oldest' || options.overflow === 'drop_newest';
  }

  get depth(): number {
    return this.#size;
  }

  /** Messages refused or dropped since the incarnation began. */
  get dropped(): number {
    return this.#dropped;
  }

  get full(): boolean {
    return this.#size >= this.capacity;
  }

  /**
   * Takes a message. Where it is full, gives the one that found no place, by its overflow policy: the oldest one, or
   * the given one; null where there was room.
   */
  offer(entry: Entry): Entry | null {
    const size = this.#size;
    if (size >= this.capacity) return this.#overflow(entry);
    if (size > this.#mask) this.#grow();
    const ring = this.#ring as (Entry | undefined)[]; // grown above
    ring[(this.#head + size) & this.#mask] = entry;
    this.#size = size + 1;
    return null;
  }

  take(): Entry | undefined {
    const ring = this.#ring;
    if (this.#size === 0 || ring === null) return undefined;
    const head = this.#head;
    const entry = ring[head];
    ring[head] = undefined;
    this.#head = (head + 1) & this.#mask;
    this.#size -= 1;
    return entry;
  }

  /** Takes everything that is left. */
  clear(): readonly Entry[] {
    const left: Entry[] = [];
    for (let next = this.take(); next !== undefined; next = this.take()) left.push(next);
    this.#ring = null;
    this.#mask = -1;
    this.#head = 0;
    return left;
  }

  #overflow(entry: Entry): Entry {
    this.#dropped += 1;
    if (this.overflow !== 'drop_oldest') return entry;
    const oldest = this.take();
    if (oldest === undefined) return entry;
    this.offer(entry);
    return oldest;
  }

  #grow(): void {
    const old = this.#ring;
    const oldMask = this.#mask;
    const size = Math.max(FIRST_SIZE, (oldMask + 1) * 2);
    const ring: (Entry | undefined)[] = new Array(size);
    for (let index = 0; index < this.#size; index += 1) ring[index] = old?.[(this.#head + index) & oldMask];
    // A ring without holes is read without a look at its prototype.
    for (let index = this.#size; index < size; index += 1) ring[index] = undefined;
    this.#ring = ring;
    this.#mask = size - 1;
    this.#head = 0;
  }
}
