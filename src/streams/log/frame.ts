import { crc32 } from 'node:zlib';
import type { LogRecord } from './log.ts';

/**
 * One write of the log: a header and the records of one group commit, each behind its length.
 *
 * | bytes | what (little endian) |
 * | --- | --- |
 * | 0–3 | magic |
 * | 4–7 | CRC-32 of bytes 8–39 |
 * | 8–11 | CRC-32 of the body |
 * | 12–15 | length of the body |
 * | 16–19 | number of records; 0 is a seal, which says only that all before it was acknowledged |
 * | 20–23 | 0 |
 * | 24–31 | offset of the first record (float64) |
 * | 32–39 | milliseconds since the epoch (float64) |
 *
 * The header has a checksum of its own, so that looking for the next frame after a damaged one costs one small checksum
 * per candidate. Both start from the segment's random salt: a payload cannot imitate a frame, nor a stale file pass for
 * this one.
 */
export interface FrameHead {
  readonly bodyCrc: number;
  readonly bodyLength: number;
  readonly count: number;
  readonly first: number;
  readonly time: number;
}

const MAGIC = 0x6c67_616d;
const MAGIC_BYTES = Buffer.from('magl');
export const FRAME_HEAD = 40;
const RECORD_HEAD = 4;

/** What a record takes in a frame. */
export const recordSize = (record: Uint8Array): number => RECORD_HEAD + record.length;

/** Writes a frame to the buffer's start and returns its length. */
export function encodeFrame(
  into: Buffer,
  salt: number,
  first: number,
  time: number,
  appends: Iterable<readonly Uint8Array[]>,
): number {
  let at = FRAME_HEAD;
  let count = 0;
  for (const records of appends) {
    for (const record of records) {
      into.writeUInt32LE(record.length, at);
      into.set(record, at + RECORD_HEAD);
      at += RECORD_HEAD + record.length;
      count += 1;
    }
  }
  into.writeUInt32LE(MAGIC, 0);
  into.writeUInt32LE(crc32(into.subarray(FRAME_HEAD, at), salt), 8);
  into.writeUInt32LE(at - FRAME_HEAD, 12);
  into.writeUInt32LE(count, 16);
  into.writeUInt32LE(0, 20);
  into.writeDoubleLE(first, 24);
  into.writeDoubleLE(time, 32);
  into.writeUInt32LE(crc32(into.subarray(8, FRAME_HEAD), salt), 4);
  return at;
}

/** The header at this place, or null where none stands there whole. */
export function readHead(bytes: Buffer, at: number, salt: number): FrameHead | null {
  if (at + FRAME_HEAD > bytes.length || bytes.readUInt32LE(at) !== MAGIC) return null;
  if (crc32(bytes.subarray(at + 8, at + FRAME_HEAD), salt) !== bytes.readUInt32LE(at + 4)) return null;
  return {
    bodyCrc: bytes.readUInt32LE(at + 8),
    bodyLength: bytes.readUInt32LE(at + 12),
    count: bytes.readUInt32LE(at + 16),
    first: bytes.readDoubleLE(at + 24),
    time: bytes.readDoubleLE(at + 32),
  };
}

/** Whether the frame's body is what was written. */
export function holdsBody(bytes: Buffer, at: number, head: FrameHead, salt: number): boolean {
  const end = at + FRAME_HEAD + head.bodyLength;
  return end <= bytes.length && crc32(bytes.subarray(at + FRAME_HEAD, end), salt) === head.bodyCrc;
}

/** Appends the records of a frame whose checksums hold to `into`, from an offset on. They share the buffer's memory. */
export function readRecords(
  bytes: Buffer,
  at: number,
  head: FrameHead,
  from: number,
  into: LogRecord[],
): void {
  let place = at + FRAME_HEAD;
  for (let index = 0; index < head.count; index += 1) {
    const length = bytes.readUInt32LE(place);
    const start = place + RECORD_HEAD;
    place = start + length;
    const offset = head.first + index;
    if (offset >= from) into.push({ offset, time: head.time, data: bytes.subarray(start, place) });
  }
}

/** Place of the next whole header at or after this one, or -1. */
export function findHead(bytes: Buffer, from: number, salt: number): number {
  for (
    let at = bytes.indexOf(MAGIC_BYTES, from);
    at !== -1 && at + FRAME_HEAD <= bytes.length;
    at = bytes.indexOf(MAGIC_BYTES, at + 1)
  ) {
    if (readHead(bytes, at, salt) !== null) return at;
  }
  return -1;
}
