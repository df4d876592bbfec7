import type { AnyActorRef } from 'xstate';
import { describeError, MagError } from '../../errors.ts';
import { LIMITS } from '../../limits.ts';
import { decide, type ExitKind, RestartWindow, shutsDown } from '../../machines/restart.ts';
import { type SupervisorEvent, supervisorMachine } from '../../machines/supervisor.ts';
import type { ActorNode } from '../../protocol/actor-node.ts';
import type { Actor } from '../behaviours/actor.ts';
import { stateText } from '../behaviours/xstate-root.ts';
import type { Core } from '../core.ts';
import { describeCell } from '../describe.ts';
import type { Cell } from '../kernel/cell.ts';
import { type Exit, exitKind, exitReason } from '../kernel/exit.ts';
import type { Behaviour, Intensity } from '../spec.ts';
import { type Child, isQuick, type Repair } from './child.ts';
import { ChildOperations } from './child-operations.ts';
import { Children } from './children.ts';
import { Restarts } from './restarts.ts';
import { checkChildSpec, checkSupervisor } from './spec-check.ts';

type SupervisorBehaviour = Extract<Behaviour, { kind: 'supervisor' }>;

const DEFAULT_INTENSITY: Intensity = { max: LIMITS.restartIntensity, within: LIMITS.restartWithinMs };

/** What an end is blamed on further up. */
const exitError = (child: Child, exit: Exit): unknown =>
  exit.kind === 'error'
    ? exit.error
    : new MagError('MAG_ACTOR_CRASHED', { path: child.path, cause: exitReason(exit).kind });

/**
 * The mechanics of a supervisor: starts, stops and restarts children as its statechart (machines/supervisor.ts) says.
 * Failures are judged by one pure function (machines/restart.ts): by the chart where what follows takes time, and here
 * where the child can be back before the next message.
 */
export class SupervisorActor implements Actor {
  readonly manage: ChildOperations;
  readonly list: Children;
  readonly #core: Core;
  readonly #cell: Cell;
  readonly #behaviour: SupervisorBehaviour;
  readonly #window: RestartWindow;
  readonly #restarts: Restarts;
  readonly #ended: Promise<void>;
  #machine: AnyActorRef | null = null;
  /** The chart is up: children may be restarted past it. */
  #up = false;
  #halted = false;
  #restartedAtOnce = 0;
  #markEnded: () => void = () => {};

