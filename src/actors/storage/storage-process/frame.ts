import { deserialize, serialize } from 'node:v8';
import { LIMITS } from '../../../limits.ts';

/**
 * One message on a storage socket: header length, body length (u32, big endian), the header in V8's serialization
 * (it keeps big integers and bytes), the body as UTF-8 text. Both ends are ours and of one build.
 */
export interface Frame {
  readonly header: unknown;
  readonly body: string;
}

const PREFIX = 8;
/** JSON text of the largest result, every character three bytes. */
const MAX_BODY = LIMITS.resultBytes * 3 + 1024;

/** The frame in two parts, so that a large body is not copied once more. */
export function encodeFrame(header: unknown, body: string): readonly [Buffer, Buffer] {
  const head = serialize(header);
  const text = Buffer.from(body, 'utf8');
  const start = Buffer.allocUnsafe(PREFIX + head.length);
  start.writeUInt32BE(head.length, 0);
  start.writeUInt32BE(text.length, 4);
  head.copy(start, PREFIX);
  return [start, text];
}

/** Puts frames together from the chunks of a stream. */
export class FrameReader {
  #chunks: Buffer[] = [];
  #size = 0;
  /** Bytes of the frame at the front, once its prefix is known. */
  #need = PREFIX;

  /** Gives the frames that this chunk completed. Throws on a length no frame has. */
  push(chunk: Buffer): readonly Frame[] {
    this.#chunks.push(chunk);
    this.#size += chunk.length;
    const frames: Frame[] = [];
    while (this.#size >= this.#need) {
      // Joined only when a prefix or a frame is whole: a body in a thousand chunks is copied once.
      const buffer = this.#joined();
      const head = buffer.readUInt32BE(0);
      const body = buffer.readUInt32BE(4);
      if (head > LIMITS.resultBytes || body > MAX_BODY)
        throw new Error('a storage frame has an impossible length');
      const total = PREFIX + head + body;
      this.#need = total;
      if (this.#size < total) break;
      frames.push({
        header: deserialize(buffer.subarray(PREFIX, PREFIX + head)),
        body: buffer.toString('utf8', PREFIX + head, total),
      });
      this.#chunks = [buffer.subarray(total)];
      this.#size -= total;
      this.#need = PREFIX;
    }
    return frames;
  }

  #joined(): Buffer {
    const [first] = this.#chunks;
    if (this.#chunks.length === 1 && first !== undefined) return first;
    const joined = Buffer.concat(this.#chunks);
    this.#chunks = [joined];
    return joined;
  }
}
