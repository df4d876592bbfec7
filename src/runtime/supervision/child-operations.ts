import { MagError } from '../../errors.ts';
import type { Core } from '../core.ts';
import type { Cell } from '../kernel/cell.ts';
import type { ChildSpec, Strategy } from '../spec.ts';
import { type Child, isQuick, newRepair, type Repair } from './child.ts';
import type { Children } from './children.ts';
import type { Restarts } from './restarts.ts';

const REQUESTED = 'stopped on request';

/** What a supervisor lets those who manage its children see and do. */
export interface Office {
  readonly strategy: Strategy;
  readonly children: Children;
  readonly restarts: Restarts;
  /** Throws MAG_CHILD_SPEC_INVALID. */
  check(spec: ChildSpec): void;
  /** Throws MAG_ACTOR_NOT_FOUND where it is ending. */
  open(): void;
  ending(): boolean;
  /** A planned start failed: it is judged like a crash. */
  down(child: Child, error: unknown): void;
}

/** What its owner does to a supervisor's children at run time. None of it burns the restart budget. */
export class ChildOperations {
  readonly #core: Core;
  readonly #office: Office;

  constructor(core: Core, office: Office) {
    this.#core = core;
    this.#office = office;
  }

  /** Adds and starts a child; it is refused if it cannot start. Given at once where it is ready at once. */
  add(spec: ChildSpec): Cell | Promise<Cell> {
    const { children, restarts } = this.#office;
    this.#office.open();
    this.#office.check(spec);
    if (restarts.grouped) children.refuseDuplicate(spec.id);
    if (!restarts.grouped) return this.#startAdded(spec);
    return restarts.inTurn(null, () => this.#startAdded(spec));
  }

  /** Stops a child. A temporary one, and one of a dynamic supervisor, is no child any more then. */
  async terminate(id: string): Promise<void> {
    const child = this.#office.children.known(id);
    const forget = (): void => {
      if (child.spec.restart === 'temporary' || this.#office.strategy === 'dynamic')
        this.#office.children.drop(child);
    };
    if (this.#endAtOnce(child)) forget();
    else await this.#end(child, forget);
  }

  /** Stops a child and takes it off the list. */
  async remove(id: string): Promise<void> {
    const child = this.#office.children.known(id);
    const forget = (): void => this.#office.children.drop(child);
    if (this.#endAtOnce(child)) forget();
    else await this.#end(child, forget);
  }

  /** Stops a child for an operator: it stays listed and away, also where its group is restarted. */
  async hold(id: string): Promise<void> {
    const child = this.#office.children.known(id);
    child.held = true;
    this.#office.restarts.cancel(child);
    await this.#stop(child, () => {});
  }

  /** Takes a child that is down off the list. */
  forget(id: string): void {
    const { children } = this.#office;
    const child = children.known(id);
    this.#refuseActive(child);
    // Its last incarnation is still ending.
    if (child.cell !== null) throw new MagError('MAG_CHILD_RUNNING', { path: child.path });
    children.drop(child);
  }

  /** Starts a child that is down; it stays down if it cannot start. */
  start(id: string): Cell | Promise<Cell> {
    const { children, restarts } = this.#office;
    const child = children.known(id);
    this.#refuseActive(child);
    return restarts.inTurn(child, () => {
      this.#office.open();
      // It may have been dropped, or started by somebody else, before it was our turn.
      const listed = children.known(id);
      this.#refuseActive(listed);
      listed.held = false;
      return this.#startListed(listed);
    });
  }

  /** A planned stop and start. A child that waits for its next try is tried at once. */
  async renew(id: string): Promise<void> {
    const child = this.#office.children.known(id);
    if (child.repair !== null) {
      child.repair.hurry();
      return;
    }
    // Its supervisor starts, and comes to it.
    if (child.phase === 'idle') return;
    await this.#office.restarts.inTurn(child, async () => {
      this.#refuseForgotten(child);
      child.held = false;
      // What came before it failed: it is being brought back already.
      if (child.repair !== null) {
        child.repair.hurry();
        return;
      }
      const repair = this.#plan(child);
      await this.#office.children.stop(child, 'restart');
      await this.#startPlanned(child, repair, (error) => this.#office.down(child, error));
    });
  }

  /** Gives a child another specification under its path and in its place, and starts it. */
  async replace(spec: ChildSpec): Promise<Cell> {
    const child = this.#office.children.known(spec.id);
    this.#office.open();
    this.#office.check(spec);
    // Its supervisor starts, and comes to it.
    if (child.phase === 'idle') throw new MagError('MAG_CHILD_RESTARTING', { path: child.path });
    const { repair } = child;
    const waits = repair !== null && !repair.planned;
    if (waits && this.#office.restarts.grouped) return this.#replaceInGroup(child, repair, spec);
    if (waits) this.#office.restarts.cancel(child);
    const replaced = await this.#office.restarts.inTurn(child, () => this.#replaceInTurn(child, spec, waits));
    return replaced ?? this.replace(spec);
  }

  /** Null where its group went down before it was its turn: that needs the turn to come back. */
  async #replaceInTurn(child: Child, spec: ChildSpec, waited: boolean): Promise<Cell | null> {
    this.#refuseForgotten(child);
    const isRestarting = child.repair !== null;
    if (isRestarting && this.#office.restarts.grouped) return null;
    this.#office.restarts.cancel(child);
    return this.#replaceNow(child, spec, waited || isRestarting);
  }

  async #replaceNow(child: Child, spec: ChildSpec, wasRestarting: boolean): Promise<Cell> {
    const before = child.spec;
    const wasThere = child.cell !== null;
    const planned = this.#plan(child);
    child.held = false;
    await this.#office.children.stop(child, 'replaced');
    const kept = this.#core.carried.take(child.path);
    if (kept !== undefined) this.#core.carried.keep(child.path, kept);
    child.spec = spec;
    return this.#startPlanned(child, planned, async (error) => {
      child.spec = before;
      if (wasRestarting) this.#office.down(child, error);
      else if (wasThere) {
        if (kept !== undefined) this.#core.carried.keep(child.path, kept);
        await this.#startPlanned(child, planned, (worse) => this.#office.down(child, worse)).catch(() => {});
      } else this.#settle(child);
    });
  }

