import { MagError } from '../errors.ts';
import { LIMITS } from '../limits.ts';
import { checkCount, createFlow, type Flow, type FlowEmitter, type FlowProducer } from './flow.ts';
import { Ring } from './flow-ring.ts';
import { type FlowLink, isFrame, type LinkEnd } from './link.ts';
import { RecordBatch } from './link-records.ts';

export interface ReceiveOptions {
  /**
   * Items under way, held here or with the subscriber at most (1 to LIMITS.linkCreditItems); granted anew by halves,
   * as the subscriber consumes. An item is consumed when as many again were asked for: what a mergeMap works on counts
   * until it is done. A subscriber that asks for more than the window at once has consumed what its `next` has had.
   */
  readonly window: number;
}

/**
 * The far end's flow, for one subscriber (MAG_FLOW_SUBSCRIBED for a second one). A link that closes before the flow
 * has ended is MAG_LINK_CLOSED, and one that breaks the protocol MAG_LINK_FRAME_INVALID; an error of the flow itself
 * keeps its message and code. Records come as views into their batch, which one of them keeps in memory.
 */
export function receiveItems<T>(link: FlowLink, options: ReceiveOptions): Flow<T> {
  return received(link, options, (emitter) => new ItemStore<T>(emitter));
}

/** The same for records, batch by batch as they came: without a view for each. The window still counts records. */
export function receiveBatches(link: FlowLink, options: ReceiveOptions): Flow<RecordBatch> {
  return received(link, options, (emitter) => new BatchStore(emitter));
}

function received<T>(
  link: FlowLink,
  { window }: ReceiveOptions,
  store: (emitter: FlowEmitter<T>) => Store,
): Flow<T> {
  checkCount('a window', window);
  if (window > LIMITS.linkCreditItems) throw new RangeError(`a window over ${LIMITS.linkCreditItems}`);
  let subscribed = false;
  return createFlow<T>((emitter) => {
    if (subscribed) throw new MagError('MAG_FLOW_SUBSCRIBED');
    subscribed = true;
    return new Receiver(link, emitter, window, store(emitter));
  });
}

/** What has come and was not asked for yet. */
interface Store {
  readonly isEmpty: boolean;
  /** False for what its flow has no place for. */
  add(frame: readonly unknown[] | RecordBatch): boolean;
  /** Emits within the demand and returns how many items that were. */
  emit(): number;
  /** Items the subscriber has and still works on, of `places` places that it has not asked to fill again. */
  busy(places: number): number;
  /** Items that one place may hold. */
  readonly perPlace: number;
  clear(): void;
}

class ItemStore<T> implements Store {
  readonly perPlace = 1;
  readonly #emitter: FlowEmitter<T>;
  readonly #frames = new Ring<readonly unknown[] | RecordBatch>();
  #frame: readonly unknown[] | RecordBatch | null = null;
  #at = 0;

  constructor(emitter: FlowEmitter<T>) {
    this.#emitter = emitter;
  }

  get isEmpty(): boolean {
    return this.#frame === null && this.#frames.length === 0;
  }

  add(frame: readonly unknown[] | RecordBatch): boolean {
    if (frame.length > 0) this.#frames.push(frame);
    return true;
  }

