import type { LogRecord } from '../log/log.ts';

/** An event as it stands in a topic's log. */
export interface BusRecord {
  readonly offset: number;
  readonly time: number;
  readonly lane: number;
  readonly id: string | null;
  /** Milliseconds since the epoch, or null. */
  readonly deadline: number | null;
  readonly json: string;
}

/*
 * In the log: flags (bit 0: an id, bit 1: a deadline), lane, then length of the id (u16) and the id, the deadline
 * (float64), and the event's JSON text to the end. Little endian, UTF-8.
 */
const HEAD = 2;
const HAS_ID = 1;
const HAS_DEADLINE = 2;

export function encodeRecord(lane: number, id: string | null, deadline: number | null, json: string): Buffer {
  const idBytes = id === null ? 0 : Buffer.byteLength(id);
  const start = HEAD + (id === null ? 0 : 2 + idBytes) + (deadline === null ? 0 : 8);
  const bytes = Buffer.allocUnsafe(start + Buffer.byteLength(json));
  bytes[0] = (id === null ? 0 : HAS_ID) | (deadline === null ? 0 : HAS_DEADLINE);
  bytes[1] = lane;
  let at = HEAD;
  if (id !== null) {
    bytes.writeUInt16LE(idBytes, at);
    bytes.write(id, at + 2);
    at += 2 + idBytes;
  }
  if (deadline !== null) bytes.writeDoubleLE(deadline, at);
  bytes.write(json, start);
  return bytes;
}

export function decodeRecord({ offset, time, data }: LogRecord): BusRecord {
  const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  const flags = bytes[0] ?? 0;
  let at = HEAD;
  let id: string | null = null;
  let deadline: number | null = null;
  if ((flags & HAS_ID) !== 0) {
    const end = at + 2 + bytes.readUInt16LE(at);
    id = bytes.toString('utf8', at + 2, end);
    at = end;
  }
  if ((flags & HAS_DEADLINE) !== 0) {
    deadline = bytes.readDoubleLE(at);
    at += 8;
  }
  return { offset, time, lane: bytes[1] ?? 0, id, deadline, json: bytes.toString('utf8', at) };
}

/** What an event takes in memory, about. */
export const weightOf = (record: BusRecord): number => 128 + record.json.length * 2;
