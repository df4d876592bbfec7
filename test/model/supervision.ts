import type { Plan, Strategy } from './plan.ts';

/** Why something ended: who gave up, and because of what, down to the first fault. */
export interface Cause {
  readonly gaveUp: string | null;
  readonly because: Cause | null;
}

export type Exit =
  | { readonly kind: 'normal' | 'shutdown' }
  | { readonly kind: 'error'; readonly cause: Cause };
export type Outcome = 'ok' | 'duplicate' | 'not_found' | 'running' | 'restarting' | 'start_failed';
export type Life = 'up' | 'restarting' | 'down';

export const FAULT: Cause = { gaveUp: null, because: null };
const SHUTDOWN: Exit = { kind: 'shutdown' };

/** Children that wait for a restart together. */
interface Retry {
  readonly above: Child;
  readonly at: number;
}

/** One child over all its incarnations; what is below it belongs to the incarnation. */
class Child {
  plan: Plan;
  readonly path: string;
  readonly above: Child | null;
  life: Life = 'down';
  restarts = 0;
  /** An operator stopped it: not even a restart of its group brings it back. */
  held = false;
  retry: Retry | null = null;
  /** In start order. */
  children: Child[] = [];
  /** When it restarted something: all times, looked through each time. */
  burns: number[] = [];

  constructor(plan: Plan, above: Child | null) {
    this.plan = plan;
    this.above = above;
    this.path = above === null ? plan.id : `${above.path}/${plan.id}`;
  }
}

/**
 * What supervision means, as plainly as it can be said: no mailboxes, no promises, no statecharts. A fault happens, all
 * that follows from it happens at once, in order, and is in the log. The runtime is held to this; where the two differ,
 * one of them is wrong, and this one is the specification (OTP's supervisor, with a delay before a restart added).
 */
export class Model {
  readonly root: Child;
  /** `+path` started, `!path` did not start, `-path` stopped or crashed, `~path` was killed and says nothing, in order. */
  readonly log: string[] = [];
  /** Supervisors that gave up, in order. */
  readonly escalated: string[] = [];
  fate: 'up' | 'ended' | 'failed' = 'up';
  failure: Cause | null = null;
  now = 0;
  /** In the order in which they were set. */
  #retries: Retry[] = [];
  /** How many of a worker's next starts fail. */
  readonly #failing = new Map<string, number>();

  constructor(plan: Plan) {
    this.root = new Child(plan, null);
  }

  // ── what happens to it

  start(): Outcome {
    const cause = this.#start(this.root);
    if (cause === null) return 'ok';
    this.fate = 'failed';
    return 'start_failed';
  }

  /** The next starts of a worker fail. */
  breakStarts(path: string, times: number): void {
    this.#failing.set(path, times);
  }

  /** An actor that runs ends by itself, as if for this reason; a supervisor takes its children with it. */
  end(path: string, exit: Exit): void {
    const child = this.find(path);
    if (child?.life !== 'up') return;
    this.#takeDown(child, false);
    this.#ended(child, exit);
  }

  advance(ms: number): void {
    const end = this.now + ms;
    for (let next = this.#nextRetry(end); next !== null; next = this.#nextRetry(end)) {
      this.now = Math.max(this.now, next.at);
      this.#fire(next);
    }
    this.now = end;
  }

  stop(): void {
    if (this.fate !== 'up') return;
    this.#takeDown(this.root, this.root.plan.brutal);
    this.fate = 'ended';
  }

  // ── what its interface is asked for

