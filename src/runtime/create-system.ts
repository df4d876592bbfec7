import { describeError, type ErrorCode, MagError } from '../errors.ts';
import type { LifecycleEvent } from '../protocol/actor-node.ts';
import { createBehaviour } from './behaviours/behaviours.ts';
import { ComponentActor } from './behaviours/component.ts';
import { XStateRoot } from './behaviours/xstate-root.ts';
import type { Core, Parameters } from './core.ts';
import type { Host } from './host.ts';
import { nodeHost } from './host-node.ts';
import type { Ask } from './kernel/ask.ts';
import { Carried } from './kernel/carried.ts';
import { Cell } from './kernel/cell.ts';
import type { CellOwner } from './kernel/cell-owner.ts';
import { DeadLetters } from './kernel/dead-letters.ts';
import { Deadlines } from './kernel/deadlines.ts';
import { Kernel } from './kernel/kernel.ts';
import { Delivery, type Entry } from './kernel/mailbox.ts';
import { Names } from './kernel/names.ts';
import { Registry } from './kernel/registry.ts';
import { type Log, silentLog } from './log.ts';
import { Arrivals } from './placement/moved.ts';
import { Remotes } from './placement/remotes.ts';
import type { ChildSpec } from './spec.ts';
import { SupervisorActor } from './supervision/supervise.ts';
import type { ActorSystem, SendResult } from './system.ts';
import { System } from './system-node.ts';

export interface SystemOptions {
  /** Name of this thread, shown as the placement of its actors. */
  readonly node: string;
  readonly host: Host;
  /** Default: silent. */
  readonly log?: Log;
  /** Process id shown as the placement of its actors; default 0. */
  readonly pid?: number;
  /** A root actor that had started failed: nobody is above it to restart it. */
  readonly onRootFailure?: (path: string, error: unknown) => void;
  /** Path of the root where this thread is a mount of another; set by worker/. */
  readonly mount?: string;
}

/** Figures of one thread's runtime. */
export interface RuntimeCounters {
  readonly handled: number;
  readonly deadLetters: number;
  readonly parked: number;
  readonly actors: number;
}

export interface ComponentReport {
  readonly name: string;
  readonly path: string;
  /** `healthy`, `degraded`, `starting`, … */
  readonly state: string;
  /** Why it is degraded, where it is. */
  readonly detail: string | null;
}

/** The parts that one thread's system is made of, wired together. */
export class Runtime implements Core {
  readonly node: string;
  readonly pid: number;
  readonly host: Host;
  readonly log: Log;
  readonly kernel: Kernel;
  readonly deadlines: Deadlines;
  readonly registry: Registry;
  readonly names = new Names((path) => this.registry.awaited(path));
  readonly carried = new Carried();
  readonly arrivals = new Arrivals();
  readonly deadLetters = new DeadLetters();
  readonly xstate: XStateRoot;
  readonly remotes: Remotes;
  readonly system: System;
  readonly #listeners = new Set<(event: LifecycleEvent) => void>();

  constructor(options: SystemOptions) {
    this.node = options.node;
    this.pid = options.pid ?? 0;
    this.host = options.host;
    this.log = options.log ?? silentLog;
    this.kernel = new Kernel(options.host);
    this.deadlines = new Deadlines(options.host);
    this.registry = new Registry(
      (delivery) => this.#handOn(delivery),
      (delivery, code) => this.bury(delivery.to, delivery, code, { name: delivery.to }),
      (path) => {
        this.carried.drop(path);
        this.names.release(path);
      },
    );
    this.xstate = new XStateRoot(options.host, (event) =>
      this.deadLetters.add({ to: '(parent)', message: event }, 'no receiver'),
    );
    this.remotes = new Remotes(() => this);
    this.system = new System(this, options);
  }

  counters(): RuntimeCounters {
    return {
      handled: this.kernel.handled,
      deadLetters: this.deadLetters.count,
      parked: this.registry.parked,
      actors: this.registry.size,
    };
  }

  /** The components of this thread that are there now, without asking anybody. */
  components(): readonly ComponentReport[] {
    const reports: ComponentReport[] = [];
    for (const cell of this.registry.cells()) {
      if (!(cell.actor instanceof ComponentActor)) continue;
      const { path, spec } = cell;
      reports.push({ name: spec.id, path, state: cell.actor.state(), detail: cell.actor.detail() });
    }
    return reports;
  }

