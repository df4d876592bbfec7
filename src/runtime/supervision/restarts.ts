import { restartDelay } from '../../machines/backoff.ts';
import { groupOf } from '../../machines/restart.ts';
import type { SupervisorEvent } from '../../machines/supervisor.ts';
import type { Core } from '../core.ts';
import type { Strategy } from '../spec.ts';
import { type Child, newRepair, type Repair } from './child.ts';
import type { Children } from './children.ts';
import { Turn } from './turn.ts';

/** What a restart needs of its supervisor. */
export interface Mechanics {
  send(event: SupervisorEvent): void;
  /** A restart failed: it is judged like a crash. */
  down(child: Child, error: unknown): void;
  halted(): boolean;
}

/** Why a member of a group is stopped. */
const GROUP = 'restart of its group';

/** The restarts that are under way below one supervisor, and whose turn it is there. */
export class Restarts {
  /** Whether children depend on each other: then one operation at a time, and one restart of a group. */
  readonly grouped: boolean;
  readonly #core: Core;
  readonly #strategy: Strategy;
  readonly #children: Children;
  readonly #mechanics: Mechanics;
  readonly #turn = new Turn();
  #waiting = 0;
  #restarting = 0;
  #toTell = false;

  constructor(core: Core, strategy: Strategy, children: Children, mechanics: Mechanics) {
    this.grouped = strategy === 'one_for_all' || strategy === 'rest_for_one';
    this.#core = core;
    this.#strategy = strategy;
    this.#children = children;
    this.#mechanics = mechanics;
  }

  /** Runs an operation on a child when those before it are over: on that child, or where they are grouped on any. */
  inTurn<Result>(child: Child | null, operation: () => Result | Promise<Result>): Result | Promise<Result> {
    if (this.grouped || child === null) return this.#turn.take(operation);
    child.turn ??= new Turn();
    return child.turn.take(operation);
  }