  startChild(supervisor: string, plan: Plan): Outcome {
    const above = this.#supervisor(supervisor);
    if (above === null) return 'not_found';
    if (above.children.some((child) => child.plan.id === plan.id)) return 'duplicate';
    const child = new Child(plan, above);
    if (this.#start(child) !== null) return 'start_failed';
    above.children.push(child);
    return 'ok';
  }

  /** Stops a child, which stays listed unless it is temporary; it is not auto shutdown's business. */
  terminateChild(supervisor: string, id: string): Outcome {
    const child = this.#child(supervisor, id);
    if (child === null) return 'not_found';
    this.#takeDown(child, child.plan.brutal);
    child.retry = null;
    this.#forget(child);
    return 'ok';
  }

  /** Stops a child for an operator: it stays listed whatever it is, and away until it is started by hand. */
  hold(supervisor: string, id: string): Outcome {
    const child = this.#child(supervisor, id);
    if (child === null) return 'not_found';
    this.#takeDown(child, child.plan.brutal);
    child.held = true;
    return 'ok';
  }

  /** Starts a child that is down. A failure is the caller's, and burns nothing. */
  restartChild(supervisor: string, id: string): Outcome {
    const child = this.#child(supervisor, id);
    if (child === null) return 'not_found';
    if (child.life === 'up') return 'running';
    if (child.life === 'restarting') return 'restarting';
    child.held = false;
    return this.#start(child) === null ? 'ok' : 'start_failed';
  }

  /** A planned stop and start, which burns nothing; who waits for its restart is tried at once. */
  replan(supervisor: string, id: string): Outcome {
    const child = this.#child(supervisor, id);
    if (child === null) return 'not_found';
    if (child.retry !== null) {
      this.#fire(child.retry);
      return 'ok';
    }
    this.#takeDown(child, child.plan.brutal);
    child.held = false;
    const cause = this.#startAgain(child);
    if (cause === null) return 'ok';
    this.#ended(child, { kind: 'error', cause });
    return 'start_failed';
  }

  /** Another plan in the place of a child's own; where that does not start, the old one comes back as it was. */
  replaceChild(supervisor: string, plan: Plan): Outcome {
    const child = this.#child(supervisor, plan.id);
    if (child === null) return 'not_found';
    const { plan: before, life, retry } = child;
    if (retry !== null && this.#isGrouped(child.above)) {
      // It comes back with its group, which is not kept waiting.
      child.plan = plan;
      this.#fire(retry);
      return child.life === 'up' ? 'ok' : 'start_failed';
    }
    this.#takeDown(child, before.brutal);
    child.held = false;
    child.plan = plan;
    const cause = this.#startAgain(child);
    if (cause === null) return 'ok';
    child.plan = before;
    if (life === 'restarting') this.#ended(child, { kind: 'error', cause });
    else if (life === 'up') {
      const worse = this.#startAgain(child);
      if (worse !== null) this.#ended(child, { kind: 'error', cause: worse });
    }
    return 'start_failed';
  }

  deleteChild(supervisor: string, id: string): Outcome {
    const child = this.#child(supervisor, id);
    if (child === null) return 'not_found';
    if (child.life === 'up') return 'running';
    if (child.life === 'restarting') return 'restarting';
    this.#remove(child);
    return 'ok';
  }

  find(path: string): Child | null {
    const walk = (child: Child): Child | null => {
      if (child.path === path) return child;
      for (const below of child.children) {
        const found = walk(below);
        if (found !== null) return found;
      }
      return null;
    };
    return walk(this.root);
  }

  /** Every child below supervisors that run, parents first, in start order. */
  listing(): readonly { readonly path: string; readonly life: Life; readonly restarts: number }[] {
    const walk = (child: Child): Child[] => child.children.flatMap((below) => [below, ...walk(below)]);
    if (this.fate !== 'up') return [];
    return walk(this.root).map(({ path, life, restarts }) => ({ path, life, restarts }));
  }

  // ── starting and stopping

  /** Null, or why it did not start; then nothing of it is left. */
  #start(child: Child): Cause | null {
    const { supervisor } = child.plan;
    if (supervisor === null) {
      const left = this.#failing.get(child.path) ?? 0;
      if (left > 0) this.#failing.set(child.path, left - 1);
      this.log.push(`${left > 0 ? '!' : '+'}${child.path}`);
      if (left > 0) return FAULT;
    } else {
      child.burns = [];
      child.children = supervisor.children.map((plan) => new Child(plan, child));
      const cause = this.#startAll(child, supervisor.strategy);
      if (cause !== null) {
        this.#stopAll(child, false);
        return cause;
      }
    }
    child.life = 'up';
    return null;
  }

