import type { Child } from './child.ts';
import { kindOf } from './kind.ts';
import { LocalRef, speaking } from './ref.ts';
import type { AnyMessage, ChildSpec, ProtocolOf } from './spec.ts';
import type { SupervisorActor } from './supervise.ts';
import type { ChildCount, ChildInfo, SupervisorHandle } from './supervisor-handle.ts';
import type { Ref } from './system.ts';

/** A supervisor's children, for whoever manages them by hand. */
export class ChildManagement implements SupervisorHandle {
  readonly #supervisor: SupervisorActor;

  constructor(supervisor: SupervisorActor) {
    this.#supervisor = supervisor;
  }

  async startChild<M extends AnyMessage>(spec: ChildSpec<M>): Promise<Ref<ProtocolOf<M>>> {
    return speaking(new LocalRef(await this.#supervisor.addChild(spec)));
  }

  async terminateChild(id: string): Promise<void> {
    const temporary = this.#supervisor.known(id).spec.restart === 'temporary';
    await (temporary ? this.#supervisor.removeChild(id) : this.#supervisor.holdChild(id));
  }

  async restartChild(id: string): Promise<Ref> {
    return new LocalRef(await this.#supervisor.resumeChild(id));
  }

  async deleteChild(id: string): Promise<void> {
    this.#supervisor.forgetChild(id);
  }

  async replaceChild<M extends AnyMessage>(spec: ChildSpec<M>): Promise<Ref<ProtocolOf<M>>> {
    return speaking(new LocalRef(await this.#supervisor.replaceChild(spec)));
  }

  children(): readonly ChildInfo[] {
    return [...this.#supervisor.list()].map(describe);
  }

  count(): ChildCount {
    const children = [...this.#supervisor.list()];
    const supervisors = children.filter((child) => child.spec.behaviour.kind === 'supervisor').length;
    return {
      specs: children.length,
      active: children.filter((child) => child.cell?.live === true).length,
      supervisors,
      workers: children.length - supervisors,
    };
  }

  childSpec(id: string): ChildSpec {
    return this.#supervisor.known(id).spec;
  }
}

function describe(child: Child): ChildInfo {
  const { spec, cell } = child;
  return {
    id: spec.id,
    kind: kindOf(spec),
    status:
      cell !== null ? cell.status : child.phase === 'up' || child.phase === 'idle' ? 'stopped' : child.phase,
    ref: cell === null ? null : new LocalRef(cell),
    restart: spec.restart ?? 'permanent',
    significant: spec.significant === true,
    restarts: child.restarts,
  };
}
