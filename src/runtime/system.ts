import type { ActorCommand, ActorNode, LifecycleEvent } from '../protocol/actor-node.ts';
import type { Host } from './host.ts';
import type { Ambient } from './kernel/ambient.ts';
import type { AskOptions } from './kernel/ask.ts';
import type { DeadLetter } from './kernel/dead-letters.ts';
import type { Log } from './log.ts';
import type { AnyMessage, Asked, AskedType, ChildSpec, Message, ProtocolOf, ReplyTo } from './spec.ts';
import type { SupervisorHandle } from './supervision/supervisor-handle.ts';

/** `rejected`: it found no room, or no way. `dead`: nobody is there; it is in the dead letters. */
export type SendResult = 'sent' | 'rejected' | 'dead';

/** Why an incarnation ended, or why it cannot be watched. */
export type ExitReason =
  | { readonly kind: 'normal' }
  | { readonly kind: 'shutdown'; readonly reason: string }
  | { readonly kind: 'killed' }
  | { readonly kind: 'error'; readonly error: Error }
  /** It was not there (any more) when it was asked for. */
  | { readonly kind: 'noproc' }
  /** The way to it was lost. */
  | { readonly kind: 'noconnection' };

/** What a monitor is told, once. */
export interface Down {
  readonly address: string;
  readonly path: string;
  readonly reason: ExitReason;
}

/** Where messages can be sent to. */
export interface Addressee<M extends AnyMessage = Message> {
  readonly path: string;
  /** Never waits. Throws MAG_MESSAGE_NOT_CLONEABLE where it would have to cross a thread and cannot. */
  send(message: M): SendResult;
  /** Sends a binary record: the receiver gets it as `Bytes`. It must not be written to afterwards. */
  sendBytes(record: Uint8Array): SendResult;
  /** Sends, and waits for room where the mailbox's overflow is `backpressure`; `rejected` when the time is over. */
  offer(message: M, options?: AskOptions): Promise<SendResult>;
  /**
   * Rejects with MAG_ASK_TIMEOUT, MAG_ACTOR_NOT_FOUND, MAG_MAILBOX_FULL, MAG_ACTOR_CRASHED, or the handler's error.
   * Where the protocol is not declared, the caller names the answer's type.
   */
  ask<Reply = unknown>(
    message: string extends M['type'] ? Message : never,
    options?: AskOptions,
  ): Promise<Reply>;
  ask<Type extends AskedType<M>>(
    message: { readonly type: Type } & Asked<M, Type>,
    options?: AskOptions,
  ): Promise<ReplyTo<M, Type>>;
}

/** An actor of any protocol: it can be watched, tied and stopped, not spoken to. Every Ref is one. */
export interface AnyRef {
  readonly path: string;
  /** `path#incarnation`. */
  readonly address: string;
  /** One DOWN when this incarnation ends, also if it ended already. Returns how to stop watching. */
  monitor(listener: (down: Down) => void): () => void;
  /**
   * Ties two actors: when one ends other than normally, the other fails with MAG_LINKED_EXIT, or is told by an EXIT
   * message if it traps exits. Returns how to untie them.
   */
  link(other: AnyRef): () => void;
  /** Ends it orderly after what is in its mailbox; its supervisor then does what its restart type says. */
  stop(reason?: string): Promise<void>;
}

/** One incarnation of an actor, wherever it lives. A restart ends it: later sends go to dead letters. A move does not. */
export interface Ref<M extends AnyMessage = Message> extends Addressee<M>, AnyRef {}

/**
 * A late-bound name: each message goes to whoever holds the path (or the registered name) at that moment, in any
 * thread or process, and waits within a bound while that is being restarted.
 */
export type Slot<M extends AnyMessage = Message> = Addressee<M>;

/** The actors that share a key. */
export interface Group<M extends AnyMessage = Message> {
  members(): readonly Ref<M>[];
  /** Sends to all; gives how many took it. */
  broadcast(message: M): number;
  /** The next one in turn; undefined where there is none. */
  pick(): Ref<M> | undefined;
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
  start<M extends AnyMessage>(spec: ChildSpec<M>): Promise<Ref<ProtocolOf<M>>>;
  /** Adds a child to a running local supervisor, and waits until it is ready. Throws MAG_ACTOR_DUPLICATE. */
  startChild<M extends AnyMessage>(supervisor: string, spec: ChildSpec<M>): Promise<Ref<ProtocolOf<M>>>;
  /** Stops and removes a child. */
  stopChild(supervisor: string, id: string): Promise<void>;
  /** A local supervisor's children. Throws MAG_ACTOR_NOT_FOUND where there is no supervisor at the path. */
  supervisor(path: string): SupervisorHandle;
  lookup<M extends AnyMessage = Message>(path: string): Ref<M> | undefined;
  slot<M extends AnyMessage = Message>(path: string): Slot<M>;
  /** Whoever holds a unique name of this thread. */
  named<M extends AnyMessage = Message>(name: string): Slot<M>;
  group<M extends AnyMessage = Message>(name: string): Group<M>;
  /** What the component `name` of this thread offers. Throws MAG_COMPONENT_UNAVAILABLE while it is down. */
  service<Api>(name: string): Api;
  /** Runs a function whose sends carry this with them. */
  withAmbient<Result>(ambient: Ambient, run: () => Result): Result;
  /** The whole tree with remote subtrees, each asked with a deadline; a subtree that does not answer is shown as such. */
  tree(): Promise<ActorNode>;
  command(path: string, command: ActorCommand, reason: string): Promise<void>;
  /**
   * Moves a mounted subtree to another thread (or process), while it runs: its light and machine actors keep their
   * state, whatever they do on a restart, and every reference, monitor and question to them. What is sent meanwhile waits
   * within the bound of the mount's mailbox. Components start anew there before they end here. Rejects with
   * MAG_MOVE_FAILED, and everything goes on where it was, if it does not come to rest or cannot start there.
   */
  move(path: string, options?: { readonly pool?: string }): Promise<void>;
  /** Lifecycle events of this thread and of the subtrees below it. */
  onLifecycle(listener: (event: LifecycleEvent) => void): () => void;
  /** Messages of this thread that reached nobody: how many, and the last ones without their content. */
  deadLetters(): { readonly count: number; readonly recent: readonly DeadLetter[] };
  /** Paths of remote mounts that are up: peers a message can be sent to. */
  mounts(): readonly string[];
  /** Stops the roots in reverse order, each within its shutdown limit. */
  stop(reason: string): Promise<void>;
}
