import { describeError, MagError } from '../../errors.ts';
import { LIMITS } from '../../limits.ts';
import type { ActorCommand, ActorNode } from '../../protocol/actor-node.ts';
import type { Actor } from '../behaviours/actor.ts';
import type { Core } from '../core.ts';
import type { Ask } from '../kernel/ask.ts';
import { Bytes } from '../kernel/bytes.ts';
import type { Cell } from '../kernel/cell.ts';
import { startLimit } from '../kernel/kind.ts';
import { Delivery } from '../kernel/mailbox.ts';
import type { Behaviour, Message } from '../spec.ts';
import type { SendResult } from '../system.ts';
import { uncloneableField } from './cloneable.ts';
import type { Control } from './frame.ts';
import { type Gate, Link } from './link.ts';
import type { Moved } from './moved.ts';
import type { Outlet } from './outlet.ts';
import type { Vessel } from './vessel.ts';
import { fromWire } from './wire-error.ts';

type RemoteBehaviour = Extract<Behaviour, { kind: 'remote' }>;

type Pools = typeof import('./worker-pool.ts');

/** Loaded when the first one is needed: a thread that starts no others does not pay for Piscina. */
let pools: Pools | null = null;

async function acquire(core: Core, cell: Cell, behaviour: RemoteBehaviour): Promise<Vessel> {
  const options = {
    name: cell.spec.id,
    module: behaviour.module,
    pool: behaviour.pool,
    spare: behaviour.spare === true,
  };
  if (behaviour.where === 'process') {
    const { startProcess } = await import('./process.ts');
    return startProcess(core.host, options);
  }
  // Asking the loader again would cost a restart milliseconds.
  pools ??= await import('./worker-pool.ts');
  return pools.workersOf(core).acquire(options);
}

/** A thread or process, and the way to it. */
interface Boarded {
  readonly vessel: Vessel;
  readonly link: Link;
}

interface Starting {
  readonly vessel: Vessel;
  resolve(): void;
  reject(error: unknown): void;
}

async function inputOf({ input }: RemoteBehaviour): Promise<unknown> {
  return typeof input === 'function' ? await input() : input;
}

/** A mount: a subtree in a worker thread or a child process. The death of either is this actor's failure. */
export class RemoteActor implements Actor, Gate {
  readonly #core: Core;
  readonly #cell: Cell;
  readonly #behaviour: RemoteBehaviour;
  #vessel: Vessel | null = null;
  #link: Link | null = null;
  /** Of the mount's own path, on the link. */
  #outlet: Outlet | null = null;
  /** Who waits for a subtree to be up. */
  #starting: Starting | null = null;
  #moving = false;
  /** It said that it failed or ends, and does nothing any more. */
  #resting = false;
  #markEnded: () => void = () => {};
  readonly #ended: Promise<void>;
  #closing = false;