  constructor(core: Core, cell: Cell, behaviour: SupervisorBehaviour) {
    checkSupervisor(behaviour, cell.path);
    this.#core = core;
    this.#cell = cell;
    this.#behaviour = behaviour;
    this.#window = new RestartWindow(behaviour.intensity ?? DEFAULT_INTENSITY);
    this.#ended = new Promise((resolve) => {
      this.#markEnded = resolve;
    });
    this.list = new Children(core, cell.path, (child, exit) => this.#childEnded(child, exit));
    for (const spec of behaviour.children) this.list.enlist(spec);
    // Children that were added to an earlier incarnation do not come back.
    core.carried.retain(cell.path, (id) => this.list.find(id) !== undefined);
    this.#restarts = new Restarts(core, behaviour.strategy, this.list, {
      send: (event) => this.#send(event),
      down: (child, error) => this.#startFailed(child, error),
      halted: () => this.#halted,
    });
    this.manage = new ChildOperations(core, {
      strategy: behaviour.strategy,
      children: this.list,
      restarts: this.#restarts,
      check: (spec) => checkChildSpec(spec, cell.path, behaviour),
      open: () => this.#refuseEnding(),
      ending: () => this.#isEnding(),
      down: (child, error) => this.#startFailed(child, error),
    });
  }

  start(): Promise<void> {
    // After the chart's own step: what an effect starts are other charts, and these must not run inside this one's.
    const { host } = this.#core;
    const effects = {
      startAll: () => host.soon(() => void this.#startAll()),
      stopAll: () => {
        this.#halt();
        host.soon(() => void this.#stopAll());
      },
      restart: (id: string) => this.#claim(id),
      forget: (id: string) => this.#forget(this.list.find(id)),
      condemn: (id: string) => this.#condemn(id),
    };
    const input = {
      effects,
      window: this.#window,
      autoShutdown: this.#behaviour.autoShutdown ?? 'never',
      grouped: this.#restarts.grouped,
    };
    const machine = this.#core.xstate.create(supervisorMachine, this.#cell.address, input, {
      done: () => this.#reachedEnd(),
      failed: (error) => this.#cell.fail(error),
    });
    this.#machine = machine;
    return new Promise((resolve) => {
      const watching = machine.subscribe({
        next: (snapshot) => {
          if (!snapshot.matches('up')) return;
          this.#up = !this.#halted;
          resolve();
          watching.unsubscribe();
        },
        error: () => {}, // reaches the cell through the root
      });
      machine.start();
    });
  }

  receive(): void {
    // A supervisor has no messages of its own: its interface is the system's.
  }

  stop(): Promise<void> {
    this.#send({ type: 'STOP' });
    return this.#ended;
  }

  abandon(error: unknown): Promise<void> {
    this.#send({ type: 'CRASHED', error });
    return this.#ended;
  }

  kill(): void {
    this.#halt();
    for (const child of [...this.list.all()].reverse()) {
      child.phase = 'stopping';
      child.cell?.kill();
    }
    if (this.#machine !== null) this.#core.xstate.stop(this.#machine);
    this.#markEnded();
  }

  state(): string {
    const snapshot: unknown = this.#machine?.getSnapshot();
    if (typeof snapshot !== 'object' || snapshot === null || !('value' in snapshot)) return 'starting';
    return stateText(snapshot.value).replace(/^up\./, '');
  }

  children(): Promise<readonly ActorNode[]> {
    return Promise.all(
      [...this.list.all()].map((child) =>
        child.cell === null ? child.vacancy(this.#core) : this.#describe(child, child.cell),
      ),
    );
  }

  /** A child that came back still shows what ended its last incarnation. */
  async #describe(child: Child, cell: Cell): Promise<ActorNode> {
    const node = await describeCell(this.#core, cell);
    return { ...node, lastError: node.lastError ?? child.lastError };
  }

  /** Whether it has a child of this id that is down. */
  hasDown(id: string): boolean {
    return this.list.find(id)?.cell === null;
  }

  #isEnding(): boolean {
    return this.#halted || !this.#cell.live;
  }

  #refuseEnding(): void {
    if (this.#isEnding()) throw new MagError('MAG_ACTOR_NOT_FOUND', { path: this.#cell.path });
  }

  async #startAll(): Promise<void> {
    // Children that are added meanwhile are started by who adds them.
    const initial = [...this.list.all()];
    try {
      if (this.#behaviour.strategy === 'dynamic')
        // Its children do not depend on each other: they start together, as they stop together.
        await Promise.all(initial.map((child) => this.#startInitial(child)));
      else for (const child of initial) await this.#startInitial(child);
      this.#send({ type: 'STARTED' });
    } catch (error) {
      if (!this.#halted) this.#send({ type: 'START_FAILED', error });
    }
  }

  async #startInitial(child: Child): Promise<void> {
    // Its turn came too late: it was terminated, or started by hand, while those before it started.
    if (this.#halted || child.phase !== 'idle') return;
    const started = this.list.start(child);
    const cell = started instanceof Promise ? await started : started;
    if (cell.ignored && this.#isPassing(child)) this.list.drop(child);
  }

  async #stopAll(): Promise<void> {
    const children = [...this.list.all()].reverse();
    const stopping =
      this.#behaviour.strategy === 'dynamic' ? this.list.stopTogether(children, 'shutdown') : undefined;
    await stopping;
    for (const child of children) {
      const last = this.list.stop(child, 'shutdown');
      if (last !== undefined) await last;
    }
    this.#send({ type: 'ALL_STOPPED' });
  }

  /** From now on nothing is started any more. */
  #halt(): void {
    this.#up = false;
    this.#halted = true;
    this.#cell.closing = true;
    this.#restarts.cancelAll();
  }

  #childEnded(child: Child, exit: Exit): void {
    // One that is part of a restart comes back with its group.
    if (child.repair !== null || this.#halted) return;
    if (!this.#up || this.#restarts.grouped || child.spec.backoff !== undefined || !isQuick(child)) {
      // Until the chart has judged, messages for it wait.
      this.#core.registry.vacate(child.path);
      this.#judge(child, exitKind(exit), exitError(child, exit));
      return;
    }
    const action = decide(ruleOf(child), this.#window, exitKind(exit), this.#core.host.now());
    if (action === 'restart') this.#restartAtOnce(child);
    else if (action === 'give_up') {
      this.#condemn(child.spec.id);
      this.#send({ type: 'GIVE_UP', error: exitError(child, exit) });
    } else {
      this.#forget(child);
      const mode = this.#behaviour.autoShutdown ?? 'never';
      if (shutsDown(mode, child.spec.significant ?? false, this.#significantLeft(child)))
        this.#send({ type: 'AUTO_SHUTDOWN' });
    }
  }

  #restartAtOnce(child: Child): void {
    child.restarts += 1;
    this.#restartedAtOnce += 1;
    // When there is time: an edge costs as much as a restart, and a hundred of them are one edge.
    if (this.#restartedAtOnce === 1) this.#core.host.defer(() => this.#tellRestarts());
    const { kernel } = this.#core;
    const { ambient } = kernel;
    // The message that ended one incarnation is none of the next one's: not its tenant, nor its deadline.
    kernel.ambient = null;
    try {
      const cell = this.list.start(child);
      // Its logic takes its time after all: then it is a restart like any other.
      if (cell instanceof Promise) cell.catch((error: unknown) => this.#startFailed(child, error));
      else if (cell.ignored && this.#isPassing(child)) this.list.drop(child);
    } catch (error) {
      this.#startFailed(child, error);
    } finally {
      kernel.ambient = ambient;
    }
  }

  #tellRestarts(): void {
    const count = this.#restartedAtOnce;
    this.#restartedAtOnce = 0;
    this.#send({ type: 'RESTARTED_AT_ONCE', count });
  }

  #startFailed(child: Child, error: unknown): void {
    if (this.#halted) return;
    child.repair = null;
    const trouble = child.troubled();
    trouble.startFailed = true;
    trouble.error = error;
    this.#core.registry.vacate(child.path);
    this.#judge(child, 'error', error);
  }

  #judge(child: Child, exit: ExitKind, error: unknown): void {
    const { id, significant = false } = child.spec;
    const at = this.#core.host.now();
    const significantLeft = significant ? this.#significantLeft(child) : 0;
    this.#send({
      type: 'CHILD_DOWN',
      id,
      rule: ruleOf(child),
      exit,
      error,
      significant,
      significantLeft,
      at,
    });
  }

  #significantLeft(ended: Child): number {
    let left = 0;
    if (ended.spec.significant === true)
      for (const child of this.list.all())
        if (child !== ended && child.spec.significant === true && child.active) left += 1;
    return left;
  }

  #claim(id: string): void {
    const child = this.list.find(id);
    if (child === undefined) return;
    const repair: Repair | null = this.#restarts.claim(child);
    if (repair !== null) this.#core.host.soon(() => void this.#restarts.run(repair));
  }

  #forget(child: Child | undefined): void {
    if (child === undefined) return;
    // Any other can be started again by hand.
    if (this.#isPassing(child)) this.list.drop(child);
    else this.#core.registry.release(child.path);
  }

  /** It failed too often with the state that it carried over: further up it starts from nothing. */
  #condemn(id: string): void {
    this.#core.carried.drop(`${this.#cell.path}/${id}`);
  }

  /** Leaves no trace once it is down: keeping a specification for each would add up. */
  #isPassing(child: Child): boolean {
    return child.spec.restart === 'temporary' || this.#behaviour.strategy === 'dynamic';
  }

  #send(event: SupervisorEvent): void {
    if (this.#machine?.getSnapshot().status === 'active') this.#machine.send(event);
  }

  #reachedEnd(): void {
    const failure = failureOf(this.#machine?.getSnapshot());
    this.#markEnded();
    if (!this.#cell.live) return;
    if (failure === null) this.#cell.stop('auto_shutdown');
    else this.#cell.fail(this.#failure(failure));
  }

  #failure(context: { readonly error: unknown; readonly gaveUp: boolean }): unknown {
    if (!context.gaveUp) return context.error;
    const { max, within } = this.#window.intensity;
    const path = this.#cell.path;
    this.#core.emit({ type: 'escalated', path, reason: describeError(context.error), delay: null });
    return new MagError('MAG_RESTART_INTENSITY', { path, max, within }, { cause: context.error });
  }
}

const ruleOf = (child: Child): 'permanent' | 'transient' | 'temporary' => child.spec.restart ?? 'permanent';

/** What a supervisor's chart that ended in `failed` says of it. */
function failureOf(snapshot: unknown): { readonly error: unknown; readonly gaveUp: boolean } | null {
  if (typeof snapshot !== 'object' || snapshot === null || !('value' in snapshot) || !('context' in snapshot))
    return null;
  const { context, value } = snapshot;
  if (value !== 'failed' || typeof context !== 'object' || context === null || !('error' in context))
    return null;
  return { error: context.error, gaveUp: 'gaveUp' in context && context.gaveUp === true };
}
