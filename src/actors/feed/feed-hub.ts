import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describeError, MagError } from '../../errors.ts';
import { LIMITS } from '../../limits.ts';
import type { FeedPosition } from '../../protocol/change.ts';
import type { Connection } from '../../protocol/project.ts';
import type { Host, Timer } from '../../runtime/host.ts';
import type { Log } from '../../runtime/log.ts';
import type { SendResult } from '../../runtime/system.ts';
import type { FeedLog } from './feed-log.ts';
import { createPostgresFeedLog } from './feed-log-postgres.ts';
import { createSqliteFeedLog } from './feed-log-sqlite.ts';
import {
  codeOf,
  type FeedPush,
  type FeedRequest,
  type FollowReply,
  type FollowState,
  type HeartbeatReply,
} from './feed-messages.ts';
import { removeFeedFile } from './postgres/feed-file.ts';
import { ProjectFeed } from './project-feed.ts';

export interface FeedHubOptions {
  readonly host: Host;
  readonly log: Log;
  /** The board's data folder; a PostgreSQL project's log lies in `projects/REF/feed.sqlite` under it. */
  readonly dataDir: string;
  /**
   * Where a project's database is now; for PostgreSQL with a superuser's name and password. Rejects for a project that
   * does not exist or is not ready.
   */
  readonly resolve: (ref: string) => Promise<Connection>;
  /** Sends to an actor path, wherever it lives. */
  readonly send: (path: string, message: FeedPush) => SendResult;
  /** Changes a log holds at least; default LIMITS.feedRows. */
  readonly rows?: number;
}

/** Owner of every project's feed; lives in a thread of its own, since SQLite's reads block the thread they run on. */
export interface FeedHub {
  /** Answers a request; what it returns, or rejects with, is the reply. */
  handle(request: FeedRequest): unknown;
  /** Projects whose feed left its files: it was activated before, and not dropped. */
  marked(): readonly string[];
  /** Takes up the feeds among these projects that were activated before; one that cannot be opened is retried. */
  restore(refs: readonly string[]): Promise<void>;
  /** Forgets followers under a path: their thread is gone. */
  dropFollowers(pathPrefix: string): void;
  stats(): { readonly feeds: number; readonly followers: number; readonly failing: readonly string[] };
  stop(): Promise<void>;
}

/** A follower's edge that said nothing for so long is gone, even if nobody told us. */
const SILENCE_MS = 15 * LIMITS.feedHeartbeatMs;

export function createFeedHub(options: FeedHubOptions): FeedHub {
  return new Hub(options);
}

class Hub implements FeedHub {
  readonly #options: FeedHubOptions;
  readonly #feeds = new Map<string, ProjectFeed>();
  #sweeper: Timer;
  #stopped = false;

  constructor(options: FeedHubOptions) {
    this.#options = options;
    this.#sweeper = this.#sweepLater();
  }

  handle(request: FeedRequest): unknown {
    switch (request.type) {
      case 'FEED_ACTIVATE':
        return this.#feed(request.ref).activate();
      case 'FEED_FOLLOW':
        return this.#follow(request);
      case 'FEED_READ':
        return this.#feed(request.ref).read(request.after, request.limit);
      case 'FEED_CREDIT':
        this.#feeds.get(request.ref)?.consumed(request.id, request.consumed);
        return null;
      case 'FEED_STOP':
        this.#feeds.get(request.ref)?.stop(request.id);
        return null;
      case 'FEED_NUDGE':
        for (const ref of request.refs) this.#feeds.get(ref)?.nudge();
        return null;
      case 'FEED_HEARTBEAT':
        return this.#heartbeat(request.follows);
      case 'FEED_DROP':
        return this.#drop(request.ref);
    }
  }