  get listening(): boolean {
    return this.#listeners.size > 0;
  }

  deliver(delivery: Delivery): SendResult {
    const { to } = delivery;
    const cell = this.registry.find(to) ?? this.registry.mountAbove(to);
    const behind = cell?.status === 'starting' && this.registry.hasParked(to);
    if (cell?.live === true && !behind) return cell.accept(delivery);
    if (this.registry.awaited(to)) return this.registry.park(delivery);
    const sent = this.remotes.send(delivery);
    if (sent !== null) return sent;
    const absence = this.#absence(to);
    this.bury(to, delivery, absence.code, absence.params);
    return 'dead';
  }

  offer(delivery: Delivery, ask: Ask): Promise<SendResult> {
    const { to } = delivery;
    const cell = this.registry.find(to) ?? this.registry.mountAbove(to);
    const behind = cell?.status === 'starting' && this.registry.hasParked(to);
    if (cell?.live === true && !behind) return cell.offer(delivery, ask);
    const link = this.registry.awaited(to) ? null : this.remotes.route(to);
    if (link !== null) return link.offer(delivery, ask);
    ask.resolve(this.deliver(delivery));
    return ask.promise as Promise<SendResult>; // resolved with nothing else
  }

  bury(path: string, entry: Entry, code: ErrorCode, params: Parameters): void {
    const isDelivery = entry instanceof Delivery;
    this.deadLetters.add(isDelivery ? entry : { to: path, message: entry }, code);
    if (isDelivery && entry.ask !== null) entry.ask.reject(new MagError(code, params));
  }

  spawn(path: string, spec: ChildSpec, restarts: number, owner: CellOwner): Cell {
    const incarnation = this.arrivals.incarnation(path) ?? this.registry.nextIncarnation();
    const cell = new Cell(this, path, incarnation, spec, restarts, owner);
    this.registry.add(cell);
    owner.cellBegins(cell);
    cell.begin((made) => createBehaviour(this, made));
    return cell;
  }

  emit(event: LifecycleEvent): void {
    for (const listener of [...this.#listeners]) {
      try {
        listener(event);
      } catch (error) {
        this.log.error({ error: describeError(error) }, 'a lifecycle listener threw');
      }
    }
  }

  listen(listener: (event: LifecycleEvent) => void): () => void {
    // Each call is a subscription of its own, also with the same listener.
    const told = (event: LifecycleEvent): void => listener(event);
    this.#listeners.add(told);
    return () => this.#listeners.delete(told);
  }

  /** What waited for its receiver. Its sender was told that it is sent: where there is no room now, that must be seen. */
  #handOn(delivery: Delivery): void {
    const buried = this.deadLetters.count;
    if (this.deliver(delivery) !== 'rejected' || this.deadLetters.count > buried) return;
    const { to } = delivery;
    const capacity = this.registry.find(to)?.mailbox.capacity ?? 0;
    this.bury(to, delivery, 'MAG_MAILBOX_FULL', { path: to, capacity });
  }

  /** Why nobody holds a path: there never was such an actor, or it is known here and stopped. */
  #absence(path: string): { readonly code: ErrorCode; readonly params: Parameters } {
    for (let cut = path.lastIndexOf('/'); cut > 0; cut = path.lastIndexOf('/', cut - 1)) {
      const above = this.registry.find(path.slice(0, cut))?.actor;
      if (above === undefined) continue;
      const [id = ''] = path.slice(cut + 1).split('/');
      if (above instanceof SupervisorActor && above.hasDown(id))
        return { code: 'MAG_COMPONENT_UNAVAILABLE', params: { name: path } };
      break;
    }
    return { code: 'MAG_ACTOR_NOT_FOUND', params: { path } };
  }
}

/** The actor system of this thread. It needs nothing of the board. By default its node is `main`, on the real host. */
export function createSystem(options: Partial<SystemOptions> = {}): ActorSystem {
  return createRuntime({ node: 'main', ...options, host: options.host ?? nodeHost() }).system;
}

/** The same with its parts, for what builds on the runtime: counters, dead letters, `kernel.step()`. */
export function createRuntime(options: SystemOptions): Runtime {
  return new Runtime(options);
}
