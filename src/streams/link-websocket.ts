import { Buffer } from 'node:buffer';
import { describeError, MagError } from '../errors.ts';
import { LIMITS } from '../limits.ts';
import type { FlowLink, Grant, LinkEnd, Parcel } from './link.ts';

/** What a link needs of a WebSocket; those of the package `ws` have it, at either end. */
export interface LinkSocket {
  /** 0 connecting, 1 open, 2 closing, 3 closed. */
  readonly readyState: number;
  /** Bytes handed over and not sent yet. */
  readonly bufferedAmount: number;
  send(data: string | Uint8Array, sent: (error?: Error | null) => void): void;
  on(event: 'message', listener: (data: SocketData, isBinary: boolean) => void): unknown;
  on(event: 'close', listener: (code: number, reason: Buffer) => void): unknown;
  on(event: 'error', listener: (error: Error) => void): unknown;
  on(event: 'open', listener: () => void): unknown;
  off(event: 'message', listener: (data: SocketData, isBinary: boolean) => void): unknown;
  off(event: 'close', listener: (code: number, reason: Buffer) => void): unknown;
}

type SocketData = Buffer | ArrayBuffer | Buffer[];

const OPEN = 1;
const CLOSING = 2;

export interface WebSocketLinkOptions {
  /** Bytes of a frame at most, sent or received; default LIMITS.linkFrameBytes. */
  readonly frameBytes?: number;
}

/**
 * A WebSocket as a link: items as JSON text, packed records as binary frames. Listen (sendFlow) or subscribe
 * (receiveFlow) in the turn in which the socket is made: `ws` throws away what comes while nobody listens.
 *
 * A frame that is too long or malformed ends its flow with MAG_LINK_FRAME_INVALID, at both ends; the socket stays its
 * owner's, who closes it.
 */
export function webSocketLink(socket: LinkSocket, options: WebSocketLinkOptions = {}): FlowLink {
  return new WebSocketLink(socket, options.frameBytes ?? LIMITS.linkFrameBytes);
}

class WebSocketLink implements FlowLink {
  readonly #socket: LinkSocket;
  readonly #frameBytes: number;
  readonly #ends = new Set<LinkEnd>();
  /** Until the socket is open: an end says a few words before it has credit, so this is short. */
  #early: (string | Uint8Array)[] = [];
  #failure: string | null = null;
  #isFull = false;

  constructor(socket: LinkSocket, frameBytes: number) {
    this.#socket = socket;
    this.#frameBytes = frameBytes;
    // For as long as the socket lives: one that fails while nobody listens would end the process.
    socket.on('error', (error) => {
      this.#failure = describeError(error);
    });
    if (socket.readyState < OPEN) {
      socket.on('open', () => {
        for (const data of this.#early.splice(0)) this.#write(data);
      });
    }
  }

  get hasRoom(): boolean {
    this.#isFull ||= this.#socket.bufferedAmount >= LIMITS.linkSocketBytes;
    return !this.#isFull;
  }

  send(frame: Grant | Parcel): void {
    this.#write(JSON.stringify(frame));
  }

  sendItems(items: readonly unknown[]): void {
    const texts: string[] = [];
    let bytes = 0;
    const flush = (): void => {
      if (texts.length > 0) this.#write(`{"items":[${texts.splice(0).join(',')}]}`);
      bytes = 0;
    };
    for (const item of items) {
      let text: string;
      try {
        text = encode(item, this.#frameBytes - FRAME_BYTES);
      } catch (error) {
        flush();
        throw error;
      }
      // A character is at most three bytes of UTF-8; counting them one by one is for what comes near the bound.
      const size = text.length * 3 + 1;
      if (texts.length > 0 && bytes + size > this.#frameBytes - FRAME_BYTES) flush();
      texts.push(text);
      bytes += size;
    }
    flush();
  }

  sendRecords(packed: Uint8Array<ArrayBuffer>): void {
    if (packed.byteLength > this.#frameBytes) throw tooLong(packed.byteLength, this.#frameBytes);
    this.#write(packed);
  }

  attach(end: LinkEnd): () => void {
    const onMessage = (data: SocketData, isBinary: boolean): void => this.#read(end, data, isBinary);
    const onClose = (code: number): void =>
      end.onClose(this.#failure ?? `the socket was closed with ${code}`);
    this.#socket.on('message', onMessage);
    this.#socket.on('close', onClose);
    this.#ends.add(end);
    if (this.#socket.readyState >= CLOSING) end.onClose(this.#failure ?? 'the socket is closed');
    return () => {
      this.#socket.off('message', onMessage);
      this.#socket.off('close', onClose);
      this.#ends.delete(end);
    };
  }

  #read(end: LinkEnd, data: SocketData, isBinary: boolean): void {
    const bytes = bytesOf(data);
    if (bytes.byteLength > this.#frameBytes) {
      end.onInvalid(`${bytes.byteLength} bytes, over ${this.#frameBytes}`);
      return;
    }
    if (isBinary) {
      // Plain, as from every other link: a Buffer has methods of its own under the same names.
      end.onRecords(new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength));
      return;
    }
    let frame: unknown;
    try {
      frame = JSON.parse(bytes.toString('utf8'));
    } catch (error) {
      end.onInvalid(describeError(error));
      return;
    }
    end.onFrame(frame);
  }

  #write(data: string | Uint8Array): void {
    if (this.#socket.readyState < OPEN) this.#early.push(data);
    // A socket that is closing has told its ends, or is about to.
    else if (this.#socket.readyState === OPEN) this.#socket.send(data, this.#onSent);
  }

  readonly #onSent = (): void => {
    if (!this.#isFull || this.#socket.bufferedAmount > LIMITS.linkSocketBytes / 2) return;
    this.#isFull = false;
    for (const end of this.#ends) end.onRoom();
  };
}

/** Around the items of a frame. */
const FRAME_BYTES = '{"items":[]}'.length;

function encode(item: unknown, limit: number): string {
  let text: string | undefined;
  try {
    text = JSON.stringify(item);
  } catch (error) {
    throw new MagError('MAG_LINK_ITEM_INVALID', { problem: describeError(error) }, { cause: error });
  }
  if (text === undefined) throw new MagError('MAG_LINK_ITEM_INVALID', { problem: 'it has no form in JSON' });
  if (text.length * 3 <= limit) return text;
  const size = Buffer.byteLength(text);
  if (size > limit) throw tooLong(size, limit);
  return text;
}

const tooLong = (size: number, limit: number): MagError =>
  new MagError('MAG_LINK_ITEM_INVALID', { problem: `${size} bytes, over ${limit}` });

function bytesOf(data: SocketData): Buffer {
  if (Array.isArray(data)) return Buffer.concat(data);
  return Buffer.isBuffer(data) ? data : Buffer.from(data);
}
