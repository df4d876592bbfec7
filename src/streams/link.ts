import { describeError, MagError } from '../errors.ts';
import { LIMITS } from '../limits.ts';
import type { Flow, FlowObserver, FlowSubscription } from './flow.ts';
import { NO_SUBSCRIPTION } from './flow-stage.ts';
import { RecordPacker } from './link-records.ts';

/**
 * The credit protocol, whatever carries it. The receiver grants items up to a total; totals only grow, so a grant that
 * is told twice, or late, does no harm. The sender emits up to that total, in batches.
 */
export type Grant = { readonly upTo: number } | { readonly cancel: true };

/** From the sending end. `open` asks the receiver to tell its grant again: the end that comes first is not heard. */
export type Parcel =
  | { readonly open: true }
  | { readonly items: readonly unknown[] }
  | { readonly complete: true }
  | { readonly error: { readonly message: string; readonly code: string | null } };

/** What a link tells the end that listens to it. */
export interface LinkEnd {
  /** Not checked: it comes from the other side. */
  onFrame(frame: unknown): void;
  /** Packed records, see RecordBatch. */
  onRecords(packed: Uint8Array): void;
  /** Something came that is no frame. */
  onInvalid(problem: string): void;
  /** There is room again after `hasRoom` was false. */
  onRoom(): void;
  onClose(reason: string): void;
}

/**
 * One connection that carries frames in order, both ways: a message port, a socket. It may carry one flow in each
 * direction.
 */
export interface FlowLink {
  /** False while what was handed over waits to be sent: the flow is asked for no more then. */
  readonly hasRoom: boolean;
  /** Never throws; what cannot be sent any more is lost with its link, which then says `onClose`. */
  send(frame: Grant | Parcel): void;
  /** Throws MAG_LINK_ITEM_INVALID for an item that cannot be encoded; those before it are sent. */
  sendItems(items: readonly unknown[]): void;
  /** Takes the bytes over. Throws MAG_LINK_ITEM_INVALID where they are too many for one frame. */
  sendRecords(packed: Uint8Array<ArrayBuffer>): void;
  /** Listens from now on; returns how to stop. */
  attach(end: LinkEnd): () => void;
}

export interface SendOptions {
  /** Called once, with null after the flow's end or the receiver's cancel, else with what went wrong. */
  readonly onEnd?: (error: unknown) => void;
}

/**
 * Sends a flow over a link: as many items as the other end has granted, never more, in batches of one turn's items and
 * at most LIMITS.linkBatchItems. Records (Uint8Array) are packed into one buffer a batch. Ends with the flow, a
 * cancel, or the link. Returns how to stop from this end, which the other end sees as MAG_LINK_CLOSED.
 */
export function sendOver<T>(
  host: { soon(callback: () => void): void },
  flow: Flow<T>,
  link: FlowLink,
  options: SendOptions = {},
): () => void {
  const sender = new Sender<T>(host, link, options);
  sender.run(flow);
  return () => sender.fail(new MagError('MAG_LINK_CLOSED', { reason: 'the sender stopped' }));
}

const codeOf = (error: unknown): string | null =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : null;

/** What an end reads of a frame; each end ignores what is meant for the other one. */
export const isFrame = (frame: unknown): frame is Readonly<Record<string, unknown>> =>
  typeof frame === 'object' && frame !== null && !Array.isArray(frame);

const isParcel = (frame: Readonly<Record<string, unknown>>): boolean =>
  'items' in frame || 'complete' in frame || 'error' in frame || 'open' in frame;

class Sender<T> implements FlowObserver<T>, LinkEnd {
  readonly #host: { soon(callback: () => void): void };
  readonly #link: FlowLink;
  readonly #options: SendOptions;
  #subscription: FlowSubscription = NO_SUBSCRIPTION;
  #detach: () => void = () => {};
  #items: T[] = [];
  #packer: RecordPacker | null = null;
  /** Totals, since the start. */
  #granted = 0;
  #asked = 0;
  #taken = 0;
  #isScheduled = false;
  #isOver = false;

  constructor(host: { soon(callback: () => void): void }, link: FlowLink, options: SendOptions) {
    this.#host = host;
    this.#link = link;
    this.#options = options;
  }

