import type { ActorNode } from '../protocol/actor-node.ts';
import { type Cell, kindOf } from './cell.ts';
import type { Core } from './core.ts';
import type { ChildSpec } from './spec.ts';

/** A restart that is under way for a child and its group. */
export interface Repair {
  cancelled: boolean;
  /** Ends the wait before the next try. */
  hurry: () => void;
}

/** One child as its supervisor knows it, over all its incarnations. */
export class Child {
  readonly spec: ChildSpec;
  readonly path: string;
  cell: Cell | null = null;
  restarts = 0;
  /** The last backoff delay, milliseconds. */
  delay = 0;
  /** How long its last incarnation ran, milliseconds. */
  ranFor = 0;
  lastError: string | null = null;
  /** Part of a restart that is under way: its end is no news. */
  repair: Repair | null = null;
  /** Being started or stopped by its supervisor: its end is no news either. */
  managed = false;
  phase: 'idle' | 'up' | 'restarting' | 'stopped' | 'failed' = 'idle';
  #since: string;
  #incarnation = 0;

  constructor(spec: ChildSpec, path: string, since: string) {
    this.spec = spec;
    this.path = path;
    this.#since = since;
  }

  remember(cell: Cell): void {
    this.#since = cell.since;
    this.#incarnation = cell.incarnation;
    if (cell.lastError !== null) this.lastError = cell.lastError;
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
      since: this.#since,
      lastError: this.lastError,
      handled: 0,
      incarnation: this.#incarnation,
      children: [],
    };
  }
}
