import { MagError } from '../../errors.ts';
import { LIMITS } from '../../limits.ts';
import type { Core } from '../core.ts';
import { Delivery } from '../kernel/mailbox.ts';
import { isWithin } from '../kernel/registry.ts';
import type { SendResult } from '../system.ts';
import type { Gate, Link } from './link.ts';
import type { Outlet } from './outlet.ts';

/** A mount of this thread: a subtree that lives in another thread or process. */
export interface Mount {
  readonly path: string;
  readonly link: Link;
  /** Ports can be handed to it: it is a thread of this process. */
  readonly takesPorts: boolean;
}

/** Waits for an answer over a link; one that is gone has nothing under way any more. */
async function answered(link: Link, operation: string, args: unknown): Promise<void> {
  try {
    if (link.open) await link.call(operation, args, LIMITS.moveDrainMs);
  } catch (error) {
    if (link.open) throw error;
  }
}

/** It was said to be sent: it goes beyond the window, behind what is held back there. */
function passOn(outlet: Outlet, delivery: Delivery): void {
  const { gate } = outlet.link;
  if (gate?.open === false) gate.hold(delivery);
  else outlet.link.push(delivery);
}

/** A direct way to a mount beside this one. What was sent before may still be under way through the thread above. */
class Peer implements Gate {
  readonly link: Link;
  readonly #core: Core;
  /** Messages that must not overtake those; null once they have arrived. */
  #held: Delivery[] | null = [];

  constructor(core: Core, link: Link) {
    this.#core = core;
    this.link = link;
    link.gate = this;
  }

  get open(): boolean {
    return this.#held === null;
  }

  hold(delivery: Delivery): SendResult {
    const held = this.#held ?? []; // it is called only while it is not open
    if (held.length >= LIMITS.parkedMessages) {
      const what = `the way to ${delivery.to} is only opening`;
      delivery.ask?.reject(new MagError('MAG_OVERLOADED', { what }));
      return 'rejected';
    }
    held.push(delivery);
    return 'sent';
  }

  /** Everything that went the other way has arrived, or has nowhere to arrive any more. */
  release(): void {
    const held = this.#held ?? [];
    this.#held = null;
    this.link.gate = null;
    for (const delivery of held) if (delivery.ask?.settled !== true) this.link.push(delivery);
  }

  /**
   * It is no way any more: what it held goes where the rest goes now. Its senders were told that it is sent, so it goes
   * there beyond the window too.
   */
  reroute(): void {
    const held = this.#held ?? [];
    this.#held = null;
    this.link.gate = null;
    for (const delivery of held) {
      const { to, message, ask, ambient, outlet } = delivery;
      if (ask?.settled === true) continue;
      const way = outlet === null || outlet.late ? this.#core.remotes.outlet(to) : outlet;
      if (way === null) this.#core.deliver(new Delivery(to, message, ask, ambient));
      else passOn(way, new Delivery(to, message, ask, ambient, way));
    }
  }
}

/** The ways out of this thread: mounts below it, peers beside it, and the thread that started it. */
export class Remotes {
  readonly #core: () => Core;
  readonly #mounts = new Map<string, Mount>();
  readonly #peers = new Map<string, Peer>();
  /** Mounts that are about to move: nothing must reach the thread they leave but through this one. */
  readonly #leaving = new Set<string>();
  readonly #closers: (() => Promise<void>)[] = [];
  #uplink: Link | null = null;
  /** Where this thread itself is mounted. */
  #self: string | null = null;
  /** Mounts that the thread above told of. */
  #told: readonly string[] = [];

  constructor(core: () => Core) {
    this.#core = core;
  }

  /** This thread is itself a mount. */
  attach(self: string, uplink: Link): void {
    this.#self = self;
    this.#uplink = uplink;
  }

  setTold(mounts: readonly string[]): void {
    this.#told = mounts;
  }