  run(flow: Flow<T>): void {
    this.#detach = this.#link.attach(this);
    if (this.#isOver) {
      this.#detach();
      return;
    }
    this.#link.send({ open: true });
    flow.subscribe(this);
  }

  start(subscription: FlowSubscription): void {
    this.#subscription = subscription;
  }

  // ── from the flow

  next(value: T): void {
    this.#taken += 1;
    if (value instanceof Uint8Array) this.#pack(value);
    else {
      if (this.#packer !== null && this.#packer.count > 0) this.#flush();
      this.#items.push(value);
      if (this.#items.length >= LIMITS.linkBatchItems) this.#flush();
    }
    if (!this.#isScheduled) {
      this.#isScheduled = true;
      this.#host.soon(this.#onTurn);
    }
    if (this.#asked - this.#taken < LIMITS.linkBatchItems / 2) this.#ask();
  }

  error(error: unknown): void {
    this.fail(error);
  }

  complete(): void {
    this.#flush();
    if (this.#isOver) return;
    this.#link.send({ complete: true });
    this.#end(null);
  }

  fail(error: unknown): void {
    if (this.#isOver) return;
    this.#subscription.cancel();
    this.#flush();
    // What cannot be encoded fails in the flush, and is the error then.
    if (this.#isOver) return;
    const message = describeError(error).slice(0, LIMITS.errorTextBytes);
    this.#link.send({ error: { message, code: codeOf(error) } });
    this.#end(error);
  }

  // ── from the other end

  onFrame(frame: unknown): void {
    if (this.#isOver) return;
    if (!isFrame(frame)) this.onInvalid('no object');
    else if ('cancel' in frame) this.#end(null);
    else if ('upTo' in frame) this.#onGrant(frame['upTo']);
    else if (!isParcel(frame)) this.onInvalid('of no known kind');
  }

  onRecords(): void {
    // Of the flow in the other direction.
  }

  onInvalid(problem: string): void {
    this.fail(new MagError('MAG_LINK_FRAME_INVALID', { problem }));
  }

  onRoom(): void {
    this.#ask();
  }

  onClose(reason: string): void {
    this.#end(new MagError('MAG_LINK_CLOSED', { reason }));
  }

  #onGrant(upTo: unknown): void {
    if (typeof upTo !== 'number' || !Number.isSafeInteger(upTo) || upTo < 0) {
      this.onInvalid('a grant that is no whole number');
    } else if (upTo - this.#taken > LIMITS.linkCreditItems) {
      this.onInvalid(`a grant of more than ${LIMITS.linkCreditItems} items ahead`);
    } else if (upTo > this.#granted) {
      this.#granted = upTo;
      this.#ask();
    }
  }

  /** A batch at a time, so that a link without room stops the flow soon, however much was granted. */
  #ask(): void {
    if (this.#isOver || !this.#link.hasRoom) return;
    const more = Math.min(this.#granted - this.#asked, LIMITS.linkBatchItems - (this.#asked - this.#taken));
    if (more <= 0) return;
    this.#asked += more;
    this.#subscription.request(more);
  }

  readonly #onTurn = (): void => {
    this.#isScheduled = false;
    this.#flush();
  };

  #pack(record: Uint8Array): void {
    if (this.#items.length > 0) this.#flush();
    this.#packer ??= new RecordPacker();
    if (!this.#packer.add(record)) {
      this.#flush();
      // The flush may have found the record before it too long, and ended this.
      this.#packer?.add(record);
    }
    if (this.#packer?.isFull === true) this.#flush();
  }

  #flush(): void {
    if (this.#isOver) return;
    try {
      if (this.#items.length > 0) {
        const items = this.#items;
        this.#items = [];
        this.#link.sendItems(items);
      } else if (this.#packer !== null && this.#packer.count > 0) {
        this.#link.sendRecords(this.#packer.take());
      }
    } catch (error) {
      this.#items = [];
      this.fail(error);
    }
  }

  #end(error: unknown): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#items = [];
    this.#packer = null;
    this.#detach();
    this.#subscription.cancel();
    this.#options.onEnd?.(error);
  }
}
