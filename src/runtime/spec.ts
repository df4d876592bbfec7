import type { AnyActorLogic } from 'xstate';
import type { AutoShutdown } from '../machines/restart.ts';
import type { Host } from './host.ts';
import type { Ambient } from './kernel/ambient.ts';
import type { Log } from './log.ts';
import type { ActorSystem, AnyRef, Down, Ref } from './system.ts';

export type { AutoShutdown };

/** What actors say to each other: an XState event. Plain data where it may cross a thread. */
export interface Message {
  readonly type: string;
  readonly [field: string]: unknown;
}

/** What comes of `context.watch`: part of the protocol of an actor that watches others. */
export type DownMessage = { readonly type: 'DOWN' } & Down;

/** The end of a linked actor, told to one that traps exits. */
export type ExitMessage = { readonly type: 'EXIT' } & Down;

/** Any type of message an actor can be declared with, interfaces included. */
export interface AnyMessage {
  readonly type: string;
}

/**
 * A message that is answered: `reply` is there where it was asked, and not where it was only sent. It may be called
 * later than in the step that handles the message; only the first call counts.
 *
 *     type Counter = { type: 'ADD'; by: number } | Question<{ type: 'READ' }, number>;
 */
export type Question<Event extends AnyMessage, Reply> = Event & { readonly reply?: (value: Reply) => void };

/** What a question is answered with. */
export type ReplyOf<Event> = Event extends { readonly reply?: (value: infer Reply) => void } ? Reply : never;

/** A protocol that names its messages; otherwise anything may be asked, and the answer is unknown. */
type IsNamed<M extends AnyMessage> = string extends M['type'] ? false : true;

/** The types of a protocol's questions. */
export type AskedType<M extends AnyMessage> =
  IsNamed<M> extends false
    ? string
    : M extends { readonly reply?: (value: never) => void }
      ? M['type']
      : never;

/** A question of a type, as it is asked: without its `reply`. */
export type Asked<M extends AnyMessage, Type extends string> =
  IsNamed<M> extends false ? Message : Omit<Extract<M, { readonly type: Type }>, 'reply'>;

/** The answer to a question of a type. */
export type ReplyTo<M extends AnyMessage, Type extends string> =
  IsNamed<M> extends false ? unknown : ReplyOf<Extract<M, { readonly type: Type }>>;

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

declare const NOTHING_TO_DO: unique symbol;

/** The type of IGNORE. A unique symbol would not do: what an async function returns widens it to any symbol. */
export interface Ignore {
  /** For the compiler only: never there. */
  readonly [NOTHING_TO_DO]: true;
}

/** What a start returns that has nothing to do: no failure, and no actor (OTP's `ignore`). */
export const IGNORE: Ignore = Symbol('magmobo.ignore') as unknown as Ignore; // nothing is ever read from it

/** A function over state on the kernel, without an XState actor of its own. */
export interface LightLogic<State, M extends AnyMessage = Message, Input = unknown> {
  init(input: Input, context: StartContext): State | Ignore;
  /** In place of `init` where a state was carried over; absent: it is taken as it is. */
  resume?(state: State, context: StartContext): State;
  /** Returns the next state. Throwing crashes the actor. */
  receive(state: State, message: M, context: ActorContext<M>): State;
  stop?(state: State): void;
}

/**
 * What becomes of an actor's state when it is restarted, replaced or moved. `last` carries over the state that the last
 * handled message left; `last_valid` the last one of which `valid` held.
 */
export interface StateOptions<State = unknown> {
  readonly keep: 'last' | 'last_valid';
  /** Of the state's shape; a state of an older one goes through the migrations, one of a newer one is given up. */
  readonly version: number;
  /** From the version that is the key to the next one: each declares the shape that its version had. */
  readonly migrate?: Readonly<Record<number, (state: never) => unknown>>;
  /** Asked after each message under `last_valid`, and of every state that is carried over. A throw means no. */
  valid?(state: State): boolean;
}

/** What an actor's code is handed. Ends with its incarnation. `M`: the messages that the actor takes. */
export interface ActorContext<M extends AnyMessage = Message> {
  readonly system: ActorSystem;
  readonly self: Ref<M>;
  readonly host: Host;
  readonly log: Log;
  /** Aborted when this incarnation ends. */
  readonly signal: AbortSignal;
  /** What came with the message that is being handled; null where nothing did. */
  readonly ambient: Ambient | null;
  /**
   * Has the end of another actor told as the message `{type: 'DOWN', address, path, reason}`, once. Ends with this
   * incarnation, as OTP's monitors do. Returns how to end it before.
   */
  watch(ref: AnyRef): () => void;
  /** Crashes this incarnation from outside a message: a resource it owns died. */
  fail(error: unknown): void;
  /** Ends this incarnation orderly once what is in its mailbox is handled: a transient actor has done its work. */
  finish(): void;
}