  mounts(): readonly string[] {
    return [...new Set([...this.#mounts.keys(), ...this.#told])];
  }

  /** A mount came up, or has moved: it gets a direct way to every other thread, and all learn of it. */
  up(mount: Mount): void {
    this.#leaving.delete(mount.path);
    for (const other of this.#mounts.values()) {
      const direct = mount.takesPorts && other.takesPorts && other.path !== mount.path;
      if (direct && !this.#leaving.has(other.path)) this.#introduce(mount, other);
    }
    this.#mounts.set(mount.path, mount);
    this.#tell();
  }

  /** The other threads reach a mount through this one from here on, and what they sent directly has arrived there. */
  async detach(path: string): Promise<void> {
    this.#leaving.add(path);
    const others = [...this.#mounts.values()].filter((other) => other.path !== path && other.takesPorts);
    const detached = others.map(({ link }) => answered(link, 'detach', { mount: path }));
    await Promise.all(detached);
  }

  down(path: string): void {
    this.#leaving.delete(path);
    if (!this.#mounts.delete(path)) return;
    for (const other of this.#mounts.values()) other.link.control({ type: 'PEER_GONE', mount: path });
    this.#tell();
  }

  /** A direct way opens. What was sent before may still be under way through the thread above: it goes first. */
  addPeer(path: string, link: Link): void {
    const known = this.#peers.get(path);
    const peer = new Peer(this.#core(), link);
    this.#peers.set(path, peer);
    this.#uplink?.moveTo(link, path);
    const barrier = this.#uplink?.call('barrier', { mount: path }, LIMITS.treeTimeoutMs) ?? Promise.resolve();
    const retired = known === undefined ? Promise.resolve() : this.#retire(path, known, link);
    // Without an answer the mount is gone or stuck, and there is nothing left to overtake.
    void Promise.allSettled([barrier, retired]).then(() => {
      peer.release();
      known?.link.retire();
    });
  }

  /** A peer moves: it is reached through the thread above. Resolves when what was sent directly has arrived. */
  async detachPeer(path: string): Promise<void> {
    const peer = this.#peers.get(path);
    if (peer === undefined || this.#uplink === null) return;
    this.#peers.delete(path);
    await this.#retire(path, peer, this.#uplink);
  }

  /** Another way takes over from a direct one. Resolves when what was sent over that has arrived. */
  async #retire(path: string, peer: Peer, next: Link): Promise<void> {
    const { link } = peer;
    link.moveTo(next, path);
    peer.reroute();
    await answered(link, 'barrier', null);
    // By now those references know their actors that had just been made.
    link.moveTo(next, path);
    await answered(link, 'barrier', null);
  }

  /** Resolves when all that was sent to peers has reached them. */
  async peersReached(): Promise<void> {
    const links = [...this.#peers.values()].map(({ link }) => link);
    await Promise.all(links.map((link) => answered(link, 'barrier', null)));
  }

  /** Asks that came over a direct way and are not answered yet. */
  get serving(): number {
    let serving = 0;
    for (const { link } of this.#peers.values()) serving += link.serving;
    return serving;
  }

  /** @param link only if it is still that one */
  removePeer(path: string, link?: Link): void {
    const known = this.#peers.get(path);
    if (known === undefined || (link !== undefined && known.link !== link)) return;
    this.#peers.delete(path);
    known.link.close();
    known.reroute();
  }

  /**
   * Sends to a path that this thread does not hold; null where there is no way to it.
   * Throws MAG_MESSAGE_NOT_CLONEABLE.
   */
  send(delivery: Delivery): SendResult | null {
    return this.route(delivery.to)?.deliver(delivery) ?? null;
  }

  /** The way to a path outside of this thread and what lies below it, or null. */
  route(path: string): Link | null {
    for (const [mount, { link }] of this.#peers) if (isWithin(path, mount) && link.open) return link;
    if (this.#uplink === null || (this.#self !== null && isWithin(path, this.#self))) return null;
    return this.#uplink;
  }

  /** A target for whoever holds the path when a message arrives; null where there is no way to it. */
  outlet(path: string): Outlet | null {
    return this.#linkTo(path)?.outlet(path) ?? null;
  }

  /** A target for the actor that holds the path now, or for this incarnation of it. */
  bind(path: string, incarnation: number | null = null): Outlet | null {
    return this.#linkTo(path)?.bind(path, incarnation) ?? null;
  }

  /** Called once when the system has stopped. */
  onClose(closer: () => Promise<void>): void {
    this.#closers.push(closer);
  }

  async close(): Promise<void> {
    for (const peer of this.#peers.values()) peer.link.close();
    this.#peers.clear();
    await Promise.all(this.#closers.splice(0).map((closer) => closer()));
  }

  #linkTo(path: string): Link | null {
    const mount = this.#core().registry.mountAbove(path);
    return mount === undefined ? this.route(path) : (this.#mounts.get(mount.path)?.link ?? null);
  }

  #introduce(one: Mount, other: Mount): void {
    const { port1, port2 } = this.#core().host.channel();
    one.link.control({ type: 'PEER', mount: other.path, port: port1 }, [port1]);
    other.link.control({ type: 'PEER', mount: one.path, port: port2 }, [port2]);
  }

  #tell(): void {
    const mounts = this.mounts();
    for (const mount of this.#mounts.values()) mount.link.control({ type: 'MOUNTS', mounts });
  }
}
