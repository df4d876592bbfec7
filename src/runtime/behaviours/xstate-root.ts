import {
  type ActorLogic,
  type AnyActorLogic,
  type AnyActorRef,
  type AnyEventObject,
  createActor,
  type Snapshot,
  type ActorSystem as XStateSystem,
} from 'xstate';
import type { Host, Timer } from '../host.ts';

/** What becomes of a machine: its output, or the error that ended it. */
export interface MachineEnd {
  done(): void;
  failed(error: unknown): void;
}

type RootLogic = ActorLogic<Snapshot<undefined>, AnyEventObject, undefined, XStateSystem<never>>;

/** XState's `after` delays and `delay` actions on the host's clock. */
function hostClock(host: Host): {
  setTimeout(fn: () => void, ms: number): unknown;
  clearTimeout(id: unknown): void;
} {
  return {
    setTimeout: (callback, ms) => host.setTimer(ms, callback),
    clearTimeout: (timer) => {
      if (timer !== undefined && timer !== null) host.clearTimer(timer as Timer); // only setTimeout above makes them
    },
  };
}

/**
 * The parent of every machine of a thread, so that they share one XState system (an own root each costs twice the
 * memory). XState tells a parent when a child is done or has failed; here that becomes the end of its actor.
 */
export class XStateRoot {
  readonly #ends = new Map<string, MachineEnd>();
  readonly #root: AnyActorRef;
  readonly #orphan: (event: AnyEventObject) => void;

  /** @param orphan told of events that machines send to their parent: there is no receiver for them */
  constructor(host: Host, orphan: (event: AnyEventObject) => void) {
    this.#orphan = orphan;
    const idle: Snapshot<undefined> = { status: 'active', output: undefined, error: undefined };
    const logic: RootLogic = {
      transition: (snapshot, event) => {
        this.#receive(event);
        return snapshot;
      },
      getInitialSnapshot: () => idle,
      getPersistedSnapshot: (snapshot) => snapshot,
    };
    const root = createActor(logic, { id: 'magmobo', clock: hostClock(host) });
    root.start();
    this.#root = root;
  }

  /**
   * Creates a machine under the root, not started yet. `id` must be unique in the thread; `snapshot` is one that the
   * logic persisted.
   */
  create(logic: AnyActorLogic, id: string, input: unknown, end: MachineEnd, snapshot?: unknown): AnyActorRef {
    const parent = this.#root;
    const actor =
      snapshot === undefined
        ? createActor(logic, { id, input, parent })
        : createActor(logic, { id, input, parent, snapshot: snapshot as Snapshot<unknown> }); // see above
    this.#ends.set(id, end);
    return actor;
  }

  /**
   * Stops a machine and what it spawned. XState lets only a parent stop a child, so this uses its private `_stop`
   * (xstate is pinned, and a test holds this seam). A machine that threw leaves its children running: they are
   * stopped here too.
   */
  stop(actor: AnyActorRef): void {
    this.#ends.delete(actor.id);
    (actor as unknown as { _stop(): void })._stop(); // the private seam described above
    const snapshot: unknown = actor.getSnapshot();
    if (!isWithChildren(snapshot)) return;
    for (const child of Object.values(snapshot.children)) if (child !== undefined) this.stop(child);
  }

  #receive(event: AnyEventObject): void {
    const id: unknown = event.actorId;
    const end = typeof id === 'string' ? this.#ends.get(id) : undefined;
    const done = event.type.startsWith('xstate.done.actor.');
    if (
      typeof id !== 'string' ||
      end === undefined ||
      !(done || event.type.startsWith('xstate.error.actor.'))
    ) {
      this.#orphan(event);
      return;
    }
    this.#ends.delete(id);
    if (done) end.done();
    else end.failed(event.error);
  }
}

function isWithChildren(
  snapshot: unknown,
): snapshot is { readonly children: Readonly<Record<string, AnyActorRef | undefined>> } {
  return (
    typeof snapshot === 'object' &&
    snapshot !== null &&
    'children' in snapshot &&
    typeof snapshot.children === 'object' &&
    snapshot.children !== null
  );
}

/** A statechart's value as text: `open`, `up.backing_off`, `a.b & c.d` where regions are parallel. */
export function stateText(value: unknown): string {
  if (typeof value === 'string') return value;
  if (typeof value !== 'object' || value === null) return 'running';
  return Object.entries(value)
    .map(([name, inner]) => {
      const rest = stateText(inner);
      return rest === '' || (rest === 'running' && typeof inner !== 'string') ? name : `${name}.${rest}`;
    })
    .join(' & ');
}
