import type { ActorNode } from '../protocol/actor-node.ts';
import type { AnyMessage, ChildSpec, ProtocolOf, RestartType } from './spec.ts';
import type { Ref } from './system.ts';

/** One child as its supervisor lists it. */
export interface ChildInfo {
  readonly id: string;
  readonly kind: ActorNode['kind'];
  readonly status: 'starting' | 'running' | 'stopping' | 'restarting' | 'stopped' | 'failed';
  /** Null while no incarnation of it runs. */
  readonly ref: Ref | null;
  readonly restart: RestartType;
  readonly significant: boolean;
  readonly restarts: number;
}

export interface ChildCount {
  readonly specs: number;
  readonly active: number;
  readonly supervisors: number;
  readonly workers: number;
}

/** What can be asked of a supervisor (OTP's supervisor module). Ids that it does not have throw MAG_ACTOR_NOT_FOUND. */
export interface SupervisorHandle {
  /** Adds a child, starts it and waits until it is ready. Throws MAG_ACTOR_DUPLICATE and the child's start failure. */
  startChild<M extends AnyMessage>(spec: ChildSpec<M>): Promise<Ref<ProtocolOf<M>>>;
  /** Stops a child and keeps its specification (a temporary one is forgotten). */
  terminateChild(id: string): Promise<void>;
  /** Starts a child that is down. Throws MAG_CHILD_RUNNING, MAG_CHILD_RESTARTING and the child's start failure. */
  restartChild(id: string): Promise<Ref>;
  /** Forgets a child that is down. Throws MAG_CHILD_RUNNING and MAG_CHILD_RESTARTING. */
  deleteChild(id: string): Promise<void>;
  /**
   * Puts a new specification in the place of the child of the same id: the old incarnation stops, its state goes
   * through the new one's migrations, and what is sent to its slot meanwhile waits. The old one comes back where the
   * new one does not start.
   */
  replaceChild<M extends AnyMessage>(spec: ChildSpec<M>): Promise<Ref<ProtocolOf<M>>>;
  /** In start order. */
  children(): readonly ChildInfo[];
  count(): ChildCount;
  childSpec(id: string): ChildSpec;
}
