import { LIMITS } from '../../limits.ts';
import type { FeedPosition } from '../../protocol/change.ts';
import type { Extension } from '../../protocol/realtime-config.ts';

/** What a consumer decided about a change offered to it. */
export type Offer = 'deliver' | 'skip' | 'kept' | 'park' | 'disconnect';

interface Kept {
  readonly frames: readonly Buffer[];
  readonly offset: number;
}

/**
 * Position and credit of one channel whose client asked for them. Each change costs one credit; what happens
 * without credit is the client's choice: `park` stops (the log keeps what comes), `latest` keeps the newest,
 * `drop_oldest` keeps LIMITS.creditBuffer, `disconnect` ends the connection.
 */
export class Consumer {
  readonly overflow: Extension['overflow'];
  /** Null: without limit. */
  #credit: number | null;
  /** The last change it was given, or that was passed over for it. */
  position: FeedPosition;
  #kept: Kept[] = [];
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
    this.#kept.push({ frames, offset: position.offset });
    if (this.#kept.length > (this.overflow === 'latest' ? 1 : LIMITS.creditBuffer)) {
      this.#kept.shift();
      this.#dropped += 1;
    }
    return 'kept';
  }

  /** Adds credit, and gives what was kept and may go out now, with how many were dropped before it. */
  grant(credit: number): { readonly frames: readonly Buffer[]; readonly dropped: number } {
    if (this.#credit !== null) this.#credit = Math.min(LIMITS.creditMax, this.#credit + credit);
    const count = Math.min(this.#kept.length, this.#credit ?? this.#kept.length);
    if (count === 0) return { frames: [], dropped: 0 };
    const released = this.#kept.splice(0, count);
    if (this.#credit !== null) this.#credit -= count;
    const dropped = this.#dropped;
    this.#dropped = 0;
    return { frames: released.flatMap((kept) => kept.frames), dropped };
  }

  #spend(position: FeedPosition): void {
    this.position = position;
    if (this.#credit !== null) this.#credit -= 1;
  }
}
