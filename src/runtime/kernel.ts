import { LIMITS } from '../limits.ts';
import type { Host } from './host.ts';
import type { Delivery, Mailbox } from './mailbox.ts';

/** What the kernel runs: an actor that has a mailbox. */
export interface Runnable {
  readonly mailbox: Mailbox;
  /** In the run queue already. The kernel's own mark. */
  queued: boolean;
  /** False while it starts or is paused: its mailbox fills, and nothing is handled. */
  runnable(): boolean;
  /** Must not throw. */
  handle(delivery: Delivery): void;
}

/** Messages one actor may handle before the next one's turn, so that a busy one does not starve the rest. */
const BURST = 32;

/**
 * The run queue of a thread. A send never runs the receiver: it queues, and the queue runs at the end of the turn,
 * a quantum at a time, after which timers and sockets have theirs.
 */
export class Kernel {
  readonly #host: Host;
  #queue: (Runnable | undefined)[] = [];
  #head = 0;
  #planned = false;
  #handled = 0;

  constructor(host: Host) {
    this.#host = host;
  }

  /** Messages handled in this thread. */
  get handled(): number {
    return this.#handled;
  }

  /** Marks an actor as having something to do. */
  wake(actor: Runnable): void {
    if (actor.queued || actor.mailbox.depth === 0 || !actor.runnable()) return;
    actor.queued = true;
    this.#queue.push(actor);
    if (this.#planned) return;
    this.#planned = true;
    this.#host.soon(() => this.#turn());
  }

  /** Handles one message; false when there is none. */
  step(): boolean {
    return this.#run(1) > 0;
  }

  /** What is queued while it runs belongs to this turn, or after its quantum to a later one: never to another `soon`. */
  #turn(): void {
    let left: number = LIMITS.runQueueQuantum;
    while (left > 0) {
      const done = this.#run(Math.min(BURST, left));
      if (done === 0) {
        this.#planned = false;
        return;
      }
      left -= done;
    }
    this.#host.defer(() => this.#turn());
  }

  /** Runs the first actor that has something for at most `most` messages; gives how many it handled. */
  #run(most: number): number {
    for (let actor = this.#next(); actor !== undefined; actor = this.#next()) {
      let done = 0;
      while (done < most && actor.runnable()) {
        const delivery = actor.mailbox.take();
        if (delivery === undefined) break;
        done += 1;
        actor.handle(delivery);
      }
      actor.queued = false;
      this.#handled += done;
      this.wake(actor);
      if (done > 0) return done;
    }
    return 0;
  }

  #next(): Runnable | undefined {
    if (this.#head >= this.#queue.length) {
      this.#queue.length = 0;
      this.#head = 0;
      return undefined;
    }
    const actor = this.#queue[this.#head];
    this.#queue[this.#head] = undefined;
    this.#head += 1;
    // The used front is cut off now and then: shifting each time would copy the queue each time.
    if (this.#head === 1024) {
      this.#queue = this.#queue.slice(this.#head);
      this.#head = 0;
    }
    return actor;
  }
}
