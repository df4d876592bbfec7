import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MagError } from '../../src/errors.ts';
import {
  decodeBroadcast,
  decodePush,
  decodeText,
  encodeBroadcast,
  encodePush,
  encodeText,
  type Vsn,
} from '../../src/protocol/phoenix-frame.ts';
import { wireFrame, wireText } from '../../src/protocol/realtime-wire.ts';

const reference = fc.option(fc.string({ minLength: 1, unit: 'grapheme' }), { nil: null });
const name = fc
  .string({ minLength: 1, maxLength: 40, unit: 'grapheme' })
  .filter((text) => Buffer.byteLength(text) <= 255);
// JSON has no -0.
const payload = fc.object({ maxDepth: 3 }).map((value) => JSON.parse(JSON.stringify(value)));
const shortRef = fc.option(fc.string({ minLength: 1, maxLength: 60 }), { nil: null });
const encoding = fc.constantFrom('binary' as const, 'json' as const);
const bytes = fc.uint8Array({ maxLength: 300 });
const vsn = fc.constantFrom<Vsn>('1.0.0', '2.0.0');

const onlyFrameErrors = (decode: () => unknown): void => {
  try {
    decode();
  } catch (error) {
    expect(error).toBeInstanceOf(MagError);
    expect((error as MagError).code).toBe('MAG_FRAME_INVALID');
  }
};

describe('Phoenix frames', () => {
  it('decode what they encode, in both serializers', () => {
    const message = fc.record({ joinRef: reference, ref: reference, topic: name, event: name, payload });
    fc.assert(
      fc.property(vsn, message, (version, given) => {
        expect(decodeText(version, encodeText(version, given))).toEqual(given);
      }),
    );
  });

  it('decode a binary push that they encode', () => {
    const push = fc.record({
      joinRef: shortRef,
      ref: shortRef,
      topic: name,
      event: name,
      metadata: fc.string({ maxLength: 60 }),
      encoding,
      payload: bytes,
    });
    fc.assert(
      fc.property(push, (given) => {
        const decoded = decodePush(encodePush(given));
        expect({ ...decoded, payload: [...decoded.payload] }).toEqual({
          ...given,
          payload: [...given.payload],
        });
      }),
    );
  });

  it('decode a binary broadcast that they encode', () => {
    const broadcast = fc.record({
      topic: name,
      event: name,
      metadata: fc.constant(''),
      encoding,
      payload: bytes,
    });
    fc.assert(
      fc.property(broadcast, (given) => {
        const decoded = decodeBroadcast(encodeBroadcast(given));
        expect({ ...decoded, payload: [...decoded.payload] }).toEqual({
          ...given,
          payload: [...given.payload],
        });
      }),
    );
  });

  it('refuse anything else with a frame error, and nothing worse', () => {
    fc.assert(
      fc.property(vsn, fc.oneof(fc.string(), fc.json()), (version, text) => {
        onlyFrameErrors(() => decodeText(version, text));
      }),
    );
    const kinds = fc
      .tuple(fc.constantFrom(3, 4, 0), bytes)
      .map(([kind, rest]) => Uint8Array.of(kind, ...rest));
    fc.assert(
      fc.property(kinds, (frame) => {
        onlyFrameErrors(() => decodePush(frame));
        onlyFrameErrors(() => decodeBroadcast(frame));
      }),
    );
  });

  it('refuse to write a header field longer than its length byte can say', () => {
    const long = {
      topic: 'x'.repeat(256),
      event: 'e',
      metadata: '',
      encoding: 'json' as const,
      payload: Buffer.of(),
    };
    expect(() => encodeBroadcast(long)).toThrow(/longer than 255/);
  });
});

/** Reads a server's frame as RFC 6455 says. */
function readWire(frame: Buffer): { opcode: number; payload: Buffer } {
  const short = frame[1] ?? 0;
  const offset = short < 126 ? 2 : short === 126 ? 4 : 10;
  const length =
    short < 126 ? short : short === 126 ? frame.readUInt16BE(2) : Number(frame.readBigUInt64BE(2));
  expect(frame.byteLength).toBe(offset + length);
  return { opcode: frame[0] ?? 0, payload: frame.subarray(offset) };
}

describe('WebSocket frames', () => {
  it.each([0, 1, 125, 126, 127, 65_535, 65_536, 70_000])('hold a payload of %i bytes', (length) => {
    const payload = Buffer.alloc(length, 7);
    const { opcode, payload: read } = readWire(wireFrame('binary', payload));
    expect([opcode, read.equals(payload)]).toEqual([0x82, true]);
  });

  it('hold any text', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 400, unit: 'grapheme' }), (text) => {
        const { opcode, payload } = readWire(wireText(text));
        expect([opcode, payload.toString()]).toEqual([0x81, text]);
      }),
    );
  });
});
