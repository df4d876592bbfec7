import type { AnyActorRef } from 'xstate';
import { describeError, MagError } from '../errors.ts';
import { LIMITS } from '../limits.ts';
import { decide, type ExitKind, emptyWindow, type RestartWindow } from '../machines/restart.ts';
import { type SupervisorEvent, supervisorMachine } from '../machines/supervisor.ts';
import type { ActorNode } from '../protocol/actor-node.ts';
import type { Actor } from './actor.ts';
import type { Cell } from './cell.ts';
import { Child, type Parent } from './child.ts';
import type { Core } from './core.ts';
import { describeCell } from './describe.ts';
import { type Exit, exitKind } from './exit.ts';
import { Restarts } from './restarts.ts';
import type { Behaviour, ChildSpec, Intensity } from './spec.ts';
import { failureOf } from './supervisor-failure.ts';
import { stateText } from './xstate-root.ts';

type SupervisorBehaviour = Extract<Behaviour, { kind: 'supervisor' }>;

const DEFAULT_INTENSITY: Intensity = { max: LIMITS.restartIntensity, within: LIMITS.restartWithinMs };

/**
 * The mechanics of a supervisor: starts, stops and restarts children as its statechart (machines/supervisor.ts) says.
 * The chart decides; nothing here judges a failure.
 */
export class SupervisorActor implements Actor, Parent {
  readonly #core: Core;
  readonly #cell: Cell;
  readonly #behaviour: SupervisorBehaviour;
  readonly #intensity: Intensity;
  /** In start order. */
  readonly #children = new Map<string, Child>();
  readonly #budget: { window: RestartWindow };
  #machine: AnyActorRef | null = null;
  #up = false;
  #halted = false;
  #markEnded: () => void = () => {};
  readonly #ended: Promise<void>;
  readonly #restarts: Restarts;

