import { LIMITS } from '../../../limits.ts';
import type { Change } from '../../../protocol/change.ts';

interface Sized {
  readonly change: Change;
  readonly bytes: number;
}

/**
 * The newest visible changes of a feed file in memory, so that who follows at the head costs no read. Bounded by
 * count and by text; what does not fit is in the file.
 */
export class FeedTail {
  /** Without gaps up to the head, oldest first. */
  #held: Sized[] = [];
  #bytes = 0;
  /** Appended, not committed. */
  #written: Sized[] = [];
  #writtenBytes = 0;

  write(change: Change, bytes: number): void {
    this.#written.push({ change, bytes });
    this.#writtenBytes += bytes;
    // Of a transaction longer than the tail only the end can be of use here.
    if (this.#written.length < 2 * LIMITS.feedCredit && this.#writtenBytes < 2 * LIMITS.feedTailBytes) return;
    this.#written = newest(this.#written);
    this.#writtenBytes = sum(this.#written);
  }

  commit(): void {
    if (this.#written.length === 0) return;
    this.#held.push(...this.#written);
    this.#bytes += this.#writtenBytes;
    this.rollback();
    const first = this.#held[0];
    const last = this.#held.at(-1);
    const gap =
      first !== undefined &&
      last !== undefined &&
      last.change.offset - first.change.offset >= this.#held.length;
    // Not at every commit: cutting copies what stays.
    if (!gap && this.#held.length < 2 * LIMITS.feedCredit && this.#bytes < 2 * LIMITS.feedTailBytes) return;
    this.#held = newest(this.#held);
    this.#bytes = sum(this.#held);
  }

  rollback(): void {
    this.#written = [];
    this.#writtenBytes = 0;
  }

  clear(): void {
    this.rollback();
    this.#held = [];
    this.#bytes = 0;
  }

  /** Changes after the offset; null where they begin before what is held. */
  read(after: number, limit: number): readonly Change[] | null {
    const first = this.#held[0];
    if (first === undefined || after < first.change.offset - 1) return null;
    const found: Change[] = [];
    let bytes = 0;
    for (let at = after - first.change.offset + 1; at < this.#held.length && found.length < limit; at += 1) {
      const sized = this.#held[at];
      if (sized === undefined) break;
      found.push(sized.change);
      bytes += sized.bytes;
      if (bytes >= LIMITS.feedBatchBytes) break;
    }
    return found;
  }
}

const sum = (list: readonly Sized[]): number => list.reduce((total, { bytes }) => total + bytes, 0);

/** The end of the list that fits, without a gap in its offsets. */
function newest(list: readonly Sized[]): Sized[] {
  let from = list.length;
  let bytes = 0;
  while (from > 0 && list.length - from < LIMITS.feedCredit && bytes < LIMITS.feedTailBytes) {
    const sized = list[from - 1];
    const next = list[from];
    if (sized === undefined || (next !== undefined && next.change.offset !== sized.change.offset + 1)) break;
    bytes += sized.bytes;
    from -= 1;
  }
  return list.slice(from);
}
