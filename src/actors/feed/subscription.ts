import { describeError } from '../../errors.ts';
import { LIMITS } from '../../limits.ts';
import type { FeedPosition } from '../../protocol/change.ts';
import type { Host, Timer } from '../../runtime/host.ts';
import type { Log } from '../../runtime/log.ts';
import type { FeedListener, FeedSubscription } from './feed-log.ts';
import { codeOf, type FeedPush, type FeedRequest, type FollowReply, reviveError } from './feed-messages.ts';

export interface SubscriptionOptions {
  readonly host: Host;
  readonly log: Log;
  readonly id: string;
  readonly ref: string;
  readonly path: string;
  readonly listener: FeedListener;
  readonly ask: (request: FeedRequest) => Promise<FollowReply>;
  readonly send: (request: FeedRequest) => void;
  readonly onStop: () => void;
}

/**
 * One follow, seen from the edge. Its position is the last offset the listener was given; whatever does not join on
 * there is dropped, and the follow taken up again from it. So the listener misses nothing and sees nothing twice,
 * whatever happens to the hub and to the messages between.
 */
export class Subscription implements FeedSubscription {
  readonly #options: SubscriptionOptions;
  readonly id: string;
  readonly ref: string;
  #from: FeedPosition = { epoch: '', offset: 0 };
  #position: FeedPosition = this.#from;
  #state: 'starting' | 'following' | 'recovering' | 'stopped' = 'starting';
  /** Given to the listener and not consumed yet. */
  #outstanding = 0;
  /** Consumed since the follow, and as the hub was last told. */
  #consumed = 0;
  #told = 0;
  #retry: Timer | null = null;
  #backoff: number = LIMITS.backoffBaseMs;

  constructor(options: SubscriptionOptions) {
    this.#options = options;
    this.id = options.id;
    this.ref = options.ref;
  }

  get from(): FeedPosition {
    return this.#from;
  }

  /** Follows from the head. Rejects with the hub's error. */
  async begin(): Promise<void> {
    const { from } = await this.#follow();
    this.#from = from;
    this.#position = from;
    if (this.#state === 'starting') this.#state = 'following';
  }

  consumed(count: number): void {
    this.#outstanding = Math.max(0, this.#outstanding - count);
    this.#consumed += count;
    if (this.#consumed - this.#told >= LIMITS.feedCredit / 2) this.#grant();
  }

  get consumedCount(): number {
    return this.#consumed;
  }

  #grant(): void {
    if (this.#state !== 'following' || this.#consumed === this.#told) return;
    this.#told = this.#consumed;
    this.#options.send({ type: 'FEED_CREDIT', ref: this.ref, id: this.id, consumed: this.#consumed });
  }

  stop(): void {
    if (this.#state === 'stopped') return;
    this.#state = 'stopped';
    if (this.#retry !== null) this.#options.host.clearTimer(this.#retry);
    this.#options.send({ type: 'FEED_STOP', ref: this.ref, id: this.id });
    this.#options.onStop();
  }

  receive(push: FeedPush): void {
    if (this.#state === 'stopped') return;
    if (push.type === 'FEED_INTERRUPTED') {
      if (this.#state !== 'following') return;
      this.#interrupted(push.position, reviveError(push.error));
      // Batches that were lost before it took their credit along; a new follow gives it back.
      this.#recover('the feed was interrupted');
      return;
    }
    const { epoch, after, changes } = push;
    const { offset } = this.#position;
    if (epoch === this.#position.epoch && after <= offset) {
      const news = after === offset ? changes : changes.filter((change) => change.offset > offset);
      const last = news.at(-1);
      if (last === undefined) return;
      this.#position = { epoch, offset: last.offset };
      this.#outstanding += news.length;
      this.#tell((listener) => listener.changes(epoch, news));
    } else if (this.#state === 'following') {
      this.#recover('a batch is missing');
    }
  }

  /** Holds what the hub says it has sent (null: it knows no such follow) against what came. */
  compare(sent: FeedPosition | null): void {
    if (this.#state !== 'following') return;
    const { epoch, offset } = this.#position;
    if (sent === null) this.#recover('the hub does not know this follow');
    else if (sent.epoch !== epoch || sent.offset > offset) this.#recover('a batch was lost');
  }

  #follow(from?: FeedPosition): Promise<FollowReply> {
    const { id, ref } = this;
    this.#consumed = 0;
    this.#told = 0;
    // What the listener still holds takes its part of the window.
    const credit = Math.max(0, LIMITS.feedCredit - this.#outstanding);
    const { path } = this.#options;
    return this.#options.ask({
      type: 'FEED_FOLLOW',
      ...{ id, ref, path, credit },
      ...(from === undefined ? {} : { from }),
    });
  }

  #recover(why: string): void {
    this.#state = 'recovering';
    this.#options.log.debug({ ref: this.ref, why, ...this.#position }, 'a follow is taken up again');
    void this.#refollow();
  }

  async #refollow(): Promise<void> {
    try {
      await this.#follow(this.#position);
      if (this.#state !== 'recovering') return;
      this.#resumed();
    } catch (error) {
      if (this.#state !== 'recovering') return;
      if (codeOf(error) === 'MAG_RESUME_EXPIRED') await this.#startOver(error);
      else this.#refollowLater(error);
    }
  }

  async #startOver(reason: unknown): Promise<void> {
    try {
      const { from } = await this.#follow();
      if (this.#state !== 'recovering') return;
      this.#resumed();
      this.#interrupted(from, reason instanceof Error ? reason : new Error(String(reason)));
    } catch (error) {
      if (this.#state === 'recovering') this.#refollowLater(error);
    }
  }

  #resumed(): void {
    this.#state = 'following';
    this.#backoff = LIMITS.backoffBaseMs;
    // What was consumed meanwhile was granted to nobody; the hub may be waiting for it.
    this.#grant();
  }

  #refollowLater(error: unknown): void {
    const { host, log } = this.#options;
    if (codeOf(error) === 'MAG_PROJECT_NOT_FOUND') {
      this.#tell((listener) =>
        listener.interrupted(error instanceof Error ? error : new Error(String(error))),
      );
      this.stop();
      return;
    }
    log.debug({ ref: this.ref, error: describeError(error) }, 'a follow cannot be taken up yet');
    const spread = this.#backoff * 3 - LIMITS.backoffBaseMs;
    this.#backoff = Math.min(LIMITS.backoffCapMs, LIMITS.backoffBaseMs + host.random() * spread);
    this.#retry = host.setTimer(this.#backoff, () => {
      this.#retry = null;
      if (this.#state === 'recovering') void this.#refollow();
    });
  }

  #interrupted(position: FeedPosition, error: Error): void {
    this.#position = position;
    this.#tell((listener) => listener.interrupted(error));
  }

  /** A listener that throws must not stop the others of its thread. */
  #tell(say: (listener: FeedListener) => void): void {
    try {
      say(this.#options.listener);
    } catch (error) {
      this.#options.log.error({ ref: this.ref, error: describeError(error) }, 'a follower threw');
    }
  }
}
