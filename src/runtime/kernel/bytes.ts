import type { Message } from '../spec.ts';

/**
 * A binary record as a message. Many of them may lie in one buffer, as they came over a link; the view is made only
 * where somebody reads `bytes`, since making one costs more than all the rest of a delivery.
 */
export class Bytes implements Message {
  readonly [field: string]: unknown;
  readonly data: Uint8Array;
  /** Where the record lies in `data`. */
  readonly start: number;
  readonly end: number;

  constructor(data: Uint8Array, start = 0, end = data.length) {
    this.data = data;
    this.start = start;
    this.end = end;
  }

  get type(): 'BYTES' {
    return 'BYTES';
  }

  get bytes(): Uint8Array {
    return this.start === 0 && this.end === this.data.length
      ? this.data
      : this.data.subarray(this.start, this.end);
  }
}
