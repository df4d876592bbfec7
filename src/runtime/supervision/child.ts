import { describeError } from '../../errors.ts';
import type { ActorNode } from '../../protocol/actor-node.ts';
import type { Core } from '../core.ts';
import type { Cell } from '../kernel/cell.ts';
import { type CellOwner, limitLeaving } from '../kernel/cell-owner.ts';
import type { Exit } from '../kernel/exit.ts';
import { kindOf } from '../kernel/kind.ts';
import type { ChildSpec } from '../spec.ts';
import type { Turn } from './turn.ts';

/** A restart that is under way for a child, and for its group where it has one. */
export interface Repair {
  /** Whose end it began with. */
  readonly failed: Child;
  /** Nobody's end began it: whoever plans it starts the child. */
  readonly planned: boolean;
  stage: 'idle' | 'waiting' | 'restarting' | 'over';
  /** Taken over by another one, or no longer wanted. */
  cancelled: boolean;
  /** Ends the wait before the next try. */
  hurry: () => void;
  /** Told when it is over, whatever came of it. */
  onOver: () => void;
}

export const newRepair = (failed: Child, planned = false): Repair => ({
  failed,
  planned,
  stage: 'idle',
  cancelled: false,
  hurry: () => {},
  onOver: () => {},
});

/** What is known of a child that failed before; most never do. */
interface Trouble {
  /** The last backoff delay, milliseconds. */
  delay: number;
  /** How long its last incarnation ran, milliseconds. */
  ranFor: number;
  /** What ended its last incarnation that failed. */
  error: unknown;
  /** Its last start failed: the next try leaves the event loop a turn. */
  startFailed: boolean;
}

/**
 * Where it stands with its supervisor. The end of one that is `starting` or `stopping` is no news: who starts or
 * stops it waits for that.
 */
type Phase = 'idle' | 'starting' | 'up' | 'stopping' | 'down' | 'failed';

/** Who is told of a child's ends. */
export interface Parent {
  cellEnded(child: Child, cell: Cell): void;
}

/** One child as its supervisor knows it, over all its incarnations. There may be a hundred thousand: it is kept small. */
export class Child implements CellOwner {
  spec: ChildSpec;
  readonly path: string;
  cell: Cell | null = null;
  phase: Phase = 'idle';
  restarts = 0;
  /** Stopped by an operator: a restart of its group leaves it away. */
  held = false;
  repair: Repair | null = null;
  trouble: Trouble | null = null;
  /** Operations on it alone, one after the other; made when there is one. */
  turn: Turn | null = null;
  /** Told when the incarnation that is being stopped has ended. */
  onStopped: (() => void) | null = null;
  /** Of its last incarnation, once that has ended. */
  #since: number | null = null;
  #incarnation = 0;

  readonly #parent: Parent;

  constructor(spec: ChildSpec, path: string, parent: Parent) {
    this.#parent = parent;
    this.spec = spec;
    this.path = path;
  }

  get lastError(): string | null {
    const error = this.trouble?.error;
    return error === undefined ? null : describeError(error);
  }

  /** It takes messages. */
  get ready(): boolean {
    return this.phase === 'up' && this.cell?.live === true;
  }

  /** It is there, or on its way. */
  get active(): boolean {
    return this.cell !== null || this.repair !== null;
  }

  troubled(): Trouble {
    this.trouble ??= { delay: 0, ranFor: 0, error: undefined, startFailed: false };
    return this.trouble;
  }

  /** Keeps of an incarnation that ended what the tree shows of it. */
  remember(cell: Cell): void {
    this.#since = cell.startedAt;
    this.#incarnation = cell.incarnation;
    if (cell.error !== undefined) this.troubled().error = cell.error;
  }

  cellBegins(cell: Cell): void {
    this.cell = cell;
  }

  cellEnded(cell: Cell): void {
    this.#parent.cellEnded(this, cell);
  }

  cellLeaving(cell: Cell, exit: Exit): void {
    // Who stops it holds it to its limit already.
    if (this.phase !== 'stopping') limitLeaving(cell, exit);
  }

  /** Its node while no incarnation of it is there. */
  vacancy(core: Core): ActorNode {
    const away = this.phase === 'failed' ? 'failed' : 'stopped';
    const status = this.repair === null ? away : 'restarting';
    return {
      path: this.path,
      name: this.spec.id,
      kind: kindOf(this.spec),
      state: this.repair === null ? status : 'backing_off',
      status: this.phase === 'idle' && this.repair === null ? 'starting' : status,
      restarts: this.restarts,
      mailbox: { depth: 0, capacity: this.spec.mailbox?.capacity ?? 0, dropped: 0 },
      placement: { thread: core.node, process: core.pid, node: core.node },
      since: new Date(
        core.host.wallTime() - core.host.now() + (this.#since ?? core.host.now()),
      ).toISOString(),
      lastError: this.lastError,
      handled: 0,
      incarnation: this.#incarnation,
      children: [],
    };
  }
}

/** Its start takes no time: a restart needs no state of the chart. */
export const isQuick = (child: Child): boolean =>
  child.spec.behaviour.kind === 'light' || child.spec.behaviour.kind === 'machine';