  #startAgain(child: Child): Cause | null {
    child.restarts += 1;
    return this.#start(child);
  }

  /** In order, up to the first that fails; children of a dynamic supervisor start independently of each other. */
  #startAll(above: Child, strategy: Strategy): Cause | null {
    let first: Cause | null = null;
    for (const child of above.children) {
      const cause = this.#start(child);
      first ??= cause;
      if (cause !== null && strategy !== 'dynamic') break;
    }
    return first;
  }

  /** In reverse order; restarts that are under way are given up. */
  #stopAll(above: Child, silently: boolean): void {
    for (const child of [...above.children].reverse()) this.#takeDown(child, silently || child.plan.brutal);
    above.children = [];
  }

  #takeDown(child: Child, silently: boolean): void {
    if (child.life === 'up') {
      if (child.plan.supervisor !== null) this.#stopAll(child, silently);
      else this.log.push(`${silently ? '~' : '-'}${child.path}`);
    }
    child.life = 'down';
    child.retry = null;
  }

  // ── what a supervisor decides

  /** A child ended, or could not be restarted: the one place where it is judged. */
  #ended(child: Child, exit: Exit): void {
    const { above, plan } = child;
    if (above === null) {
      this.fate = exit.kind === 'error' ? 'failed' : 'ended';
      this.failure = exit.kind === 'error' ? exit.cause : null;
      return;
    }
    const stays = plan.restart === 'temporary' || (plan.restart === 'transient' && exit.kind !== 'error');
    if (stays) {
      this.#forget(child);
      if (this.#shutsDown(above, child)) this.end(above.path, SHUTDOWN);
    } else if (this.#burn(above)) this.#restart(above, child);
    else {
      this.#takeDown(above, false);
      this.escalated.push(above.path);
      this.#ended(above, {
        kind: 'error',
        cause: { gaveUp: above.path, because: exit.kind === 'error' ? exit.cause : null },
      });
    }
  }

  /** Whether the supervisor may restart once more. */
  #burn(above: Child): boolean {
    above.burns.push(this.now);
    const { max = 0, within = 0 } = above.plan.supervisor ?? {};
    return above.burns.filter((time) => this.now - time <= within).length <= max;
  }

  /** What a temporary or a dynamic child was is not known any more; another one can be started again by hand. */
  #forget(child: Child): void {
    if (child.plan.restart === 'temporary' || child.above?.plan.supervisor?.strategy === 'dynamic')
      this.#remove(child);
  }

  #remove(child: Child): void {
    if (child.above === null) return;
    child.above.children = child.above.children.filter((other) => other !== child);
  }

  #shutsDown(above: Child, ended: Child): boolean {
    const rule = above.plan.supervisor?.autoShutdown ?? 'never';
    if (rule === 'never' || !ended.plan.significant) return false;
    return rule === 'any_significant' || !above.children.some((c) => c.plan.significant && c.life !== 'down');
  }

  /** Those that go down and come back with a child, in start order. */
  #group(above: Child, first: Child): readonly Child[] {
    const strategy = above.plan.supervisor?.strategy;
    if (strategy === 'one_for_all') return above.children;
    if (strategy === 'rest_for_one') return above.children.slice(above.children.indexOf(first));
    return [first];
  }

  /** Takes the child's group (but for who is held) down at once, and brings it back after the child's delay. */
  #restart(above: Child, failed: Child): void {
    const retry = { above, at: this.now + failed.plan.delay };
    this.#gather(
      retry,
      this.#group(above, failed).filter((member) => !member.held),
    );
    if (failed.plan.delay === 0) this.#fire(retry);
    else this.#retries.push(retry);
  }

  /**
   * A temporary child does not come back with its group; one that had ended, or was stopped by hand, does, and so does
   * one that became temporary while it was down: it has not been there yet.
   */
  #gather(retry: Retry, members: readonly Child[]): void {
    for (const member of [...members].reverse()) {
      const wasUp = member.life === 'up';
      this.#takeDown(member, member.plan.brutal);
      if (wasUp && member.plan.restart === 'temporary') this.#remove(member);
      else {
        member.life = 'restarting';
        member.retry = retry;
      }
    }
  }

  #fire(retry: Retry): void {
    const { above } = retry;
    const first = above.children.find((child) => child.retry === retry);
    if (first === undefined) return;
    // Who was added while the group was down had started without those before it.
    this.#gather(
      retry,
      this.#group(above, first).filter((child) => child.life === 'up'),
    );
    for (const member of above.children.filter((child) => child.retry === retry)) {
      // The end of one before it may have taken it down.
      if (member.retry !== retry) continue;
      const cause = this.#startAgain(member);
      if (cause === null) member.retry = null;
      else {
        this.#ended(member, { kind: 'error', cause });
        // Its group goes on without one that was replaced by a temporary one.
        if (member.plan.restart !== 'temporary') return;
      }
    }
  }

  #isGrouped(above: Child | null): boolean {
    const strategy = above?.plan.supervisor?.strategy;
    return strategy === 'one_for_all' || strategy === 'rest_for_one';
  }

  #nextRetry(until: number): Retry | null {
    this.#retries = this.#retries.filter((retry) =>
      retry.above.children.some((child) => child.retry === retry),
    );
    let next: Retry | null = null;
    for (const retry of this.#retries)
      if (retry.at <= until && (next === null || retry.at < next.at)) next = retry;
    this.#retries = this.#retries.filter((retry) => retry !== next);
    return next;
  }

  #supervisor(path: string): Child | null {
    const found = this.fate === 'up' ? this.find(path) : null;
    return found?.life === 'up' && found.plan.supervisor !== null ? found : null;
  }

  #child(supervisor: string, id: string): Child | null {
    return this.#supervisor(supervisor)?.children.find((child) => child.plan.id === id) ?? null;
  }
}
