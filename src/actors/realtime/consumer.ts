import { LIMITS } from '../../limits.ts';
import type { FeedPosition } from '../../protocol/change.ts';
import type { Extension } from '../../protocol/realtime-config.ts';

/** What a consumer decided about a change offered to it. */
export type Offer = 'deliver' | 'skip' | 'kept' | 'park' | 'disconnect';

interface Kept {
  readonly frames: readonly Buffer[];
  readonly bytes: number;
}

/**
 * Position and credit of one channel whose client asked for them. Each change costs one credit; what happens
 * without credit is the client's choice: `park` stops (the log keeps what comes), `latest` keeps the newest,
 * `drop_oldest` keeps LIMITS.creditBuffer (and no more bytes than an outbox), `disconnect` ends the connection.
 */
export class Consumer {
  readonly overflow: Extension['overflow'];
  /** Null: without limit. */
  #credit: number | null;
  /** The last change it was given, or that was passed over for it. */
  position: FeedPosition;
  #kept: Kept[] = [];
  #keptBytes = 0;
  #dropped = 0;

  constructor(extension: Extension, position: FeedPosition) {
    this.overflow = extension.overflow;
    this.#credit = extension.credit;
    this.position = position;
  }

  get credit(): number | null {
    return this.#credit;
  }

  /** Whether it would be given a change now. */
  get open(): boolean {
    return this.#credit === null || this.#credit > 0;
  }

  /** Decides about one change that concerns it. The caller delivers, parks or closes as told. */
  offer(frames: readonly Buffer[], position: FeedPosition): Offer {
    if (position.epoch === this.position.epoch && position.offset <= this.position.offset) return 'skip';
    if (this.open) {
      this.#spend(position);
      return 'deliver';
    }
    if (this.overflow === 'park' || this.overflow === 'disconnect') return this.overflow;
    this.position = position;
    this.#keep(frames);
    return 'kept';
  }

  /** Adds credit, and gives what was kept and may go out now, with how many were dropped before it. */
  grant(credit: number): { readonly frames: readonly Buffer[]; readonly dropped: number } {
    if (this.#credit !== null) this.#credit = Math.min(LIMITS.creditMax, this.#credit + credit);
    const count = Math.min(this.#kept.length, this.#credit ?? this.#kept.length);
    if (count === 0) return { frames: [], dropped: 0 };
    const released = this.#kept.splice(0, count);
    this.#keptBytes -= released.reduce((sum, { bytes }) => sum + bytes, 0);
    if (this.#credit !== null) this.#credit -= count;
    const dropped = this.#dropped;
    this.#dropped = 0;
    return { frames: released.flatMap((kept) => kept.frames), dropped };
  }

  /** Bounded in number and in bytes; the newest is kept in any case. */
  #keep(frames: readonly Buffer[]): void {
    const bytes = frames.reduce((sum, frame) => sum + frame.byteLength, 0);
    this.#kept.push({ frames, bytes });
    this.#keptBytes += bytes;
    const most = this.overflow === 'latest' ? 1 : LIMITS.creditBuffer;
    while (this.#kept.length > 1 && (this.#kept.length > most || this.#keptBytes > LIMITS.outboxBytes)) {
      this.#keptBytes -= this.#kept.shift()?.bytes ?? 0;
      this.#dropped += 1;
    }
  }

  #spend(position: FeedPosition): void {
    this.position = position;
    if (this.#credit !== null) this.#credit -= 1;
  }
}
