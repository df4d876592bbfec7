import { describeError, MagError } from '../../errors.ts';
import { LIMITS } from '../../limits.ts';
import type { Core } from '../core.ts';
import type { Transferable } from '../host.ts';
import type { Ambient } from '../kernel/ambient.ts';
import { Ask, orRejected } from '../kernel/ask.ts';
import { Bytes } from '../kernel/bytes.ts';
import { tellDown } from '../kernel/exit.ts';
import { Delivery } from '../kernel/mailbox.ts';
import type { Message } from '../spec.ts';
import type { Down, SendResult } from '../system.ts';
import { isFlat, uncloneableField } from './cloneable.ts';
import type { Control, Frame } from './frame.ts';
import { Inlets } from './inlets.ts';
import type { Item } from './outbox.ts';
import type { Outlet } from './outlet.ts';
import { Outlets } from './outlets.ts';
import type { Transport } from './transport.ts';
import { fromWireDown, toWireDown } from './wire-down.ts';
import { fromWire, toWire } from './wire-error.ts';

export interface LinkHandlers {
  /** Operations the other end may call, `tree` and `command`. */
  call(operation: string, args: unknown): Promise<unknown>;
  control(control: Control): void;
  closed(): void;
}

/** Where messages go that must not cross yet: what is there goes first. */
export interface Gate {
  readonly open: boolean;
  hold(delivery: Delivery): SendResult;
}

/** An actor at the other end, as an operation names it. */
interface StopArgs {
  readonly target: number;
  readonly reason: string;
}

/** One end of a way to another thread or process: messages out and in, and answers matched with their asks. */
export class Link {
  /** Held back by whoever owns the link; null where nobody does. */
  gate: Gate | null = null;
  readonly #core: Core;
  readonly #transport: Transport;
  readonly #handlers: LinkHandlers;
  readonly #asks = new Map<number, Ask>();
  readonly #outlets: Outlets;
  readonly #inlets: Inlets;
  #next = 1;
  #open = true;
  /** Messages sent that the other end has not yet said it received. */
  #inFlight = 0;
  #serving = 0;
  #retired = false;

  constructor(core: Core, transport: Transport, handlers: LinkHandlers) {
    this.#core = core;
    this.#transport = transport;
    this.#handlers = handlers;
    this.#outlets = new Outlets(this, (frame) => this.#frame(frame));
    this.#inlets = new Inlets(core, (frame) => this.#frame(frame));
    transport.listen({
      message: (target, message, item) => this.#received(target, message, item),
      record: (target, data, start, end) => this.#record(target, data, start, end),
      frame: (frame) => this.#receive(frame),
      closed: () => this.close(),
      refused: (what, error) => this.#refused(what, error),
    });
  }

  get open(): boolean {
    return this.#open;
  }

  /** Asks that came over it and are not answered yet. */
  get serving(): number {
    return this.#serving;
  }

  /** Whoever holds the path at the other end when a message arrives there. */
  outlet(path: string): Outlet {
    return this.#outlets.late(path);
  }

  /** The actor that holds the path at the other end now, or this incarnation of it. */
  bind(path: string, incarnation: number | null = null): Outlet {
    return this.#outlets.bound(path, incarnation);
  }

  /** Throws MAG_MESSAGE_NOT_CLONEABLE where a send cannot cross. */
  deliver(delivery: Delivery): SendResult {
    const outlet = delivery.outlet ?? this.#outlets.late(delivery.to);
    return this.send(outlet, delivery.message, delivery.ask, delivery.ambient, delivery);
  }

