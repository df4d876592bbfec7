import { describeError, MagError } from '../errors.ts';
import { LIMITS } from '../limits.ts';
import { Ask } from './ask.ts';
import { uncloneableField } from './cloneable.ts';
import type { Core } from './core.ts';
import type { Transferable } from './host.ts';
import { Delivery } from './mailbox.ts';
import type { Down, ExitReason, SendResult } from './system.ts';
import type { Control, Frame, Transport, WireReason } from './transport.ts';
import { fromWire, toWire } from './wire-error.ts';

export interface LinkHandlers {
  /** Operations the other end may call, `tree` and `command`. */
  call(operation: string, args: unknown): Promise<unknown>;
  control(control: Control): void;
  closed(): void;
}

interface Watch {
  readonly path: string;
  readonly listener: (down: Down) => void;
}

const lost = (path: string): Down => ({ address: path, path, reason: { kind: 'noconnection' } });

const toWireReason = (reason: ExitReason): WireReason =>
  reason.kind === 'error' ? { kind: 'error', error: toWire(reason.error) } : reason;

const fromWireReason = (reason: WireReason): ExitReason =>
  reason.kind === 'error' ? { kind: 'error', error: fromWire(reason.error) } : reason;

type Answer = { readonly value: unknown } | { readonly error: unknown };

/**
 * Whether a message cannot cross a thread. The sender learns of it with the path of the bad field: an ask is
 * rejected, for a send this throws MAG_MESSAGE_NOT_CLONEABLE.
 */
export function refuseUncloneable({ ask, message, to }: Delivery): boolean {
  const field = uncloneableField(message);
  if (field === null) return false;
  const error = new MagError('MAG_MESSAGE_NOT_CLONEABLE', { path: to, field });
  if (ask === null) throw error;
  ask.reject(error);
  return true;
}

/** One end of a way to another thread or process: messages out and in, and answers matched with their asks. */
export class Link {
  readonly #core: Core;
  readonly #transport: Transport;
  readonly #handlers: LinkHandlers;
  readonly #asks = new Map<number, Ask>();
  readonly #watches = new Map<number, Watch>();
  #next = 1;
  #open = true;
  /** Messages sent that the other end has not yet said it took. */
  #inFlight = 0;
  #taken = 0;

  constructor(core: Core, transport: Transport, handlers: LinkHandlers) {
    this.#core = core;
    this.#transport = transport;
    this.#handlers = handlers;
    transport.listen({
      frame: (frame) => this.#receive(frame),
      closed: () => this.close(),
      refused: (frame, error) => this.#refused(frame, error),
    });
  }

  get open(): boolean {
    return this.#open;
  }

  /** Throws MAG_MESSAGE_NOT_CLONEABLE where a send cannot cross. */
  deliver(delivery: Delivery): SendResult {
    const { ask, message, to } = delivery;
    if (refuseUncloneable(delivery)) return 'rejected';
    if (!this.#open) {
      this.#core.deadLetters.add(delivery, 'MAG_COMPONENT_UNAVAILABLE');
      ask?.reject(new MagError('MAG_COMPONENT_UNAVAILABLE', { name: to }));
      return 'dead';
    }
    if (this.#inFlight >= LIMITS.linkWindow) {
      this.#core.deadLetters.add(delivery, 'MAG_OVERLOADED');
      ask?.reject(new MagError('MAG_OVERLOADED', { what: `the way to ${to} is full` }));
      return 'rejected';
    }
    this.#inFlight += 1;
    if (ask === null) this.#transport.send({ kind: 'message', to, message });
    else this.#transport.send({ kind: 'ask', id: this.#expect(ask), to, message, timeout: ask.timeLeft() });
    return 'sent';
  }

