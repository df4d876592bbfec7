import type { LifecycleEvent } from '../protocol/actor-node.ts';
import type { Cell } from './cell.ts';
import type { DeadLetters } from './dead-letters.ts';
import type { Host } from './host.ts';
import type { Kernel } from './kernel.ts';
import type { Log } from './log.ts';
import type { Delivery } from './mailbox.ts';
import type { Registry } from './registry.ts';
import type { Remotes } from './remotes.ts';
import type { ChildSpec } from './spec.ts';
import type { ActorSystem, SendResult } from './system.ts';
import type { XStateRoot } from './xstate-root.ts';

/** The parts of one thread's actor system, as its own modules see them. */
export interface Core {
  readonly node: string;
  readonly pid: number;
  readonly host: Host;
  readonly log: Log;
  readonly kernel: Kernel;
  readonly registry: Registry;
  readonly deadLetters: DeadLetters;
  readonly xstate: XStateRoot;
  readonly remotes: Remotes;
  readonly system: ActorSystem;
  /** Hands a message to whoever holds its path now; parks it while that is being restarted. */
  deliver(delivery: Delivery): SendResult;
  /** Hands a message to one incarnation. */
  post(cell: Cell, delivery: Delivery): SendResult;
  /** Makes the next incarnation of a path and begins it. */
  spawn(path: string, spec: ChildSpec, options: SpawnCell): Cell;
  emit(event: LifecycleEvent): void;
}

export interface SpawnCell {
  readonly restarts: number;
  readonly onEnd: (cell: Cell) => void;
}
