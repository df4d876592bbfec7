import type { ActorCommand, ActorNode, LifecycleEvent } from '../protocol/actor-node.ts';
import type { Host } from './host.ts';
import type { Log } from './log.ts';
import type { ChildSpec, Message } from './spec.ts';

export type SendResult = 'sent' | 'rejected' | 'dead';

/** One incarnation of an actor, wherever it lives. A restart ends it: later sends go to dead letters. */
export interface Ref {
  /** `path#incarnation`. */
  readonly address: string;
  readonly path: string;
  send(message: Message): SendResult;
  /** Rejects with MAG_ASK_TIMEOUT, MAG_ACTOR_NOT_FOUND, MAG_MAILBOX_FULL, MAG_ACTOR_CRASHED, or the handler's error. */
  ask<Reply = unknown>(
    message: Message,
    options?: { readonly timeout?: number; readonly signal?: AbortSignal },
  ): Promise<Reply>;
  /** One DOWN with the reason when this incarnation ends, also if it ended already. Returns how to stop watching. */
  monitor(listener: (reason: string) => void): () => void;
}

/** A late-bound name: each message goes to whoever holds the path at that moment, in any thread or process. */
export interface Slot {
  readonly path: string;
  send(message: Message): SendResult;
  ask<Reply = unknown>(
    message: Message,
    options?: { readonly timeout?: number; readonly signal?: AbortSignal },
  ): Promise<Reply>;
}

/**
 * The actors of one thread. `board/…` paths are the same in every thread; a path under a worker's or process's
 * mount is reached through its transport, workers among each other directly.
 */
export interface ActorSystem {
  /** Thread name: `main`, `edge-1`, … */
  readonly node: string;
  readonly host: Host;
  readonly log: Log;
  /** Starts a root actor and waits until it is ready. */
  start(spec: ChildSpec): Promise<Ref>;
  /** Adds a child to a running local supervisor, and waits until it is ready. Throws MAG_ACTOR_DUPLICATE. */
  startChild(supervisor: string, spec: ChildSpec): Promise<Ref>;
  /** Stops and removes a child. */
  stopChild(supervisor: string, id: string): Promise<void>;
  lookup(path: string): Ref | undefined;
  slot(path: string): Slot;
  /** What the component `name` of this thread offers. Throws MAG_COMPONENT_UNAVAILABLE while it is down. */
  service<Api>(name: string): Api;
  /** The whole tree with remote subtrees, each asked with a deadline; a subtree that does not answer is shown as such. */
  tree(): Promise<ActorNode>;
  command(path: string, command: ActorCommand, reason: string): Promise<void>;
  /** Lifecycle events of this thread and of the subtrees below it. */
  onLifecycle(listener: (event: LifecycleEvent) => void): () => void;
  /** Paths of remote mounts that are up: peers a message can be sent to. */
  mounts(): readonly string[];
  /** Stops the roots in reverse order, each within its shutdown limit. */
  stop(reason: string): Promise<void>;
}