  call(operation: string, args: unknown, timeout: number): Promise<unknown> {
    const ask = new Ask(this.#core, operation, { timeout });
    if (this.#open) this.#transport.send({ kind: 'call', id: this.#expect(ask), operation, args });
    else ask.reject(new MagError('MAG_COMPONENT_UNAVAILABLE', { name: operation }));
    return ask.promise;
  }

  control(control: Control, transfer: readonly Transferable[] = []): void {
    if (this.#open) this.#transport.send({ kind: 'control', control }, transfer);
  }

  watch(path: string, listener: (down: Down) => void): () => void {
    const id = this.#next++;
    if (!this.#open) {
      this.#core.host.soon(() => listener(lost(path)));
      return () => {};
    }
    this.#watches.set(id, { path, listener });
    this.#transport.send({ kind: 'watch', id, to: path });
    return () => this.#watches.delete(id);
  }

  /** The other end is gone: what it still owed an answer fails. */
  close(): void {
    if (!this.#open) return;
    this.#open = false;
    for (const ask of [...this.#asks.values()])
      ask.reject(
        new MagError('MAG_ACTOR_CRASHED', { path: ask.path, cause: 'the connection to it was lost' }),
      );
    for (const { path, listener } of this.#watches.values()) listener(lost(path));
    this.#watches.clear();
    this.#transport.close();
    this.#handlers.closed();
  }

  #expect(ask: Ask): number {
    const id = this.#next++;
    this.#asks.set(id, ask);
    ask.onSettled(() => this.#asks.delete(id));
    return id;
  }

  #receive(frame: Frame): void {
    switch (frame.kind) {
      case 'message':
        this.#take();
        this.#core.deliver(new Delivery(frame.to, frame.message));
        return;
      case 'ask':
        this.#take();
        this.#serve(frame);
        return;
      case 'call':
        this.#settle(frame.id, this.#handlers.call(frame.operation, frame.args));
        return;
      case 'reply':
        this.#asks.get(frame.id)?.resolve(frame.value);
        return;
      case 'error':
        this.#asks.get(frame.id)?.reject(fromWire(frame.error));
        return;
      case 'credit':
        this.#inFlight -= frame.count;
        return;
      case 'watch':
        this.#watchFor(frame.id, frame.to);
        return;
      case 'down': {
        const watch = this.#watches.get(frame.id);
        this.#watches.delete(frame.id);
        watch?.listener({ address: frame.address, path: watch.path, reason: fromWireReason(frame.reason) });
        return;
      }
      case 'control':
        this.#handlers.control(frame.control);
    }
  }

  /** Gives credit back a quarter of the window at a time, so that it costs next to nothing. */
  #take(): void {
    this.#taken += 1;
    if (this.#taken < LIMITS.linkWindow / 4 || !this.#open) return;
    this.#transport.send({ kind: 'credit', count: this.#taken });
    this.#taken = 0;
  }

  /** What looked cloneable was not: whoever waits for it is told, and it is written down. */
  #refused(frame: Frame, error: unknown): void {
    this.#core.log.error({ kind: frame.kind, error: describeError(error) }, 'a frame could not be sent');
    const failure = new MagError('MAG_MESSAGE_NOT_CLONEABLE', {
      path: 'another thread',
      field: describeError(error),
    });
    if (frame.kind === 'message' || frame.kind === 'ask') this.#inFlight -= 1;
    if (frame.kind === 'ask' || frame.kind === 'call') this.#asks.get(frame.id)?.reject(failure);
    if (frame.kind === 'reply') this.#transport.send({ kind: 'error', id: frame.id, error: toWire(failure) });
    if (frame.kind === 'message') this.#core.deadLetters.add(frame, failure.code);
  }

  #serve(frame: Extract<Frame, { kind: 'ask' }>): void {
    const ask = new Ask(this.#core, frame.to, { timeout: frame.timeout });
    this.#settle(frame.id, ask.promise);
    this.#core.deliver(new Delivery(frame.to, frame.message, ask));
  }

  #settle(id: number, answer: Promise<unknown>): void {
    answer.then(
      (value) => this.#answer(id, { value }),
      (error: unknown) => this.#answer(id, { error }),
    );
  }

  #answer(id: number, answer: Answer): void {
    if (!this.#open) return;
    if ('error' in answer) {
      this.#transport.send({ kind: 'error', id, error: toWire(answer.error) });
      return;
    }
    const field = uncloneableField(answer.value);
    if (field === null) {
      this.#transport.send({ kind: 'reply', id, value: answer.value });
      return;
    }
    const error = new MagError('MAG_MESSAGE_NOT_CLONEABLE', { path: 'the asker', field });
    this.#core.log.warn({ error: describeError(error) }, 'an answer could not be sent');
    this.#transport.send({ kind: 'error', id, error: toWire(error) });
  }

  #watchFor(id: number, path: string): void {
    const down = ({ address, reason }: Down): void => {
      if (this.#open) this.#transport.send({ kind: 'down', id, address, reason: toWireReason(reason) });
    };
    const ref = this.#core.system.lookup(path);
    if (ref === undefined) down({ address: path, path, reason: { kind: 'noproc' } });
    else ref.monitor(down);
  }
}
