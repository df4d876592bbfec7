import type { Core } from '../core.ts';
import type { Outlet } from '../placement/outlet.ts';
import type { AnyMessage, Message } from '../spec.ts';
import type { Addressee, Down, Ref, SendResult, Slot } from '../system.ts';
import type { Ambient } from './ambient.ts';
import { Ask, type AskOptions } from './ask.ts';
import { BOUND_HERE } from './bound-here.ts';
import { Bytes } from './bytes.ts';
import type { Cell } from './cell.ts';
import { exitReason, tellDown } from './exit.ts';
import { linkedExit } from './link-exit.ts';
import { Delivery } from './mailbox.ts';

/** What a link needs of both its ends: to hear that the other one ended. */
export interface Linkable extends Ref {
  linkedExit(down: Down): void;
}

function tie(one: Linkable, other: Ref): () => void {
  if (!(other instanceof LocalRef || other instanceof RemoteRef))
    throw new TypeError('An actor is linked to the reference of another one.');
  const far: Linkable = other;
  const untieOne = one.monitor((down) => {
    untieOther();
    far.linkedExit(down);
  });
  const untieOther = other.monitor((down) => {
    untieOne();
    one.linkedExit(down);
  });
  return () => {
    untieOne();
    untieOther();
  };
}

function checkListener(listener: unknown): void {
  if (typeof listener !== 'function') throw new TypeError('A monitor needs a function to tell.');
}

/** A monitor of who had ended before. Returns how to stop watching. */
function tellSoon(core: Core, listener: (down: Down) => void, end: () => Down): () => void {
  let stopped = false;
  core.host.soon(() => {
    if (stopped) return;
    tellDown(core, listener, end());
  });
  return () => {
    stopped = true;
  };
}

/** The protocol is the compiler's alone: whoever gives a path or a specification names it. */
export const speaking = <M extends AnyMessage>(ref: Ref): Ref<M> => ref as unknown as Ref<M>; // see above
export const slotSpeaking = <M extends AnyMessage>(slot: Slot): Slot<M> => slot as unknown as Slot<M>; // see above

/** How the three kinds of addressee turn a call into a delivery. */
abstract class Sender implements Addressee {
  abstract readonly path: string;
  protected readonly core: Core;

  constructor(core: Core) {
    this.core = core;
  }

  /** A clone of it would be an empty object: what is to cross a thread is its path. */
  get [BOUND_HERE](): true {
    return true;
  }

  abstract send(message: Message): SendResult;
  protected abstract post(delivery: Delivery): SendResult;
  protected abstract postWhenRoom(delivery: Delivery, ask: Ask): Promise<SendResult>;

  abstract sendBytes(record: Uint8Array): SendResult;

  offer(message: Message, options?: AskOptions): Promise<SendResult> {
    const ask = new Ask(this.core, this.path, options);
    try {
      // Called off before it was made.
      if (ask.settled) return ask.promise as Promise<SendResult>; // rejected
      return this.postWhenRoom(new Delivery(this.path, message, null, this.core.kernel.ambient), ask);
    } catch (error) {
      ask.reject(error);
      return ask.promise as Promise<SendResult>; // rejected
    }
  }

  ask<Reply>(message: AnyMessage, options?: AskOptions): Promise<Reply> {
    const ask = new Ask(this.core, this.path, options);
    try {
      // A protocol's messages are plain data with a type, whatever interface declares them.
      this.post(new Delivery(this.path, message as Message, ask, this.core.kernel.ambient));
    } catch (error) {
      ask.reject(error);
    }
    return ask.promise as Promise<Reply>; // by the protocol, or as the caller names it
  }
}

/** A reference to one incarnation in this thread. */
export class LocalRef extends Sender implements Linkable {
  readonly #cell: Cell;

  constructor(cell: Cell) {
    super(cell.core);
    this.#cell = cell;
  }

  get path(): string {
    return this.#cell.path;
  }

  get address(): string {
    return this.#cell.address;
  }

  send(message: Message): SendResult {
    return this.#cell.send(message);
  }

  sendBytes(record: Uint8Array): SendResult {
    return this.#cell.sendBytes(record);
  }

  monitor(listener: (down: Down) => void): () => void {
    checkListener(listener);
    const { exit, address, path } = this.#cell;
    if (exit === null) return this.#cell.watch(listener);
    return tellSoon(this.core, listener, () => ({ address, path, reason: exitReason(exit) }));
  }

  link(other: Ref): () => void {
    return tie(this, other);
  }

