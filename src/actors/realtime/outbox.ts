import { LIMITS } from '../../limits.ts';
import type { Host } from '../../runtime/host.ts';
import type { Counters } from './counters.ts';

/** The upgraded socket, as far as an outbox needs it. */
export interface ByteSink {
  /** Bytes accepted and not yet handed to the kernel. */
  readonly writableLength: number;
  readonly writable: boolean;
  write(data: Uint8Array): boolean;
}

const EMPTY: Buffer[] = [];

/**
 * Frames of one connection that wait for the next flush. Frames are whole WebSocket frames, often the same
 * buffer in a thousand outboxes; what a slow reader leaves behind is bounded by LIMITS.outboxBytes.
 */
export class Outbox {
  readonly #flusher: Flusher;
  readonly #sink: ByteSink;
  readonly #onOverflow: () => void;
  #frames: Buffer[] = EMPTY;
  #bytes = 0;
  #ended = false;

  constructor(flusher: Flusher, sink: ByteSink, onOverflow: () => void) {
    this.#flusher = flusher;
    this.#sink = sink;
    this.#onOverflow = onOverflow;
  }

  /** Bytes that wait, here and in the socket. */
  get pending(): number {
    return this.#bytes + this.#sink.writableLength;
  }

  push(frame: Buffer): void {
    if (this.#ended) return;
    if (this.#frames === EMPTY) {
      this.#frames = [frame];
      this.#flusher.enqueue(this);
    } else {
      this.#frames.push(frame);
    }
    this.#bytes += frame.byteLength;
    if (this.#bytes > LIMITS.outboxTurnBytes) this.flush();
  }

  /** Writes everything that waits with one write. */
  flush(): void {
    const frames = this.#frames;
    if (frames === EMPTY) return;
    if (this.#sink.writable && this.pending > LIMITS.outboxBytes) {
      this.#overflow();
      return;
    }
    this.#frames = EMPTY;
    const bytes = this.#bytes;
    this.#bytes = 0;
    if (!this.#sink.writable) return;
    this.#flusher.counted(frames.length, bytes);
    this.#sink.write(this.#flusher.merge(frames, bytes));
  }

  /** Takes no more: a close frame follows, and nothing may come after it. */
  end(): void {
    this.flush();
    this.#ended = true;
  }

  /** Forgets what waits, and takes no more. */
  discard(): void {
    this.#frames = EMPTY;
    this.#bytes = 0;
    this.#ended = true;
  }

  #overflow(): void {
    this.discard();
    this.#onOverflow();
  }
}

/**
 * Flushes the outboxes that have something, once per turn of the event loop. Under load a turn takes long, more
 * frames gather meanwhile, and the batches grow by themselves: one write costs about the same for one frame as
 * for ten. When idle a frame leaves within the turn that made it.
 */
export class Flusher {
  readonly #host: Host;
  readonly #counters: Counters;
  #dirty: Outbox[] = [];
  #next = 0;
  #scheduled = false;
  #lastFrames: readonly Buffer[] = EMPTY;
  #lastMerged: Buffer = Buffer.alloc(0);

  constructor(host: Host, counters: Counters) {
    this.#host = host;
    this.#counters = counters;
  }

  enqueue(outbox: Outbox): void {
    this.#dirty.push(outbox);
    this.#schedule();
  }

  counted(frames: number, bytes: number): void {
    this.#counters.framesOut += frames;
    this.#counters.bytesOut += bytes;
    this.#counters.writes += 1;
  }

  /** One buffer for a list of frames; neighbours in a fan-out have equal lists and share it. */
  merge(frames: readonly Buffer[], bytes: number): Buffer {
    const [only] = frames;
    if (frames.length === 1 && only !== undefined) return only;
    if (!this.#sameAsLast(frames)) {
      this.#lastMerged = Buffer.concat(frames, bytes);
      this.#lastFrames = frames;
    }
    return this.#lastMerged;
  }

  #sameAsLast(frames: readonly Buffer[]): boolean {
    const last = this.#lastFrames;
    if (frames.length !== last.length) return false;
    for (let at = 0; at < frames.length; at += 1) if (frames[at] !== last[at]) return false;
    return true;
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.#host.defer(() => this.#run());
  }

  #run(): void {
    this.#scheduled = false;
    const end = Math.min(this.#next + LIMITS.flushSockets, this.#dirty.length);
    while (this.#next < end) {
      this.#dirty[this.#next]?.flush();
      this.#next += 1;
    }
    if (this.#next >= this.#dirty.length) {
      this.#dirty = [];
      this.#next = 0;
      this.#lastFrames = EMPTY;
      this.#lastMerged = Buffer.alloc(0);
    } else {
      this.#schedule();
    }
  }
}
