import type { Cell } from '../kernel/cell.ts';
import { shutdownOf } from '../kernel/cell-owner.ts';
import { kindOf } from '../kernel/kind.ts';
import { LocalRef, speaking } from '../kernel/ref.ts';
import type { AnyMessage, ChildSpec, ProtocolOf } from '../spec.ts';
import type { Ref } from '../system.ts';
import type { Child } from './child.ts';
import type { SupervisorActor } from './supervise.ts';
import type { ChildCount, ChildInfo, FullChildSpec, SupervisorHandle } from './supervisor-handle.ts';

const refer = (cell: Cell): Ref => new LocalRef(cell);

/**
 * Starts a child and gives its reference. Not an async function: that would take as much memory as the actor it starts.
 */
export function startUnder<M extends AnyMessage>(
  supervisor: SupervisorActor,
  spec: ChildSpec<M>,
): Promise<Ref<ProtocolOf<M>>> {
  const added = supervisor.manage.add(spec);
  const started = added instanceof Promise ? added.then(refer) : Promise.resolve(refer(added));
  return started as Promise<unknown> as Promise<Ref<ProtocolOf<M>>>; // as `speaking` does
}

/** A supervisor's children, for whoever manages them by hand. */
export class ChildManagement implements SupervisorHandle {
  readonly #find: () => SupervisorActor;

  /** @param find throws MAG_ACTOR_NOT_FOUND */
  constructor(find: () => SupervisorActor) {
    this.#find = find;
  }

  startChild<M extends AnyMessage>(spec: ChildSpec<M>): Promise<Ref<ProtocolOf<M>>> {
    try {
      return startUnder(this.#find(), spec);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  async terminateChild(id: string): Promise<void> {
    await this.#find().manage.terminate(id);
  }

  async restartChild(id: string): Promise<Ref> {
    return new LocalRef(await this.#find().manage.start(id));
  }

  async deleteChild(id: string): Promise<void> {
    this.#find().manage.forget(id);
  }

  async replaceChild<M extends AnyMessage>(spec: ChildSpec<M>): Promise<Ref<ProtocolOf<M>>> {
    return speaking(new LocalRef(await this.#find().manage.replace(spec)));
  }

  children(): readonly ChildInfo[] {
    return Array.from(this.#find().list.all(), describe);
  }

  child(id: string): ChildInfo {
    return describe(this.#find().list.known(id));
  }

  count(): ChildCount {
    const { list } = this.#find();
    let active = 0;
    let supervisors = 0;
    for (const child of list.all()) {
      if (child.ready) active += 1;
      if (child.spec.behaviour.kind === 'supervisor') supervisors += 1;
    }
    return { specs: list.size, active, supervisors, workers: list.size - supervisors };
  }

  childSpec(id: string): FullChildSpec {
    const { spec } = this.#find().list.known(id);
    const { restart = 'permanent', significant = false } = spec;
    return { ...spec, restart, significant, shutdown: shutdownOf(spec) };
  }
}

function statusOf(child: Child): ChildInfo['status'] {
  if (child.repair !== null) return 'restarting';
  if (child.cell !== null) {
    if (child.phase === 'up') return 'running';
    return child.phase === 'starting' ? 'starting' : 'stopping';
  }
  if (child.phase === 'idle') return 'starting';
  return child.phase === 'failed' ? 'failed' : 'stopped';
}

function describe(child: Child): ChildInfo {
  const { spec, cell, restarts, lastError } = child;
  return {
    id: spec.id,
    kind: kindOf(spec),
    status: statusOf(child),
    ref: cell === null || !child.ready ? null : new LocalRef(cell),
    restart: spec.restart ?? 'permanent',
    significant: spec.significant === true,
    restarts,
    lastError,
  };
}
