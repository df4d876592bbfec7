import type { ErrorCode } from '../errors.ts';
import type { LifecycleEvent } from '../protocol/actor-node.ts';
import type { XStateRoot } from './behaviours/xstate-root.ts';
import type { Host } from './host.ts';
import type { Ask } from './kernel/ask.ts';
import type { Carried } from './kernel/carried.ts';
import type { Cell } from './kernel/cell.ts';
import type { CellOwner } from './kernel/cell-owner.ts';
import type { DeadLetters } from './kernel/dead-letters.ts';
import type { Deadlines } from './kernel/deadlines.ts';
import type { Kernel } from './kernel/kernel.ts';
import type { Delivery, Entry } from './kernel/mailbox.ts';
import type { Names } from './kernel/names.ts';
import type { Registry } from './kernel/registry.ts';
import type { Log } from './log.ts';
import type { Arrivals } from './placement/moved.ts';
import type { Remotes } from './placement/remotes.ts';
import type { ChildSpec } from './spec.ts';
import type { ActorSystem, SendResult } from './system.ts';

/** What fills an error's message template. */
export type Parameters = Readonly<Record<string, string | number>>;

/** The parts of one thread's actor system, as its own modules see them. */
export interface Core {
  readonly node: string;
  readonly pid: number;
  readonly host: Host;
  readonly log: Log;
  readonly kernel: Kernel;
  readonly deadlines: Deadlines;
  readonly registry: Registry;
  readonly names: Names;
  readonly carried: Carried;
  readonly arrivals: Arrivals;
  readonly deadLetters: DeadLetters;
  readonly xstate: XStateRoot;
  readonly remotes: Remotes;
  readonly system: ActorSystem;
  /** Whether anybody wants lifecycle events; making them for nobody would cost more than a restart. */
  readonly listening: boolean;
  /** Hands a message to whoever holds its path now; parks it while that is being restarted. */
  deliver(delivery: Delivery): SendResult;
  /** The same, where it may wait for room; `ask` bounds how long, and is resolved with what became of it. */
  offer(delivery: Delivery, ask: Ask): Promise<SendResult>;
  /** Nobody takes it: it goes to the dead letters, and who waits for an answer is told. */
  bury(path: string, entry: Entry, code: ErrorCode, params: Parameters): void;
  /** Makes the next incarnation of a path and begins it. */
  spawn(path: string, spec: ChildSpec, restarts: number, owner: CellOwner): Cell;
  emit(event: LifecycleEvent): void;
}
