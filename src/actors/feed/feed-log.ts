import type { Change, FeedPosition } from '../../protocol/change.ts';

/**
 * A project's change feed as a log: offsets in commit order, bounded, readable from any offset still held.
 * SQLite's is the change log that the triggers fill in the project's own database; PostgreSQL's is kept by the
 * board beside it, fed from the replication slot.
 */
export interface FeedLog {
  /** Starts following the engine's log: installs triggers, makes or resumes the slot. */
  open(): Promise<FeedPosition>;
  /** Offset of the newest change held. */
  head(): FeedPosition;
  /**
   * Changes after `after`, oldest first, at most `limit`; fewer where they are long, none only at the head. Throws MAG_RESUME_EXPIRED when the epoch differs or the
   * next change after `after` is no longer held.
   */
  read(after: FeedPosition, limit: number): Promise<readonly Change[]>;
  /** Called (at least once) after new changes became readable. One listener. */
  onAppend(listener: () => void): void;
  /** Called when the log can no longer follow the engine; the hub reports it and reopens with backoff. */
  onFailure(listener: (error: Error) => void): void;
  /** The engine may have something new: our own write path says so, to save the wait for a poll. */
  nudge(): void;
  /** Whether anybody follows: without, the log may look for news at leisure. Nobody follows at first. */
  attend(followed: boolean): void;
  close(): Promise<void>;
}

/** What an edge worker sees of the feed worker. */
export interface FeedClient {
  /** Makes the project's feed live, and gives its head. Throws MAG_FEED_UNAVAILABLE. */
  activate(ref: string): Promise<FeedPosition>;
  /**
   * Live changes of a project, from the head at the call on. Backpressured: the hub sends what was requested.
   * The listener must call `consumed(n)` when n changes have left its hands.
   */
  follow(ref: string, listener: FeedListener): Promise<FeedSubscription>;
  read(ref: string, after: FeedPosition, limit: number): Promise<readonly Change[]>;
  /** A write through this edge committed: the project's log may look now. Never waits. */
  nudge(ref: string): void;
}

export interface FeedListener {
  changes(epoch: string, changes: readonly Change[]): void;
  /** The feed lost continuity or its source; following goes on by itself under a new epoch. */
  interrupted(error: Error): void;
}

export interface FeedSubscription {
  readonly from: FeedPosition;
  consumed(count: number): void;
  stop(): void;
}
