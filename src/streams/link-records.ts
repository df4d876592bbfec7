import { MagError } from '../errors.ts';
import { LIMITS } from '../limits.ts';

/**
 * Records in one buffer: their bytes one after the other, then where each of them ends and how many there are, as
 * little-endian 32-bit numbers. The table is last because a packer knows it last.
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
    const view = new DataView(packed.buffer, packed.byteOffset, size);
    const count = size < 4 ? -1 : view.getUint32(size - 4, true);
    const table = size - 4 - count * 4;
    if (count < 0 || table < 0) throw invalid('records without their table');
    const ends = new Uint32Array(count);
    let last = 0;
    for (let place = 0; place < count; place += 1) {
      const end = view.getUint32(table + place * 4, true);
      if (end < last || end > table) throw invalid('a record that ends outside its frame');
      ends[place] = end;
      last = end;
    }
    if (last !== table) throw invalid('bytes that belong to no record');
    this.length = count;
    this.bytes = packed.subarray(0, table);
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

const invalid = (problem: string): MagError => new MagError('MAG_LINK_FRAME_INVALID', { problem });

/** Up to this many bytes a loop is faster than a call of `set`. */
const LOOP_BYTES = 48;

/** Gathers records for one RecordBatch. */
export class RecordPacker {
  count = 0;
  #bytes = new Uint8Array(LIMITS.linkBatchBytes);
  readonly #ends = new Uint32Array(LIMITS.linkBatchItems);
  #length = 0;

  get isFull(): boolean {
    return this.count >= LIMITS.linkBatchItems;
  }

  /** An empty packer takes a record of any length, alone if need be. */
  fits(byteLength: number): boolean {
    return this.count === 0 || this.#length + byteLength <= LIMITS.linkBatchBytes;
  }

  add(record: Uint8Array): void {
    const size = record.byteLength;
    const end = this.#length + size;
    if (end > this.#bytes.byteLength) this.#bytes = new Uint8Array(end);
    const bytes = this.#bytes;
    if (size <= LOOP_BYTES) {
      let at = this.#length;
      for (let place = 0; place < size; place += 1) bytes[at++] = record[place] as number; // inside the record
    } else bytes.set(record, this.#length);
    this.#length = end;
    this.#ends[this.count] = end;
    this.count += 1;
  }

  /** The packed records, in a buffer of their own; the packer is empty then. */
  take(): Uint8Array<ArrayBuffer> {
    const table = this.#length;
    const packed = new Uint8Array(table + this.count * 4 + 4);
    packed.set(this.#bytes.subarray(0, table));
    const view = new DataView(packed.buffer);
    for (let place = 0; place < this.count; place += 1) {
      view.setUint32(table + place * 4, this.#ends[place] ?? 0, true);
    }
    view.setUint32(table + this.count * 4, this.count, true);
    if (this.#bytes.byteLength > LIMITS.linkBatchBytes) this.#bytes = new Uint8Array(LIMITS.linkBatchBytes);
    this.count = 0;
    this.#length = 0;
    return packed;
  }
}
