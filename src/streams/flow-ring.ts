/** A first-in, first-out queue in a ring that grows as it fills: its owner bounds it. */
export class Ring<T> {
  #slots: (T | undefined)[] = new Array(16);
  #head = 0;
  #length = 0;

  get length(): number {
    return this.#length;
  }

  push(value: T): void {
    if (this.#length === this.#slots.length) this.#grow();
    this.#slots[(this.#head + this.#length) & (this.#slots.length - 1)] = value;
    this.#length += 1;
  }

  /** The oldest; only while there is one. */
  shift(): T {
    const value = this.#slots[this.#head] as T; // its owner looked at the length
    this.#slots[this.#head] = undefined;
    this.#head = (this.#head + 1) & (this.#slots.length - 1);
    this.#length -= 1;
    return value;
  }

  clear(): void {
    this.#slots = new Array(16);
    this.#head = 0;
    this.#length = 0;
  }

  /** A power of two, so that a place is a mask away. */
  #grow(): void {
    const size = this.#slots.length;
    const slots: (T | undefined)[] = new Array(size * 2);
    for (let place = 0; place < size; place += 1) {
      slots[place] = this.#slots[(this.#head + place) & (size - 1)];
    }
    this.#slots = slots;
    this.#head = 0;
  }
}
