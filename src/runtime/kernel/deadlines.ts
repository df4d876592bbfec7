import type { Host, Timer } from '../host.ts';

/** Something that has to be over by a time. Its links belong to the queue that holds it. */
export interface Due {
  readonly deadline: number;
  previous: Due | null;
  next: Due | null;
  queue: DueQueue | null;
  expire(): void;
}

/** Those that were given the same time to live: the first one in is the first one due. */
class DueQueue {
  readonly ttl: number;
  first: Due | null = null;
  last: Due | null = null;
  timer: Timer | null = null;

  constructor(ttl: number) {
    this.ttl = ttl;
  }
}

/**
 * Deadlines by the ten thousand: a timer for each would cost more than the question it guards, so those with the same
 * time to live share one, and what is settled before leaves its queue at once.
 */
export class Deadlines {
  readonly #host: Host;
  readonly #queues = new Map<number, DueQueue>();
  #closed = false;

  constructor(host: Host) {
    this.#host = host;
  }

  /** @param ttl whole milliseconds, the same that `due.deadline` was made from */
  add(due: Due, ttl: number): void {
    let queue = this.#queues.get(ttl);
    if (queue === undefined) {
      queue = new DueQueue(ttl);
      this.#queues.set(ttl, queue);
    }
    due.queue = queue;
    due.previous = queue.last;
    if (queue.last === null) queue.first = due;
    else queue.last.next = due;
    queue.last = due;
    if (queue.timer === null && !this.#closed) this.#arm(queue, ttl);
  }

  remove(due: Due): void {
    const { queue, previous, next } = due;
    if (queue === null) return;
    if (previous === null) queue.first = next;
    else previous.next = next;
    if (next === null) queue.last = previous;
    else next.previous = previous;
    due.queue = null;
    due.previous = null;
    due.next = null;
  }

  /**
   * Forgets the timers, for good: nothing may keep a process alive whose actors have stopped. What is asked from here on
   * fails at once.
   */
  close(): void {
    this.#closed = true;
    for (const queue of this.#queues.values()) if (queue.timer !== null) this.#host.clearTimer(queue.timer);
    this.#queues.clear();
  }

  #arm(queue: DueQueue, delay: number): void {
    queue.timer = this.#host.setTimer(delay, () => this.#expire(queue));
  }

  #expire(queue: DueQueue): void {
    queue.timer = null;
    const now = this.#host.now();
    for (let due = queue.first; due !== null && due.deadline <= now; due = queue.first) {
      this.remove(due);
      due.expire();
    }
    // What expired may have added another one, and armed it.
    if (queue.timer !== null) return;
    if (queue.first !== null) this.#arm(queue, Math.max(1, queue.first.deadline - now));
    else this.#queues.delete(queue.ttl);
  }
}
