import { LIMITS } from '../../limits.ts';
import { isWithin } from '../kernel/registry.ts';
import type { Down } from '../system.ts';
import type { Frame } from './frame.ts';
import type { Link } from './link.ts';
import { Outlet } from './outlet.ts';

/** The targets that one end of a link sends to, by number and by path. */
export class Outlets {
  readonly #link: Link;
  readonly #frame: (frame: Frame) => void;
  readonly #byId = new Map<number, Outlet>();
  readonly #late = new Map<string, Outlet>();
  readonly #bound = new Map<string, Outlet>();
  #next = 1;

  constructor(link: Link, frame: (frame: Frame) => void) {
    this.#link = link;
    this.#frame = frame;
  }

  /** Whoever holds the path when a message arrives. */
  late(path: string): Outlet {
    const known = this.#late.get(path);
    if (known !== undefined) return known;
    const outlet = new Outlet(this.#link, path, true, null);
    this.#late.set(path, outlet);
    return outlet;
  }

  /** The incarnation that holds the path when this arrives, which is before anything that is sent to it. */
  bound(path: string, incarnation: number | null): Outlet {
    const known = this.#bound.get(path);
    const same = incarnation === null || known?.incarnation === incarnation;
    if (known !== undefined && known.down === null && same) return known;
    const outlet = new Outlet(this.#link, path, false, incarnation);
    this.#bound.set(path, outlet);
    this.open(outlet);
    return outlet;
  }

  find(id: number): Outlet | undefined {
    return this.#byId.get(id);
  }

  /** Tells the other end what the number stands for, before the first message that bears it. */
  open(outlet: Outlet): void {
    if (this.#byId.size >= LIMITS.portTargets) this.#forgetOne();
    outlet.id = this.#next++;
    this.#byId.set(outlet.id, outlet);
    const bound = outlet.late ? 'late' : (outlet.incarnation ?? 'now');
    this.#frame({ kind: 'open', target: outlet.id, path: outlet.path, bound });
  }

  gone(id: number, down: Down): void {
    const outlet = this.#byId.get(id);
    this.#frame({ kind: 'forget', target: id });
    if (outlet === undefined) return;
    this.#byId.delete(id);
    if (this.#bound.get(outlet.path) === outlet) this.#bound.delete(outlet.path);
    outlet.end(down);
  }

  /** Another link leads to the same actors: references, who watches and who waits go with it. */
  moveTo(link: Link, to: Outlets, root: string, resting: boolean): void {
    // Which incarnation one means that has not been told yet, only this link knows, unless none has changed since.
    const moves = [...this.#late.values(), ...this.#bound.values()].filter(
      ({ path, late, incarnation }) => isWithin(path, root) && (resting || late || incarnation !== null),
    );
    for (const outlet of moves) {
      (outlet.late ? this.#late : this.#bound).delete(outlet.path);
      this.#byId.delete(outlet.id);
      if (outlet.id !== 0) this.#frame({ kind: 'forget', target: outlet.id });
      to.#adopt(outlet, link);
    }
  }

  #adopt(outlet: Outlet, link: Link): void {
    const mine = outlet.late ? this.#late : this.#bound;
    if (!mine.has(outlet.path)) mine.set(outlet.path, outlet);
    outlet.moveTo(link);
    // Who watches it must hear of its end, also where nothing is sent to it any more.
    if (!outlet.late && outlet.id === 0) this.open(outlet);
  }

  /** The other end is gone, and with it every actor there. */
  close(): void {
    const all = new Set([...this.#late.values(), ...this.#bound.values(), ...this.#byId.values()]);
    this.#clear();
    for (const outlet of all) {
      const { address, path } = outlet;
      outlet.end({ address, path, reason: { kind: 'noconnection' } });
    }
  }

  #clear(): void {
    this.#byId.clear();
    this.#late.clear();
    this.#bound.clear();
  }

  /** The first one with nothing under way: its number is told anew when it is used again. */
  #forgetOne(): void {
    for (const [id, outlet] of this.#byId) {
      // By the number of a bound one the other end tells the end of its actor.
      if (!outlet.late || !outlet.idle) continue;
      this.#byId.delete(id);
      this.#late.delete(outlet.path);
      outlet.id = 0;
      this.#frame({ kind: 'forget', target: id });
      return;
    }
  }
}
