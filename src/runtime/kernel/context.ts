import type { Host } from '../host.ts';
import type { Log } from '../log.ts';
import type { ActorContext } from '../spec.ts';
import type { ActorSystem, AnyRef, Ref } from '../system.ts';
import type { Ambient } from './ambient.ts';
import type { Cell } from './cell.ts';
import { LocalRef } from './ref.ts';

/** What an actor's code is handed: the system, itself, and how to end or to fail. */
export class CellContext implements ActorContext {
  protected readonly cell: Cell;
  #self: Ref | null = null;
  #log: Log | null = null;

  constructor(cell: Cell) {
    this.cell = cell;
  }

  get system(): ActorSystem {
    return this.cell.core.system;
  }

  get host(): Host {
    return this.cell.core.host;
  }

  get self(): Ref {
    this.#self ??= new LocalRef(this.cell);
    return this.#self;
  }

  get log(): Log {
    this.#log ??= this.cell.core.log.child({ actor: this.cell.path });
    return this.#log;
  }

  get signal(): AbortSignal {
    return this.cell.signal;
  }

  get ambient(): Ambient | null {
    return this.cell.core.kernel.ambient;
  }

  watch(ref: AnyRef): () => void {
    const { cell } = this;
    const unwatch = ref.monitor(({ address, path, reason }) => {
      cell.signal.removeEventListener('abort', unwatch);
      cell.send({ type: 'DOWN', address, path, reason });
    });
    cell.signal.addEventListener('abort', unwatch, { once: true });
    return () => {
      cell.signal.removeEventListener('abort', unwatch);
      unwatch();
    };
  }

  fail(error: unknown): void {
    this.cell.fail(error);
  }

  finish(): void {
    this.cell.stop('normal', { kind: 'normal' });
  }
}
