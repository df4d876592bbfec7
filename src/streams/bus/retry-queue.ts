import type { Item } from './session.ts';

interface Waiting {
  readonly lane: number;
  readonly item: Item;
}

/** Events to be delivered again: those that wait for their time, and by lane those whose time has come. */
export class RetryQueue {
  /** By time. */
  #waiting: Waiting[] = [];
  /** By offset: what came first is delivered first. */
  readonly #due: Item[][];

  constructor(lanes: number) {
    this.#due = Array.from({ length: lanes }, () => []);
  }

  /** Time at which the next one falls due. */
  get nextAt(): number {
    return this.#waiting[0]?.item.at ?? Number.POSITIVE_INFINITY;
  }

  add(lane: number, item: Item): void {
    insertBy(this.#waiting, { lane, item }, (waiting) => waiting.item.at);
  }

  addDue(lane: number, item: Item): void {
    const due = this.#due[lane];
    if (due !== undefined) insertBy(due, item, ({ record }) => record.offset);
  }

  hasDue(lane: number): boolean {
    return (this.#due[lane]?.length ?? 0) > 0;
  }

  takeDue(lane: number): Item | undefined {
    return this.#due[lane]?.shift();
  }

  /** Those whose time has come may be taken. */
  fallDue(now: number): void {
    let count = 0;
    while ((this.#waiting[count]?.item.at ?? Number.POSITIVE_INFINITY) <= now) count += 1;
    for (const { lane, item } of this.#waiting.splice(0, count)) this.addDue(lane, item);
  }

  /** It was settled meanwhile. */
  remove(item: Item): void {
    this.#waiting = this.#waiting.filter((waiting) => waiting.item !== item);
    for (const due of this.#due) {
      const at = due.indexOf(item);
      if (at !== -1) due.splice(at, 1);
    }
  }
}

/** Keeps a list sorted; equal keys stay in the order in which they came. */
function insertBy<T>(list: T[], value: T, keyOf: (value: T) => number): void {
  const key = keyOf(value);
  let low = 0;
  let high = list.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const held = list[middle];
    if (held !== undefined && keyOf(held) <= key) low = middle + 1;
    else high = middle;
  }
  list.splice(low, 0, value);
}
