import type { AnyActorLogic } from 'xstate';
import type { Host } from './host.ts';
import type { Log } from './log.ts';
import type { ActorSystem, Ref } from './system.ts';

/** What actors say to each other: an XState event. */
export interface Message {
  readonly type: string;
  readonly [field: string]: unknown;
}

export type RestartType = 'permanent' | 'transient' | 'temporary';
export type Shutdown = number | 'brutal' | 'infinity';
export type Strategy = 'one_for_one' | 'one_for_all' | 'rest_for_one' | 'dynamic';
export type Overflow = 'backpressure' | 'reject' | 'drop_oldest' | 'drop_newest';

export interface MailboxOptions {
  readonly capacity: number;
  readonly overflow: Overflow;
}

export interface Backoff {
  /** Milliseconds. Delays are decorrelated: `min(cap, rand(base, previous × 3))`; the first restart waits too. */
  readonly base: number;
  readonly cap: number;
  /** After running for so long the next delay starts from base again. */
  readonly resetAfter: number;
}

export interface Intensity {
  readonly max: number;
  readonly within: number;
}

/** A function over state on the kernel, without an XState actor of its own. */
export interface LightLogic<State, Input = unknown> {
  init(input: Input, context: ActorContext): State;
  /** Returns the next state. What `context.reply` is given answers an ask. Throwing crashes the actor. */
  receive(state: State, message: Message, context: ActorContext): State;
  stop?(state: State): void;
}

/** What an actor's code is handed. Ends with its incarnation. */
export interface ActorContext {
  readonly system: ActorSystem;
  readonly self: Ref;
  readonly host: Host;
  readonly log: Log;
  /** Aborted when this incarnation ends. */
  readonly signal: AbortSignal;
  /** Answers the message being handled, where it was an ask. */
  reply(value: unknown): void;
  /** Crashes this incarnation from outside a message: a resource it owns died. */
  fail(error: unknown): void;
}

export interface ComponentContext extends ActorContext {
  /** Shown in the tree and /readyz; null means healthy again. */
  degraded(detail: string | null): void;
}

/** A running component. Everything in it is optional. */
export interface ComponentService {
  /** Offered to the same thread: `system.service(name)` gives it while the component runs. */
  readonly api?: object;
  /** Pid of the child process it owns, null while there is none: the tree then shows it as that process. */
  readonly process?: () => number | null;
  /** Answers messages; the value (or what its promise gives) answers an ask. A throw or rejection answers the ask
   * with that error and does not crash the component; call `context.fail` for that. */
  handle?(message: Message): unknown;
  /** Called every few seconds; a rejection counts as a crash after it failed twice. */
  health?(): Promise<void>;
  /** Stop taking new work and finish what is in flight. */
  drain?(): Promise<void>;
  /** Free everything. Called once, also after a crash. */
  stop?(): Promise<void>;
}

export type Behaviour =
  | {
      readonly kind: 'supervisor';
      readonly strategy: Strategy;
      readonly intensity?: Intensity;
      readonly children: readonly ChildSpec[];
    }
  | {
      readonly kind: 'component';
      readonly start: (context: ComponentContext) => Promise<ComponentService> | ComponentService;
    }
  | { readonly kind: 'machine'; readonly logic: AnyActorLogic; readonly input?: unknown }
  | { readonly kind: 'light'; readonly logic: LightLogic<unknown>; readonly input?: unknown }
  /** A subtree that lives elsewhere: `module` default-exports `(input) => ChildSpec`, whose id is replaced by ours. */
  | {
      readonly kind: 'remote';
      readonly where: 'worker' | 'process';
      /** file: URL. */
      readonly module: string;
      /** Cloneable. A function is called for each incarnation. */
      readonly input?: unknown | (() => unknown | Promise<unknown>);
      /** Trust class: one Piscina pool (workers) and one warm spare per class where `spare` is set. */
      readonly pool: string;
      readonly spare?: boolean;
    };

/** How a supervisor starts, restarts and stops one child. */
export interface ChildSpec {
  readonly id: string;
  readonly behaviour: Behaviour;
  /** Default permanent. */
  readonly restart?: RestartType;
  /** Default LIMITS.shutdownMs; infinity for supervisors. */
  readonly shutdown?: Shutdown;
  readonly significant?: boolean;
  readonly mailbox?: MailboxOptions;
  /** Absent: an immediate restart within the intensity. */
  readonly backoff?: Backoff;
  /** How long a start may take until it is ready; default LIMITS.startTimeoutMs. */
  readonly startTimeout?: number;
}
