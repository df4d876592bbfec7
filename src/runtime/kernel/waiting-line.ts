/** First come, first served; who gives up leaves from the middle. A Set would do, but reads past all that left before. */
export class WaitingLine<T extends object> {
  #items: (T | undefined)[] = [];
  #head = 0;
  readonly #present = new Set<T>();

  get size(): number {
    return this.#present.size;
  }

  add(item: T): void {
    // Those that left from the middle are swept before they outnumber those that are there.
    if (this.#items.length - this.#head > 2 * this.#present.size + 64) this.#sweep();
    this.#present.add(item);
    this.#items.push(item);
  }

  delete(item: T): void {
    this.#present.delete(item);
  }

  /** Takes the first one. */
  next(): T | undefined {
    while (this.#head < this.#items.length) {
      const item = this.#items[this.#head];
      this.#items[this.#head] = undefined;
      this.#head += 1;
      if (this.#head >= 1_024 && this.#head * 2 >= this.#items.length) this.#sweep();
      if (item !== undefined && this.#present.delete(item)) return item;
    }
    this.#items.length = 0;
    this.#head = 0;
    return undefined;
  }

  #sweep(): void {
    this.#items = this.#items
      .slice(this.#head)
      .filter((item) => item !== undefined && this.#present.has(item));
    this.#head = 0;
  }
}
