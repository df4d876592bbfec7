import type { Ask } from './ask.ts';
import type { Cell } from './cell.ts';
import type { Core } from './core.ts';
import type { Host } from './host.ts';
import type { Log } from './log.ts';
import { LocalRef } from './ref.ts';
import type { ActorContext } from './spec.ts';
import type { ActorSystem, Ref } from './system.ts';

/** What an actor's code is handed: the system, itself, and how to answer or to fail. */
export class CellContext implements ActorContext {
  readonly system: ActorSystem;
  readonly host: Host;
  /** The ask that is being handled, if the message is one. */
  current: Ask | null = null;
  readonly #core: Core;
  readonly #cell: Cell;
  #self: Ref | null = null;
  #log: Log | null = null;

  constructor(core: Core, cell: Cell) {
    this.system = core.system;
    this.host = core.host;
    this.#core = core;
    this.#cell = cell;
  }

  get self(): Ref {
    this.#self ??= new LocalRef(this.#core, this.#cell);
    return this.#self;
  }

  get log(): Log {
    this.#log ??= this.#core.log.child({ actor: this.#cell.path });
    return this.#log;
  }

  get signal(): AbortSignal {
    return this.#cell.signal;
  }

  reply(value: unknown): void {
    this.current?.resolve(value);
  }

  fail(error: unknown): void {
    this.#cell.fail(error);
  }
}