  /** Its group is being restarted: it comes back with that, from the new specification. */
  async #replaceInGroup(child: Child, repair: Repair, spec: ChildSpec): Promise<Cell> {
    child.spec = spec;
    // Where the restart fails, the next one has it already: that is waited for if it comes at once.
    for (let current: Repair | null = repair; current !== null; current = child.repair) {
      const { failed, planned } = current;
      // Another operation has it already, whose end nobody is told.
      if (planned) throw this.#unavailable(child);
      if (current !== repair && failed.spec.backoff !== undefined) throw this.#unavailable(child);
      await this.#over(current, current === repair);
    }
    // Another one of the group may have been one failure too many: it goes down again with its supervisor.
    if (child.cell === null || !child.ready || this.#office.ending()) throw this.#unavailable(child);
    return child.cell;
  }

  #over(repair: Repair, hurry: boolean): Promise<void> {
    return new Promise((resolve) => {
      const { onOver } = repair;
      repair.onOver = () => {
        onOver();
        resolve();
      };
      if (hurry) repair.hurry();
    });
  }

  /** A restart that nobody's end began: until it is over, messages for the child wait. */
  #plan(child: Child): Repair {
    const repair = newRepair(child, true);
    child.repair = repair;
    this.#core.registry.vacate(child.path);
    return repair;
  }

  /** Starts a child whose planned restart nobody took over. */
  async #startPlanned(
    child: Child,
    repair: Repair,
    failed: (error: unknown) => void | Promise<void>,
  ): Promise<Cell> {
    if (child.repair !== repair) throw this.#unavailable(child);
    child.restarts += 1;
    try {
      return await this.#office.children.start(child);
    } catch (error) {
      if (child.repair === repair) await failed(error);
      throw error;
    }
  }

  /** It stays down. */
  #settle(child: Child): void {
    child.repair = null;
    this.#core.registry.release(child.path);
  }

  #unavailable(child: Child): MagError {
    return new MagError('MAG_COMPONENT_UNAVAILABLE', { name: child.path });
  }

  #startAdded(spec: ChildSpec): Cell | Promise<Cell> {
    const { children } = this.#office;
    this.#office.open();
    const child = children.enlist(spec);
    const refuse = (error: unknown): never => {
      // Unless somebody stopped it as it started, and is starting it anew.
      if (child.cell === null && child.repair === null && child.phase !== 'starting') children.drop(child);
      throw error;
    };
    try {
      const started = this.#startListed(child);
      return started instanceof Promise ? started.catch(refuse) : started;
    } catch (error) {
      return refuse(error);
    }
  }

  #startListed(child: Child): Cell | Promise<Cell> {
    const started = this.#office.children.start(child);
    return started instanceof Promise
      ? started.then((cell) => this.#settled(child, cell))
      : this.#settled(child, started);
  }

  /** Nothing would ever start one again that was not needed, and is not kept. */
  #settled(child: Child, cell: Cell): Cell {
    if (cell.ignored && (child.spec.restart === 'temporary' || this.#office.strategy === 'dynamic'))
      this.#office.children.drop(child);
    return cell;
  }

  /** Before it was our turn the supervisor may have ended, or the child have been taken off the list. */
  #refuseForgotten(child: Child): void {
    this.#office.open();
    if (this.#office.children.find(child.spec.id) !== child)
      throw new MagError('MAG_ACTOR_NOT_FOUND', { path: child.path });
  }

  #refuseActive(child: Child): void {
    const { path } = child;
    if (child.repair !== null) throw new MagError('MAG_CHILD_RESTARTING', { path });
    if (child.phase === 'idle' || child.phase === 'starting' || child.phase === 'up')
      throw new MagError('MAG_CHILD_RUNNING', { path });
  }

  /** Ends a child that nobody else is at and whose stop takes no time; false where it is not so. */
  #endAtOnce(child: Child): boolean {
    const isFree = child.phase === 'up' && child.turn === null && !this.#office.restarts.grouped;
    if (!isFree || !isQuick(child) || child.cell?.idle !== true) return false;
    void this.#office.children.stop(child, REQUESTED);
    if (child.cell !== null) return false;
    child.phase = 'down';
    this.#core.registry.release(child.path);
    return true;
  }

  /** Ends a child for good: a restart that is under way for it ends too. */
  #end(child: Child, then: () => void): Promise<void> {
    this.#office.restarts.cancel(child);
    return this.#stop(child, then);
  }

  /** @param then done before it is anybody else's turn */
  async #stop(child: Child, then: () => void): Promise<void> {
    const { children, restarts } = this.#office;
    // Who waits for its start holds its turn: the start ends here.
    if (child.phase === 'starting') void children.stop(child, REQUESTED);
    await restarts.inTurn(child, async () => {
      // What came before it failed, and would bring it back.
      restarts.cancel(child);
      await children.stop(child, REQUESTED);
      child.phase = 'down';
      this.#core.registry.release(child.path);
      then();
    });
  }
}
