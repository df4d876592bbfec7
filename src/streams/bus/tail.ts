import { BUS_LIMITS } from '../../limits-bus.ts';
import { type BusRecord, weightOf } from './record.ts';

/** The newest events of a topic in memory, so that consumers that keep up need not read the log. */
export class Tail {
  #records: BusRecord[] = [];
  /** Those before it are let go. */
  #start = 0;
  #weight = 0;
  #next: number;

  /** @param next offset of the first event to come. */
  constructor(next: number) {
    this.#next = next;
  }

  get next(): number {
    return this.#next;
  }

  /** Goes on after this event without keeping it, or what came before. */
  skip(offset: number): void {
    if (this.#records.length > 0) {
      this.#records = [];
      this.#start = 0;
      this.#weight = 0;
    }
    this.#next = offset + 1;
  }

  push(record: BusRecord): void {
    this.#records.push(record);
    this.#next = record.offset + 1;
    this.#weight += weightOf(record);
    while (this.#weight > BUS_LIMITS.busTailBytes && this.#start < this.#records.length - 1) {
      const oldest = this.#records[this.#start];
      if (oldest !== undefined) this.#weight -= weightOf(oldest);
      this.#start += 1;
    }
    if (this.#start < this.#records.length / 2) return;
    this.#records = this.#records.slice(this.#start);
    this.#start = 0;
  }

  /** Up to `count` events from this offset on; null where they are not all in memory. */
  read(from: number, count: number): readonly BusRecord[] | null {
    const first = this.#next - (this.#records.length - this.#start);
    if (from < first) return null;
    const at = this.#start + from - first;
    return this.#records.slice(at, at + count);
  }
}
