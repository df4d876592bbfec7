/** A callback that is due at a virtual time. */
export interface DueTimer {
  readonly at: number;
  /** Order among timers of the same time: as they were set. */
  readonly order: number;
  readonly callback: () => void;
  cancelled: boolean;
}

const before = (one: DueTimer, other: DueTimer): boolean =>
  one.at < other.at || (one.at === other.at && one.order < other.order);

/** A binary heap of due times, so that thousands of timers cost no scan. */
export class TimerHeap {
  readonly #items: DueTimer[] = [];

  push(timer: DueTimer): void {
    this.#items.push(timer);
    let index = this.#items.length - 1;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (!this.#swapIfBefore(index, parent)) return;
      index = parent;
    }
  }

  /** The next one that was not cancelled, left in place. */
  peek(): DueTimer | undefined {
    for (let first = this.#items[0]; first?.cancelled === true; first = this.#items[0]) this.#remove();
    return this.#items[0];
  }

  pop(): DueTimer | undefined {
    const first = this.peek();
    if (first !== undefined) this.#remove();
    return first;
  }

  #remove(): void {
    const last = this.#items.pop();
    if (last === undefined || this.#items.length === 0) return;
    this.#items[0] = last;
    let index = 0;
    for (;;) {
      const left = index * 2 + 1;
      const right = left + 1;
      const one = this.#items[left];
      const other = this.#items[right];
      if (one === undefined) return;
      const smaller = other !== undefined && before(other, one) ? right : left;
      if (!this.#swapIfBefore(smaller, index)) return;
      index = smaller;
    }
  }

  #swapIfBefore(lower: number, upper: number): boolean {
    const one = this.#items[lower];
    const other = this.#items[upper];
    if (one === undefined || other === undefined || !before(one, other)) return false;
    this.#items[lower] = other;
    this.#items[upper] = one;
    return true;
  }
}
