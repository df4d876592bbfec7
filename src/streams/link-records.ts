import { Buffer } from 'node:buffer';
import { MagError } from '../errors.ts';
import { LIMITS } from '../limits.ts';

/**
 * Records in one buffer: their bytes one after the other, filled up to a multiple of four, then where each of them ends
 * and how many there are, as little-endian 32-bit numbers (the order of every platform Node is built for but one). The
 * table is last because a packer knows it last.
 */
export class RecordBatch implements Iterable<Uint8Array> {
  /** Records in it. */
  readonly length: number;
  /** Their bytes; record i lies from `start(i)` to `end(i)`. */
  readonly bytes: Uint8Array;
  readonly #ends: Uint32Array;

  /** Throws MAG_LINK_FRAME_INVALID where the table does not lie inside the buffer, or goes backwards. */
  constructor(packed: Uint8Array) {
    const size = packed.byteLength;
    const count = size < 4 || size % 4 !== 0 ? -1 : (words(packed, size - 4, 1)[0] ?? -1);
    const table = size - 4 - count * 4;
    if (count < 0 || table < 0) throw invalid('records without their table');
    const ends = words(packed, table, count);
    let last = 0;
    for (let place = 0; place < count; place += 1) {
      const end = ends[place] ?? 0;
      if (end < last || end > table) throw invalid('a record that ends outside its frame');
      last = end;
    }
    if (table - last > 3) throw invalid('bytes that belong to no record');
    this.length = count;
    this.bytes = packed.subarray(0, last);
    this.#ends = ends;
  }

  start(place: number): number {
    return place === 0 ? 0 : (this.#ends[place - 1] ?? 0);
  }

  end(place: number): number {
    return this.#ends[place] ?? 0;
  }

  /** A view: it keeps the whole batch in memory. Making one costs more than reading a short record in place. */
  record(place: number): Uint8Array {
    return this.bytes.subarray(this.start(place), this.end(place));
  }

  *[Symbol.iterator](): Iterator<Uint8Array> {
    for (let place = 0; place < this.length; place += 1) yield this.record(place);
  }
}

/** A socket's frames lie anywhere in its buffer; numbers can be read in place only where they are aligned. */
function words(bytes: Uint8Array, offset: number, count: number): Uint32Array {
  const start = bytes.byteOffset + offset;
  if (start % 4 === 0) return new Uint32Array(bytes.buffer, start, count);
  // A copy, which a Buffer's own `slice` is not.
  return new Uint32Array(new Uint8Array(bytes.subarray(offset, offset + count * 4)).buffer);
}

const invalid = (problem: string): MagError => new MagError('MAG_LINK_FRAME_INVALID', { problem });

/** Gathers records for one RecordBatch. */
export class RecordPacker {
  count = 0;
  #bytes = new Uint8Array(LIMITS.linkBatchBytes);
  readonly #ends = new Uint32Array(LIMITS.linkBatchItems);
  #room = LIMITS.linkBatchBytes;
  #length = 0;

  get isFull(): boolean {
    return this.count >= LIMITS.linkBatchItems;
  }

  /** False where it does not fit beside what is here; an empty packer takes a record of any length. */
  add(record: Uint8Array): boolean {
    const end = this.#length + record.byteLength;
    if (end > this.#room) {
      if (this.count > 0) return false;
      this.#makeRoom(end);
    }
    this.#bytes.set(record, this.#length);
    this.#length = end;
    this.#ends[this.count] = end;
    this.count += 1;
    return true;
  }

  /** The packed records, in a buffer of their own; the packer is empty then. */
  take(): Uint8Array<ArrayBuffer> {
    const { count } = this;
    const table = (this.#length + 3) & ~3;
    // Not cleared first: every byte but the three that fill up is written here.
    const packed = new Uint8Array(Buffer.allocUnsafeSlow(table + count * 4 + 4).buffer);
    packed.set(this.#bytes.subarray(0, this.#length));
    packed.fill(0, this.#length, table);
    const numbers = new Uint32Array(packed.buffer, table, count + 1);
    numbers.set(this.#ends.subarray(0, count));
    numbers[count] = count;
    this.count = 0;
    this.#length = 0;
    if (this.#room > LIMITS.linkBatchBytes) this.#makeRoom(LIMITS.linkBatchBytes);
    return packed;
  }

  #makeRoom(bytes: number): void {
    this.#bytes = new Uint8Array(bytes);
    this.#room = bytes;
  }
}
