import { MagError } from '../../errors.ts';
import { LIMITS } from '../../limits.ts';
import type { Change, FeedPosition } from '../../protocol/change.ts';
import { sleep } from '../../runtime/host.ts';
import type { EdgePorts } from '../edge/ports.ts';
import type { FeedSubscription } from '../feed/feed-log.ts';
import type { Counters } from './counters.ts';

export interface FollowerSink {
  /** One change, in commit order, each once. */
  change(epoch: string, change: Change): void;
  /** Changes may have been missed between the last one and the next: continuity was lost at the source. */
  gap(error: Error): void;
}

interface Held {
  readonly epoch: string;
  readonly changes: readonly Change[];
}

export const isExpired = (error: unknown): boolean =>
  error instanceof MagError && error.code === 'MAG_RESUME_EXPIRED';

/**
 * Follows one project's feed. After an interruption it reads the log from the last change it passed on, while live
 * batches wait (uncounted, so the hub's credit bounds them); so a restart of the feed loses and repeats nothing,
 * and only a lost epoch is a gap.
 */
export class FeedFollower {
  readonly #ports: EdgePorts;
  readonly #ref: string;
  readonly #sink: FollowerSink;
  readonly #counters: Counters;
  readonly #stopped = new AbortController();
  #starting: Promise<void> | null = null;
  #subscription: FeedSubscription | null = null;
  #position: FeedPosition | null = null;
  #held: Held[] = [];
  #recovering = false;
  /** The first live batch after an interruption may come from beyond what was read from the log. */
  #verifyNext = false;
  /** Changes consumed before `follow` gave its subscription. */
  #owed = 0;

  constructor(ports: EdgePorts, ref: string, sink: FollowerSink, counters: Counters) {
    this.#ports = ports;
    this.#ref = ref;
    this.#sink = sink;
    this.#counters = counters;
  }

  /** Where live delivery stands: every change up to it was passed on. */
  get position(): FeedPosition | null {
    return this.#position;
  }

  /** Starts following, once. Throws MAG_FEED_UNAVAILABLE. */
  async start(): Promise<FeedPosition> {
    this.#starting ??= this.#follow();
    try {
      await this.#starting;
    } catch (error) {
      this.#starting = null;
      throw error;
    }
    if (this.#position === null) {
      throw new MagError('MAG_FEED_UNAVAILABLE', { ref: this.#ref, why: 'it has no position' });
    }
    return this.#position;
  }

  stop(): void {
    this.#stopped.abort();
    this.#held = [];
    this.#subscription?.stop();
  }

  async #follow(): Promise<void> {
    const subscription = await this.#ports.feed.follow(this.#ref, {
      changes: (epoch, changes) => this.#receive({ epoch, changes }),
      interrupted: (error) => this.#interrupted(error),
    });
    this.#subscription = subscription;
    this.#position ??= subscription.from;
    if (this.#stopped.signal.aborted) subscription.stop();
    else if (this.#owed > 0) subscription.consumed(this.#owed);
  }

  #receive(batch: Held): void {
    if (this.#stopped.signal.aborted) return;
    if (this.#recovering) {
      this.#held.push(batch);
      return;
    }
    const verify = this.#verifyNext;
    this.#verifyNext = false;
    const first = batch.changes[0];
    const { epoch, offset } = this.#position ?? { epoch: '', offset: 0 };
    if (verify && first !== undefined && epoch === batch.epoch && first.offset > offset + 1) {
      this.#held.push(batch);
      void this.#recover();
      return;
    }
    this.#pass(batch);
  }

  #pass(batch: Held): void {
    this.#apply(batch.epoch, batch.changes);
    if (this.#subscription === null) this.#owed += batch.changes.length;
    else this.#subscription.consumed(batch.changes.length);
  }

  #apply(epoch: string, changes: readonly Change[]): void {
    const before = this.#position;
    if (before !== null && before.epoch !== epoch) this.#gap(new Error(`the feed began epoch ${epoch}`));
    const known = before !== null && before.epoch === epoch ? before.offset : -1;
    for (const change of changes) {
      if (change.offset <= known) continue;
      this.#position = { epoch, offset: change.offset };
      this.#counters.changes += 1;
      this.#sink.change(epoch, change);
    }
  }

  #gap(error: Error): void {
    this.#counters.feedGaps += 1;
    this.#sink.gap(error);
  }

  #interrupted(error: Error): void {
    this.#counters.feedInterruptions += 1;
    this.#ports.log.warn({ ref: this.#ref, err: error }, 'change feed interrupted');
    if (!this.#recovering) void this.#recover();
  }

  /** Reads on from the last position until the log has no more, then passes on what came meanwhile. */
  async #recover(): Promise<void> {
    this.#recovering = true;
    let wait: number = LIMITS.backoffBaseMs;
    while (!this.#stopped.signal.aborted && this.#position !== null) {
      const after: FeedPosition = this.#position;
      try {
        const changes = await this.#ports.feed.read(this.#ref, after, LIMITS.feedBatch);
        if (this.#stopped.signal.aborted || changes.length === 0) break;
        this.#apply(after.epoch, changes);
        wait = LIMITS.backoffBaseMs;
      } catch (error) {
        if (isExpired(error)) {
          await this.#restartFromHead(error);
          break;
        }
        await sleep(this.#ports.host, wait, this.#stopped.signal).catch(() => {}); // Stopped: the loop ends by itself.
        wait = Math.min(wait * 2, LIMITS.backoffCapMs);
      }
    }
    const held = this.#held;
    this.#held = [];
    this.#recovering = false;
    this.#verifyNext = true;
    if (this.#stopped.signal.aborted) return;
    for (const batch of held) this.#pass(batch);
  }

  /** The log no longer holds what comes next: says so, and goes on with what waits or with the head. */
  async #restartFromHead(cause: unknown): Promise<void> {
    this.#gap(cause instanceof Error ? cause : new Error(String(cause)));
    this.#position = null;
    try {
      const head = await this.#ports.feed.activate(this.#ref);
      const first = this.#held[0]?.changes[0];
      const epoch = this.#held[0]?.epoch;
      this.#position =
        first !== undefined && epoch !== undefined ? { epoch, offset: first.offset - 1 } : head;
    } catch (error) {
      this.#ports.log.warn({ ref: this.#ref, err: error }, 'change feed has no head yet');
    }
  }
}
