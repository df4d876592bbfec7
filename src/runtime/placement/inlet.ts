import { LIMITS } from '../../limits.ts';
import type { Core } from '../core.ts';
import type { Cell } from '../kernel/cell.ts';
import { Delivery, type Entry } from '../kernel/mailbox.ts';
import { type Linkable, LocalRef, RemoteRef } from '../kernel/ref.ts';
import type { Down } from '../system.ts';
import type { Outlet } from './outlet.ts';

/** What an inlet tells its link. */
export interface InletGround {
  readonly core: Core;
  /** So many messages of it found their place: as many more may be sent. */
  credit(inlet: Inlet): void;
  window(inlet: Inlet, size: number, waits: boolean, incarnation: number | null): void;
  gone(inlet: Inlet, down: Down): void;
}

/**
 * A target as its receiver knows it. What its sender was told is sent is never lost to a full mailbox: it waits at the
 * mailbox's door, and as long as it does its sender has no credit for more.
 */
export class Inlet {
  readonly id: number;
  readonly path: string;
  /** Found a place since the last credit. */
  taken = 0;
  #window = 0;
  /** Credit goes back so much at a time: for single messages it would make single messages of the batches. */
  #share: number = LIMITS.mailbox / 4;
  readonly #ground: InletGround;
  readonly #late: boolean;
  #cell: Cell | null = null;
  #ref: Linkable | null = null;
  #unwatch: () => void = () => {};

  constructor(ground: InletGround, id: number, path: string, bound: 'late' | 'now' | number) {
    this.#ground = ground;
    this.id = id;
    this.path = path;
    this.#late = bound === 'late';
    if (bound === 'late') this.#findCell();
    else this.#bind(bound);
  }

  /** Whom it is bound to; null where it is late bound, or nobody is there. */
  get ref(): Linkable | null {
    return this.#ref;
  }

  took(): void {
    this.taken += 1;
    if (this.taken >= this.#share) this.#ground.credit(this);
  }

  receive(entry: Entry): void {
    const cell = this.#holder();
    if (cell !== null && cell.actor?.forward === undefined) cell.acceptFrom(this, entry);
    else this.#pass(entry instanceof Delivery ? entry : new Delivery(this.path, entry));
  }

  close(): void {
    this.#unwatch();
  }

  #holder(): Cell | null {
    const cell = this.#cell;
    if (!this.#late || cell?.live === true) return cell;
    return this.#findCell();
  }

  #findCell(): Cell | null {
    const found = this.#ground.core.registry.find(this.path);
    this.#cell = found?.live === true ? found : null;
    if (this.#cell !== null && this.#window === 0) this.#tellWindow(this.#cell, null);
    return this.#cell;
  }

  #bind(incarnation: 'now' | number): void {
    const { core } = this.#ground;
    const { path } = this;
    const cell = core.registry.find(path);
    const there = cell?.live === true && (incarnation === 'now' || cell.incarnation === incarnation);
    if (cell !== undefined && there) {
      this.#cell = cell;
      this.#ref = new LocalRef(cell);
      this.#tellWindow(cell, cell.incarnation);
    } else if (cell === undefined) {
      const outlet = core.remotes.bind(path, incarnation === 'now' ? null : incarnation);
      this.#ref = outlet === null ? null : new RemoteRef(core, outlet);
    }
    const { ref } = this;
    if (ref === null) this.#ground.gone(this, { address: path, path, reason: { kind: 'noproc' } });
    else this.#unwatch = ref.monitor((down) => this.#ground.gone(this, down));
  }

  #tellWindow({ mailbox }: Cell, incarnation: number | null): void {
    this.#window = mailbox.capacity;
    this.#share = Math.min(mailbox.capacity, LIMITS.linkWindow) / 8;
    this.#ground.window(this, mailbox.capacity, mailbox.overflow === 'backpressure', incarnation);
  }

  /** It lives elsewhere again, or nobody is there, or it comes back: the rest of the system knows. */
  #pass(delivery: Delivery): void {
    const { core } = this.#ground;
    const { ref } = this;
    if (!this.#late && ref === null) {
      core.bury(this.path, delivery, 'MAG_ACTOR_NOT_FOUND', { path: this.path });
      this.took();
      return;
    }
    const outlet = ref instanceof RemoteRef ? ref.outlet : core.remotes.outlet(this.path);
    if (outlet === null || !outlet.link.open) {
      this.#await(delivery);
      return;
    }
    const { message, ask, ambient } = delivery;
    const onward = new Delivery(this.path, message, ask, ambient, outlet);
    const { gate } = outlet.link;
    const mount = gate?.open === false ? core.registry.mountAbove(this.path) : undefined;
    // Until the way is open it waits with what came before it.
    if (mount !== undefined) mount.acceptFrom(this, onward);
    else if (gate?.open === false) {
      gate.hold(onward);
      this.took();
    } else this.#relay(outlet, onward);
  }

  /** There is no way on: it waits for a mount that starts, or for one that is brought back, or has nowhere to go. */
  #await(delivery: Delivery): void {
    const { core } = this.#ground;
    const { registry } = core;
    const mount = registry.mountAbove(this.path);
    if (mount?.live === true && !registry.hasParked(this.path)) {
      mount.acceptFrom(this, delivery);
      return;
    }
    core.deliver(delivery);
    this.took();
  }

  /** It goes on at once, in its order; where the next one has no room, its credit goes back when there is. */
  #relay(outlet: Outlet, delivery: Delivery): void {
    const room = outlet.open;
    outlet.link.push(delivery);
    if (room || !outlet.wait({ go: () => this.took() }, null)) this.took();
  }
}
