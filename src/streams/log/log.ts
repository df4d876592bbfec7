import type { FlowTimers } from '../flow.ts';

/** The part of the runtime's Host that a log needs; logs lie below it. */
export interface LogHost extends FlowTimers {
  /** Milliseconds since the Unix epoch. */
  wallTime(): number;
  randomBytes(size: number): Uint8Array;
  /** Runs the callback in a later turn of the event loop. */
  defer(callback: () => void): void;
}

export interface LogRecord {
  /** Dense: the next record's is one more. */
  readonly offset: number;
  /** Milliseconds since the Unix epoch when it was written; never less than that of the record before. */
  readonly time: number;
  readonly data: Uint8Array;
}

export interface LogCounters {
  /** Records made durable since it was opened, and the groups (one fsync each) that they came in. */
  readonly appended: number;
  readonly groups: number;
  /** Records that were not taken: the queue was full, the disk refused them, the log had ended. */
  readonly refused: number;
  /** Records removed by truncateBefore. */
  readonly removed: number;
  /** Bytes that wait for their fsync. */
  readonly pendingBytes: number;
  /** Bytes of a torn write that were cut off when it was opened. */
  readonly tornBytes: number;
}

/**
 * An append-only sequence of records. What an append acknowledged is durable: no crash of the process or of the machine
 * loses it, short of damage to the disk, which is told and never passed over.
 */
export interface Log {
  /** Offset of the oldest record held; equals `next` where there is none. */
  readonly first: number;
  /** Offset that the next record gets; all records below are durable. */
  readonly next: number;
  /** Time of the newest record; 0 where there never was one. */
  readonly lastTime: number;
  /** Bytes that its records take, framing included. */
  readonly bytes: number;
  /**
   * Resolves with the first record's offset once all are durable; they follow each other and are kept whole or not at
   * all. The bytes must not change until then. Rejects with MAG_LOG_FULL where the disk has no room (nothing was stored,
   * a later append may work), MAG_OVERLOADED where too much waits already, MAG_RECORD_TOO_LARGE, and MAG_LOG_FAILED
   * where it cannot be known whether they were stored: the log has ended then and must be opened anew.
   *
   * `told` is called with that offset as soon as they are durable, before anything else is written and in the order of
   * the offsets; the promise then resolves with what it returns. It must not throw.
   */
  append(records: readonly Uint8Array[]): Promise<number>;
  append<T>(records: readonly Uint8Array[], told: (first: number) => T): Promise<T>;
  /**
   * Durable records from this offset on, about `maxBytes` of them but at least one; none at the end. Starts at `first`
   * where older ones were removed. Rejects with MAG_LOG_CORRUPT where the disk gives back something else than was
   * written.
   */
  read(from: number, maxBytes: number): Promise<readonly LogRecord[]>;
  /** Offset of the first record that was written at this time (milliseconds since the epoch) or later. */
  offsetAt(time: number): Promise<number>;
  /** Offset of a record such that everything older can be removed and at most so many bytes, or so much age, stays. */
  expiry(retention: LogRetention): number;
  /** Removes records older than this offset where that frees space: whole segments, never the newest. */
  truncateBefore(offset: number): Promise<void>;
  counters(): LogCounters;
  /** Writes what waits, then frees everything. What is appended later is refused with MAG_LOG_FAILED. */
  close(): Promise<void>;
}

/** What a log keeps at most. Removal is by segment, so some more may be held. */
export interface LogRetention {
  readonly bytes: number;
  /** Milliseconds; absent: for ever. */
  readonly ageMs?: number;
}

export interface LogOptions {
  readonly host: LogHost;
  /** Told once when the log has ended by itself: the disk failed. */
  readonly onFailed?: (error: Error) => void;
  /** Size from which on a new segment is begun; default BUS_LIMITS.logSegmentBytes. */
  readonly segmentBytes?: number;
}