/**
 * The context of a start. The compiler comes to it before it knows the messages that `receive` takes, and would settle
 * on those named here: so `self` goes for any there.
 */
// biome-ignore lint/suspicious/noExplicitAny: see above
export type StartContext = ActorContext<any>;

export interface ComponentContext extends ActorContext {
  /** Shown in the tree and /readyz; null means healthy again. */
  degraded(detail: string | null): void;
}

/** A running component. Everything in it is optional. `M`: the messages it takes. */
export interface ComponentService<M extends AnyMessage = Message> {
  /** Offered to the same thread: `system.service(name)` gives it while the component runs. */
  readonly api?: object;
  /** Pid of the child process it owns, null while there is none: the tree then shows it as that process. */
  readonly process?: () => number | null;
  /** Answers messages; the value (or what its promise gives) answers an ask. A throw or rejection answers the ask
   * with that error and does not crash the component; call `context.fail` for that. */
  handle?(message: M): unknown;
  /** Called every few seconds; a rejection counts as a crash after it failed twice. */
  health?(): Promise<void>;
  /** Stop taking new work and finish what is in flight. */
  drain?(): Promise<void>;
  /** Free everything. Called once, also after a crash. */
  stop?(): Promise<void>;
}

/** What a component's start gives, now or later. */
export type Starting<M extends AnyMessage = Message> =
  | Promise<ComponentService<M> | Ignore>
  | ComponentService<M>
  | Ignore;

export type Behaviour =
  | {
      readonly kind: 'supervisor';
      readonly strategy: Strategy;
      readonly intensity?: Intensity;
      readonly autoShutdown?: AutoShutdown;
      readonly children: readonly ChildSpec[];
    }
  | {
      readonly kind: 'component';
      readonly start: (context: ComponentContext) => Starting;
    }
  /** An input that is a function is called with the actor's context, for each incarnation. */
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

/** How a supervisor starts, restarts and stops one child; what every kind of child may set. */
export interface ChildOptions<State = unknown> {
  /** Default permanent. */
  readonly restart?: RestartType;
  /** Default LIMITS.shutdownMs; infinity for supervisors. */
  readonly shutdown?: Shutdown;
  /** Its clean end counts for its supervisor's auto shutdown. */
  readonly significant?: boolean;
  /** Default: fresh. */
  readonly state?: 'fresh' | StateOptions<State>;
  /** A unique name, held by each incarnation in turn. */
  readonly name?: string;
  /** Groups that each incarnation joins. */
  readonly groups?: readonly string[];
  /** A linked actor's end comes as the message `{type: 'EXIT', address, path, reason}`, in place of ending this one. */
  readonly trapExit?: boolean;
  readonly mailbox?: MailboxOptions;
  /** Absent: an immediate restart within the intensity. */
  readonly backoff?: Backoff;
  /** How long a start may take until it is ready; default LIMITS.startTimeoutMs. */
  readonly startTimeout?: number;
}

/**
 * `M`, but nothing to infer it from: a list of children, which takes any protocol, must not decide it. TypeScript's own
 * NoInfer would stay around a union, whose members could then not be told apart.
 */
export type Settled<M> = [M][M extends unknown ? 0 : never];

/** Options, which may be left out unless they have to give the input. */
export type WithInput<Options, Input> = undefined extends Input
  ? [options?: Options & { readonly input?: Input }]
  : [options: Options & { readonly input: Input }];

/** The messages of a child, where it tells them; otherwise any. */
export type ProtocolOf<M extends AnyMessage> = [M] extends [never] ? Message : M;

declare const PROTOCOL: unique symbol;

/** One child of a supervisor. `M`: the messages it takes; by default not told, so that a list holds any. */
export interface ChildSpec<M extends AnyMessage = never> extends ChildOptions {
  /** For the compiler only: never there. A method, so that a child of any protocol fits a list of children. */
  [PROTOCOL]?(message: M): void;
  /** Unique among its siblings; its path is its supervisor's, a slash and this. */
  readonly id: string;
  readonly behaviour: Behaviour;
}
