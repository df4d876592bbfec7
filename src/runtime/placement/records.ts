/** Above every length: what follows is a target. */
const TARGET = 0xffff_ffff;
/** Bytes before the first record: how many are used. */
const HEADER = 4;
const SMALLEST = 1_024;
/** Up to this a loop copies faster than a call of `set`. */
const SHORT = 16;

/**
 * Packs binary records into one ArrayBuffer: `used bytes, (TARGET, target)?, (length, bytes)*`, all numbers u32 little
 * endian. It is transferred, so that a record is copied once on its way, however many there are.
 */
export class RecordWriter {
  #bytes = new Uint8Array(0);
  #view = new DataView(this.#bytes.buffer);
  #at = 0;
  #target = -1;
  /** What the last buffer needed: the next one most likely needs as much. */
  #guess = SMALLEST;

  /** Bytes packed so far. */
  get size(): number {
    return this.#at;
  }

  add(target: number, data: Uint8Array, start: number, end: number): void {
    const length = end - start;
    let at = this.#at === 0 ? HEADER : this.#at;
    if (at + length + 12 > this.#bytes.length) this.#grow(at + length + 12);
    const bytes = this.#bytes;
    const view = this.#view;
    if (target !== this.#target) {
      view.setUint32(at, TARGET, true);
      view.setUint32(at + 4, target, true);
      this.#target = target;
      at += 8;
    }
    view.setUint32(at, length, true);
    at += 4;
    if (length > SHORT) bytes.set(start === 0 && end === data.length ? data : data.subarray(start, end), at);
    else for (let index = 0; index < length; index += 1) bytes[at + index] = data[start + index] as number;
    this.#at = at + length;
  }

  take(): ArrayBuffer {
    const { buffer } = this.#bytes;
    this.#view.setUint32(0, this.#at, true);
    this.#guess = Math.max(SMALLEST, this.#at + this.#at / 8);
    this.#bytes = new Uint8Array(0);
    this.#view = new DataView(this.#bytes.buffer);
    this.#at = 0;
    this.#target = -1;
    return buffer;
  }

  #grow(needed: number): void {
    const bytes = new Uint8Array(Math.ceil(Math.max(needed, this.#guess, this.#bytes.length * 2)));
    if (this.#at > 0) bytes.set(this.#bytes.subarray(0, this.#at));
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer);
  }
}

/** Gives every record of a buffer, in order: its target and where it lies. */
export function readRecords(
  buffer: ArrayBuffer | Uint8Array,
  record: (target: number, data: Uint8Array, start: number, end: number) => void,
): void {
  const bytes = buffer instanceof Uint8Array ? buffer : new Uint8Array(buffer);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const used = view.getUint32(0, true);
  let target = -1;
  for (let at = HEADER; at < used; ) {
    const length = view.getUint32(at, true);
    at += 4;
    if (length === TARGET) {
      target = view.getUint32(at, true);
      at += 4;
      continue;
    }
    record(target, bytes, at, at + length);
    at += length;
  }
}
