import { MagError } from '../errors.ts';
import { LIMITS } from '../limits.ts';
import type { Core } from './core.ts';
import { type Link, refuseUncloneable } from './link.ts';
import { Delivery } from './mailbox.ts';
import { isWithin } from './registry.ts';
import type { Down, SendResult } from './system.ts';

/** A mount of this thread: a subtree that lives in another thread or process. */
export interface Mount {
  readonly path: string;
  readonly link: Link;
  /** Ports can be handed to it: it is a thread of this process. */
  readonly takesPorts: boolean;
}

/** A direct way to a mount beside this one. */
interface Peer {
  readonly link: Link;
  /** Messages that must not overtake those which are still on their way through the thread above. */
  held: Delivery[] | null;
}

/** The ways out of this thread: mounts below it, peers beside it, and the thread that started it. */
export class Remotes {
  readonly #core: () => Core;
  readonly #mounts = new Map<string, Mount>();
  readonly #peers = new Map<string, Peer>();
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

  /** A mount came up: it gets a direct way to every other thread, and all learn of it. */
  up(mount: Mount): void {
    if (mount.takesPorts)
      for (const other of this.#mounts.values()) if (other.takesPorts) this.#introduce(mount, other);
    this.#mounts.set(mount.path, mount);
    this.#tell();
  }

  down(path: string): void {
    if (!this.#mounts.delete(path)) return;
    for (const other of this.#mounts.values()) other.link.control({ type: 'PEER_GONE', mount: path });
    this.#tell();
  }

  /** A direct way opens. What was sent before may still be under way through the thread above: it goes first. */
  addPeer(path: string, link: Link): void {
    this.#peers.get(path)?.link.close();
    const peer: Peer = { link, held: [] };
    this.#peers.set(path, peer);
    const open = (): void => {
      const held = peer.held ?? [];
      peer.held = null;
      for (const delivery of held) if (delivery.ask?.settled !== true) link.deliver(delivery);
    };
    const barrier = this.#uplink?.call('barrier', { mount: path }, LIMITS.treeTimeoutMs) ?? Promise.resolve();
    // Without an answer the mount is gone or stuck, and there is nothing left to overtake.
    barrier.then(open, open);
  }

  /** @param link only if it is still that one */
  removePeer(path: string, link?: Link): void {
    const known = this.#peers.get(path);
    if (known === undefined || (link !== undefined && known.link !== link)) return;
    this.#peers.delete(path);
    known.link.close();
  }

  /**
   * Sends to a path that this thread does not hold; null where there is no way to it.
   * Throws MAG_MESSAGE_NOT_CLONEABLE.
   */
  send(delivery: Delivery): SendResult | null {
    const peer = this.#peerFor(delivery.to);
    if (peer === null) return this.route(delivery.to)?.deliver(delivery) ?? null;
    if (peer.held === null) return peer.link.deliver(delivery);
    if (refuseUncloneable(delivery)) return 'rejected';
    if (peer.held.length >= LIMITS.parkedMessages) {
      this.#core().deadLetters.add(delivery, 'MAG_OVERLOADED');
      delivery.ask?.reject(
        new MagError('MAG_OVERLOADED', { what: `the way to ${delivery.to} is only opening` }),
      );
      return 'rejected';
    }
    peer.held.push(delivery);
    return 'sent';
  }

  /** The way to a path that this thread does not hold, or null. */
  route(path: string): Link | null {
    const peer = this.#peerFor(path);
    if (peer !== null) return peer.link;
    if (this.#uplink === null || (this.#self !== null && isWithin(path, this.#self))) return null;
    return this.#uplink;
  }

  monitor(path: string, listener: (down: Down) => void): () => void {
    const core = this.#core();
    const mount = core.registry.mountAbove(path);
    const link = mount === undefined ? this.route(path) : (this.#mounts.get(mount.path)?.link ?? null);
    if (link !== null) return link.watch(path, listener);
    core.host.soon(() => listener({ address: path, path, reason: { kind: 'noproc' } }));
    return () => {};
  }

  linkedExit(path: string, down: Down): void {
    const { address, path: from, reason } = down;
    this.#core().deliver(new Delivery(path, { type: 'EXIT', address, path: from, reason }));
  }

  async stopActor(path: string, reason: string): Promise<void> {
    await this.#core().system.command(path, 'stop', reason);
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

  #peerFor(path: string): Peer | null {
    for (const [mount, peer] of this.#peers) if (isWithin(path, mount) && peer.link.open) return peer;
    return null;
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
