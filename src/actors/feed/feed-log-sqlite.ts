import { type FSWatcher, watch } from 'node:fs';
import type { DatabaseSync } from 'node:sqlite';
import { MagError } from '../../errors.ts';
import { LIMITS } from '../../limits.ts';
import type { Change, FeedPosition } from '../../protocol/change.ts';
import type { Host, Timer } from '../../runtime/host.ts';
import type { Log } from '../../runtime/log.ts';
import type { FeedLog } from './feed-log.ts';
import { activateCapture, beginEpoch, isCaptured, syncCapture } from './sqlite/capture.ts';
import { createLogReader, type LogReader } from './sqlite/log-reader.ts';
import {
  inodeOf,
  inWriteTransaction,
  isBusy,
  openProjectFile,
  readSeal,
  whenFree,
  writeSeal,
} from './sqlite/project-file.ts';

export interface SqliteFeedLogOptions {
  readonly host: Host;
  readonly log: Log;
  /** The project's database file. */
  readonly file: string;
  /** Changes held at least; default LIMITS.feedRows. */
  readonly rows?: number;
}

/**
 * After a file notice the commit may not be visible yet (the notice is of the WAL frame, the commit of the shared
 * index after it, and with synchronous=FULL an fsync lies between): look again after so many milliseconds.
 */
const LOOK_AGAIN_MS = [1, 3, 10, 30] as const;
/** How often the seal beside the file is renewed while changes come. */
const SEAL_MS = 5_000;

/** The feed of a SQLite project: its log is the `_mag_changes` table that triggers fill in the project's own file. */
export function createSqliteFeedLog(options: SqliteFeedLogOptions): FeedLog {
  return new SqliteFeedLog(options);
}

class SqliteFeedLog implements FeedLog {
  readonly #options: SqliteFeedLogOptions;
  readonly #host: Host;
  #db: DatabaseSync | null = null;
  #reader: LogReader | null = null;
  #watcher: FSWatcher | null = null;
  #poll: Timer | null = null;
  #again: Timer | null = null;
  #epoch = '';
  #began = 0;
  #head = 0;
  #oldest = 1;
  #inode = '';
  #schema = -1;
  #sealed = { head: -1, at: 0 };
  #followed = false;
  #looking = false;
  #syncing = false;
  #trimming = false;
  #appended: () => void = () => {};
  #failed: (error: Error) => void = () => {};

  constructor(options: SqliteFeedLogOptions) {
    this.#options = options;
    this.#host = options.host;
  }

