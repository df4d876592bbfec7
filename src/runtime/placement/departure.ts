import { MagError } from '../../errors.ts';
import { LIMITS } from '../../limits.ts';
import type { Core } from '../core.ts';
import type { Cell } from '../kernel/cell.ts';
import { Delivery, type Entry } from '../kernel/mailbox.ts';
import { uncloneableField } from './cloneable.ts';
import type { Moved, MovedActor } from './moved.ts';

/** Which questions are still open in this thread, and how what it sent can be known to have arrived. */
export interface DepartureWays {
  /** Asks from elsewhere that are not answered yet. */
  serving(): number;
  /** Resolves when all that was sent from here has reached the threads beside this one. */
  settled(): Promise<void>;
}

/** A subtree about to leave its thread: it comes to rest, is written down, and either goes or goes on. */
export class Departure {
  readonly #core: Core;
  readonly #ways: DepartureWays;
  #frozen: readonly Cell[] = [];

  constructor(core: Core, ways: DepartureWays) {
    this.#core = core;
    this.#ways = ways;
  }

  /**
   * Waits until nothing is under way here, stops handling and writes the actors down. Throws MAG_MOVE_FAILED where
   * that takes longer than LIMITS.moveDrainMs, or something cannot cross.
   */
  async prepare(mount: string): Promise<Moved> {
    await this.#rest(mount);
    this.#freeze();
    try {
      await this.#ways.settled();
      const actors = this.#frozen.map((cell) => this.#describe(mount, cell));
      return { actors, next: this.#core.registry.nextIncarnation() };
    } catch (error) {
      this.thaw();
      throw error;
    }
  }

  /** It stays: what came meanwhile is handled now. */
  thaw(): void {
    for (const cell of this.#frozen) cell.setPaused(false);
    this.#frozen = [];
  }

  /** It has gone: what its own timers sent since goes after it. */
  surrender(send: (delivery: Delivery) => void): void {
    for (const { mailbox, path } of this.#frozen)
      for (const left of mailbox.depth === 0 ? [] : mailbox.clear()) send(asDelivery(path, left));
  }

  async #rest(mount: string): Promise<void> {
    const { host } = this.#core;
    const end = host.now() + LIMITS.moveDrainMs;
    while (!this.#atRest()) {
      if (host.now() > end) throw failure(mount, 'its actors do not come to rest');
      await new Promise<void>((resolve) => host.defer(resolve));
    }
  }

  #atRest(): boolean {
    if (this.#ways.serving() > 0) return false;
    for (const cell of this.#core.registry.cells()) {
      if (cell.status === 'starting') return false;
      if (cell.backlog && !cell.paused) return false;
    }
    return true;
  }

  #freeze(): void {
    const cells: Cell[] = [];
    for (const cell of this.#core.registry.cells()) {
      // One that is paused on purpose stays so.
      if (!cell.live || cell.paused) continue;
      cell.setPaused(true);
      cells.push(cell);
    }
    this.#frozen = cells;
  }

  #describe(mount: string, cell: Cell): MovedActor {
    const { path, incarnation, spec } = cell;
    if (spec.behaviour.kind === 'remote') throw failure(mount, `${path} is itself a mount`);
    const state = cell.actor?.capture?.() ?? null;
    const field = state === null ? null : uncloneableField(state.value);
    if (field !== null) throw failure(mount, `the state of ${path} cannot cross a thread: field ${field}`);
    return { path, incarnation, state };
  }
}

const failure = (path: string, reason: string): MagError => new MagError('MAG_MOVE_FAILED', { path, reason });

const asDelivery = (path: string, entry: Entry): Delivery =>
  entry instanceof Delivery ? entry : new Delivery(path, entry);
