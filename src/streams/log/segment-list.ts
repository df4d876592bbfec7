import { MagError } from '../../errors.ts';
import { BUS_LIMITS } from '../../limits-bus.ts';
import { FRAME_HEAD, holdsBody, readHead, readRecords } from './frame.ts';
import type { LogRecord, LogRetention } from './log.ts';
import { SEGMENT_HEAD, type Segment } from './segment.ts';

/** The segments of a log in order, and reading from them. */
export class SegmentList {
  readonly #folder: string;
  #segments: Segment[];
  /** Of all but the newest. */
  #fullBytes = 0;

  constructor(folder: string, segments: readonly Segment[]) {
    this.#folder = folder;
    this.#segments = [];
    for (const segment of segments) this.add(segment);
  }

  get newest(): Segment | undefined {
    return this.#segments.at(-1);
  }

  get first(): number {
    return this.#segments[0]?.base ?? 0;
  }

  get next(): number {
    return this.newest?.next ?? 0;
  }

  get lastTime(): number {
    return this.#segments.findLast((segment) => !segment.isEmpty)?.lastTime ?? 0;
  }

  get bytes(): number {
    const newest = this.newest;
    return newest === undefined ? 0 : this.#fullBytes + newest.end - SEGMENT_HEAD;
  }

  add(segment: Segment): void {
    this.#fullBytes = this.bytes;
    this.#segments.push(segment);
  }

  /** Takes out the segments whose records are all older; never the newest. */
  dropBefore(offset: number): readonly Segment[] {
    const kept = this.#segments.findIndex((segment, index) => {
      return segment.next > offset || index === this.#segments.length - 1;
    });
    const dropped = this.#segments.splice(0, Math.max(0, kept));
    for (const segment of dropped) this.#fullBytes -= segment.end - SEGMENT_HEAD;
    return dropped;
  }

  expiry(retention: LogRetention, now: number): number {
    const oldest = now - (retention.ageMs ?? Number.POSITIVE_INFINITY);
    let bytes = this.bytes;
    let offset = this.first;
    for (const segment of this.#segments) {
      const isOld = !segment.isEmpty && segment.lastTime < oldest;
      const isNewest = segment === this.newest;
      if (!isOld && (isNewest || bytes <= retention.bytes)) break;
      bytes -= segment.end - SEGMENT_HEAD;
      offset = segment.next;
    }
    return offset;
  }

  async read(from: number, maxBytes: number): Promise<readonly LogRecord[]> {
    const start = Math.max(from, this.first);
    const segment = this.#segments.findLast((held) => held.base <= start);
    if (segment === undefined || start >= segment.next) return [];
    return this.#readFrames(segment, start, maxBytes);
  }

  async offsetAt(time: number): Promise<number> {
    const segment = this.#segments.find((held) => !held.isEmpty && held.lastTime >= time);
    if (segment === undefined) return this.next;
    for (let from = segment.offsetBefore(time); ; ) {
      const records = await this.#readFrames(segment, from, BUS_LIMITS.logIndexBytes);
      const found = records.find((record) => record.time >= time);
      if (found !== undefined) return found.offset;
      const last = records.at(-1);
      // Not reached while the segment's last record is late enough.
      if (last === undefined) return segment.next;
      from = last.offset + 1;
    }
  }

  async close(): Promise<void> {
    for (const segment of this.#segments) await segment.close();
  }

  async #readFrames(segment: Segment, from: number, maxBytes: number): Promise<readonly LogRecord[]> {
    const records: LogRecord[] = [];
    // What comes later than this is not looked at, also where it becomes durable meanwhile.
    const end = segment.end;
    let position = segment.positionOf(from);
    let size = Math.max(maxBytes, FRAME_HEAD);
    while (records.length === 0 && position < end) {
      const bytes = Buffer.allocUnsafe(Math.min(size, end - position));
      if ((await segment.read(bytes, position)) < bytes.length) throw this.#damaged(from, segment, position);
      const { used, wanted } = this.#parse(segment, bytes, position, from, records);
      position += used;
      size = Math.max(maxBytes, wanted);
    }
    const last = records.at(-1);
    if (last !== undefined) segment.mark(last.offset + 1, position);
    return records;
  }

  /** Whole frames only; tells how many bytes they take, and how many the next one needs. */
  #parse(
    segment: Segment,
    bytes: Buffer,
    position: number,
    from: number,
    into: LogRecord[],
  ): { readonly used: number; readonly wanted: number } {
    let at = 0;
    while (at + FRAME_HEAD <= bytes.length) {
      const head = readHead(bytes, at, segment.salt);
      if (head === null) throw this.#damaged(from, segment, position + at);
      const size = FRAME_HEAD + head.bodyLength;
      if (head.first + head.count > from) {
        if (at + size > bytes.length) return { used: at, wanted: size };
        if (!holdsBody(bytes, at, head, segment.salt)) throw this.#damaged(from, segment, position + at);
        readRecords(bytes, at, head, from, into);
      }
      // May lie beyond what was read: such a frame was skipped.
      at += size;
    }
    return { used: at, wanted: FRAME_HEAD };
  }

  #damaged(offset: number, segment: Segment, position: number): MagError {
    return new MagError('MAG_LOG_CORRUPT', {
      log: this.#folder,
      offset,
      problem: `byte ${position} of ${segment.path} is not what was written`,
    });
  }
}
