import { ERRORS, type ErrorBody, type ErrorCode, MagError } from '../../errors.ts';
import type { Change, FeedPosition } from '../../protocol/change.ts';

/** What the feed's clients ask the hub (`board/feed`), and what it answers. */
export type FeedRequest =
  /** → FeedPosition: the feed is live. */
  | { readonly type: 'FEED_ACTIVATE'; readonly ref: string }
  /**
   * → FollowReply. Changes after `from` (absent: the head) go to the actor at `path`, at most `credit` of them more
   * than FEED_CREDIT has told consumed. The same `id` again replaces what it stood for. MAG_RESUME_EXPIRED where `from` is lost.
   */
  | {
      readonly type: 'FEED_FOLLOW';
      readonly ref: string;
      readonly id: string;
      readonly path: string;
      readonly credit: number;
      readonly from?: FeedPosition;
    }
  /** → Change[]. */
  | {
      readonly type: 'FEED_READ';
      readonly ref: string;
      readonly after: FeedPosition;
      readonly limit: number;
    }
  /** How many were consumed since the follow: a total, so that one which gets lost is made good by the next. */
  | { readonly type: 'FEED_CREDIT'; readonly ref: string; readonly id: string; readonly consumed: number }
  | { readonly type: 'FEED_STOP'; readonly ref: string; readonly id: string }
  | { readonly type: 'FEED_NUDGE'; readonly refs: readonly string[] }
  /** → HeartbeatReply. Also keeps the follows from being taken for dead, and tells what they consumed. */
  | { readonly type: 'FEED_HEARTBEAT'; readonly follows: readonly FollowState[] }
  /** → null once the project's feed is closed and its files are gone. The database itself is not touched. */
  | { readonly type: 'FEED_DROP'; readonly ref: string };

export interface FollowState {
  readonly ref: string;
  readonly id: string;
  /** As in FEED_CREDIT. */
  readonly consumed: number;
}

export interface FollowReply {
  readonly from: FeedPosition;
}

/** How far each follow was sent; one that is missing is not known (any more). */
export interface HeartbeatReply {
  readonly sent: Readonly<Record<string, FeedPosition>>;
}

/** What the hub pushes to a follower's path. */
export type FeedPush =
  /** `after` is the offset that these follow on: a client that stands elsewhere has missed something. */
  | {
      readonly type: 'FEED_CHANGES';
      readonly id: string;
      readonly ref: string;
      readonly epoch: string;
      readonly after: number;
      readonly changes: readonly Change[];
    }
  /** Continuity was lost; what comes next follows on `position`. */
  | {
      readonly type: 'FEED_INTERRUPTED';
      readonly id: string;
      readonly ref: string;
      readonly position: FeedPosition;
      readonly error: ErrorBody;
    };

const REQUESTS: ReadonlySet<string> = new Set<FeedRequest['type']>([
  'FEED_ACTIVATE',
  'FEED_FOLLOW',
  'FEED_READ',
  'FEED_CREDIT',
  'FEED_STOP',
  'FEED_NUDGE',
  'FEED_HEARTBEAT',
  'FEED_DROP',
]);

/** Messages come from our own threads alone, so their type is proof enough of their form. */
export const isFeedRequest = (message: { readonly type: string }): message is FeedRequest =>
  REQUESTS.has(message.type);

export const isFeedPush = (message: { readonly type: string }): message is FeedPush =>
  message.type === 'FEED_CHANGES' || message.type === 'FEED_INTERRUPTED';

/** The registry code of an error, also of one that crossed a thread and lost its class; '' where it has none. */
export const codeOf = (error: unknown): string =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';

/** An error of the registry again, from what is left of it after it crossed a thread. */
export function reviveError(error: { readonly code: string; readonly message: string }): MagError {
  const known = error.code in ERRORS ? (error.code as ErrorCode) : 'MAG_INTERNAL'; // `in` just showed it
  const revived = new MagError(known, {}, { cause: error });
  revived.message = error.message;
  return revived;
}
