import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { BUS_LIMITS } from '../../limits-bus.ts';
import type { LogFile, LogFiles } from './files.ts';

/** First bytes of a segment: magic, CRC-32 of what follows, version, salt of its checksums, offset of its first record. */
export const SEGMENT_HEAD = 32;
const MAGIC = 0x7367_616d;
const VERSION = 1;
const SUFFIX = '.log';
const NEW = 'new';

interface Place {
  readonly offset: number;
  readonly position: number;
  readonly time: number;
}

export const segmentName = (base: number): string => `${String(base).padStart(16, '0')}${SUFFIX}`;

/** Offset of the first record by the file's name, or null for another file. */
export const baseOfName = (name: string): number | null =>
  /^\d{16}\.log$/.test(name) ? Number(name.slice(0, -SUFFIX.length)) : null;

function encodeHead(base: number, salt: number): Buffer {
  const head = Buffer.alloc(SEGMENT_HEAD);
  head.writeUInt32LE(MAGIC, 0);
  head.writeUInt32LE(VERSION, 8);
  head.writeUInt32LE(salt, 12);
  head.writeDoubleLE(base, 16);
  head.writeUInt32LE(crc32(head.subarray(8)), 4);
  return head;
}

/** Salt and first offset, or null where this is no whole head of a segment. */
export function readSegmentHead(bytes: Buffer): { readonly salt: number; readonly base: number } | null {
  if (bytes.length < SEGMENT_HEAD || bytes.readUInt32LE(0) !== MAGIC) return null;
  if (crc32(bytes.subarray(8, SEGMENT_HEAD)) !== bytes.readUInt32LE(4)) return null;
  return { salt: bytes.readUInt32LE(12), base: bytes.readDoubleLE(16) };
}

/**
 * One file of a log. It is filled with zeros ahead of what is written: a write into bytes that exist needs no change of
 * the file's metadata, which would be a second trip to the disk in each fsync, and finds a full disk before a record is
 * at stake.
 */
export class Segment {
  readonly base: number;
  readonly salt: number;
  readonly path: string;
  readonly file: LogFile;
  /** Where the next frame goes. */
  end = SEGMENT_HEAD;
  /** Offset of the next record. */
  next: number;
  firstTime = 0;
  lastTime = 0;
  /** Bytes that exist in the file. */
  allocated: number;
  /** A frame about every BUS_LIMITS.logIndexBytes. */
  readonly #places: Place[] = [];
  /** Where readers stopped, by the offset they go on with: a reader in sequence need not search again. */
  readonly #marks = new Map<number, number>();
  #readers = 0;
  #closing = false;

  constructor(path: string, file: LogFile, base: number, salt: number, allocated: number) {
    this.path = path;
    this.file = file;
    this.base = base;
    this.salt = salt;
    this.next = base;
    this.allocated = allocated;
  }

  get isEmpty(): boolean {
    return this.next === this.base;
  }

  /** Takes note of a frame that is durable at `end`. */
  wrote(size: number, count: number, time: number): void {
    const last = this.#places.at(-1);
    if (count > 0 && (last === undefined || this.end - last.position >= BUS_LIMITS.logIndexBytes))
      this.#places.push({ offset: this.next, position: this.end, time });
    if (this.isEmpty) this.firstTime = time;
    if (count > 0) this.lastTime = time;
    this.end += size;
    this.next += count;
  }

  /** Position of a frame at or before the one that holds this offset. */
  positionOf(offset: number): number {
    return this.#marks.get(offset) ?? this.#last((place) => place.offset <= offset)?.position ?? SEGMENT_HEAD;
  }

  /** The frame that begins with this offset is, or will be, at this position. */
  mark(offset: number, position: number): void {
    this.#marks.delete(offset);
    if (this.#marks.size >= BUS_LIMITS.logMarks) {
      const [oldest] = this.#marks.keys();
      if (oldest !== undefined) this.#marks.delete(oldest);
    }
    this.#marks.set(offset, position);
  }

  /** Offset at or before the first record of this time. */
  offsetBefore(time: number): number {
    return this.#last((place) => place.time < time)?.offset ?? this.base;
  }

  /** Reads, keeping the file open meanwhile. */
  async read(into: Buffer, position: number): Promise<number> {
    this.#readers += 1;
    try {
      return await this.file.read(into, position);
    } finally {
      this.#readers -= 1;
      if (this.#closing && this.#readers === 0) await this.file.close();
    }
  }

  /** Closes the file once nobody reads it any more. */
  async close(): Promise<void> {
    this.#closing = true;
    if (this.#readers === 0) await this.file.close();
  }

  /** The places are sorted: binary search for the last that holds. */
  #last(holds: (place: Place) => boolean): Place | undefined {
    let low = 0;
    let high = this.#places.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const place = this.#places[middle];
      if (place !== undefined && holds(place)) low = middle + 1;
      else high = middle;
    }
    return this.#places[low - 1];
  }
}

/** What is written behind a frame where the file ends, for the frames to come. */
export const ZEROS = Buffer.alloc(BUS_LIMITS.logZeroBytes);

/** Makes a segment. Its file gets its name when its head is durable: no segment without a whole head is ever seen. */
export async function createSegment(
  files: LogFiles,
  folder: string,
  base: number,
  salt: number,
): Promise<Segment> {
  const path = join(folder, segmentName(base));
  const file = await files.open(join(folder, NEW), true);
  try {
    await file.write(encodeHead(base, salt), 0, ZEROS);
    await files.rename(join(folder, NEW), path);
    return new Segment(path, file, base, salt, SEGMENT_HEAD + ZEROS.length);
  } catch (error) {
    await file.close();
    throw error;
  }
}
