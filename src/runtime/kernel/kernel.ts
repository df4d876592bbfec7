import { LIMITS } from '../../limits.ts';
import type { Host } from '../host.ts';
import type { Ambient } from './ambient.ts';
import type { Entry, Mailbox } from './mailbox.ts';

/** What the kernel runs: an actor that has a mailbox. */
export interface Runnable {
  readonly address: string;
  readonly mailbox: Mailbox;
  /** Nothing waits for it; asked first, since an idle actor has no mailbox yet. */
  readonly idle: boolean;
  /** In the run queue already. The kernel's own mark. */
  queued: boolean;
  /** False while it starts or is paused: its mailbox fills, and nothing is handled. */
  runnable: boolean;
  /** Must not throw. */
  handle(entry: Entry): void;
}

/** Messages one actor may handle before the next one's turn, so that a busy one does not starve the rest. */
const BURST = 32;
const FIRST_SIZE = 64;

/**
 * The run queue of a thread. A send never runs the receiver: it queues, and the queue runs at the end of the turn,
 * a quantum at a time, after which timers and sockets have theirs.
 */
export class Kernel {
  /** What goes with the message that is being handled. */
  ambient: Ambient | null = null;
  /** Who handles a message right now; null outside. */
  running: Runnable | null = null;
  readonly #host: Host;
  readonly #afterTurn: (() => void)[] = [];
  /** A ring; its size is a power of two. An actor is in it at most once, so the actors bound it. */
  #queue: (Runnable | undefined)[] = new Array(FIRST_SIZE).fill(undefined);
  #mask = FIRST_SIZE - 1;
  #head = 0;
  #size = 0;
  #planned = false;
  #handled = 0;
  /**
   * What may be handled before timers and sockets have their turn. It goes on over short turns: a conversation of
   * questions, each answer of which is a turn of its own, would shut them out for ever.
   */
  #left: number = LIMITS.runQueueQuantum;
  /** Quanta since timers and sockets had their last turn, beyond the first. */
  #extra = 0;
  /** When that was, if it was between two quanta; before an idle time it is long ago, and grants nothing. */
  #since = Number.NEGATIVE_INFINITY;

  constructor(host: Host) {
    this.#host = host;
  }

  /** Messages handled in this thread. */
  get handled(): number {
    return this.#handled;
  }

  /** Marks an actor as having something to do. */
  wake(actor: Runnable): void {
    if (actor.queued || !actor.runnable || actor.idle) return;
    actor.queued = true;
    if (this.#size > this.#mask) this.#grow();
    this.#queue[(this.#head + this.#size) & this.#mask] = actor;
    this.#size += 1;
    if (!this.#planned) this.#plan();
  }

  /** Runs a callback once the messages of this turn are handled, before timers and sockets have theirs. */
  afterTurn(callback: () => void): void {
    this.#afterTurn.push(callback);
    if (!this.#planned) this.#plan();
  }

  /** Handles one message; false when there is none. */
  step(): boolean {
    return this.#run(1) > 0;
  }

  #plan(): void {
    this.#planned = true;
    this.#host.soon(() => this.#runTurn());
  }

  /** A mistake of our own in one actor's bookkeeping is loud, and must not stop all the others for ever. */
  #runTurn(): void {
    let whole = false;
    try {
      this.#turn();
      whole = true;
    } finally {
      if (!whole) this.#host.defer(() => this.#runTurn());
    }
  }

  /** What is queued while it runs belongs to this turn, or after its quantum to a later one: never to another `soon`. */
  #turn(): void {
    try {
      this.#work();
    } catch (error) {
      this.#recover();
      throw error;
    }
  }

  #work(): void {
    while (this.#left > 0 || this.#mayGoOn()) {
      const done = this.#run(Math.min(this.#left, BURST));
      if (done === 0) {
        if (this.#afterTurn.length === 0) {
          this.#planned = false;
          return;
        }
        this.#runAfterTurn();
      }
      this.#left -= done;
    }
    this.#left = LIMITS.runQueueQuantum;
    this.#extra = 0;
    this.#runAfterTurn();
    this.#host.defer(() => {
      this.#since = this.#host.now();
      this.#runTurn();
    });
  }

  /** The quantum is used up: another one follows while they are short. The clock is read once a quantum. */
  #mayGoOn(): boolean {
    if (this.#extra === LIMITS.runQueueQuanta - 1) return false;
    if (this.#host.now() - this.#since >= LIMITS.runQueueMs) return false;
    this.#extra += 1;
    this.#left = LIMITS.runQueueQuantum;
    return true;
  }

  #runAfterTurn(): void {
    for (let left = this.#afterTurn.length; left > 0; left -= 1) this.#afterTurn.shift()?.();
  }

  /** Nothing in a turn may throw. Where something does all the same, the other actors go on. */
  #recover(): void {
    const actor = this.running;
    this.running = null;
    this.ambient = null;
    if (actor !== null) {
      actor.queued = false;
      this.wake(actor);
    }
    this.#host.defer(() => this.#turn());
  }

  /** Runs the first actor that has something for at most `most` messages; gives how many it handled. */
  #run(most: number): number {
    while (this.#size > 0) {
      const actor = this.#next();
      const { mailbox } = actor;
      this.running = actor;
      let done = 0;
      try {
        while (done < most && actor.runnable) {
          const entry = mailbox.take();
          if (entry === undefined) break;
          done += 1;
          actor.handle(entry);
        }
      } finally {
        this.running = null;
        actor.queued = false;
        this.#handled += done;
        this.wake(actor);
      }
      if (done > 0) return done;
    }
    return 0;
  }

  #next(): Runnable {
    const actor = this.#queue[this.#head] as Runnable; // the queue is not empty
    this.#queue[this.#head] = undefined;
    this.#head = (this.#head + 1) & this.#mask;
    this.#size -= 1;
    return actor;
  }

  #grow(): void {
    const ring: (Runnable | undefined)[] = new Array((this.#mask + 1) * 2).fill(undefined);
    for (let index = 0; index < this.#size; index += 1)
      ring[index] = this.#queue[(this.#head + index) & this.#mask];
    this.#queue = ring;
    this.#mask = ring.length - 1;
    this.#head = 0;
  }
}
