import { describeError } from '../errors.ts';
import type { ActorNode } from '../protocol/actor-node.ts';
import type { Cell, CellOwner } from './cell.ts';
import type { Core } from './core.ts';
import { kindOf } from './kind.ts';
import type { ChildSpec } from './spec.ts';

/** A restart that is under way for a child and its group. */
export interface Repair {
  cancelled: boolean;
  /** Ends the wait before the next try. */
  hurry: () => void;
}

/** Who is told of a child's ends. */
export interface Parent {
  childEnded(child: Child, cell: Cell): void;
}

/** One child as its supervisor knows it, over all its incarnations. */
export class Child implements CellOwner {
  readonly spec: ChildSpec;
  readonly path: string;
  cell: Cell | null = null;
  restarts = 0;
  /** The last backoff delay, milliseconds. */
  delay = 0;
  /** How long its last incarnation ran, milliseconds. */
  ranFor = 0;
  /** Part of a restart that is under way: its end is no news. */
  repair: Repair | null = null;
  /** Being started or stopped by its supervisor: its end is no news either. */
  managed = false;
  phase: 'idle' | 'up' | 'restarting' | 'stopped' | 'failed' = 'idle';
  /** On the host's monotonic clock. */
  #since: number;
  #incarnation = 0;
  readonly #parent: Parent;
  #error: unknown = undefined;

  constructor(spec: ChildSpec, path: string, since: number, parent: Parent) {
    this.spec = spec;
    this.path = path;
    this.#since = since;
    this.#parent = parent;
  }

  get lastError(): string | null {
    return this.#error === undefined ? null : describeError(this.#error);
  }

  set error(error: unknown) {
    this.#error = error;
  }

  remember(cell: Cell): void {
    this.#since = cell.startedAt;
    this.#incarnation = cell.incarnation;
    if (cell.error !== undefined) this.#error = cell.error;
  }

  cellEnded(cell: Cell): void {
    this.#parent.childEnded(this, cell);
  }

  /** Its node while no incarnation of it is there. */
  vacancy(core: Core): ActorNode {
    const status =
      this.phase === 'restarting' ? 'restarting' : this.phase === 'failed' ? 'failed' : 'stopped';
    return {
      path: this.path,
      name: this.spec.id,
      kind: kindOf(this.spec),
      state: this.repair === null ? status : 'backing_off',
      status: this.phase === 'idle' ? 'starting' : status,
      restarts: this.restarts,
      mailbox: { depth: 0, capacity: this.spec.mailbox?.capacity ?? 0, dropped: 0 },
      placement: { thread: core.node, process: core.pid, node: core.node },
      since: new Date(core.host.wallTime() - core.host.now() + this.#since).toISOString(),
      lastError: this.lastError,
      handled: 0,
      incarnation: this.#incarnation,
      children: [],
    };
  }
}
