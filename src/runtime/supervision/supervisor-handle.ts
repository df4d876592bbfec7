import type { ActorNode } from '../../protocol/actor-node.ts';
import type { AnyMessage, ChildSpec, ProtocolOf, RestartType, Shutdown } from '../spec.ts';
import type { Ref } from '../system.ts';

/** One child as its supervisor lists it. */
export interface ChildInfo {
  readonly id: string;
  readonly kind: ActorNode['kind'];
  /** `failed`: stopped, and its last incarnation failed. */
  readonly status: 'starting' | 'running' | 'stopping' | 'restarting' | 'stopped' | 'failed';
  /** Null while no incarnation of it is ready. */
  readonly ref: Ref | null;
  readonly restart: RestartType;
  readonly significant: boolean;
  readonly restarts: number;
  /** What ended its last incarnation that failed. */
  readonly lastError: string | null;
}

/** How many children a supervisor lists, how many are ready, and of which kind those listed are. */
export interface ChildCount {
  readonly specs: number;
  readonly active: number;
  readonly supervisors: number;
  readonly workers: number;
}

/** A specification with its defaults filled in. */
export type FullChildSpec = ChildSpec & {
  readonly restart: RestartType;
  readonly shutdown: Shutdown;
  readonly significant: boolean;
};

/**
 * What can be asked of a supervisor of this thread (OTP's supervisor module). It is found by its path at each call, so
 * that a handle outlives its restarts; while it is away, and for ids that it does not have, MAG_ACTOR_NOT_FOUND is
 * thrown. None of it burns the restart budget. Between two tries of a failed restart all of it is answered.
 */
export interface SupervisorHandle {
  /**
   * Adds a child after the others, starts it and waits until it is ready. Rejects with MAG_CHILD_SPEC_INVALID (details:
   * the field), MAG_ACTOR_DUPLICATE (details: `already running` or `already present`), or with what ended its start: it
   * is no child then. One that is not needed (IGNORE) gives a reference to nobody.
   */
  startChild<M extends AnyMessage>(spec: ChildSpec<M>): Promise<Ref<ProtocolOf<M>>>;
  /**
   * Stops a child within its limit, or ends its restart. It stays listed, and comes back when its group is restarted;
   * a temporary one, and one of a dynamic supervisor, is forgotten.
   */
  terminateChild(id: string): Promise<void>;
  /** Starts a child that is down. Rejects with MAG_CHILD_RUNNING, MAG_CHILD_RESTARTING, or what ended its start. */
  restartChild(id: string): Promise<Ref>;
  /** Forgets a child that is down. Rejects with MAG_CHILD_RUNNING and MAG_CHILD_RESTARTING. */
  deleteChild(id: string): Promise<void>;
  /**
   * Puts a new specification in the place of the child of the same id: the old incarnation stops, its state goes
   * through the new one's migrations, and what is sent to its slot meanwhile waits. The old one comes back, with its
   * state, where the new one does not start. A child that is down is started; one that is being restarted is started
   * from the new specification at once.
   */
  replaceChild<M extends AnyMessage>(spec: ChildSpec<M>): Promise<Ref<ProtocolOf<M>>>;
  /** In start order. */
  children(): readonly ChildInfo[];
  child(id: string): ChildInfo;
  count(): ChildCount;
  childSpec(id: string): FullChildSpec;
}
