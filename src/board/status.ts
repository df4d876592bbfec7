import type { BoardState } from '../actors/bios/boot-status.ts';
import type { LifecycleEvent } from '../protocol/actor-node.ts';
import type { ComponentHealth } from '../protocol/board-status.ts';
import type { ActorSystem } from '../runtime/system.ts';

/** What a slot's own life says of it. */
const OWN: Readonly<Partial<Record<LifecycleEvent['type'], ComponentHealth['status']>>> = {
  ready: 'healthy',
  failed: 'restarting',
  backing_off: 'restarting',
  escalated: 'failed',
  stopped: 'stopped',
};

/**
 * Health of the board's slots after boot, from the lives of their actors: a slot is what its own actor is, and
 * degraded while a part below it is down or cannot do its work.
 */
export class SlotHealth {
  readonly #state: BoardState;
  /** Actor path → name of its boot component. */
  readonly #slots: ReadonlyMap<string, string>;
  /** Slot's path → path of each part below it that is down → why. */
  readonly #broken = new Map<string, Map<string, string>>();

  constructor(state: BoardState, slots: ReadonlyMap<string, string>) {
    this.#state = state;
    this.#slots = slots;
  }

  follow(system: ActorSystem): () => void {
    return system.onLifecycle((event) => this.#hear(event));
  }

  /** A part below a slot runs and cannot do its work, or (null) can again. */
  note(path: string, problem: string | null): void {
    const slot = this.#slotAbove(path);
    if (slot === undefined) return;
    const broken = this.#broken.get(slot) ?? new Map<string, string>();
    this.#broken.set(slot, broken);
    if (problem === null && !broken.delete(path)) return;
    if (problem !== null) broken.set(path, problem);
    this.#reportParts(slot, broken);
  }

  #hear({ type, path, reason }: LifecycleEvent): void {
    const name = this.#slots.get(path);
    if (name === undefined) {
      // Only a part that is to come back says so: the end of any other is no news for its slot.
      if (type === 'backing_off') this.note(path, `it is being restarted: ${reason ?? 'no reason given'}`);
      if (type === 'ready' || type === 'stopped') this.note(path, null);
      return;
    }
    const status = OWN[type];
    if (status === undefined) return;
    // What was below it is gone or made anew.
    this.#broken.delete(path);
    this.#state.report(name, status, status === 'healthy' ? null : reason);
  }

  #reportParts(slot: string, broken: ReadonlyMap<string, string>): void {
    const name = this.#slots.get(slot) ?? '';
    const known = this.#state.status().components.find((component) => component.name === name);
    // Where the slot itself is down, that says more.
    if (known?.status !== 'healthy' && known?.status !== 'degraded') return;
    const detail = [...broken].map(([path, why]) => `${path}: ${why}`).join('; ');
    this.#state.report(name, detail === '' ? 'healthy' : 'degraded', detail === '' ? null : detail);
  }

  #slotAbove(path: string): string | undefined {
    for (const slot of this.#slots.keys()) if (path.startsWith(`${slot}/`)) return slot;
    return undefined;
  }
}
