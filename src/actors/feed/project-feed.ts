import { describeError, errorBody, isPublicError, MagError } from '../../errors.ts';
import { LIMITS } from '../../limits.ts';
import type { Change, FeedPosition } from '../../protocol/change.ts';
import type { Host, Timer } from '../../runtime/host.ts';
import type { Log } from '../../runtime/log.ts';
import type { SendResult } from '../../runtime/system.ts';
import type { FeedLog } from './feed-log.ts';
import { codeOf, type FeedPush } from './feed-messages.ts';

export interface ProjectFeedOptions {
  readonly host: Host;
  readonly log: Log;
  readonly ref: string;
  /** A log of the project, not opened yet; a new one for each try. */
  readonly makeLog: () => Promise<FeedLog>;
  readonly send: (path: string, message: FeedPush) => SendResult;
}

/** Who follows, and how far it was sent. Holds no changes: a slow one only stands further back in the log. */
interface Follower {
  readonly id: string;
  readonly path: string;
  sent: FeedPosition;
  /** May be sent beyond what was consumed. */
  readonly window: number;
  /** Counted since it followed. */
  sentCount: number;
  consumed: number;
  seenAt: number;
}

/** A mailbox that refused a batch is tried again after so long. */
const RETRY_SEND_MS = 20;

/** One project's feed in the hub: its log, opened again when it fails, and its followers. */
export class ProjectFeed {
  readonly #options: ProjectFeedOptions;
  readonly #followers = new Map<string, Follower>();
  #log: FeedLog | null = null;
  #opening: Promise<FeedLog> | null = null;
  #retry: Timer | null = null;
  #resend: Timer | null = null;
  #backoff: number = LIMITS.backoffBaseMs;
  #pumping = false;
  #pumpAgain = false;
  #closed = false;

  constructor(options: ProjectFeedOptions) {
    this.#options = options;
  }

  get followers(): number {
    return this.#followers.size;
  }

  get healthy(): boolean {
    return this.#log !== null;
  }

