import { LIMITS } from '../../limits.ts';
import type { Host, Transferable } from '../host.ts';
import type { Ambient } from '../kernel/ambient.ts';
import { Bytes } from '../kernel/bytes.ts';
import type { Message } from '../spec.ts';
import type { Frame } from './frame.ts';
import { RecordWriter } from './records.ts';

/**
 * What crosses in one piece. A *parcel* is a list of chunks, in their order:
 * - text: messages as JSON, `[target, message, message, target, message, …]`. Half the cost of a structured clone, and
 *   used only where it gives the same (flat messages of strings, finite numbers, booleans and null);
 * - an array: the same list, where a message needs the structured clone;
 * - an ArrayBuffer: binary records, see RecordWriter;
 * - a Frame.
 *
 * In a list a number is the target of what follows it, an object a message, and an array a message with what goes
 * along: `[ask id or 0, milliseconds left, message, ambient?]`.
 */
export type Chunk = string | readonly unknown[] | ArrayBuffer | Frame;

/** A message with what goes along, as it lies in a list. */
export type Item = readonly [ask: number, timeLeft: number, message: Message, ambient?: Ambient];

export type Post = (parcel: readonly Chunk[], transfer: readonly Transferable[]) => void;

/** What could not be cloned after all. */
export type Refused = (
  what: Frame | { readonly target: number; readonly item: Item },
  error: unknown,
) => void;

/**
 * Collects what one turn sends: posting one by one costs seven times as much. Leaves in order when the turn ends, or as
 * soon as it is LIMITS.portBatch items or LIMITS.portBatchBytes long, so that the other end works meanwhile.
 */
export class Outbox {
  readonly #host: Host;
  readonly #post: Post;
  readonly #records = new RecordWriter();
  #chunks: Chunk[] = [];
  #transfer: Transferable[] = [];
  /** The open list of JSON texts, '' where none is. */
  #text = '';
  #list: unknown[] | null = null;
  /** Target of the last item of the open list. */
  #target = -1;
  #count = 0;
  #planned = false;
  refused: Refused = () => {};

  constructor(host: Host, post: Post) {
    this.#host = host;
    this.#post = post;
  }

  /**
   * @param flat whether JSON carries it as it is; see isFlat. Where not, it must have been found cloneable.
   * @param ask 0 where nobody waits for an answer
   */
  message(
    target: number,
    message: Message,
    flat: boolean,
    ask: number,
    timeLeft: number,
    ambient: Ambient | null,
  ): void {
    if (message instanceof Bytes && ask === 0 && ambient === null) {
      this.record(target, message.data, message.start, message.end);
      return;
    }
    const isRecord = message instanceof Bytes;
    const plain = isRecord ? { type: message.type, bytes: message.bytes.slice() } : message;
    const bare = ask === 0 && ambient === null;
    const item = bare ? plain : this.#item(plain, ask, timeLeft, ambient);
    if (flat && !isRecord) this.#addText(target, item);
    else this.#addToList(target, item);
    this.#added();
  }

  frame(frame: Frame, transfer: readonly Transferable[] = []): void {
    this.#closeChunk();
    this.#chunks.push(frame);
    this.#transfer.push(...transfer);
    this.#added();
  }

  flush(): void {
    this.#closeChunk();
    if (this.#chunks.length === 0) return;
    const chunks = this.#chunks;
    const transfer = this.#transfer;
    this.#chunks = [];
    this.#transfer = [];
    this.#count = 0;
    try {
      this.#post(chunks, transfer);
    } catch (error) {
      this.#sort(chunks, transfer, error);
    }
  }

  #item(message: Message, ask: number, timeLeft: number, ambient: Ambient | null): Item {
    if (ambient === null) return [ask, timeLeft, message];
    const { deadline } = ambient;
    return [
      ask,
      timeLeft,
      message,
      deadline === undefined ? ambient : { ...ambient, deadline: deadline - this.#host.now() },
    ];
  }

  record(target: number, data: Uint8Array, start: number, end: number): void {
    if (this.#text !== '' || this.#list !== null) this.#closeChunk();
    this.#records.add(target, data, start, end);
    if (this.#records.size >= LIMITS.portBatchBytes) this.flush();
    else this.#plan();
  }

  #addText(target: number, item: unknown): void {
    if (this.#text === '') {
      this.#closeChunk();
      this.#target = target;
      this.#text = `[${target},${JSON.stringify(item)}`;
      return;
    }
    if (target !== this.#target) {
      this.#target = target;
      this.#text += `,${target}`;
    }
    this.#text += `,${JSON.stringify(item)}`;
    if (this.#text.length >= LIMITS.portBatchBytes) this.flush();
  }

  #addToList(target: number, item: unknown): void {
    if (this.#list === null) {
      this.#closeChunk();
      this.#target = target;
      this.#list = [target, item];
      return;
    }
    if (target !== this.#target) {
      this.#target = target;
      this.#list.push(target);
    }
    this.#list.push(item);
  }

  #added(): void {
    this.#count += 1;
    if (this.#count >= LIMITS.portBatch) this.flush();
    else this.#plan();
  }

  #plan(): void {
    if (this.#planned) return;
    this.#planned = true;
    this.#host.soon(() => {
      this.#planned = false;
      this.flush();
    });
  }

  #closeChunk(): void {
    if (this.#text !== '') {
      this.#chunks.push(`${this.#text}]`);
      this.#text = '';
    } else if (this.#list !== null) {
      this.#chunks.push(this.#list);
      this.#list = null;
    } else if (this.#records.size > 0) {
      const buffer = this.#records.take();
      this.#chunks.push(buffer);
      this.#transfer.push(buffer);
    }
  }

  /** One bad message must not take those down that wait with it. */
  #sort(chunks: readonly Chunk[], transfer: readonly Transferable[], cause: unknown): void {
    for (const chunk of chunks) {
      if (Array.isArray(chunk)) {
        this.#sortList(chunk);
        continue;
      }
      // What a transfer belongs to is not known any more; a port that cannot be sent is of no use either way.
      const moved = transfer.filter((one) => one === chunk);
      try {
        if (transfer.length > moved.length && typeof chunk === 'object' && !(chunk instanceof ArrayBuffer))
          throw cause;
        this.#post([chunk], moved);
      } catch (error) {
        this.refused(chunk as Frame, error); // text and buffers can always be sent
      }
    }
  }

  #sortList(list: readonly unknown[]): void {
    let target = -1;
    for (const item of list) {
      if (typeof item === 'number') {
        target = item;
        continue;
      }
      try {
        this.#post([[target, item]], []);
      } catch (error) {
        const whole = Array.isArray(item) ? item : [0, 0, item];
        this.refused({ target, item: whole as unknown as Item }, error); // made above, by #item
      }
    }
  }
}
