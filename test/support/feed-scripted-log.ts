import type { FeedLog } from '../../src/actors/feed/feed-log.ts';
import { MagError } from '../../src/errors.ts';
import type { Change, FeedPosition } from '../../src/protocol/change.ts';

/** A log that a test writes, breaks and counts the reads of. */
export class ScriptedLog implements FeedLog {
  epoch = 'e1';
  count = 0;
  floor = 0;
  reads = 0;
  followed = false;
  closed = false;
  #appended: () => void = () => {};
  fail: (error: Error) => void = () => {};

  open = async (): Promise<FeedPosition> => this.head();
  head = (): FeedPosition => ({ epoch: this.epoch, offset: this.count });
  onAppend = (listener: () => void): void => {
    this.#appended = listener;
  };
  onFailure = (listener: (error: Error) => void): void => {
    this.fail = listener;
  };
  nudge = (): void => {};
  attend = (followed: boolean): void => {
    this.followed = followed;
  };
  close = async (): Promise<void> => {
    this.closed = true;
  };

  async read(after: FeedPosition, limit: number): Promise<readonly Change[]> {
    this.reads += 1;
    if (after.epoch !== this.epoch || after.offset < this.floor || after.offset > this.count) {
      throw new MagError('MAG_RESUME_EXPIRED', { offset: after.offset });
    }
    const length = Math.min(limit, this.count - after.offset);
    return Array.from({ length }, (_, place) => change(after.offset + place + 1));
  }

  /** Trims all but the newest. */
  keep(count: number): void {
    this.floor = Math.max(this.floor, this.count - count);
  }

  append(count: number): void {
    this.count += count;
    this.#appended();
  }
}

const change = (offset: number): Change => ({
  offset,
  type: 'INSERT',
  schema: 'public',
  table: 't',
  commitTimestamp: '2026-11-23T08:00:00.000Z',
  columns: [],
  record: { n: offset },
  old: null,
});