  constructor(core: Core, cell: Cell, behaviour: RemoteBehaviour) {
    this.#core = core;
    this.#cell = cell;
    this.#behaviour = behaviour;
    this.#ended = new Promise((resolve) => {
      this.#markEnded = resolve;
    });
  }

  async start(): Promise<void> {
    const input = await inputOf(this.#behaviour);
    const field = uncloneableField(input);
    if (field !== null) throw new MagError('MAG_MESSAGE_NOT_CLONEABLE', { path: this.#cell.path, field });
    const vessel = await acquire(this.#core, this.#cell, this.#behaviour);
    // The start limit or a stop may have come first: what was started for nobody must not stay.
    if (this.#cell.status !== 'starting') {
      vessel.kill();
      return;
    }
    const boarded = this.#board(vessel);
    this.#vessel = vessel;
    this.#link = boarded.link;
    boarded.link.gate = this;
    await this.#start(boarded, input, null);
    if (this.#cell.status === 'starting') this.#introduce();
  }

  /** What waited in the mailbox: its sender was told that it is sent. */
  receive(message: Message, given: Delivery | null): void {
    this.#link?.push(given ?? new Delivery(this.#cell.path, message));
  }

  /** Nothing waits in the mailbox that would have to go first. */
  get open(): boolean {
    const { status, paused } = this.#cell;
    return status === 'running' && !paused && !this.#cell.backlog;
  }

  hold(delivery: Delivery): SendResult {
    return this.#cell.accept(delivery);
  }

  forward(delivery: Delivery): SendResult | null {
    if (this.#link === null || !this.open) return this.#refuse(delivery);
    this.#cell.handled += 1;
    return this.#link.deliver(delivery);
  }

  pass(message: Message | Uint8Array): SendResult | null {
    const link = this.#link;
    if (link === null || !this.open) return null;
    this.#cell.handled += 1;
    if (this.#outlet === null || this.#outlet.link !== link) this.#outlet = link.outlet(this.#cell.path);
    return message instanceof Uint8Array
      ? link.sendBytes(this.#outlet, message)
      : link.send(this.#outlet, message, null, null);
  }

  forwardWhenRoom(delivery: Delivery, ask: Ask): Promise<SendResult> | null {
    return this.#link === null || !this.open ? null : this.#link.offer(delivery, ask);
  }

  async stop(reason: string): Promise<void> {
    if (this.#link?.open === true) {
      this.#link.control({ type: 'STOP', reason });
      await this.#ended;
    }
    this.kill();
  }

  abandon(): void {
    this.kill();
  }

  kill(): void {
    this.#closing = true;
    this.#core.remotes.down(this.#cell.path);
    this.#link?.close(this.#cell.lastError ?? undefined);
    if (this.#resting) this.#vessel?.release();
    else this.#vessel?.kill();
    this.#markEnded();
  }

  /** Its actors go to another thread, with their state, their references and all that is sent to them meanwhile. */
  async move(pool: string | undefined): Promise<void> {
    const cell = this.#cell;
    const left = { vessel: this.#vessel, link: this.#link };
    if (this.#moving || cell.status !== 'running' || left.link === null || left.vessel === null)
      throw new MagError('MAG_MOVE_FAILED', {
        path: cell.path,
        reason: 'it is not running, or moves already',
      });
    const wasPaused = cell.paused;
    this.#moving = true;
    cell.setPaused(true);
    let next: Boarded | null = null;
    try {
      await this.#core.remotes.detach(cell.path);
      // What crosses is what our own code at the other end wrote down.
      const moved = (await left.link.call('depart', null, 2 * LIMITS.moveDrainMs)) as Moved;
      const behaviour = pool === undefined ? this.#behaviour : { ...this.#behaviour, pool };
      next = this.#board(await acquire(this.#core, cell, behaviour));
      await this.#start(next, await inputOf(behaviour), moved);
      await left.link.call('surrender', null, LIMITS.moveDrainMs);
      if (cell.status !== 'running') throw new MagError('MAG_ACTOR_NOT_FOUND', { path: cell.path });
      this.#vessel = next.vessel;
      this.#link = next.link;
      next.link.gate = this;
      left.link.moveTo(next.link, cell.path, true);
      left.link.close();
      left.vessel.kill();
    } catch (error) {
      this.#stay(left.link, next);
      if (error instanceof MagError && error.code === 'MAG_MOVE_FAILED') throw error;
      const reason = describeError(error);
      throw new MagError('MAG_MOVE_FAILED', { path: cell.path, reason }, { cause: error });
    } finally {
      this.#moving = false;
      if (cell.status === 'running') {
        this.#introduce();
        cell.setPaused(wasPaused);
      }
    }
    if (!wasPaused) await this.#drained();
  }

  /** What was started for the move ends; where it was, the subtree goes on. */
  #stay(link: Link, next: Boarded | null): void {
    next?.link.close();
    next?.vessel.kill();
    if (link.open) link.call('stay', null, LIMITS.treeTimeoutMs).catch(() => {}); // its end is its own news
  }

  pause(paused: boolean): void {
    if (!this.#moving) this.#link?.control({ type: 'PAUSE', paused });
  }

  state(): string {
    return this.#cell.status === 'starting' ? 'starting' : 'running';
  }

  async command(path: string, command: ActorCommand, reason: string): Promise<void> {
    if (this.#link === null) throw new MagError('MAG_COMPONENT_UNAVAILABLE', { name: path });
    await this.#link.call('command', { path, command, reason }, LIMITS.commandTimeoutMs);
  }

  /** Resolves when everything that was sent to the mount before has reached it. */
  async barrier(): Promise<void> {
    await this.#drained();
    await this.#link?.call('barrier', null, LIMITS.treeTimeoutMs);
  }

  /** Resolves when what waits here has left; it is paused again, or gone, where that takes long. */
  async #drained(): Promise<void> {
    const { host } = this.#core;
    const end = host.now() + LIMITS.treeTimeoutMs;
    while (this.#cell.live && !this.open && host.now() < end)
      await new Promise<void>((resolve) => host.defer(resolve));
  }

  async overlay(): Promise<Partial<ActorNode>> {
    const placement = {
      thread: this.#cell.spec.id,
      process: this.#vessel?.pid ?? this.#core.pid,
      node: this.#core.node,
    };
    if (this.#link === null || this.#cell.status !== 'running') return { placement };
    try {
      const answer = await this.#link.call('tree', null, LIMITS.treeTimeoutMs);
      const root = answer as ActorNode; // our own code answers at the other end
      const { state, mailbox, handled, children } = root;
      return {
        state,
        mailbox,
        handled,
        children,
        placement,
        lastError: root.lastError ?? this.#cell.lastError,
      };
    } catch {
      return { state: 'not_answering', placement };
    }
  }

  /** It has to wait; what could never cross is refused while its sender can be told. */
  #refuse({ to, message, ask }: Delivery): SendResult | null {
    const field = message instanceof Bytes ? null : uncloneableField(message);
    if (field === null) return null;
    const error = new MagError('MAG_MESSAGE_NOT_CLONEABLE', { path: to, field });
    if (ask === null) throw error;
    ask.reject(error);
    return 'rejected';
  }

  #board(vessel: Vessel): Boarded {
    const link: Link = new Link(this.#core, vessel.transport, {
      call: (operation, args) => this.#call(operation, args),
      control: (control) => this.#control(control, vessel),
      // A thread out of memory, or a process that was killed, is gone some milliseconds before it is known of what.
      closed: () => {
        if (link === this.#link && !this.#closing) this.#cell.lose();
      },
    });
    void vessel.died.then((error) => {
      this.#refuseReady(vessel, error);
      if (vessel !== this.#vessel) return;
      if (!this.#closing) this.#cell.fail(error);
      this.#markEnded();
    });
    return { vessel, link };
  }

  /** Resolves when the subtree is up there, rejects with why it is not. */
  async #start({ vessel, link }: Boarded, input: unknown, moved: Moved | null): Promise<void> {
    const ready = new Promise<void>((resolve, reject) => {
      this.#starting = { vessel, resolve, reject };
    });
    const { path: mount, incarnation: epoch, spec } = this.#cell;
    link.control({ type: 'START', mount, name: spec.id, input, epoch, moved });
    const limit = this.#core.host.setTimer(startLimit(spec) ?? LIMITS.startTimeoutMs, () =>
      this.#refuseReady(vessel, new MagError('MAG_ACTOR_START_TIMEOUT', { path: mount, ms: 0 })),
    );
    try {
      await ready;
    } finally {
      this.#core.host.clearTimer(limit);
    }
    vessel.settled();
  }

  #refuseReady(vessel: Vessel, error: unknown): void {
    if (this.#starting?.vessel === vessel) this.#starting.reject(error);
  }

  #introduce(): void {
    if (this.#link === null || this.#vessel === null) return;
    const { takesPorts } = this.#vessel;
    this.#core.remotes.up({ path: this.#cell.path, link: this.#link, takesPorts });
  }

  async #call(operation: string, args: unknown): Promise<null> {
    if (operation !== 'barrier') throw new MagError('MAG_NOT_FOUND', { path: operation });
    const { mount } = args as { mount: string }; // our own code asks, in remotes.ts
    const actor = this.#core.registry.find(mount)?.actor;
    if (actor instanceof RemoteActor) await actor.barrier();
    return null;
  }

  #control(control: Control, vessel: Vessel): void {
    switch (control.type) {
      case 'READY':
        if (this.#starting?.vessel === vessel) this.#starting.resolve();
        return;
      case 'DYING':
        if (vessel === this.#vessel) this.#resting = true;
        vessel.ending(control.words);
        return;
      case 'LIFECYCLE':
        // The mount's own life is told here already.
        if (control.event.path !== this.#cell.path) this.#core.emit(control.event);
        return;
      case 'LOG':
        this.#core.log.child({ thread: this.#cell.spec.id })[control.level](control.fields, control.message);
        return;
      case 'FAILED':
        this.#refuseReady(vessel, fromWire(control.error));
        if (vessel !== this.#vessel) return;
        this.#resting = true;
        this.#cell.fail(fromWire(control.error));
        return;
      case 'ENDED':
        if (vessel === this.#vessel) this.#endedItself();
    }
  }

  #endedItself(): void {
    this.#closing = true;
    this.#markEnded();
    if (this.#cell.status === 'running') this.#cell.finish();
  }
}
