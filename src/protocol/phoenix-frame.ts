import { MagError } from '../errors.ts';
import type { JsonValue } from './query.ts';

/**
 * Phoenix channels on the wire: serializer 2.0.0 (arrays), 1.0.0 (objects), and the two binary kinds that
 * realtime-js adds for broadcasts. Lengths in binary headers are bytes, strings are UTF-8.
 */
export type Vsn = '1.0.0' | '2.0.0';

export interface PhoenixMessage {
  readonly joinRef: string | null;
  readonly ref: string | null;
  readonly topic: string;
  readonly event: string;
  readonly payload: JsonValue;
}

export type PayloadEncoding = 'binary' | 'json';

/** Binary kind 3: a client's broadcast. */
export interface BroadcastPush {
  readonly joinRef: string | null;
  readonly ref: string | null;
  readonly topic: string;
  readonly event: string;
  /** JSON text, empty where there is none. */
  readonly metadata: string;
  readonly encoding: PayloadEncoding;
  readonly payload: Uint8Array;
}

/** Binary kind 4: a broadcast to a client. */
export interface BroadcastFrame {
  readonly topic: string;
  readonly event: string;
  readonly metadata: string;
  readonly encoding: PayloadEncoding;
  readonly payload: Uint8Array;
}

const PUSH = 3;
const BROADCAST = 4;
const PUSH_HEADER = 7;
const BROADCAST_HEADER = 5;

export const isVsn = (value: string): value is Vsn => value === '1.0.0' || value === '2.0.0';

const invalid = (problem: string): MagError => new MagError('MAG_FRAME_INVALID', { problem });

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new MagError('MAG_FRAME_INVALID', { problem: 'it is not JSON' }, { cause });
  }
}

/** A reference is a string or null; some clients send numbers. */
function reference(value: unknown, name: string): string | null {
  if (value === null || value === undefined) return null;
  if (typeof value === 'string') return value;
  if (typeof value === 'number') return String(value);
  throw invalid(`${name} is not a string`);
}

function named(value: unknown, name: string): string {
  if (typeof value !== 'string' || value === '') throw invalid(`${name} is not a string`);
  return value;
}

function message(joinRef: unknown, ref: unknown, topic: unknown, event: unknown, payload: unknown) {
  return {
    joinRef: reference(joinRef, 'join_ref'),
    ref: reference(ref, 'ref'),
    topic: named(topic, 'topic'),
    event: named(event, 'event'),
    // What JSON.parse gave is a JSON value.
    payload: (payload ?? {}) as JsonValue,
  };
}

/** Parses one text frame. Throws MAG_FRAME_INVALID. */
export function decodeText(vsn: Vsn, text: string): PhoenixMessage {
  const frame = parseJson(text);
  if (vsn === '2.0.0') {
    if (!Array.isArray(frame) || frame.length !== 5) throw invalid('it is not an array of five');
    return message(frame[0], frame[1], frame[2], frame[3], frame[4]);
  }
  if (typeof frame !== 'object' || frame === null || Array.isArray(frame)) throw invalid('it is no object');
  const fields: Record<string, unknown> = { ...frame };
  return message(fields.join_ref, fields.ref, fields.topic, fields.event, fields.payload);
}

/** Writes one text frame around a payload that is JSON text already. */
export function encodeTextAround(
  vsn: Vsn,
  head: Omit<PhoenixMessage, 'payload'>,
  payloadJson: string,
): string {
  const joinRef = JSON.stringify(head.joinRef);
  const ref = JSON.stringify(head.ref);
  const topic = JSON.stringify(head.topic);
  const event = JSON.stringify(head.event);
  return vsn === '2.0.0'
    ? `[${joinRef},${ref},${topic},${event},${payloadJson}]`
    : `{"topic":${topic},"event":${event},"payload":${payloadJson},"ref":${ref},"join_ref":${joinRef}}`;
}

export const encodeText = (vsn: Vsn, frame: PhoenixMessage): string =>
  encodeTextAround(vsn, frame, JSON.stringify(frame.payload));

/** Cuts `sizes` strings from `offset` on, and gives what is left after them. */
function cut(
  bytes: Uint8Array,
  offset: number,
  sizes: readonly number[],
): { texts: string[]; rest: Uint8Array } {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const texts: string[] = [];
  let at = offset;
  for (const size of sizes) {
    if (at + size > bytes.byteLength) throw invalid('a length in its header reaches beyond its end');
    texts.push(buffer.toString('utf8', at, at + size));
    at += size;
  }
  return { texts, rest: bytes.subarray(at) };
}

function encodingOf(byte: number | undefined): PayloadEncoding {
  if (byte === 0) return 'binary';
  if (byte === 1) return 'json';
  throw invalid('its payload encoding is unknown');
}

/** Parses a client's binary frame (kind 3). The payload is a view, not a copy. Throws MAG_FRAME_INVALID. */
export function decodePush(bytes: Uint8Array): BroadcastPush {
  if (bytes.byteLength < PUSH_HEADER || bytes[0] !== PUSH) throw invalid('its binary kind is unknown');
  const sizes = [...bytes.subarray(1, 6)];
  const encoding = encodingOf(bytes[6]);
  const { texts, rest } = cut(bytes, PUSH_HEADER, sizes);
  const [joinRef = '', ref = '', topic = '', event = '', metadata = ''] = texts;
  return {
    joinRef: joinRef === '' ? null : joinRef,
    ref: ref === '' ? null : ref,
    topic: named(topic, 'topic'),
    event,
    metadata,
    encoding,
    payload: rest,
  };
}

function assemble(
  kind: number,
  texts: readonly string[],
  encoding: PayloadEncoding,
  payload: Uint8Array,
): Buffer {
  const parts = texts.map((text) => Buffer.from(text));
  const long = parts.find((part) => part.byteLength > 255);
  if (long !== undefined) throw invalid('a field of its header is longer than 255 bytes');
  const header = [kind, ...parts.map((part) => part.byteLength), encoding === 'json' ? 1 : 0];
  return Buffer.concat([Buffer.from(header), ...parts, payload]);
}

/** What a client sends (kind 3). Throws MAG_FRAME_INVALID where a field is longer than 255 bytes. */
export const encodePush = (push: BroadcastPush): Buffer =>
  assemble(
    PUSH,
    [push.joinRef ?? '', push.ref ?? '', push.topic, push.event, push.metadata],
    push.encoding,
    push.payload,
  );

/** What a client receives (kind 4). Throws MAG_FRAME_INVALID where a field is longer than 255 bytes. */
export const encodeBroadcast = (frame: BroadcastFrame): Buffer =>
  assemble(BROADCAST, [frame.topic, frame.event, frame.metadata], frame.encoding, frame.payload);

/** Parses a server's binary frame (kind 4), for clients and tests. Throws MAG_FRAME_INVALID. */
export function decodeBroadcast(bytes: Uint8Array): BroadcastFrame {
  if (bytes.byteLength < BROADCAST_HEADER || bytes[0] !== BROADCAST)
    throw invalid('its binary kind is unknown');
  const encoding = encodingOf(bytes[4]);
  const { texts, rest } = cut(bytes, BROADCAST_HEADER, [...bytes.subarray(1, 4)]);
  const [topic = '', event = '', metadata = ''] = texts;
  return { topic, event, metadata, encoding, payload: rest };
}