  constructor(core: Core, cell: Cell, behaviour: SupervisorBehaviour) {
    this.#core = core;
    this.#cell = cell;
    this.#behaviour = behaviour;
    this.#intensity = behaviour.intensity ?? DEFAULT_INTENSITY;
    this.#budget = { window: emptyWindow(this.#intensity) };
    this.#ended = new Promise((resolve) => {
      this.#markEnded = resolve;
    });
    for (const spec of behaviour.children) this.#enlist(spec);
    this.#restarts = new Restarts(core, behaviour.strategy, this.#children, {
      start: (child) => this.#startChild(child),
      stop: (child, reason) => this.#stopChild(child, reason),
      send: (event) => this.#send(event),
      forget: (id) => this.#forget(id),
      down: (child, error) => this.#reportDown(child, error),
      halted: () => this.#halted,
    });
  }

  start(): Promise<void> {
    // After the chart's own step: what an effect starts are other charts, and these must not run inside this one's.
    const { host } = this.#core;
    const effects = {
      startAll: () => host.soon(() => void this.#startAll()),
      stopAll: () => host.soon(() => void this.#stopAll()),
      restart: (id: string) => host.soon(() => void this.#restarts.run(id)),
      forget: (id: string) => host.soon(() => this.#forget(id)),
    };
    const input = { effects, budget: this.#budget };
    const machine = this.#core.xstate.create(supervisorMachine, this.#cell.address, input, {
      done: () => this.#reachedEnd(),
      failed: (error) => this.#cell.fail(error),
    });
    this.#machine = machine;
    return new Promise((resolve) => {
      const watching = machine.subscribe({
        next: (snapshot) => {
          if (!snapshot.matches('up')) return;
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
    for (const child of [...this.#children.values()].reverse()) {
      child.managed = true;
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
      [...this.#children.values()].map((child) =>
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
    return this.#children.get(id)?.cell === null;
  }

  /** Adds and starts a child; it is refused if it cannot start. */
  async addChild(spec: ChildSpec): Promise<Cell> {
    if (!this.#cell.live) throw new MagError('MAG_ACTOR_NOT_FOUND', { path: this.#cell.path });
    const child = this.#enlist(spec);
    try {
      return await this.#startChild(child);
    } catch (error) {
      this.#children.delete(spec.id);
      this.#core.registry.release(child.path);
      throw error;
    }
  }

  async removeChild(id: string): Promise<void> {
    const child = this.known(id);
    await this.holdChild(id);
    if (this.#children.get(id) === child) this.#children.delete(id);
  }

  /** Stops a child and keeps it listed: a planned restart brings it back. */
  async holdChild(id: string): Promise<void> {
    const child = this.known(id);
    this.#restarts.cancel(child);
    await this.#stopChild(child, 'stopped on request');
    child.phase = 'stopped';
    this.#core.registry.release(child.path);
  }

  /** A planned stop and start: burns no budget. A child that waits for its next try is tried at once. */
  async restartChild(id: string): Promise<void> {
    const child = this.known(id);
    if (child.repair !== null) {
      child.repair.hurry();
      return;
    }
    child.repair = { cancelled: false, hurry: () => {} };
    child.phase = 'restarting';
    this.#core.registry.vacate(child.path);
    await this.#stopChild(child, 'restart');
    if (this.#halted) return;
    child.restarts += 1;
    try {
      await this.#startChild(child);
    } catch (error) {
      this.#reportDown(child, error);
      throw error;
    }
  }

  /** Its children in start order. */
  list(): IterableIterator<Child> {
    return this.#children.values();
  }

  /** Starts a child that is down. */
  async resumeChild(id: string): Promise<Cell> {
    const child = this.known(id);
    if (child.cell !== null) throw new MagError('MAG_CHILD_RUNNING', { path: child.path });
    if (child.repair !== null) throw new MagError('MAG_CHILD_RESTARTING', { path: child.path });
    return this.#startChild(child);
  }

  /** Forgets a child that is down. */
  forgetChild(id: string): void {
    const child = this.known(id);
    if (child.cell !== null) throw new MagError('MAG_CHILD_RUNNING', { path: child.path });
    if (child.repair !== null) throw new MagError('MAG_CHILD_RESTARTING', { path: child.path });
    this.#children.delete(id);
    this.#core.registry.release(child.path);
  }

  /** Puts a child in the place of the one of its id; the old one comes back where the new one does not start. */
  async replaceChild(spec: ChildSpec): Promise<Cell> {
    const old = this.known(spec.id);
    this.#core.registry.vacate(old.path);
    this.#restarts.cancel(old);
    await this.#stopChild(old, 'replaced');
    const child = new Child(spec, old.path, this.#core.host.now(), this);
    child.restarts = old.restarts + 1;
    this.#children.set(spec.id, child);
    try {
      return await this.#startChild(child);
    } catch (error) {
      this.#children.set(spec.id, old);
      this.#core.registry.vacate(old.path);
      await this.#startChild(old);
      throw error;
    }
  }

  known(id: string): Child {
    const child = this.#children.get(id);
    if (child === undefined) throw new MagError('MAG_ACTOR_NOT_FOUND', { path: `${this.#cell.path}/${id}` });
    return child;
  }

  #enlist(spec: ChildSpec): Child {
    const path = `${this.#cell.path}/${spec.id}`;
    if (this.#children.has(spec.id))
      throw new MagError('MAG_ACTOR_DUPLICATE', { id: spec.id, path: this.#cell.path });
    const child = new Child(spec, path, this.#core.host.now(), this);
    this.#children.set(spec.id, child);
    return child;
  }

  async #startAll(): Promise<void> {
    try {
      if (this.#behaviour.strategy === 'dynamic')
        // Its children do not depend on each other: they start together, as they stop together.
        await Promise.all([...this.#children.values()].map((child) => this.#startChild(child)));
      else await this.#startInOrder();
      this.#up = true;
      this.#send({ type: 'STARTED' });
    } catch (error) {
      if (!this.#halted) this.#send({ type: 'START_FAILED', error });
    }
  }

  async #startInOrder(): Promise<void> {
    for (const child of this.#children.values()) {
      if (this.#halted) return;
      await this.#startChild(child);
    }
  }

  async #stopAll(): Promise<void> {
    this.#halt();
    const children = [...this.#children.values()].reverse();
    if (this.#behaviour.strategy === 'dynamic')
      await Promise.all(children.map((child) => this.#stopChild(child, 'shutdown')));
    else for (const child of children) await this.#stopChild(child, 'shutdown');
    this.#send({ type: 'ALL_STOPPED' });
  }

  #halt(): void {
    this.#halted = true;
    for (const child of this.#children.values()) if (child.repair !== null) this.#restarts.cancel(child);
  }

  /** Starts the child's next incarnation and waits until it is ready. */
  async #startChild(child: Child): Promise<Cell> {
    const cell = this.#begin(child);
    try {
      if (cell.status !== 'running') await cell.ready;
    } catch {
      const exit = await cell.ended;
      child.remember(cell);
      child.phase = 'failed';
      throw exit.kind === 'error' ? exit.error : new MagError('MAG_ACTOR_NOT_FOUND', { path: child.path });
    } finally {
      child.managed = false;
    }
    child.repair = null;
    child.phase = 'up';
    // It may have ended again between readiness and now.
    if (cell.exit !== null) this.childEnded(child, cell);
    return cell;
  }

  #begin(child: Child): Cell {
    child.managed = true;
    const cell = this.#core.spawn(child.path, child.spec, child.restarts, child);
    if (cell.exit === null) child.cell = cell;
    child.remember(cell);
    return cell;
  }

  async #stopChild(child: Child, reason: string): Promise<void> {
    const cell = child.cell;
    if (cell === null) return;
    child.managed = true;
    const limit =
      child.spec.shutdown ?? (child.spec.behaviour.kind === 'supervisor' ? 'infinity' : LIMITS.shutdownMs);
    if (limit === 'brutal') cell.kill();
    else {
      void cell.stop(reason);
      const timer = limit === 'infinity' ? null : this.#core.host.setTimer(limit, () => cell.kill());
      await cell.ended;
      if (timer !== null) this.#core.host.clearTimer(timer);
    }
    child.managed = false;
    child.phase = 'stopped';
  }

  childEnded(child: Child, cell: Cell): void {
    child.remember(cell);
    if (child.cell === cell) child.cell = null;
    if (child.managed || child.repair !== null || this.#halted) return;
    const now = this.#core.host.now();
    child.ranFor = now - cell.startedAt;
    const exit = cell.exit;
    if (exit !== null && this.#restartAtOnce(child, exit, now)) return;
    child.phase = exit?.kind === 'error' ? 'failed' : 'stopped';
    // Until the chart has judged, messages for it wait.
    this.#core.registry.vacate(child.path);
    this.#judge(child, exitKind(exit), exit?.kind === 'error' ? exit.error : null);
  }

  /**
   * The kernel's own restart: of one child alone, without a delay, of a behaviour that is ready when its start returns.
   * The decision is the chart's own; the chart has no state for what is over before it could enter it.
   */
  #restartAtOnce(child: Child, exit: Exit, now: number): boolean {
    const { spec } = child;
    const { strategy } = this.#behaviour;
    if (!this.#up || spec.backoff !== undefined) return false;
    if (strategy !== 'one_for_one' && strategy !== 'dynamic') return false;
    if (spec.behaviour.kind !== 'light' && spec.behaviour.kind !== 'machine') return false;
    if (spec.restart === 'temporary') return false;
    const { window } = this.#budget;
    const decision = decide(spec.restart ?? 'permanent', window, exitKind(exit), now);
    // Whatever else it is, the chart does it, and records it there.
    if (decision.action !== 'restart') return false;
    this.#budget.window = decision.window;
    child.restarts += 1;
    const cell = this.#begin(child);
    child.managed = false;
    child.phase = 'up';
    if (cell.exit !== null) this.#core.host.soon(() => this.childEnded(child, cell));
    return true;
  }

  #reportDown(child: Child, error: unknown): void {
    if (this.#halted) return;
    child.repair = null;
    child.error = error;
    this.#judge(child, 'error', error);
  }

  #judge(child: Child, exit: ExitKind, error: unknown): void {
    const rule = child.spec.restart ?? 'permanent';
    this.#send({ type: 'CHILD_DOWN', id: child.spec.id, rule, exit, error, at: this.#core.host.now() });
  }

  #forget(id: string): void {
    const child = this.#children.get(id);
    if (child === undefined) return;
    this.#core.registry.release(child.path);
    // A temporary child leaves no trace; any other can be started again by hand.
    if (child.spec.restart === 'temporary') this.#children.delete(id);
  }

  #send(event: SupervisorEvent): void {
    if (this.#machine?.getSnapshot().status === 'active') this.#machine.send(event);
  }

  #reachedEnd(): void {
    const snapshot: unknown = this.#machine?.getSnapshot();
    const context = failureOf(snapshot);
    if (context !== null && this.#cell.live) this.#cell.fail(this.#failure(context));
    this.#markEnded();
  }

  #failure(context: { readonly error: unknown; readonly gaveUp: boolean }): unknown {
    if (!context.gaveUp) return context.error;
    const { max, within } = this.#intensity;
    const path = this.#cell.path;
    this.#core.emit({ type: 'escalated', path, reason: describeError(context.error), delay: null });
    return new MagError('MAG_RESTART_INTENSITY', { path, max, within }, { cause: context.error });
  }
}