  linkedExit(down: Down): void {
    linkedExit(this.#cell, down);
  }

  async stop(reason = 'stopped'): Promise<void> {
    this.#cell.stop(reason);
    await this.#cell.ended;
  }

  protected post(delivery: Delivery): SendResult {
    return this.#cell.accept(delivery);
  }

  protected postWhenRoom(delivery: Delivery, ask: Ask): Promise<SendResult> {
    return this.#cell.offer(delivery, ask);
  }
}

/** A reference to one incarnation in another thread or process. */
export class RemoteRef extends Sender implements Linkable {
  readonly outlet: Outlet;

  constructor(core: Core, outlet: Outlet) {
    super(core);
    this.outlet = outlet;
  }

  get path(): string {
    return this.outlet.path;
  }

  get address(): string {
    return this.outlet.address;
  }

  send(message: Message): SendResult {
    const { outlet } = this;
    return outlet.link.send(outlet, message, null, this.core.kernel.ambient);
  }

  sendBytes(record: Uint8Array): SendResult {
    const { outlet } = this;
    if (this.core.kernel.ambient === null) return outlet.link.sendBytes(outlet, record);
    return this.send(new Bytes(record));
  }

  monitor(listener: (down: Down) => void): () => void {
    checkListener(listener);
    const { down } = this.outlet;
    if (down === null) return this.outlet.watch(listener);
    return tellSoon(this.core, listener, () => down);
  }

  link(other: Ref): () => void {
    return tie(this, other);
  }

  linkedExit(down: Down): void {
    this.outlet.link.exit(this.outlet, down);
  }

  stop(reason = 'stopped'): Promise<void> {
    return this.outlet.link.stop(this.outlet, reason);
  }

  /** Passes on what came over another link. */
  relay({ message, ask, ambient }: Delivery): void {
    this.outlet.link.send(this.outlet, message, ask, ambient);
  }

  protected post({ message, ask, ambient }: Delivery): SendResult {
    return this.outlet.link.send(this.outlet, message, ask, ambient);
  }

  protected postWhenRoom({ message, ambient }: Delivery, ask: Ask): Promise<SendResult> {
    const delivery = new Delivery(this.path, message, null, ambient, this.outlet);
    return this.outlet.link.offer(delivery, ask);
  }
}

/** A registered name is no path: what goes on to another thread bears the path of who holds it. */
function addressed(delivery: Delivery, { path }: Cell): Delivery {
  if (delivery.to === path) return delivery;
  return new Delivery(path, delivery.message, delivery.ask, delivery.ambient);
}

/** A late-bound name: resolved for each message, which costs a look only where its holder has changed. */
export class NameSlot extends Sender implements Slot {
  readonly path: string;
  readonly #find: () => Cell | undefined;
  /** The path where it waits while nobody holds the name; null where there is none. */
  readonly #home: () => string | null;
  #cell: Cell | undefined = undefined;

  constructor(core: Core, path: string, find: () => Cell | undefined, home: () => string | null) {
    super(core);
    this.path = path;
    this.#find = find;
    this.#home = home;
  }

  send(message: Message): SendResult {
    const cell = this.#holder();
    if (cell !== undefined) return cell.send(message);
    return this.#deliver(message, null, this.core.kernel.ambient);
  }

  sendBytes(record: Uint8Array): SendResult {
    const cell = this.#holder();
    return cell === undefined ? this.send(new Bytes(record)) : cell.sendBytes(record);
  }

  protected post(delivery: Delivery): SendResult {
    const cell = this.#holder();
    if (cell !== undefined) return cell.accept(addressed(delivery, cell));
    return this.#deliver(delivery.message, delivery.ask, delivery.ambient);
  }

  protected postWhenRoom(delivery: Delivery, ask: Ask): Promise<SendResult> {
    const cell = this.#holder();
    if (cell !== undefined) return cell.offer(addressed(delivery, cell), ask);
    const { message, ambient } = delivery;
    const home = this.#home();
    if (home !== null) return this.core.offer(new Delivery(home, message, null, ambient), ask);
    ask.resolve(this.#deliver(message, null, ambient));
    return ask.promise as Promise<SendResult>; // resolved with nothing else
  }

  #deliver(message: Message, ask: Ask | null, ambient: Ambient | null): SendResult {
    const { core, path } = this;
    const home = this.#home();
    if (home !== null) return core.deliver(new Delivery(home, message, ask, ambient));
    core.bury(path, new Delivery(path, message, ask, ambient), 'MAG_ACTOR_NOT_FOUND', { path });
    return 'dead';
  }

  #holder(): Cell | undefined {
    const known = this.#cell;
    if (known?.live === true) return known;
    const found = this.#find();
    this.#cell = found?.status === 'running' ? found : undefined;
    if (found?.live !== true || found === this.#cell) return this.#cell;
    // It starts: what waits for it goes first.
    return this.core.registry.hasParked(found.path) ? undefined : found;
  }
}