  marked(): readonly string[] {
    const projects = join(this.#options.dataDir, 'projects');
    return existsSync(projects) ? readdirSync(projects).filter((ref) => existsSync(this.#marker(ref))) : [];
  }

  async restore(refs: readonly string[]): Promise<void> {
    for (const ref of refs) {
      try {
        // Told by a file of ours: asking where the database is may start its server.
        if (!existsSync(this.#marker(ref))) continue;
        await this.#feed(ref).activate();
      } catch (error) {
        this.#options.log.warn(
          { ref, error: describeError(error) },
          'a change feed could not be taken up yet',
        );
        this.#feeds.get(ref)?.reopenLater();
      }
      if (this.#stopped) return;
    }
  }

  dropFollowers(pathPrefix: string): void {
    const isGone = (path: string): boolean => path === pathPrefix || path.startsWith(`${pathPrefix}/`);
    for (const feed of this.#feeds.values()) feed.sweep(isGone);
  }

  stats(): { feeds: number; followers: number; failing: string[] } {
    const feeds = [...this.#feeds];
    return {
      feeds: feeds.length,
      followers: feeds.reduce((sum, [, feed]) => sum + feed.followers, 0),
      failing: feeds.filter(([, feed]) => !feed.healthy).map(([ref]) => ref),
    };
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#options.host.clearTimer(this.#sweeper);
    await Promise.all([...this.#feeds.values()].map((feed) => feed.close()));
    this.#feeds.clear();
  }

  async #follow(request: Extract<FeedRequest, { type: 'FEED_FOLLOW' }>): Promise<FollowReply> {
    const { ref, id, path, credit, from } = request;
    return { from: await this.#feed(ref).follow(id, path, credit, from) };
  }

  #heartbeat(follows: readonly FollowState[]): HeartbeatReply {
    const sent: Record<string, FeedPosition> = {};
    for (const { ref, id, consumed } of follows) {
      const position = this.#feeds.get(ref)?.heardOf(id, consumed) ?? null;
      if (position !== null) sent[id] = position;
    }
    return { sent };
  }

  async #drop(ref: string): Promise<null> {
    const feed = this.#feeds.get(ref);
    this.#feeds.delete(ref);
    await feed?.close();
    removeFeedFile(this.#logFile(ref));
    rmSync(this.#marker(ref), { force: true });
    return null;
  }

  #feed(ref: string): ProjectFeed {
    const known = this.#feeds.get(ref);
    if (known !== undefined) return known;
    if (this.#stopped) throw new MagError('MAG_FEED_UNAVAILABLE', { ref, why: 'the feed is stopping' });
    const { host, log, send } = this.#options;
    const feed = new ProjectFeed({
      host,
      log,
      ref,
      send,
      makeLog: () => this.#makeLog(ref),
    });
    this.#feeds.set(ref, feed);
    return feed;
  }

  async #makeLog(ref: string): Promise<FeedLog> {
    const { host, log, resolve } = this.#options;
    const rows = this.#options.rows ?? LIMITS.feedRows;
    let connection: Connection;
    try {
      connection = await resolve(ref);
    } catch (error) {
      // A project that is not there must leave nothing behind in the hub.
      if (codeOf(error) === 'MAG_PROJECT_NOT_FOUND') this.#feeds.delete(ref);
      throw error;
    }
    if (connection.engine !== 'sqlite' && connection.engine !== 'postgres') {
      this.#feeds.delete(ref);
      throw new MagError('MAG_FEED_UNAVAILABLE', {
        ref,
        why: `changes on ${connection.engine} are not followed in this version`,
      });
    }
    // Before anything is made at the engine: a slot that we forgot over a kill would pin WAL for ever.
    this.#mark(ref);
    if (connection.engine === 'sqlite')
      return createSqliteFeedLog({ host, log, file: connection.file, rows });
    const connect = async (): Promise<Extract<Connection, { engine: 'postgres' }>> => {
      const now = await resolve(ref);
      if (now.engine === 'postgres') return now;
      throw new MagError('MAG_FEED_UNAVAILABLE', { ref, why: 'its engine changed' });
    };
    return createPostgresFeedLog({ host, log, ref, file: this.#logFile(ref), connect, rows });
  }

  #logFile(ref: string): string {
    return join(this.#options.dataDir, 'projects', ref, 'feed.sqlite');
  }

  /** Shows over restarts that the project's feed was activated; goes with the project's folder, or with its feed. */
  #marker(ref: string): string {
    return join(this.#options.dataDir, 'projects', ref, 'feed.active');
  }

  #mark(ref: string): void {
    const marker = this.#marker(ref);
    if (existsSync(marker)) return;
    mkdirSync(dirname(marker), { recursive: true, mode: 0o700 });
    writeFileSync(marker, '');
  }

  #sweepLater(): Timer {
    const { host } = this.#options;
    return host.setTimer(SILENCE_MS, () => {
      const limit = host.now() - SILENCE_MS;
      for (const feed of this.#feeds.values()) feed.sweep((_path, seenAt) => seenAt < limit);
      this.#sweeper = this.#sweepLater();
    });
  }
}
