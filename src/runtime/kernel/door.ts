import type { Inlet } from '../placement/inlet.ts';
import type { Cell } from './cell.ts';
import type { Entry } from './mailbox.ts';

/**
 * What links have brought to an actor whose mailbox is full. Its senders were told that it is sent: it goes in, in its
 * order, as soon as half of the mailbox is free. There is one for all links, so that a sender whose way changes does not
 * overtake itself; the windows of the senders bound it.
 */
export class Door {
  #entries: (Entry | undefined)[] = [];
  #inlets: (Inlet | undefined)[] = [];
  #head = 0;

  get empty(): boolean {
    return this.#head === this.#entries.length;
  }

  add(entry: Entry, inlet: Inlet): void {
    this.#entries.push(entry);
    this.#inlets.push(inlet);
  }

  /** Lets in what there is room for. Where the actor is gone, that is into the dead letters. */
  enter(cell: Cell): void {
    while (!this.empty && (!cell.mailbox.full || !cell.live)) {
      const entry = this.#entries[this.#head];
      const inlet = this.#inlets[this.#head];
      this.#entries[this.#head] = undefined;
      this.#inlets[this.#head] = undefined;
      this.#head += 1;
      if (entry !== undefined) cell.accept(entry);
      inlet?.took();
    }
    if (this.#head * 2 < this.#entries.length) return;
    this.#entries = this.#entries.slice(this.#head);
    this.#inlets = this.#inlets.slice(this.#head);
    this.#head = 0;
  }
}