  /** Opens the log where it is not open. Rejects with MAG_FEED_UNAVAILABLE. */
  async activate(): Promise<FeedPosition> {
    return (await this.#upToDate()).head();
  }

  async read(after: FeedPosition, limit: number): Promise<readonly Change[]> {
    const log = await this.#upToDate();
    return log.read(after, Math.min(limit, LIMITS.feedCredit));
  }

  async follow(
    id: string,
    path: string,
    credit: number,
    from: FeedPosition | undefined,
  ): Promise<FeedPosition> {
    const log = await this.#upToDate();
    // What is not held any more must be said now, not with the first change.
    if (from !== undefined) await log.read(from, 1);
    const sent = from ?? log.head();
    const seenAt = this.#options.host.now();
    this.#followers.set(id, { id, path, sent, window: credit, sentCount: 0, consumed: 0, seenAt });
    log.attend(true);
    // After the reply, so that the client knows its position when the first batch comes.
    this.#options.host.defer(() => this.#pump());
    return sent;
  }

  /** What a follower has consumed in all; an older total says nothing new. */
  consumed(id: string, total: number): void {
    const follower = this.#followers.get(id);
    if (follower === undefined || total <= follower.consumed) return;
    follower.consumed = total;
    this.#pump();
  }

  stop(id: string): void {
    this.#followers.delete(id);
    if (this.#followers.size === 0) this.#log?.attend(false);
  }

  /** Drops followers by what the predicate says of their path and when they were last heard of. */
  sweep(isGone: (path: string, seenAt: number) => boolean): void {
    for (const { id, path, seenAt } of [...this.#followers.values()]) if (isGone(path, seenAt)) this.stop(id);
  }

  /** Position sent to a follower, which is alive as of now; null where it is not known. */
  heardOf(id: string, consumed: number): FeedPosition | null {
    const follower = this.#followers.get(id);
    if (follower === undefined) return null;
    follower.seenAt = this.#options.host.now();
    this.consumed(id, consumed);
    return follower.sent;
  }

  nudge(): void {
    this.#log?.nudge();
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#followers.clear();
    for (const timer of [this.#retry, this.#resend]) if (timer !== null) this.#options.host.clearTimer(timer);
    const opening = this.#opening;
    await opening?.catch(() => {}); // It was told to whoever asked for it.
    await this.#log?.close();
    this.#log = null;
  }

  /** A log that nobody follows looks for news at leisure; who asks wants to know now. */
  async #upToDate(): Promise<FeedLog> {
    const log = await this.#ensureOpen();
    log.nudge();
    return log;
  }

  #ensureOpen(): FeedLog | Promise<FeedLog> {
    if (this.#log !== null) return this.#log;
    if (this.#closed) throw this.#unavailable('its project is gone');
    if (this.#opening !== null) return this.#opening;
    const opening = this.#open().finally(() => {
      this.#opening = null;
    });
    this.#opening = opening;
    return opening;
  }

  async #open(): Promise<FeedLog> {
    if (this.#retry !== null) this.#options.host.clearTimer(this.#retry);
    this.#retry = null;
    try {
      const log = await this.#options.makeLog();
      log.onAppend(() => this.#pump());
      log.onFailure((error) => void this.#failed(log, error));
      await log.open();
      this.#log = log;
      this.#backoff = LIMITS.backoffBaseMs;
      log.attend(this.#followers.size > 0);
      this.#options.host.defer(() => this.#pump());
      return log;
    } catch (error) {
      if (isPublicError(error) || codeOf(error) === 'MAG_PROJECT_NOT_FOUND') throw error;
      throw this.#unavailable(describeError(error), error);
    }
  }

  async #failed(log: FeedLog, error: Error): Promise<void> {
    if (this.#log !== log) return;
    this.#log = null;
    this.#options.log.error(
      { ref: this.#options.ref, error: describeError(error) },
      'a change feed failed; it is opened again',
    );
    await log.close().catch((cause: unknown) => {
      this.#options.log.warn(
        { ref: this.#options.ref, error: describeError(cause) },
        'a failed feed did not close',
      );
    });
    this.reopenLater();
  }

  /** Opens the log again by itself, with decorrelated backoff until it works. */
  reopenLater(): void {
    const { host } = this.#options;
    if (this.#closed || this.#retry !== null || this.#log !== null) return;
    const spread = this.#backoff * 3 - LIMITS.backoffBaseMs;
    this.#backoff = Math.min(LIMITS.backoffCapMs, LIMITS.backoffBaseMs + host.random() * spread);
    this.#retry = host.setTimer(this.#backoff, () => {
      this.#retry = null;
      if (this.#closed) return;
      Promise.resolve()
        .then(() => this.#ensureOpen())
        .catch(() => this.reopenLater());
    });
  }

  /** Sends what can be sent. One run at a time; a call meanwhile makes it go round once more. */
  #pump(): void {
    if (this.#pumping) {
      this.#pumpAgain = true;
      return;
    }
    this.#pumping = true;
    this.#pumpAll()
      .catch((error: unknown) => {
        this.#options.log.warn(
          { ref: this.#options.ref, error: describeError(error) },
          'changes could not be sent on',
        );
      })
      .finally(() => {
        this.#pumping = false;
        if (this.#pumpAgain) this.#pump();
      });
  }

  async #pumpAll(): Promise<void> {
    let progress = true;
    while (progress) {
      this.#pumpAgain = false;
      progress = false;
      const log = this.#log;
      if (log === null) return;
      // Followers at the same place (at the head, nearly all) share one read.
      const reads = new Map<number, Promise<readonly Change[]>>();
      for (const follower of [...this.#followers.values()]) {
        if (await this.#advance(log, follower, reads)) progress = true;
      }
      if (this.#pumpAgain) progress = true;
    }
  }

  /** Sends one batch to one follower; true where there may be more for it. */
  async #advance(
    log: FeedLog,
    follower: Follower,
    reads: Map<number, Promise<readonly Change[]>>,
  ): Promise<boolean> {
    const { sent, id, path } = follower;
    const head = log.head();
    if (sent.epoch !== head.epoch) return this.#interrupt(follower, head, expired(sent));
    const credit = creditOf(follower);
    if (credit <= 0 || sent.offset >= head.offset) return false;
    const reading = reads.get(sent.offset) ?? log.read(sent, LIMITS.feedBatch);
    reads.set(sent.offset, reading);
    let batch: readonly Change[];
    try {
      batch = await reading;
    } catch (error) {
      if (isPublicError(error) && error.code === 'MAG_RESUME_EXPIRED')
        return this.#interrupt(follower, log.head(), error);
      throw error;
    }
    // It may have stopped, or followed anew, while the log was read.
    if (this.#followers.get(id) !== follower || follower.sent !== sent || batch.length === 0) return false;
    const changes = batch.length > credit ? batch.slice(0, credit) : batch;
    const { ref } = this.#options;
    const { epoch, offset: after } = sent;
    if (!this.#push(path, { type: 'FEED_CHANGES', id, ref, epoch, after, changes }, id)) return false;
    follower.sentCount += changes.length;
    follower.sent = { epoch, offset: changes.at(-1)?.offset ?? after };
    return true;
  }

  #interrupt(
    follower: Follower,
    position: FeedPosition,
    error: MagError | Parameters<typeof errorBody>[0],
  ): boolean {
    const { id, path } = follower;
    const { ref } = this.#options;
    if (!this.#push(path, { type: 'FEED_INTERRUPTED', id, ref, position, error: errorBody(error) }, id))
      return false;
    follower.sent = position;
    return true;
  }

  #push(path: string, message: FeedPush, id: string): boolean {
    const result = this.#options.send(path, message);
    if (result === 'sent') return true;
    if (result === 'dead') this.stop(id);
    else if (this.#resend === null) {
      this.#resend = this.#options.host.setTimer(RETRY_SEND_MS, () => {
        this.#resend = null;
        this.#pump();
      });
    }
    return false;
  }

  #unavailable(why: string, cause?: unknown): MagError {
    return new MagError('MAG_FEED_UNAVAILABLE', { ref: this.#options.ref, why }, { cause });
  }
}

const creditOf = ({ window, consumed, sentCount }: Follower): number =>
  Math.min(LIMITS.feedCredit, window + consumed - sentCount);

const expired = (position: FeedPosition): MagError =>
  new MagError('MAG_RESUME_EXPIRED', { offset: position.offset });
