import { LIMITS } from '../../limits.ts';

export interface DeadLetter {
  readonly to: string;
  readonly type: string;
  readonly reason: string;
}

/** Messages that reached nobody: counted, the last ones kept without their content. */
export class DeadLetters {
  #count = 0;
  #ring: DeadLetter[] = [];
  #next = 0;

  get count(): number {
    return this.#count;
  }

  add(
    { to, message }: { readonly to: string; readonly message: { readonly type: string } },
    reason: string,
  ): void {
    this.#count += 1;
    this.#ring[this.#next] = { to, type: String(message.type), reason };
    this.#next = (this.#next + 1) % LIMITS.deadLetters;
  }

  /** The last ones, oldest first. */
  recent(): readonly DeadLetter[] {
    if (this.#ring.length < LIMITS.deadLetters) return this.#ring.slice();
    return [...this.#ring.slice(this.#next), ...this.#ring.slice(0, this.#next)];
  }
}