  /** Marks a child that ended, and its group, as being brought back: from now on messages for them wait. */
  claim(failed: Child): Repair | null {
    if (this.#mechanics.halted()) return null;
    const repair = newRepair(failed);
    const members = this.grouped ? this.#groupOf(failed).filter((member) => !member.held) : [failed];
    this.#mark(members, repair);
    return repair;
  }

  /** Brings back what was claimed: stops the rest of it, waits, starts it in order. */
  async run(repair: Repair): Promise<void> {
    const { failed } = repair;
    if (repair.cancelled) return;
    const delay = this.#nextDelay(failed);
    this.#enter(repair, delay > 0 ? 'waiting' : 'restarting');
    if (delay > 0)
      this.#core.emit({ type: 'backing_off', path: failed.path, reason: failed.lastError, delay });
    if (this.grouped) await this.inTurn(null, () => this.#stopMembers(repair));
    if (repair.cancelled) return;
    if (delay > 0) await this.#wait(repair, delay);
    else if (failed.trouble?.startFailed === true) await this.#pause(repair);
    if (repair.cancelled) return;
    this.#enter(repair, 'restarting');
    const back = await this.inTurn(failed, () =>
      this.grouped ? this.#startMembers(repair) : this.#startMember(repair, failed),
    );
    if (back) this.#enter(repair, 'over');
  }

  /** Takes a child out of the restart that is under way for it; its group goes on without it. */
  cancel(child: Child): void {
    const { repair } = child;
    if (repair === null) return;
    child.repair = null;
    if (!this.#hasMembers(repair)) this.#abandon(repair);
  }

  /** The supervisor ends: nothing is brought back any more. */
  cancelAll(): void {
    for (const child of this.#children.all()) {
      if (child.repair === null) continue;
      this.#abandon(child.repair);
      child.repair = null;
    }
  }

  #groupOf(failed: Child): readonly Child[] {
    const ids = groupOf(this.#strategy, this.#children.ids(), failed.spec.id);
    return ids.flatMap((id) => this.#children.find(id) ?? []);
  }

  #hasMembers(repair: Repair): boolean {
    if (!this.grouped) return false;
    for (const child of this.#children.all()) if (child.repair === repair) return true;
    return false;
  }

  /** Makes children members of a restart, which may take them over from an earlier one. */
  #mark(members: readonly Child[], repair: Repair): void {
    const earlier = new Set<Repair>();
    for (const child of members) {
      if (child.repair !== null && child.repair !== repair) {
        earlier.add(child.repair);
        // What is starting is not waited for: it would be stopped at once.
        if (child.phase === 'starting') void this.#children.stop(child, GROUP);
      }
      child.repair = repair;
      this.#core.registry.vacate(child.path);
    }
    for (const one of earlier) if (!this.#hasMembers(one)) this.#abandon(one);
  }

  #abandon(repair: Repair): void {
    repair.cancelled = true;
    repair.hurry();
    this.#enter(repair, 'over');
  }

  /** Stops the members that are there, in reverse order. Temporary ones do not come back. */
  async #stopMembers(repair: Repair): Promise<void> {
    for (const member of [...this.#children.all()].reverse()) {
      if (member.repair !== repair) continue;
      // One that was down and is temporary has been replaced meanwhile: it is to be started.
      if (member.cell === null) continue;
      await this.#children.stop(member, GROUP);
      if (repair.cancelled) return;
      if (member.repair !== repair || member.spec.restart !== 'temporary') continue;
      member.repair = null;
      this.#children.drop(member);
    }
  }

  /** Starts the members in order. False where that failed or was taken over: somebody else goes on then. */
  async #startMembers(repair: Repair): Promise<boolean> {
    for (const first of this.#children.all()) {
      if (first.repair !== repair) continue;
      // Who was added while the group was down had started without those before it.
      this.#mark(
        this.#groupOf(first).filter((member) => member.ready),
        repair,
      );
      break;
    }
    await this.#stopMembers(repair);
    for (const member of [...this.#children.all()]) {
      if (repair.cancelled) return false;
      if (member.repair === repair && !(await this.#startMember(repair, member))) return false;
    }
    return !repair.cancelled;
  }

  async #startMember(repair: Repair, member: Child): Promise<boolean> {
    if (repair.cancelled || this.#mechanics.halted()) return false;
    member.restarts += 1;
    try {
      await this.#children.start(member);
    } catch (error) {
      if (repair.cancelled) return false;
      // It was taken out of this restart while it started.
      if (member.repair !== repair) return true;
      member.troubled().startFailed = true;
      // One that was replaced by a temporary one is given up, and its group goes on without it.
      const isGivenUp = member.spec.restart === 'temporary';
      if (!isGivenUp) this.#enter(repair, 'over');
      this.#mechanics.down(member, error);
      return isGivenUp;
    }
    if (member.phase === 'down' && (member.spec.restart === 'temporary' || this.#strategy === 'dynamic'))
      this.#children.drop(member);
    return !repair.cancelled;
  }

  #nextDelay(child: Child): number {
    const { backoff } = child.spec;
    if (backoff === undefined) return 0;
    const trouble = child.troubled();
    trouble.delay = restartDelay(backoff, trouble.delay, trouble.ranFor, this.#core.host.random());
    return trouble.delay;
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

  /** Without a backoff: but timers, sockets and the supervisor's interface have their turn before the next try. */
  #pause(repair: Repair): Promise<void> {
    return new Promise((resolve) => {
      repair.hurry = resolve;
      this.#core.host.defer(resolve);
    });
  }

  #enter(repair: Repair, stage: Repair['stage']): void {
    if (repair.stage === stage) return;
    if (repair.stage === 'waiting') this.#waiting -= 1;
    if (repair.stage === 'restarting') this.#restarting -= 1;
    if (stage === 'waiting') this.#waiting += 1;
    if (stage === 'restarting') this.#restarting += 1;
    repair.stage = stage;
    if (stage === 'over') repair.onOver();
    if (this.#toTell) return;
    // A thousand at once are one edge to the chart.
    this.#toTell = true;
    this.#core.host.soon(() => {
      this.#toTell = false;
      this.#mechanics.send({ type: 'REPAIRS', waiting: this.#waiting, restarting: this.#restarting });
    });
  }
}
