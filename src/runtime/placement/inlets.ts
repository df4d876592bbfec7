import { LIMITS } from '../../limits.ts';
import type { Core } from '../core.ts';
import type { Down } from '../system.ts';
import type { Frame } from './frame.ts';
import { Inlet, type InletGround } from './inlet.ts';
import { toWireDown } from './wire-down.ts';

/** The targets that one end of a link receives for, and the credit that goes back for what they took. */
export class Inlets implements InletGround {
  readonly core: Core;
  readonly #frame: (frame: Frame) => void;
  readonly #inlets = new Map<number, Inlet>();
  /** What came last most often comes next, too. */
  #last: Inlet | null = null;
  /** Received since the last credit. */
  #received = 0;
  /** Taken since the last credit: inlets that have credit to give. */
  readonly #due = new Set<Inlet>();

  constructor(core: Core, frame: (frame: Frame) => void) {
    this.core = core;
    this.#frame = frame;
  }

  open(id: number, path: string, bound: 'late' | 'now' | number): void {
    this.#last = null;
    this.#inlets.set(id, new Inlet(this, id, path, bound));
  }

  find(id: number): Inlet | undefined {
    if (this.#last?.id === id) return this.#last;
    const found = this.#inlets.get(id);
    if (found !== undefined) this.#last = found;
    return found;
  }

  forget(id: number): void {
    this.#last = null;
    this.#inlets.get(id)?.close();
    this.#inlets.delete(id);
  }

  /** The end of the link: actors outlive it, and must not keep listeners for it. */
  close(): void {
    for (const inlet of this.#inlets.values()) inlet.close();
    this.#inlets.clear();
    this.#last = null;
    this.#due.clear();
  }

  /** Counts a message of the whole link, whatever became of it. */
  received(): void {
    this.#received += 1;
    if (this.#received >= LIMITS.linkWindow / 4) this.#credit();
  }

  credit(inlet: Inlet): void {
    this.#due.add(inlet);
    this.#credit();
  }

  window({ id }: Inlet, size: number, waits: boolean, incarnation: number | null): void {
    this.#frame({ kind: 'window', target: id, size: Math.min(size, LIMITS.linkWindow), waits, incarnation });
  }

  gone({ id }: Inlet, down: Down): void {
    this.#frame({ kind: 'gone', target: id, down: toWireDown(down) });
  }

  #credit(): void {
    const taken: number[] = [];
    for (const inlet of this.#due) {
      taken.push(inlet.id, inlet.taken);
      inlet.taken = 0;
    }
    this.#due.clear();
    this.#frame({ kind: 'credit', received: this.#received, taken });
    this.#received = 0;
  }
}
