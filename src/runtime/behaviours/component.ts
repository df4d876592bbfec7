import type { AnyActorRef } from 'xstate';
import { describeError, MagError } from '../../errors.ts';
import { LIMITS } from '../../limits.ts';
import { type ComponentEvent, componentMachine } from '../../machines/component.ts';
import type { ActorNode } from '../../protocol/actor-node.ts';
import type { Core } from '../core.ts';
import type { Timer } from '../host.ts';
import type { Ask } from '../kernel/ask.ts';
import type { Cell } from '../kernel/cell.ts';
import { CellContext } from '../kernel/context.ts';
import type { Delivery } from '../kernel/mailbox.ts';
import {
  type Behaviour,
  type ComponentContext,
  type ComponentService,
  IGNORE,
  type Ignore,
  type Message,
} from '../spec.ts';
import type { Actor } from './actor.ts';
import { stateText } from './xstate-root.ts';

type ComponentBehaviour = Extract<Behaviour, { kind: 'component' }>;

const isThenable = (value: unknown): value is PromiseLike<unknown> =>
  typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function';

const isIgnored = (service: ComponentService | Ignore): service is Ignore => service === IGNORE;

class ServiceContext extends CellContext implements ComponentContext {
  degradedListener: (detail: string | null) => void = () => {};

  degraded(detail: string | null): void {
    this.degradedListener(detail);
  }
}

/** A service with a life: started, offered to its thread, asked for its health, drained and freed. */
export class ComponentActor implements Actor {
  readonly #core: Core;
  readonly #cell: Cell;
  readonly #behaviour: ComponentBehaviour;
  readonly #context: ServiceContext;
  #machine: AnyActorRef | null = null;
  #service: ComponentService | null = null;
  #probe: Timer | null = null;
  #failedProbes = 0;
  /** Ends the start, and the stop, that the cell waits for. */
  #started: () => void = () => {};
  /** A start that is under way. */
  #starting: Promise<void> | null = null;
  #crashed = false;
  #ended: () => void = () => {};
  readonly #end: Promise<void>;