  async open(): Promise<FeedPosition> {
    const { file } = this.#options;
    const db = await whenFree(this.#host, () => openProjectFile(file));
    try {
      this.#inode = inodeOf(file);
      await whenFree(this.#host, () => inWriteTransaction(db, () => this.#capture(db)));
      this.#reader = createLogReader(db);
    } catch (error) {
      db.close();
      throw error;
    }
    this.#db = db;
    const { epoch, began } = this.#reader.epoch();
    this.#epoch = epoch;
    this.#began = began;
    this.#head = this.#reader.newest();
    this.#oldest = this.#reader.oldest();
    this.#schema = this.#reader.schemaVersion();
    this.#seal();
    this.#startWatching();
    this.#schedulePoll();
    return this.head();
  }

  head(): FeedPosition {
    return { epoch: this.#epoch, offset: this.#head };
  }

  async read(after: FeedPosition, limit: number): Promise<readonly Change[]> {
    if (this.#reader === null) throw closed(this.#options.file);
    const held = Math.max(this.#began, this.#oldest - 1);
    if (after.epoch !== this.#epoch || after.offset < held || after.offset > this.#head) {
      throw new MagError('MAG_RESUME_EXPIRED', { offset: after.offset });
    }
    const reader = this.#reader;
    return whenFree(this.#host, () => reader.read(after.offset, this.#head, limit));
  }

  onAppend(listener: () => void): void {
    this.#appended = listener;
  }

  onFailure(listener: (error: Error) => void): void {
    this.#failed = listener;
  }

  nudge(): void {
    this.#look();
  }

  attend(followed: boolean): void {
    if (followed === this.#followed) return;
    this.#followed = followed;
    if (this.#db === null) return;
    this.#startWatching();
    this.#schedulePoll();
    if (followed) this.#look();
  }

  async close(): Promise<void> {
    const db = this.#db;
    if (db === null) return;
    this.#stopTimers();
    try {
      this.#seal();
    } catch (error) {
      this.#options.log.warn(
        { error: String(error) },
        'the feed could not leave its mark beside the project file',
      );
    }
    this.#db = null;
    this.#reader = null;
    db.close();
  }

  /** In a write transaction: the log's tables, an epoch, and triggers that fit the schema. */
  #capture(db: DatabaseSync): void {
    const known = isCaptured(db);
    if (!known) activateCapture(db, this.#newEpoch());
    else if (!this.#isSameFile(db)) beginEpoch(db, this.#newEpoch());
    this.#report(syncCapture(db, () => this.#newEpoch(), !known).failed);
  }

  /** Whether this file carries on what the seal saw: not a restored copy, not another file in its place. */
  #isSameFile(db: DatabaseSync): boolean {
    const seal = readSeal(this.#options.file);
    const reader = createLogReader(db);
    return (
      seal !== null &&
      seal.inode === this.#inode &&
      seal.epoch === reader.epoch().epoch &&
      seal.head <= reader.newest()
    );
  }

  /** Looks for news in this turn; true where there was any. */
  #look(): boolean {
    const reader = this.#reader;
    if (reader === null) return false;
    try {
      if (reader.schemaVersion() !== this.#schema) void this.#followSchema();
      const newest = reader.newest();
      if (newest <= this.#head) return false;
      this.#head = newest;
      this.#appended();
      return true;
    } catch (error) {
      if (!isBusy(error)) this.#fail(error);
      return false;
    }
  }

  async #followSchema(): Promise<void> {
    const db = this.#db;
    const reader = this.#reader;
    if (db === null || reader === null || this.#syncing) return;
    this.#syncing = true;
    try {
      const outcome = await whenFree(this.#host, () => {
        if (this.#db !== db) return null;
        return inWriteTransaction(db, () => syncCapture(db, () => this.#newEpoch()));
      });
      if (outcome === null) return;
      this.#report(outcome.failed);
      this.#schema = reader.schemaVersion();
      const { epoch, began } = reader.epoch();
      const interrupted = epoch !== this.#epoch;
      this.#epoch = epoch;
      this.#began = began;
      this.#head = Math.max(this.#head, began);
      if (interrupted) this.#seal();
      if (!this.#look() && interrupted) this.#appended();
    } catch (error) {
      // Somebody holds the write lock for long: the next poll sees the schema still changed.
      if (!isBusy(error)) this.#fail(error);
    } finally {
      this.#syncing = false;
    }
  }

  #report(failed: readonly { readonly table: string; readonly error: unknown }[]): void {
    for (const { table, error } of failed) {
      this.#options.log.warn({ table, error: String(error) }, 'changes of a table cannot be captured');
    }
  }

  #startWatching(): void {
    this.#watcher?.close();
    this.#watcher = null;
    if (!this.#followed) return;
    try {
      this.#watcher = watch(`${this.#options.file}-wal`, { persistent: false }, () => this.#noticed());
      this.#watcher.on('error', () => {});
    } catch (error) {
      this.#options.log.debug({ error: String(error) }, 'no file notices here; the feed polls');
    }
  }

  /** Many notices may come for one commit: one look for all that are waiting now. */
  #noticed(): void {
    if (this.#looking) return;
    this.#looking = true;
    this.#host.defer(() => {
      this.#looking = false;
      if (this.#look() || this.#again !== null) return;
      this.#lookAgain(0);
    });
  }

  #lookAgain(step: number): void {
    const delay = LOOK_AGAIN_MS[step];
    if (delay === undefined || this.#db === null) return;
    this.#again = this.#host.setTimer(delay, () => {
      this.#again = null;
      if (!this.#look()) this.#lookAgain(step + 1);
    });
  }

  #schedulePoll(): void {
    if (this.#poll !== null) this.#host.clearTimer(this.#poll);
    const every = this.#followed ? LIMITS.feedPollMs : LIMITS.feedIdlePollMs;
    this.#poll = this.#host.setTimer(every, () => {
      this.#poll = null;
      if (this.#db === null) return;
      this.#tend();
      if (this.#db !== null) this.#schedulePoll();
    });
  }

  /** What the slow poll does: notices a file that was swapped, looks, seals and trims. */
  #tend(): void {
    try {
      if (inodeOf(this.#options.file) !== this.#inode) throw new Error('the project file was replaced');
      this.#look();
      if (this.#head !== this.#sealed.head && this.#host.now() - this.#sealed.at >= SEAL_MS) this.#seal();
    } catch (error) {
      this.#fail(error);
      return;
    }
    void this.#trim();
  }

  /** Small steps, each giving way to writers; whatever is left is for the next poll. */
  async #trim(): Promise<void> {
    const db = this.#db;
    const keep = this.#options.rows ?? LIMITS.feedRows;
    if (db === null || this.#trimming) return;
    this.#trimming = true;
    try {
      while (this.#db === db && this.#head - this.#oldest + 1 >= keep + LIMITS.feedTrimRows) {
        const below = this.#oldest + LIMITS.feedTrimRows;
        inWriteTransaction(db, () => {
          db.prepare('DELETE FROM _mag_changes WHERE seq < ?').run(below);
          db.prepare("DELETE FROM _mag_shapes WHERE state = 'ended' AND ended < ?").run(below);
        });
        this.#oldest = below;
        await new Promise<void>((resolve) => this.#host.defer(resolve));
      }
    } catch (error) {
      if (!isBusy(error)) this.#fail(error);
    } finally {
      this.#trimming = false;
    }
  }

  #seal(): void {
    writeSeal(this.#options.file, { epoch: this.#epoch, head: this.#head, inode: this.#inode });
    this.#sealed = { head: this.#head, at: this.#host.now() };
  }

  #newEpoch(): string {
    return Buffer.from(this.#host.randomBytes(9)).toString('base64url');
  }

  #stopTimers(): void {
    this.#watcher?.close();
    this.#watcher = null;
    if (this.#poll !== null) this.#host.clearTimer(this.#poll);
    if (this.#again !== null) this.#host.clearTimer(this.#again);
    this.#poll = null;
    this.#again = null;
  }

  #fail(cause: unknown): void {
    if (this.#db === null) return;
    this.#stopTimers();
    const error = new MagError(
      'MAG_FEED_UNAVAILABLE',
      { ref: this.#options.file, why: String(cause) },
      { cause },
    );
    this.#failed(error);
  }
}

const closed = (file: string): MagError =>
  new MagError('MAG_FEED_UNAVAILABLE', { ref: file, why: 'its log is closed' });
