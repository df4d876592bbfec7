import { MagError } from '../../errors.ts';
import type { Core } from '../core.ts';
import type { Timer } from '../host.ts';
import type { Cell } from '../kernel/cell.ts';
import { shutdownOf } from '../kernel/cell-owner.ts';
import type { Exit } from '../kernel/exit.ts';
import type { ChildSpec } from '../spec.ts';
import { Child, type Parent } from './child.ts';

/**
 * The children of one supervisor, and how one is started and stopped. Whether and when is for others to say: of
 * children that end by themselves it only tells.
 */
export class Children implements Parent {
  readonly #core: Core;
  readonly #parent: string;
  readonly #prefix: string;
  /** In start order. */
  readonly #list = new Map<string, Child>();
  readonly #ended: (child: Child, exit: Exit) => void;

  /** @param ended told of a child that was up and ended, unasked */
  constructor(core: Core, parent: string, ended: (child: Child, exit: Exit) => void) {
    this.#core = core;
    this.#parent = parent;
    this.#prefix = `${parent}/`;
    this.#ended = ended;
  }

  get size(): number {
    return this.#list.size;
  }

  /** In start order; live, so that a child may be dropped on the way. */
  all(): IterableIterator<Child> {
    return this.#list.values();
  }

  ids(): readonly string[] {
    return [...this.#list.keys()];
  }

  find(id: string): Child | undefined {
    return this.#list.get(id);
  }

  /** Throws MAG_ACTOR_NOT_FOUND. */
  known(id: string): Child {
    const child = this.#list.get(id);
    if (child === undefined) throw new MagError('MAG_ACTOR_NOT_FOUND', { path: `${this.#parent}/${id}` });
    return child;
  }

  /** Throws MAG_ACTOR_DUPLICATE, whose details say whether that child is running. */
  refuseDuplicate(id: string): void {
    const child = this.#list.get(id);
    if (child === undefined) return;
    const running = child.cell !== null && child.repair === null;
    throw new MagError(
      'MAG_ACTOR_DUPLICATE',
      { id, path: this.#parent },
      { details: running ? 'already running' : 'already present' },
    );
  }

  enlist(spec: ChildSpec): Child {
    this.refuseDuplicate(spec.id);
    const child = new Child(spec, this.#prefix + spec.id, this);
    this.#list.set(spec.id, child);
    return child;
  }

  /** It is no child any more; messages that wait for it are told. */
  drop(child: Child): void {
    if (this.#list.get(child.spec.id) === child) this.#list.delete(child.spec.id);
    this.#core.registry.release(child.path);
  }

  /**
   * Starts the child's next incarnation: given at once where it is ready at once, and otherwise when it is ready.
   * Throws, or rejects with, what ended it before. One that is not needed (IGNORE) is down then, without an error.
   */
  start(child: Child): Cell | Promise<Cell> {
    child.phase = 'starting';
    const cell = this.#core.spawn(child.path, child.spec, child.restarts, child);
    if (cell.status === 'starting') return this.#whenReady(child, cell);
    if (cell.wasReady) return this.#started(child, cell);
    return cell.exit === null ? this.#whenReady(child, cell) : this.#notStarted(child, cell, cell.exit);
  }

  /** Stops a child within its limit. Nothing to wait for where it was down, or ended at once. */
  stop(child: Child, reason: string): void | Promise<void> {
    if (!this.#order(child, reason)) return this.#whenStopped([child]);
  }

  /** Tells a child to stop. Whether there is nothing to wait for. */
  #order(child: Child, reason: string): boolean {
    const cell = child.cell;
    if (cell === null) return true;
    child.phase = 'stopping';
    if (shutdownOf(child.spec) === 'brutal') cell.kill();
    else cell.stop(reason);
    return cell.exit !== null;
  }

  /** Stops children at the same time, each within its own limit. One timer serves all that have the same one. */
  stopTogether(children: Iterable<Child>, reason: string): void | Promise<void> {
    const ending: Child[] = [];
    for (const child of children) if (!this.#order(child, reason)) ending.push(child);
    if (ending.length > 0) return this.#whenStopped(ending);
  }

  #whenStopped(ending: readonly Child[]): Promise<void> | void {
    const late = new Map<number, Child[]>();
    let left = 0;
    let allStopped = (): void => {};
    const stopped = (): void => {
      left -= 1;
      if (left === 0) allStopped();
    };
    for (const child of ending) {
      // The stop of one that came before may have ended it.
      if (child.cell === null) continue;
      const limit = shutdownOf(child.spec);
      left += 1;
      const before = child.onStopped;
      child.onStopped = before === null ? stopped : () => [before, stopped].forEach((told) => void told());
      if (typeof limit !== 'number') continue;
      const same = late.get(limit);
      if (same === undefined) late.set(limit, [child]);
      else same.push(child);
    }
    if (left === 0) return;
    const timers = [...late].map(([limit, those]) => this.#killAfter(limit, those));
    return new Promise((resolve) => {
      allStopped = () => {
        for (const timer of timers) this.#core.host.clearTimer(timer);
        resolve();
      };
    });
  }

  #killAfter(limit: number, children: readonly Child[]): Timer {
    return this.#core.host.setTimer(limit, () => {
      for (const child of children) if (child.phase === 'stopping') child.cell?.kill();
    });
  }

  async #whenReady(child: Child, cell: Cell): Promise<Cell> {
    try {
      await cell.ready;
    } catch {
      return this.#notStarted(child, cell, await cell.ended);
    }
    return this.#started(child, cell);
  }

  #started(child: Child, cell: Cell): Cell {
    // Whoever stopped it meanwhile has it now.
    if (child.cell !== cell && cell.exit === null) throw this.#gone(child);
    if (child.phase !== 'starting') throw this.#gone(child);
    child.repair = null;
    if (child.trouble !== null) child.trouble.startFailed = false;
    child.phase = 'up';
    // It may have ended again between readiness and now.
    if (cell.exit !== null) this.cellEnded(child, cell);
    return cell;
  }

  #notStarted(child: Child, cell: Cell, exit: Exit): Cell {
    // It was stopped as it started, and is started anew already: that is none of this one's business.
    if (child.cell !== null && child.cell !== cell) throw this.#failureOf(child, exit);
    child.remember(cell);
    child.cell = null;
    if (cell.ignored) {
      child.phase = 'down';
      child.repair = null;
      this.#core.registry.release(child.path);
      return cell;
    }
    if (child.phase === 'starting') child.phase = 'failed';
    throw this.#failureOf(child, exit);
  }

  #failureOf(child: Child, exit: Exit): unknown {
    return exit.kind === 'error' ? exit.error : this.#gone(child);
  }

  #gone(child: Child): MagError {
    return new MagError('MAG_COMPONENT_UNAVAILABLE', { name: child.path });
  }

  cellEnded(child: Child, cell: Cell): void {
    const { exit } = cell;
    if (exit === null || (child.cell !== cell && child.phase !== 'up')) return;
    child.remember(cell);
    if (child.cell === cell) child.cell = null;
    if (child.spec.backoff !== undefined) child.troubled().ranFor = this.#core.host.now() - cell.startedAt;
    const { onStopped, phase } = child;
    child.onStopped = null;
    if (phase === 'stopping') child.phase = 'down';
    else if (phase === 'up') child.phase = exit.kind === 'error' ? 'failed' : 'down';
    onStopped?.();
    if (phase === 'up') this.#ended(child, exit);
  }
}
