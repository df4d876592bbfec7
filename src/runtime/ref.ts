import { MagError } from '../errors.ts';
import { Ask, type AskOptions } from './ask.ts';
import { type Cell, exitReason } from './cell.ts';
import type { Core } from './core.ts';
import type { Message } from './spec.ts';
import type { Ref, SendResult, Slot } from './system.ts';

/** A reference to one incarnation in this thread. */
export class LocalRef implements Ref {
  readonly path: string;
  readonly address: string;
  readonly #core: Core;
  readonly #cell: Cell;

  constructor(core: Core, cell: Cell) {
    this.#core = core;
    this.#cell = cell;
    this.path = cell.path;
    this.address = cell.address;
  }

  send(message: Message): SendResult {
    return this.#core.post(this.#cell, { to: this.path, message, ask: null });
  }

  ask<Reply = unknown>(message: Message, options?: AskOptions): Promise<Reply> {
    const ask = new Ask(this.#core.host, this.path, options);
    this.#core.post(this.#cell, { to: this.path, message, ask });
    return ask.promise as Promise<Reply>; // the caller names the reply's type: it knows the receiver's protocol
  }

  monitor(listener: (reason: string) => void): () => void {
    const exit = this.#cell.exit;
    if (exit === null) return this.#cell.watch(listener);
    let stopped = false;
    this.#core.host.soon(() => {
      if (!stopped) listener(exitReason(exit));
    });
    return () => {
      stopped = true;
    };
  }
}

/** A reference to an actor below a remote mount: bound to the incarnation of the mount that was there when it was looked up. */
export class RemoteRef implements Ref {
  readonly path: string;
  readonly address: string;
  readonly #core: Core;
  readonly #alive: () => boolean;

  constructor(core: Core, path: string, incarnation: string, alive: () => boolean) {
    this.#core = core;
    this.path = path;
    this.address = `${path}#${incarnation}`;
    this.#alive = alive;
  }

  send(message: Message): SendResult {
    const delivery = { to: this.path, message, ask: null };
    if (this.#alive()) return this.#core.deliver(delivery);
    this.#core.deadLetters.add(delivery, 'MAG_ACTOR_NOT_FOUND');
    return 'dead';
  }

  ask<Reply = unknown>(message: Message, options?: AskOptions): Promise<Reply> {
    const ask = new Ask(this.#core.host, this.path, options);
    if (this.#alive()) this.#core.deliver({ to: this.path, message, ask });
    else ask.reject(new MagError('MAG_ACTOR_NOT_FOUND', { path: this.path }));
    return ask.promise as Promise<Reply>; // the caller names the reply's type: it knows the receiver's protocol
  }

  monitor(listener: (reason: string) => void): () => void {
    return this.#core.remotes.monitor(this.path, listener);
  }
}

/** A late-bound name: resolved for each message. */
export class PathSlot implements Slot {
  readonly path: string;
  readonly #core: Core;

  constructor(core: Core, path: string) {
    this.#core = core;
    this.path = path;
  }

  send(message: Message): SendResult {
    return this.#core.deliver({ to: this.path, message, ask: null });
  }

  ask<Reply = unknown>(message: Message, options?: AskOptions): Promise<Reply> {
    const ask = new Ask(this.#core.host, this.path, options);
    this.#core.deliver({ to: this.path, message, ask });
    return ask.promise as Promise<Reply>; // the caller names the reply's type: it knows the receiver's protocol
  }
}
