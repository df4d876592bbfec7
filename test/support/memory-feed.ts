import type { FeedClient, FeedListener } from '../../src/actors/feed/feed-log.ts';
import { MagError } from '../../src/errors.ts';
import type { Change, FeedPosition } from '../../src/protocol/change.ts';

type Draft = Partial<Change> & { readonly type: Change['type']; readonly table: string };

/** A project's change log in memory, with the faults that a real one has. */
export class MemoryFeed implements FeedClient {
  epoch = 'epoch-1';
  /** Offset of the oldest change held, less one. */
  trimmed = 0;
  /** While set, live followers hear nothing, as while a feed worker is down. */
  deaf = false;
  /** While set, live batches come only at `release`, though the log can be read already. */
  late = false;
  /** Makes the next reads fail, as while a feed worker restarts. */
  failingReads = 0;
  unavailable: string | null = null;
  /** What starting to follow waits for. */
  startsAfter: Promise<void> = Promise.resolve();
  consumed = 0;
  readonly #log: Change[] = [];
  readonly #held: Change[][] = [];
  readonly #followers = new Set<FeedListener>();

  get followers(): number {
    return this.#followers.size;
  }

  get head(): FeedPosition {
    return { epoch: this.epoch, offset: this.trimmed + this.#log.length };
  }

  /** Commits changes, and tells the followers in one batch. */
  append(...drafts: readonly Draft[]): void {
    const changes = drafts.map((draft) => this.#commit(draft));
    if (this.deaf) return;
    this.#held.push(changes);
    if (!this.late) this.release();
  }

  /** Tells the followers what was held back. */
  release(): void {
    for (const changes of this.#held.splice(0)) {
      for (const follower of this.#followers) follower.changes(this.epoch, changes);
    }
  }

  /** The source is interrupted; with an epoch, continuity is lost. */
  interrupt(epoch?: string): void {
    if (epoch !== undefined) {
      this.epoch = epoch;
      this.trimmed = 0;
      this.#log.length = 0;
    }
    for (const follower of [...this.#followers]) follower.interrupted(new Error('feed worker exited'));
  }

  /** Forgets the oldest changes. */
  trim(count: number): void {
    this.#log.splice(0, count);
    this.trimmed += count;
  }

  async activate(ref: string): Promise<FeedPosition> {
    await this.startsAfter;
    if (this.unavailable !== null) throw new MagError('MAG_FEED_UNAVAILABLE', { ref, why: this.unavailable });
    return this.head;
  }

  async follow(ref: string, listener: FeedListener) {
    const from = await this.activate(ref);
    this.#followers.add(listener);
    return {
      from,
      consumed: (count: number) => {
        this.consumed += count;
      },
      stop: () => {
        this.#followers.delete(listener);
      },
    };
  }

  async read(_ref: string, after: FeedPosition, limit: number): Promise<readonly Change[]> {
    await new Promise((resolve) => setImmediate(resolve));
    if (this.failingReads > 0) {
      this.failingReads -= 1;
      throw new MagError('MAG_COMPONENT_UNAVAILABLE', { name: 'feed' });
    }
    if (after.epoch !== this.epoch || after.offset < this.trimmed) {
      throw new MagError('MAG_RESUME_EXPIRED', { offset: after.offset });
    }
    const start = after.offset - this.trimmed;
    return this.#log.slice(start, start + limit);
  }

  nudge(): void {}

  #commit(draft: Draft): Change {
    const row = draft.record ?? draft.old ?? {};
    const columns = Object.entries(row).map(([name, value]) => ({
      name,
      type: typeof value === 'number' ? 'int4' : 'text',
    }));
    const change: Change = {
      offset: this.trimmed + this.#log.length + 1,
      schema: 'public',
      commitTimestamp: '2026-11-23T08:00:00.000000Z',
      columns,
      record: null,
      old: null,
      ...draft,
    };
    this.#log.push(change);
    return change;
  }
}
