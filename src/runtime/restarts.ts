import { restartDelay } from '../machines/backoff.ts';
import { groupOf } from '../machines/restart.ts';
import type { SupervisorEvent } from '../machines/supervisor.ts';
import type { Cell } from './cell.ts';
import type { Child, Repair } from './child.ts';
import type { Core } from './core.ts';
import type { Strategy } from './spec.ts';

/** What a restart is made of; the supervisor gives it. */
export interface Mechanics {
  start(child: Child): Promise<Cell>;
  stop(child: Child, reason: string): Promise<void>;
  send(event: SupervisorEvent): void;
  forget(id: string): void;
  /** A restart failed: it is judged like a crash. */
  down(child: Child, error: unknown): void;
  halted(): boolean;
}

/** The restarts that are under way below one supervisor. */
export class Restarts {
  readonly #core: Core;
  readonly #strategy: Strategy;
  readonly #children: ReadonlyMap<string, Child>;
  readonly #mechanics: Mechanics;
  /** The restart of a group: there is one at a time, and a crash of an earlier child takes it over. */
  #groupRepair: { readonly id: string; readonly repair: Repair } | null = null;

  constructor(core: Core, strategy: Strategy, children: ReadonlyMap<string, Child>, mechanics: Mechanics) {
    this.#core = core;
    this.#strategy = strategy;
    this.#children = children;
    this.#mechanics = mechanics;
  }

  /** Brings a child that ended, and its group, back: stops the rest of it, waits, starts it in order. */
  async run(id: string): Promise<void> {
    const failed = this.#children.get(id);
    if (failed === undefined || this.#mechanics.halted()) return;
    const repair: Repair = { cancelled: false, hurry: () => {} };
    const group = this.#claim(failed, repair);
    const delay = this.#nextDelay(failed);
    this.#mechanics.send({ type: delay > 0 ? 'WAITING' : 'RESTARTING', id });
    if (delay > 0)
      this.#core.emit({ type: 'backing_off', path: failed.path, reason: failed.lastError, delay });
    for (const member of [...group].reverse()) {
      await this.#mechanics.stop(member, 'restart of its group');
      if (repair.cancelled) return;
      member.phase = 'restarting';
    }
    if (delay > 0) {
      await this.#wait(repair, delay);
      if (repair.cancelled) return;
      this.#mechanics.send({ type: 'RESTARTING', id });
    }
    if (!(await this.#bringBack(group, failed, repair))) return;
    if (this.#groupRepair?.repair === repair) this.#groupRepair = null;
    this.#mechanics.send({ type: 'RESTARTED', id });
  }

  /** Starts the group in order. False where the restart failed, or was taken over: somebody else goes on then. */
  async #bringBack(group: readonly Child[], failed: Child, repair: Repair): Promise<boolean> {
    for (const member of group) {
      if (repair.cancelled) return false;
      if (member.repair !== repair) continue;
      if (member !== failed && member.spec.restart === 'temporary') {
        this.#mechanics.forget(member.spec.id);
        continue;
      }
      member.restarts += 1;
      try {
        await this.#mechanics.start(member);
      } catch (error) {
        if (repair.cancelled) return false;
        this.#mechanics.send({ type: 'RESTARTED', id: failed.spec.id });
        this.#mechanics.down(member, error);
        return false;
      }
    }
    return !repair.cancelled;
  }

  /** Marks the failed child's group as being restarted, taking over a restart of the group that is under way. */
  #claim(failed: Child, repair: Repair): readonly Child[] {
    const strategy = this.#strategy;
    const ids = groupOf(strategy, [...this.#children.keys()], failed.spec.id);
    if (strategy === 'rest_for_one' || strategy === 'one_for_all') {
      const earlier = this.#groupRepair;
      if (earlier !== null) {
        earlier.repair.cancelled = true;
        earlier.repair.hurry();
        this.#mechanics.send({ type: 'RESTARTED', id: earlier.id });
      }
      this.#groupRepair = { id: failed.spec.id, repair };
    }
    const group: Child[] = [];
    for (const id of ids) {
      const member = this.#children.get(id);
      // One that was stopped on request stays so.
      if (member === undefined || (member !== failed && member.cell === null && member.repair === null))
        continue;
      member.repair = repair;
      member.phase = 'restarting';
      this.#core.registry.vacate(member.path);
      group.push(member);
    }
    return group;
  }

  #nextDelay(child: Child): number {
    child.delay = restartDelay(child.spec.backoff, child.delay, child.ranFor, this.#core.host.random());
    return child.delay;
  }

  #wait(repair: Repair, delay: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = this.#core.host.setTimer(delay, resolve);
      repair.hurry = () => {
        this.#core.host.clearTimer(timer);
        resolve();
      };
    });
  }

  /** Takes a child out of the restart that is under way for it. */
  cancel(child: Child): void {
    const repair = child.repair;
    child.repair = null;
    if (repair === null) return;
    // A group goes on without the child that is stopped on request; a restart of its own ends.
    if (this.#groupRepair?.repair === repair && !this.#mechanics.halted()) return;
    repair.cancelled = true;
    repair.hurry();
    this.#mechanics.send({ type: 'RESTARTED', id: child.spec.id });
  }
}