  constructor(core: Core, cell: Cell, behaviour: ComponentBehaviour) {
    this.#core = core;
    this.#cell = cell;
    this.#behaviour = behaviour;
    this.#context = new ServiceContext(cell);
    this.#context.degradedListener = (detail) =>
      this.#send(detail === null ? { type: 'RECOVERED' } : { type: 'DEGRADED', detail });
    this.#end = new Promise((resolve) => {
      this.#ended = resolve;
    });
  }

  start(): Promise<void> {
    const started = new Promise<void>((resolve) => {
      this.#started = resolve;
    });
    // The component's own code runs after the chart's step, not inside it.
    const { host } = this.#core;
    const effects = {
      start: () =>
        host.soon(() => {
          this.#starting = this.#begin();
        }),
      open: () => this.#open(),
      close: () => this.#close(),
      drain: () => host.soon(() => void this.#drain()),
      free: () => host.soon(() => void this.#free()),
    };
    const machine = this.#core.xstate.create(
      componentMachine,
      this.#cell.address,
      { effects },
      {
        done: () => this.#ended(),
        failed: (error) => this.#cell.fail(error),
      },
    );
    this.#machine = machine;
    machine.start();
    return started;
  }

  receive(message: Message, delivery: Delivery | null): void {
    const ask = delivery === null ? null : delivery.ask;
    const handle = this.#service?.handle;
    if (handle === undefined || this.#service === null) {
      ask?.reject(
        new MagError('MAG_ACTOR_NOT_FOUND', { path: `${this.#cell.path} (it answers no messages)` }),
      );
      return;
    }
    try {
      this.#answer(ask, message, handle.call(this.#service, message));
    } catch (error) {
      this.#refuse(ask, message, error);
    }
  }

  stop(): Promise<void> {
    this.#send({ type: 'STOP' });
    return this.#end;
  }

  abandon(error: unknown): Promise<void> {
    this.#crashed = true;
    this.#send({ type: 'CRASHED', error });
    // A service that hangs while it is freed must not keep its replacement from starting.
    const limit = this.#core.host.setTimer(LIMITS.shutdownMs, () => this.#ended());
    return this.#end.then(() => this.#core.host.clearTimer(limit));
  }

  kill(): void {
    this.#close();
    if (this.#machine !== null) this.#core.xstate.stop(this.#machine);
    const service = this.#service;
    this.#service = null; // to be freed already, it would be freed twice
    this.#stopService(service).catch(() => {}); // told to the log inside; nobody waits for it any more
    this.#ended();
  }

  state(): string {
    const snapshot: unknown = this.#machine?.getSnapshot();
    if (typeof snapshot !== 'object' || snapshot === null || !('value' in snapshot)) return 'starting';
    return stateText(snapshot.value).replace(/^running\./, '');
  }

  /** The tree shows why it is degraded where it shows errors, and a child process that it owns as that process. */
  async overlay(): Promise<Partial<ActorNode>> {
    const detail = this.detail();
    const pid = this.#service?.process?.() ?? null;
    return {
      ...(detail === null ? {} : { lastError: detail }),
      ...(pid === null
        ? {}
        : { kind: 'process', placement: { thread: this.#core.node, process: pid, node: this.#core.node } }),
    };
  }

  /** Why it is not healthy, where it says so. */
  detail(): string | null {
    const snapshot: unknown = this.#machine?.getSnapshot();
    if (typeof snapshot !== 'object' || snapshot === null || !('context' in snapshot)) return null;
    const context = snapshot.context;
    if (typeof context !== 'object' || context === null || !('detail' in context)) return null;
    return typeof context.detail === 'string' ? context.detail : null;
  }

  #send(event: ComponentEvent): void {
    if (this.#machine?.getSnapshot().status === 'active') this.#machine.send(event);
  }

  async #begin(): Promise<void> {
    // A start that succeeds after its incarnation ended is undone at once, so that nothing is left open.
    if (this.#cell.status !== 'starting') return;
    try {
      const service = await this.#behaviour.start(this.#context);
      if (typeof service !== 'object' && !isIgnored(service))
        throw new MagError('MAG_COMPONENT_INVALID', {
          component: this.#cell.path,
          problem: 'its start gave no service',
        });
      if (isIgnored(service)) this.#ignore();
      else if (this.#cell.status === 'starting') {
        this.#service = service;
        this.#send({ type: 'STARTED' });
        this.#started();
      } else await this.#stopService(service);
    } catch (error) {
      this.#cell.fail(error);
    }
  }

  #ignore(): void {
    if (this.#cell.status !== 'starting') return;
    if (this.#machine !== null) this.#core.xstate.stop(this.#machine);
    this.#cell.ignore();
  }

  #open(): void {
    const api = this.#service?.api;
    if (api !== undefined) this.#core.registry.services.offer(this.#cell.spec.id, api);
    if (this.#service?.health !== undefined) this.#planProbe();
  }

  #close(): void {
    const api = this.#service?.api;
    if (api !== undefined) this.#core.registry.services.withdraw(this.#cell.spec.id, api);
    if (this.#probe !== null) this.#core.host.clearTimer(this.#probe);
    this.#probe = null;
  }

  async #drain(): Promise<void> {
    try {
      await this.#service?.drain?.();
    } catch (error) {
      this.#warn(error, 'a component could not be drained');
    }
    this.#send({ type: 'DRAINED' });
  }

  async #free(): Promise<void> {
    // What a start has opened so far is freed when it comes up: until then a replacement would find it taken. A
    // start that failed by its deadline is not waited for.
    if (!this.#crashed) await this.#starting;
    const service = this.#service;
    this.#service = null;
    await this.#stopService(service);
    this.#send({ type: 'FREED' });
  }

  async #stopService(service: ComponentService | null): Promise<void> {
    try {
      await service?.stop?.();
    } catch (error) {
      this.#warn(error, 'a component could not be freed');
    }
  }

  #answer(ask: Ask | null, message: Message, value: unknown): void {
    // Any thenable: one that is never over would outlive the question's deadline.
    if (!isThenable(value)) {
      ask?.resolve(value);
      return;
    }
    value.then(
      (answer) => ask?.resolve(answer),
      (error: unknown) => this.#refuse(ask, message, error),
    );
  }

  #refuse(ask: Ask | null, message: Message, error: unknown): void {
    if (ask !== null) ask.reject(error);
    else this.#warn(error, `a message of type ${message.type} could not be handled`);
  }

  #planProbe(): void {
    this.#probe = this.#core.host.setTimer(LIMITS.healthIntervalMs, () => void this.#askHealth());
  }

  async #askHealth(): Promise<void> {
    const service = this.#service;
    const error = await this.#healthError();
    if (this.#service !== service || !this.#cell.live) return;
    this.#failedProbes = error === null ? 0 : this.#failedProbes + 1;
    if (error !== null && this.#failedProbes >= 2) this.#cell.fail(error);
    else this.#planProbe();
  }

  async #healthError(): Promise<Error | null> {
    let timer: Timer | null = null;
    const late = new Promise<never>((_, reject) => {
      timer = this.#core.host.setTimer(LIMITS.healthTimeoutMs, () =>
        reject(new MagError('MAG_ASK_TIMEOUT', { path: this.#cell.path, ms: LIMITS.healthTimeoutMs })),
      );
    });
    try {
      await Promise.race([this.#service?.health?.(), late]);
      return null;
    } catch (error) {
      return error instanceof Error ? error : new Error(String(error));
    } finally {
      if (timer !== null) this.#core.host.clearTimer(timer);
    }
  }

  #warn(error: unknown, message: string): void {
    this.#core.log.warn({ path: this.#cell.path, error: describeError(error) }, message);
  }
}
