import type { ActorNode } from '../../protocol/actor-node.ts';
import type { Ask } from '../kernel/ask.ts';
import type { Delivery } from '../kernel/mailbox.ts';
import type { Message } from '../spec.ts';
import type { SendResult } from '../system.ts';

/**
 * What one kind of behaviour does inside a cell. The cell calls `start` once, then exactly one of `stop`, `abandon`
 * or `kill` — or `stop` and then `kill`, when its shutdown limit has passed.
 */
export interface Actor {
  /** Resolves when it is ready; a throw or rejection is a failed start. */
  start(): Promise<void> | void;
  /** Handles one message, with what came along with it where something did. A throw crashes the actor. */
  receive(message: Message, delivery: Delivery | null): void;
  /** Ends it orderly; resolves when all is freed. */
  stop(reason: string): Promise<void> | void;
  /** It crashed: frees what it holds, within a bound of its own. */
  abandon(error: unknown): Promise<void> | void;
  /** Frees at once what can be freed at once. */
  kill(): void;
  /** The state that the next incarnation may take over; null where there is none. */
  snapshot?(): { readonly state: unknown } | null;
  /** The state as it is, for a move to another thread; null where there is none. */
  capture?(): { readonly value: unknown } | null;
  /** The statechart's state value as text. */
  state(): string;
  /** Children for the tree. */
  children?(): Promise<readonly ActorNode[]>;
  /** What a subtree elsewhere says of itself: replaces the cell's own figures. */
  overlay?(): Promise<Partial<ActorNode>>;
  pause?(paused: boolean): void;
  /** Passes a message on at once, past the mailbox; null where it has to wait there. Throws what the sender should see. */
  forward?(delivery: Delivery): SendResult | null;
  /** The same for a message or a binary record with nothing that goes with it: no Delivery has to be made for it. */
  pass?(message: Message | Uint8Array): SendResult | null;
  /** The same for an offer, which waits for room where it lives. */
  forwardWhenRoom?(delivery: Delivery, ask: Ask): Promise<SendResult> | null;
}