  /** The same without a Delivery where nothing needs one. */
  send(
    outlet: Outlet,
    message: Message,
    ask: Ask | null,
    ambient: Ambient | null,
    delivery: Delivery | null = null,
  ): SendResult {
    const flat = message instanceof Bytes || isFlat(message);
    if (!flat && this.#refuse(outlet, message, ask)) return 'rejected';
    if (this.gate !== null && !this.gate.open)
      return this.gate.hold(delivery ?? new Delivery(outlet.path, message, ask, ambient, outlet));
    if (!this.#open) return this.#bury(outlet, message, ask, 'MAG_COMPONENT_UNAVAILABLE');
    if (outlet.down !== null) return this.#bury(outlet, message, ask, 'MAG_ACTOR_NOT_FOUND');
    if (!outlet.open) {
      ask?.reject(new MagError('MAG_MAILBOX_FULL', { path: outlet.path, capacity: outlet.window }));
      return 'rejected';
    }
    if (this.#inFlight >= LIMITS.linkWindow) {
      ask?.reject(new MagError('MAG_OVERLOADED', { what: `the way to ${outlet.path} is full` }));
      return 'rejected';
    }
    this.#put(outlet, message, flat, ask, ambient);
    return 'sent';
  }

  /** The same for a binary record: where nothing is in its way, it goes into the parcel without a message around it. */
  sendBytes(outlet: Outlet, record: Uint8Array): SendResult {
    const { gate } = this;
    const isOpen = this.#open && (gate === null || gate.open) && outlet.id !== 0 && outlet.down === null;
    const isFree = isOpen && outlet.open && this.#inFlight < LIMITS.linkWindow;
    if (!isFree || !(record instanceof Uint8Array)) return this.send(outlet, new Bytes(record), null, null);
    this.#inFlight += 1;
    outlet.inFlight += 1;
    this.#transport.record(outlet.id, record, 0, record.length);
    return 'sent';
  }

  /** Sends what somebody was told is sent already: beyond the window, by no more than waited. */
  push(delivery: Delivery): void {
    const { message, ask, ambient, to } = delivery;
    const outlet = delivery.outlet ?? this.#outlets.late(to);
    if (!this.#open || outlet.down !== null) this.#bury(outlet, message, ask, 'MAG_ACTOR_NOT_FOUND');
    else this.#put(outlet, message, message instanceof Bytes || isFlat(message), ask, ambient);
  }

  /** Sends as soon as the target has room, where its mailbox's overflow is backpressure. */
  offer(delivery: Delivery, ask: Ask): Promise<SendResult> {
    const outlet = delivery.outlet ?? this.#outlets.late(delivery.to);
    if (this.#refuse(outlet, delivery.message, ask)) return ask.promise as Promise<SendResult>; // rejected
    const result = orRejected(ask);
    const go = (): void => ask.resolve(this.deliver(delivery));
    // It has waited for its turn; those behind it, for whom `open` is false, have not.
    const goNext = (): void => ask.resolve(outlet.link.#admit(outlet, delivery));
    const waits = this.#open && outlet.down === null && outlet.waits && !outlet.open;
    if (!waits) go();
    else if (!outlet.wait({ go: goNext }, ask)) ask.resolve('rejected');
    return result;
  }

  /** Whose turn it is goes, wherever its target has moved meanwhile. */
  #admit(outlet: Outlet, { message, ambient }: Delivery): SendResult {
    if (this.gate !== null && !this.gate.open)
      return this.gate.hold(new Delivery(outlet.path, message, null, ambient, outlet.late ? null : outlet));
    if (!this.#open) return this.#bury(outlet, message, null, 'MAG_COMPONENT_UNAVAILABLE');
    if (outlet.down !== null) return this.#bury(outlet, message, null, 'MAG_ACTOR_NOT_FOUND');
    this.#put(outlet, message, message instanceof Bytes || isFlat(message), null, ambient);
    return 'sent';
  }

  call(operation: string, args: unknown, timeout: number): Promise<unknown> {
    const ask = new Ask(this.#core, operation, { timeout });
    if (this.#open) this.#frame({ kind: 'call', id: this.#expect(ask), operation, args });
    else ask.reject(new MagError('MAG_COMPONENT_UNAVAILABLE', { name: operation }));
    return ask.promise;
  }

  control(control: Control, transfer: readonly Transferable[] = []): void {
    this.#frame({ kind: 'control', control }, transfer);
  }

  /** Tells the actor that another one, which it is linked to, ended. */
  exit(outlet: Outlet, down: Down): void {
    if (this.#open && outlet.id !== 0)
      this.#frame({ kind: 'exit', target: outlet.id, down: toWireDown(down) });
  }

  async stop(outlet: Outlet, reason: string): Promise<void> {
    if (outlet.down !== null || outlet.id === 0) return;
    const args: StopArgs = { target: outlet.id, reason };
    await this.call('stop', args, LIMITS.commandTimeoutMs);
  }

  tell(listener: (down: Down) => void, down: Down): void {
    tellDown(this.#core, listener, down);
  }

  /**
   * What refers to actors at or below a path goes over to another link, which leads to the same ones.
   * @param resting none of them has changed since it was referred to, nor will: they are frozen
   */
  moveTo(link: Link, root: string, resting = false): void {
    this.#outlets.moveTo(link, link.#outlets, root, resting);
  }

  /** Another way has taken over: it closes once nothing that crossed it, either way, waits for an answer. */
  retire(): void {
    this.#retired = true;
    this.#closeWhenIdle();
  }

  /** The other end is gone: what it still owed an answer fails, and its actors are gone for those here. */
  close(cause = 'the connection to it was lost'): void {
    if (!this.#open) return;
    this.#open = false;
    this.#handlers.closed();
    for (const ask of [...this.#asks.values()])
      ask.reject(new MagError('MAG_ACTOR_CRASHED', { path: ask.path, cause }));
    this.#inlets.close();
    this.#outlets.close();
    this.#transport.close();
  }

  #put(outlet: Outlet, message: Message, flat: boolean, ask: Ask | null, ambient: Ambient | null): void {
    if (outlet.id === 0) this.#outlets.open(outlet);
    this.#inFlight += 1;
    outlet.inFlight += 1;
    if (ask === null) this.#transport.message(outlet.id, message, flat, 0, 0, ambient);
    else this.#transport.message(outlet.id, message, flat, this.#expect(ask), ask.timeLeft(), ambient);
  }

  #frame(frame: Frame, transfer?: readonly Transferable[]): void {
    if (this.#open) this.#transport.frame(frame, transfer);
  }

  /** The sender learns of what cannot cross by the path of the field: an ask is rejected, for a send this throws. */
  #refuse({ path }: Outlet, message: Message, ask: Ask | null): boolean {
    const field = uncloneableField(message);
    if (field === null) return false;
    const error = new MagError('MAG_MESSAGE_NOT_CLONEABLE', { path, field });
    if (ask === null) throw error;
    ask.reject(error);
    return true;
  }

  #bury(
    outlet: Outlet,
    message: Message,
    ask: Ask | null,
    code: 'MAG_ACTOR_NOT_FOUND' | 'MAG_COMPONENT_UNAVAILABLE',
  ): SendResult {
    const { path, address } = outlet;
    this.#core.bury(path, new Delivery(path, message, ask), code, { path: address, name: path });
    return 'dead';
  }

  #expect(ask: Ask): number {
    const id = this.#next++;
    this.#asks.set(id, ask);
    ask.onSettled(() => {
      this.#asks.delete(id);
      if (this.#retired) this.#closeWhenIdle();
    });
    return id;
  }

  #closeWhenIdle(): void {
    // The last answer leaves after its question is settled.
    this.#core.host.defer(() => {
      if (this.#serving === 0 && this.#asks.size === 0) this.close();
    });
  }

  #record(target: number, data: Uint8Array, start: number, end: number): void {
    this.#inlets.received();
    this.#inlets.find(target)?.receive(new Bytes(data, start, end));
  }

  #received(target: number, message: Message, item: Item | null): void {
    this.#inlets.received();
    const inlet = this.#inlets.find(target);
    if (inlet === undefined) return;
    const revived = message.type === 'BYTES' && message.bytes instanceof Uint8Array;
    const given = revived ? new Bytes(message.bytes as Uint8Array) : message; // looked at just before
    if (item === null) {
      inlet.receive(given);
      return;
    }
    const [id, timeout, , far] = item;
    const ask = id === 0 ? null : new Ask(this.#core, inlet.path, { timeout });
    if (ask !== null) {
      this.#serving += 1;
      ask.onSettled(() => {
        this.#serving -= 1;
        if (this.#retired) this.#closeWhenIdle();
      });
      this.#settle(id, ask.promise);
    }
    inlet.receive(new Delivery(inlet.path, given, ask, this.#ambient(far)));
  }

  /** Clocks differ between threads: a deadline crosses as the time that is left. */
  #ambient(far: Ambient | undefined): Ambient | null {
    if (far === undefined) return null;
    return far.deadline === undefined ? far : { ...far, deadline: far.deadline + this.#core.host.now() };
  }

  #receive(frame: Frame): void {
    switch (frame.kind) {
      case 'open':
        this.#inlets.open(frame.target, frame.path, frame.bound);
        return;
      case 'forget':
        this.#inlets.forget(frame.target);
        return;
      case 'window':
        this.#window(frame);
        return;
      case 'gone':
        this.#outlets.gone(frame.target, fromWireDown(frame.down));
        return;
      case 'credit':
        this.#credit(frame.received, frame.taken);
        return;
      case 'call':
        this.#settle(frame.id, this.#serve(frame.operation, frame.args));
        return;
      case 'reply':
        this.#asks.get(frame.id)?.resolve(frame.value);
        return;
      case 'error':
        this.#asks.get(frame.id)?.reject(fromWire(frame.error));
        return;
      case 'exit':
        this.#inlets.find(frame.target)?.ref?.linkedExit(fromWireDown(frame.down));
        return;
      case 'control':
        this.#handlers.control(frame.control);
    }
  }

  #window({ target, size, waits, incarnation }: Extract<Frame, { kind: 'window' }>): void {
    const outlet = this.#outlets.find(target);
    if (outlet === undefined) return;
    outlet.waits = waits;
    outlet.incarnation = incarnation;
    outlet.resize(size);
  }

  #credit(received: number, taken: readonly number[]): void {
    this.#inFlight -= received;
    for (let index = 0; index < taken.length; index += 2)
      this.#outlets.find(taken[index] ?? 0)?.credit(taken[index + 1] ?? 0);
  }

  async #serve(operation: string, args: unknown): Promise<unknown> {
    if (operation !== 'stop') return this.#handlers.call(operation, args);
    const { target, reason } = args as StopArgs; // our own code asks, in stop()
    await this.#inlets.find(target)?.ref?.stop(reason);
    return null;
  }

  /** What looked cloneable was not: whoever waits for it is told, and it is written down. */
  #refused(what: Frame | { readonly target: number; readonly item: Item }, error: unknown): void {
    const failure = new MagError('MAG_MESSAGE_NOT_CLONEABLE', {
      path: 'another thread',
      field: describeError(error),
    });
    this.#core.log.error({ error: describeError(error) }, 'something could not be sent');
    if ('item' in what) {
      const [id, , message] = what.item;
      const outlet = this.#outlets.find(what.target);
      this.#inFlight -= 1;
      outlet?.credit(1);
      if (id === 0) this.#core.deadLetters.add({ to: outlet?.path ?? '', message }, failure.code);
      else this.#asks.get(id)?.reject(failure);
    } else if (what.kind === 'call') this.#asks.get(what.id)?.reject(failure);
    else if (what.kind === 'reply') this.#frame({ kind: 'error', id: what.id, error: toWire(failure) });
  }

  #settle(id: number, answer: Promise<unknown>): void {
    answer.then(
      (value) => this.#answer(id, value),
      (error: unknown) => this.#answerError(id, error),
    );
  }

  #answer(id: number, value: unknown): void {
    const field = uncloneableField(value);
    if (field !== null) {
      const error = new MagError('MAG_MESSAGE_NOT_CLONEABLE', { path: 'the asker', field });
      this.#core.log.warn({ error: describeError(error) }, 'an answer could not be sent');
      this.#answerError(id, error);
      return;
    }
    this.#frame({ kind: 'reply', id, value });
  }

  #answerError(id: number, error: unknown): void {
    this.#frame({ kind: 'error', id, error: toWire(error) });
  }
}
