/** A WebSocket client that costs next to nothing: it counts frames by their headers and decodes none. */
import { randomBytes } from 'node:crypto';
import { connect, type Socket } from 'node:net';

/** A masked text frame, as clients must send. The mask is zero: the payload goes as it is. */
export function clientFrame(text: string): Buffer {
  const payload = Buffer.from(text);
  const { byteLength } = payload;
  const header =
    byteLength < 126
      ? Buffer.from([0x81, 0x80 | byteLength, 0, 0, 0, 0])
      : Buffer.from([0x81, 0x80 | 126, byteLength >> 8, byteLength & 0xff, 0, 0, 0, 0]);
  return Buffer.concat([header, payload]);
}

/** Walks the server's frames in a byte stream, wherever the chunks are cut. */
export class FrameCounter {
  #skip = 0;
  #rest: Buffer = Buffer.alloc(0);

  /** Calls back with each whole frame that begins in this chunk, or was left over; returns how many frames began. */
  count(chunk: Buffer): number {
    let data = chunk;
    if (this.#rest.byteLength > 0) {
      data = Buffer.concat([this.#rest, chunk]);
      this.#rest = Buffer.alloc(0);
    }
    let at = this.#skip;
    let frames = 0;
    while (at < data.byteLength) {
      const left = data.byteLength - at;
      const short = (data[at + 1] ?? 0) & 0x7f;
      const header = short < 126 ? 2 : short === 126 ? 4 : 10;
      if (left < header) {
        this.#rest = Buffer.from(data.subarray(at));
        this.#skip = 0;
        return frames;
      }
      const opcode = (data[at] ?? 0) & 0x0f;
      if (opcode === 8) throw new Error(`closed by the server with ${data.subarray(at + 2, at + 64)}`);
      const length =
        short < 126
          ? short
          : short === 126
            ? data.readUInt16BE(at + 2)
            : Number(data.readBigUInt64BE(at + 2));
      at += header + length;
      frames += 1;
    }
    this.#skip = at - data.byteLength;
    return frames;
  }
}

/** Opens a socket and does the handshake; `head` is what came behind the reply. */
export function openRaw(url: URL): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(Number(url.port), url.hostname);
    socket.setNoDelay(true);
    socket.once('error', reject);
    const key = randomBytes(16).toString('base64');
    const lines = [
      `GET ${url.pathname}${url.search} HTTP/1.1`,
      `Host: ${url.host}`,
      'Upgrade: websocket',
      'Connection: Upgrade',
      `Sec-WebSocket-Key: ${key}`,
      'Sec-WebSocket-Version: 13',
    ];
    socket.write(`${lines.join('\r\n')}\r\n\r\n`);
    let reply = '';
    const onData = (chunk: Buffer): void => {
      reply += chunk.toString('latin1');
      if (!reply.includes('\r\n\r\n')) return;
      socket.off('data', onData);
      socket.off('error', reject);
      if (reply.startsWith('HTTP/1.1 101')) resolve(socket);
      else reject(new Error(`not upgraded: ${reply.slice(0, 200)}`));
    };
    socket.on('data', onData);
  });
}