  emit(): number {
    const emitter = this.#emitter;
    let emitted = 0;
    while (emitter.demand > 0 && !this.isEmpty) {
      if (this.#frame === null) {
        this.#frame = this.#frames.shift();
        this.#at = 0;
      }
      const frame = this.#frame;
      const from = this.#at;
      // The items' type is the sender's word, as with every message: a flow over a link is parsed by who needs it.
      if (frame instanceof RecordBatch) {
        while (emitter.demand > 0 && this.#at < frame.length) emitter.next(frame.record(this.#at++) as T);
      } else {
        while (emitter.demand > 0 && this.#at < frame.length) emitter.next(frame[this.#at++] as T);
      }
      emitted += this.#at - from;
      if (this.#at >= frame.length) this.#frame = null;
    }
    return emitted;
  }

  busy(places: number): number {
    return places;
  }

  clear(): void {
    this.#frames.clear();
    this.#frame = null;
  }
}

class BatchStore implements Store {
  readonly perPlace = LIMITS.linkBatchItems;
  readonly #emitter: FlowEmitter<RecordBatch>;
  readonly #batches = new Ring<RecordBatch>();
  /** Lengths of the batches that the subscriber may still work on, oldest first, and their sum. */
  readonly #out = new Ring<number>();
  #outSum = 0;

  constructor(emitter: FlowEmitter<RecordBatch>) {
    this.#emitter = emitter;
  }

  get isEmpty(): boolean {
    return this.#batches.length === 0;
  }

  add(frame: readonly unknown[] | RecordBatch): boolean {
    if (!(frame instanceof RecordBatch)) return false;
    if (frame.length > 0) this.#batches.push(frame);
    return true;
  }

  emit(): number {
    let emitted = 0;
    while (this.#emitter.demand > 0 && this.#batches.length > 0) {
      const batch = this.#batches.shift();
      emitted += batch.length;
      this.#out.push(batch.length);
      this.#outSum += batch.length;
      this.#emitter.next(batch);
    }
    return emitted;
  }

  busy(places: number): number {
    while (this.#out.length > places) this.#outSum -= this.#out.shift();
    return this.#outSum;
  }

  clear(): void {
    this.#batches.clear();
  }
}

class Receiver implements FlowProducer, LinkEnd {
  readonly #link: FlowLink;
  readonly #emitter: FlowEmitter<never>;
  readonly #window: number;
  readonly #store: Store;
  readonly #detach: () => void;
  /** Totals of items, since the start. */
  #granted: number;
  #arrived = 0;
  #delivered = 0;
  /** The most places that the subscriber has asked to fill at once. */
  #places = 0;
  #ending: (() => void) | null = null;

  constructor(link: FlowLink, emitter: FlowEmitter<never>, window: number, store: Store) {
    this.#link = link;
    this.#emitter = emitter;
    this.#window = window;
    this.#store = store;
    this.#granted = window;
    this.#detach = link.attach(this);
    if (this.#ending === null) link.send({ upTo: window });
  }

  pull(): void {
    this.#places = Math.max(this.#places, this.#emitter.demand);
    this.#delivered += this.#store.emit();
    if (this.#store.isEmpty && this.#ending !== null) {
      this.#detach();
      this.#ending();
      return;
    }
    if (this.#ending === null) this.#regrant();
  }

  cancel(): void {
    this.#detach();
    this.#store.clear();
    this.#link.send({ cancel: true });
  }

  /**
   * By half windows; less where the subscriber waits for items and all that were granted have come: what it works on
   * is then less than it looked, since its demand has changed its pattern.
   */
  #regrant(): void {
    const { demand } = this.#emitter;
    const half = Math.ceil(this.#window / 2);
    this.#places = Math.max(this.#places, demand);
    const isWide = this.#places * this.#store.perPlace > this.#window && this.#places > 1;
    const busy = this.#store.busy(isWide ? 0 : this.#places - demand);
    const due = this.#delivered - busy + this.#window - this.#granted;
    const isStarving = demand > 0 && this.#delivered === this.#granted;
    if (due < half && !isStarving) return;
    this.#granted += due > 0 ? due : half;
    this.#link.send({ upTo: this.#granted });
  }

  onFrame(frame: unknown): void {
    if (!isFrame(frame)) this.onInvalid('no object');
    else if ('items' in frame) {
      if (Array.isArray(frame['items'])) this.#add(frame['items']);
      else this.onInvalid('items that are no array');
    } else if ('complete' in frame) this.#end(() => this.#emitter.complete());
    else if ('error' in frame) {
      const error = remoteError(frame['error']);
      this.#end(() => this.#emitter.error(error));
    } else if ('open' in frame) this.#link.send({ upTo: this.#granted });
    else if (!('upTo' in frame || 'cancel' in frame)) this.onInvalid('of no known kind');
  }

  onRecords(packed: Uint8Array): void {
    let batch: RecordBatch;
    try {
      batch = new RecordBatch(packed);
    } catch (error) {
      this.#break(error);
      return;
    }
    this.#add(batch);
  }

  onInvalid(problem: string): void {
    this.#break(new MagError('MAG_LINK_FRAME_INVALID', { problem }));
  }

  onRoom(): void {
    // A grant is small, and the next one makes up for it.
  }

  onClose(reason: string): void {
    this.#end(() => this.#emitter.error(new MagError('MAG_LINK_CLOSED', { reason })));
  }

  #add(frame: readonly unknown[] | RecordBatch): void {
    if (this.#ending !== null) return;
    this.#arrived += frame.length;
    if (this.#arrived > this.#granted) this.onInvalid('more items than were granted');
    else if (this.#store.add(frame)) this.#emitter.wake();
    else this.onInvalid('items where records were expected');
  }

  #end(ending: () => void): void {
    this.#ending ??= ending;
    this.#emitter.wake();
  }

  /** The other end cannot be trusted any more: what it still sends is not looked at. */
  #break(error: unknown): void {
    if (this.#ending !== null) return;
    this.#link.send({ cancel: true });
    this.#end(() => this.#emitter.error(error));
  }
}

/** The sender's error under its own code; the far end's word on both, so they are checked. */
function remoteError(told: unknown): Error {
  const { message, code } = isFrame(told) ? told : { message: 'unknown', code: null };
  const error = new Error(typeof message === 'string' ? message : 'unknown');
  return typeof code === 'string' ? Object.assign(error, { code }) : error;
}
