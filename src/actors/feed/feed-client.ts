import { describeError, MagError } from '../../errors.ts';
import { LIMITS } from '../../limits.ts';
import type { Change, FeedPosition } from '../../protocol/change.ts';
import type { Host, Timer } from '../../runtime/host.ts';
import type { Log } from '../../runtime/log.ts';
import type { Slot } from '../../runtime/system.ts';
import type { FeedClient, FeedListener, FeedSubscription } from './feed-log.ts';
import {
  codeOf,
  type FeedPush,
  type FeedRequest,
  type HeartbeatReply,
  reviveError,
} from './feed-messages.ts';
import { Subscription } from './subscription.ts';

export interface FeedClientOptions {
  readonly host: Host;
  readonly log: Log;
  /** The hub: messages go to whichever incarnation holds its path. */
  readonly hub: Pick<Slot, 'ask' | 'send'>;
  /** Path of the actor in this thread whose messages are given to `handle`. */
  readonly path: string;
}

/** The edge's side of the feed. It survives the hub: after a restart every follow goes on from its last offset. */
export interface FeedClientService extends FeedClient {
  /** Takes what the hub pushes to our path. */
  handle(push: FeedPush): void;
  /** The hub came up again: look at once whether it knows our follows, rather than at the next heartbeat. */
  reconnect(): void;
  close(): void;
}

export function createFeedClient(options: FeedClientOptions): FeedClientService {
  return new Client(options);
}

class Client implements FeedClientService {
  readonly #options: FeedClientOptions;
  /** Tells our follows from those of other edges, and of earlier lives of this one. */
  readonly #tag: string;
  readonly #subscriptions = new Map<string, Subscription>();
  /** How many follows of this edge each project has. */
  readonly #followed = new Map<string, number>();
  readonly #nudged = new Set<string>();
  #count = 0;
  #heartbeat: Timer | null = null;
  #asking = false;

  constructor(options: FeedClientOptions) {
    this.#options = options;
    this.#tag = Buffer.from(options.host.randomBytes(9)).toString('base64url');
  }

  activate(ref: string): Promise<FeedPosition> {
    return this.#ask({ type: 'FEED_ACTIVATE', ref }, LIMITS.startTimeoutMs);
  }

  async follow(ref: string, listener: FeedListener): Promise<FeedSubscription> {
    this.#count += 1;
    const id = `${this.#tag}-${this.#count}`;
    const { host, log, path } = this.#options;
    const subscription = new Subscription({
      ...{ host, log, id, ref, path, listener },
      ask: (request) => this.#ask(request, LIMITS.startTimeoutMs),
      send: (request) => void this.#options.hub.send(request),
      onStop: () => this.#forget(id, ref),
    });
    this.#subscriptions.set(id, subscription);
    this.#followed.set(ref, (this.#followed.get(ref) ?? 0) + 1);
    this.#beat();
    try {
      await subscription.begin();
      return subscription;
    } catch (error) {
      subscription.stop();
      throw error;
    }
  }

  read(ref: string, after: FeedPosition, limit: number): Promise<readonly Change[]> {
    return this.#ask({ type: 'FEED_READ', ref, after, limit }, LIMITS.startTimeoutMs);
  }

  /**
   * All projects nudged in one turn go in one message. Only for what somebody follows here: a message per write costs
   * more than it saves, and a hub that others follow through sees the file change by itself.
   */
  nudge(ref: string): void {
    if (!this.#followed.has(ref)) return;
    const isFirst = this.#nudged.size === 0;
    this.#nudged.add(ref);
    if (!isFirst) return;
    this.#options.host.soon(() => {
      const refs = [...this.#nudged];
      this.#nudged.clear();
      // Lost at worst: the hub sees the file change, or polls.
      this.#options.hub.send({ type: 'FEED_NUDGE', refs });
    });
  }

  handle(push: FeedPush): void {
    const subscription = this.#subscriptions.get(push.id);
    if (subscription === undefined) this.#options.hub.send({ type: 'FEED_STOP', ref: push.ref, id: push.id });
    else subscription.receive(push);
  }

  reconnect(): void {
    void this.#check();
  }

  close(): void {
    for (const subscription of [...this.#subscriptions.values()]) subscription.stop();
    if (this.#heartbeat !== null) this.#options.host.clearTimer(this.#heartbeat);
    this.#heartbeat = null;
  }

  #forget(id: string, ref: string): void {
    if (!this.#subscriptions.delete(id)) return;
    const left = (this.#followed.get(ref) ?? 1) - 1;
    if (left === 0) this.#followed.delete(ref);
    else this.#followed.set(ref, left);
  }

  /** Only while there is something to follow. */
  #beat(): void {
    if (this.#heartbeat !== null) return;
    this.#heartbeat = this.#options.host.setTimer(LIMITS.feedHeartbeatMs, () => {
      this.#heartbeat = null;
      if (this.#subscriptions.size === 0) return;
      void this.#check();
      this.#beat();
    });
  }

  /** Asks what the hub has sent us; a follow it does not know, or a batch that never came, is taken up again. */
  async #check(): Promise<void> {
    if (this.#asking || this.#subscriptions.size === 0) return;
    this.#asking = true;
    const asked = [...this.#subscriptions.values()];
    try {
      const follows = asked.map(({ ref, id, consumedCount: consumed }) => ({ ref, id, consumed }));
      const reply = await this.#ask<HeartbeatReply>({ type: 'FEED_HEARTBEAT', follows }, LIMITS.askTimeoutMs);
      for (const subscription of asked) subscription.compare(reply.sent[subscription.id] ?? null);
    } catch (error) {
      this.#options.log.debug({ error: describeError(error) }, 'the feed does not answer; asked again soon');
    } finally {
      this.#asking = false;
    }
  }

  async #ask<Reply>(request: FeedRequest, timeout: number): Promise<Reply> {
    try {
      return await this.#options.hub.ask<Reply>(request, { timeout });
    } catch (error) {
      const code = codeOf(error);
      if (OF_THE_HUB.has(code)) {
        throw error instanceof MagError ? error : reviveError({ code, message: describeError(error) });
      }
      const ref = 'ref' in request ? request.ref : 'every project';
      throw new MagError('MAG_FEED_UNAVAILABLE', { ref, why: describeError(error) }, { cause: error });
    }
  }
}

const OF_THE_HUB: ReadonlySet<string> = new Set([
  'MAG_RESUME_EXPIRED',
  'MAG_FEED_UNAVAILABLE',
  'MAG_PROJECT_NOT_FOUND',
]);
