import type { LifecycleEvent } from '../../protocol/actor-node.ts';
import type { MessagePort } from '../host.ts';
import type { Moved } from './moved.ts';
import type { LastWords } from './vessel.ts';
import type { WireError } from './wire-error.ts';

/** What the two ends of a mount tell each other beside the actors' messages. */
export type Control =
  // to the mount
  | Start
  | { readonly type: 'STOP'; readonly reason: string }
  | { readonly type: 'PAUSE'; readonly paused: boolean }
  /** A direct way to another mount. */
  | { readonly type: 'PEER'; readonly mount: string; readonly port: MessagePort }
  | { readonly type: 'PEER_GONE'; readonly mount: string }
  | { readonly type: 'MOUNTS'; readonly mounts: readonly string[] }
  // from the mount
  | { readonly type: 'READY' }
  | { readonly type: 'FAILED'; readonly error: WireError }
  | { readonly type: 'ENDED' }
  /** The thread is about to end by itself. */
  | { readonly type: 'DYING'; readonly words: LastWords }
  | { readonly type: 'LIFECYCLE'; readonly event: LifecycleEvent }
  | {
      readonly type: 'LOG';
      readonly level: 'debug' | 'info' | 'warn' | 'error';
      readonly fields: object;
      readonly message: string;
    };

export interface Start {
  readonly type: 'START';
  readonly mount: string;
  readonly name: string;
  readonly input: unknown;
  /** Incarnation of the mount: no two of its threads ever number their actors alike. */
  readonly epoch: number;
  /** It comes from another thread, with its actors as they were there. */
  readonly moved: Moved | null;
}

/** An end as it crosses: errors lose their class in a structured clone. */
export interface WireDown {
  readonly address: string;
  readonly path: string;
  readonly reason: WireReason;
}

export type WireReason =
  | { readonly kind: 'normal' | 'killed' | 'noproc' | 'noconnection' }
  | { readonly kind: 'shutdown'; readonly reason: string }
  | { readonly kind: 'error'; readonly error: WireError };

/**
 * What crosses beside messages and records, in their order. Times are durations: clocks differ between threads.
 *
 * A *target* is a number that the sending end has given to an actor it sends to, so that its path crosses once. It
 * stands for one incarnation, or late bound for whoever holds the path when a message arrives.
 */
export type Frame =
  | {
      readonly kind: 'open';
      readonly target: number;
      readonly path: string;
      /** Late bound, bound to whoever is there now, or to this incarnation and no other. */
      readonly bound: 'late' | 'now' | number;
    }
  /** The sending end has forgotten the number. */
  | { readonly kind: 'forget'; readonly target: number }
  /** How many messages for a target may be under way: as many as its mailbox holds. */
  | {
      readonly kind: 'window';
      readonly target: number;
      readonly size: number;
      /** Its overflow is backpressure: an offer waits. */
      readonly waits: boolean;
      /** Of the incarnation it is bound to; null where it is late bound. */
      readonly incarnation: number | null;
    }
  /** The incarnation that a target is bound to has ended. */
  | { readonly kind: 'gone'; readonly target: number; readonly down: WireDown }
  /** So many messages were received, and so many of each target (alternating: target, count) found their place. */
  | { readonly kind: 'credit'; readonly received: number; readonly taken: readonly number[] }
  | { readonly kind: 'call'; readonly id: number; readonly operation: string; readonly args: unknown }
  | { readonly kind: 'reply'; readonly id: number; readonly value: unknown }
  | { readonly kind: 'error'; readonly id: number; readonly error: WireError }
  /** An actor that is linked to the target ended. */
  | { readonly kind: 'exit'; readonly target: number; readonly down: WireDown }
  | { readonly kind: 'control'; readonly control: Control };
