/** What waits. Linked from both sides, so that one that gives up leaves at once and not when its turn comes. */
export interface Waiting {
  /** 0 is the first to be served. */
  readonly lane: number;
  before: Waiting | null;
  after: Waiting | null;
  queued: boolean;
}

/** First in, first out within a lane; lanes in order of their number. Every operation takes constant time. */
export class LaneQueue<T extends Waiting> {
  readonly #heads: (T | null)[];
  readonly #tails: (T | null)[];
  #size = 0;

  constructor(lanes: number) {
    this.#heads = Array.from({ length: lanes }, () => null);
    this.#tails = Array.from({ length: lanes }, () => null);
  }

  get size(): number {
    return this.#size;
  }

  get lanes(): number {
    return this.#heads.length;
  }

  push(item: T): void {
    const tail = this.#tails[item.lane] ?? null;
    item.before = tail;
    item.after = null;
    item.queued = true;
    if (tail === null) this.#heads[item.lane] = item;
    else tail.after = item;
    this.#tails[item.lane] = item;
    this.#size += 1;
  }

  /** Who has waited longest in a lane. */
  first(lane: number): T | null {
    return this.#heads[lane] ?? null;
  }

  /** Who is served next. */
  next(): T | null {
    for (const head of this.#heads) if (head !== null) return head;
    return null;
  }

  /** Who came last into the lowest lane that anybody waits in: the first to give way. */
  last(): T | null {
    for (let lane = this.#tails.length - 1; lane >= 0; lane -= 1) {
      const tail = this.#tails[lane] ?? null;
      if (tail !== null) return tail;
    }
    return null;
  }

  /** Nothing happens where it does not wait here any more. */
  remove(item: T): void {
    if (!item.queued) return;
    item.queued = false;
    // Only items that push() linked are linked here, and these are all of type T.
    const before = item.before as T | null;
    const after = item.after as T | null;
    if (before === null) this.#heads[item.lane] = after;
    else before.after = after;
    if (after === null) this.#tails[item.lane] = before;
    else after.before = before;
    item.before = null;
    item.after = null;
    this.#size -= 1;
  }
}
