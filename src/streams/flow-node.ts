import { Readable, type Writable } from 'node:stream';
import { MagError } from '../errors.ts';
import { createFlow, type Flow, type FlowEmitter, type FlowProducer, type FlowSubscription } from './flow.ts';
import { NO_SUBSCRIPTION } from './flow-stage.ts';

/**
 * The chunks (or objects) of a Node stream, for one subscriber. They stay in the stream until they are asked for, so
 * its highWaterMark is the buffer. A cancel destroys the stream; its error is the flow's, and a stream that closes
 * before its end is MAG_LINK_CLOSED.
 */
export function fromReadable<T = Buffer>(readable: Readable): Flow<T> {
  let subscribed = false;
  return createFlow<T>((emitter) => {
    if (subscribed) throw new MagError('MAG_FLOW_SUBSCRIBED');
    subscribed = true;
    return new Reading(readable, emitter);
  });
}

class Reading<T> implements FlowProducer {
  readonly #readable: Readable;
  readonly #emitter: FlowEmitter<T>;

  constructor(readable: Readable, emitter: FlowEmitter<T>) {
    this.#readable = readable;
    this.#emitter = emitter;
    readable.on('readable', this.#onReadable);
    readable.on('end', this.#onEnd);
    readable.on('error', this.#onError);
    readable.on('close', this.#onClose);
    // Its events are over; they would be waited for in vain.
    if (readable.errored !== null) this.#onError(readable.errored);
    else if (readable.readableEnded) this.#onEnd();
    else if (readable.destroyed) this.#onClose();
  }

  pull(): void {
    while (this.#emitter.demand > 0) {
      const chunk: T | null = this.#readable.read();
      if (chunk === null) return;
      this.#emitter.next(chunk);
    }
    // A stream that is empty says so only when it is read once more; its end needs no demand.
    if (this.#readable.readableLength === 0) this.#readable.read(0);
  }

  cancel(): void {
    this.#detach();
    // What comes of the destruction is nobody's error any more.
    this.#readable.on('error', () => {});
    this.#readable.destroy();
  }

  readonly #onReadable = (): void => this.#emitter.wake();

  readonly #onEnd = (): void => {
    this.#detach();
    this.#emitter.complete();
  };

  readonly #onError = (error: Error): void => {
    this.#detach();
    this.#emitter.error(error);
  };

  readonly #onClose = (): void => {
    this.#detach();
    this.#emitter.error(new MagError('MAG_LINK_CLOSED', { reason: 'the stream was destroyed' }));
  };

  #detach(): void {
    this.#readable.off('readable', this.#onReadable);
    this.#readable.off('end', this.#onEnd);
    this.#readable.off('error', this.#onError);
    this.#readable.off('close', this.#onClose);
  }
}

export interface ToReadableOptions {
  /** Any items instead of chunks; default true, since a flow's items need not be bytes. */
  readonly objectMode?: boolean;
  /** Items (or bytes) that the stream takes ahead of its reader. */
  readonly highWaterMark?: number;
}

/**
 * A flow as a Node stream, which asks for an item when it has room. Destroying the stream cancels the flow; the flow's
 * error destroys the stream. A null, which ends a Node stream, is the error MAG_LINK_ITEM_INVALID.
 */
export function toReadable<T>(flow: Flow<T>, options: ToReadableOptions = {}): Readable {
  let subscription: FlowSubscription | null = null;
  const subscribe = (): FlowSubscription =>
    flow.subscribe({
      start: (given) => {
        subscription = given;
      },
      next: (value) => {
        if (value !== null) readable.push(value);
        else readable.destroy(new MagError('MAG_LINK_ITEM_INVALID', { problem: 'null ends a Node stream' }));
      },
      error: (error) => void readable.destroy(error instanceof Error ? error : new Error(String(error))),
      complete: () => void readable.push(null),
    });
  const readable = new Readable({
    objectMode: options.objectMode ?? true,
    ...(options.highWaterMark === undefined ? {} : { highWaterMark: options.highWaterMark }),
    read: () => {
      subscription ??= subscribe();
      subscription.request(1);
    },
    destroy: (error, done) => {
      subscription?.cancel();
      subscription = NO_SUBSCRIPTION;
      done(error);
    },
  });
  return readable;
}

export interface PipeOptions {
  /** Leaves the stream open after the flow's end. */
  readonly keepOpen?: boolean;
  /** Aborted, it cancels the flow, destroys the stream and rejects with its reason. */
  readonly signal?: AbortSignal;
}

/**
 * Writes a flow into a Node stream, asking for the next item when the stream has room. Resolves when all was written
 * (and the stream has finished). A stream that fails or closes cancels the flow and rejects, with its error or
 * MAG_LINK_CLOSED; the flow's error destroys the stream and rejects.
 */
export function pipeTo<T>(flow: Flow<T>, writable: Writable, options: PipeOptions = {}): Promise<void> {
  return new Promise((resolve, reject) => new Writing(flow, writable, options, resolve, reject));
}

class Writing<T> {
  readonly #writable: Writable;
  readonly #options: PipeOptions;
  readonly #resolve: () => void;
  readonly #reject: (error: unknown) => void;
  #subscription: FlowSubscription = NO_SUBSCRIPTION;

  constructor(
    flow: Flow<T>,
    writable: Writable,
    options: PipeOptions,
    resolve: () => void,
    reject: (error: unknown) => void,
  ) {
    this.#writable = writable;
    this.#options = options;
    this.#resolve = resolve;
    this.#reject = reject;
    if (writable.destroyed || writable.writableEnded) {
      reject(writable.errored ?? new MagError('MAG_LINK_CLOSED', { reason: 'the stream takes nothing' }));
      return;
    }
    writable.on('drain', this.#onDrain);
    writable.on('error', this.#fail);
    writable.on('close', this.#onClose);
    options.signal?.addEventListener('abort', this.#onAbort);
    flow.subscribe({
      start: (subscription) => {
        this.#subscription = subscription;
      },
      next: (value) => {
        if (writable.write(value)) this.#subscription.request(1);
      },
      error: (error) => {
        this.#fail(error);
        writable.destroy(error instanceof Error ? error : new Error(String(error)));
      },
      complete: () => this.#end(),
    });
    if (options.signal?.aborted === true) this.#onAbort();
    else if (writable.writableNeedDrain !== true) this.#subscription.request(1);
  }

  #end(): void {
    if (this.#options.keepOpen === true) {
      this.#detach();
      this.#resolve();
      return;
    }
    this.#writable.end(() => {
      this.#detach();
      this.#resolve();
    });
  }

  readonly #onDrain = (): void => this.#subscription.request(1);

  readonly #fail = (error: unknown): void => {
    this.#detach();
    this.#subscription.cancel();
    this.#reject(error);
  };

  readonly #onClose = (): void => {
    this.#fail(new MagError('MAG_LINK_CLOSED', { reason: 'the stream was destroyed' }));
  };

  readonly #onAbort = (): void => {
    const reason: unknown = this.#options.signal?.reason;
    this.#fail(reason);
    this.#writable.destroy();
  };

  #detach(): void {
    this.#writable.off('drain', this.#onDrain);
    this.#writable.off('error', this.#fail);
    this.#writable.off('close', this.#onClose);
    this.#options.signal?.removeEventListener('abort', this.#onAbort);
    // A stream that is destroyed on our account may still say so.
    this.#writable.on('error', () => {});
  }
}
