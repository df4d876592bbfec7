import { MagError } from '../errors.ts';
import { LIMITS } from '../limits.ts';
import type { ActorCommand, ActorNode } from '../protocol/actor-node.ts';
import type { Actor } from './actor.ts';
import type { Ask } from './ask.ts';
import { Bytes } from './bytes.ts';
import type { Cell } from './cell.ts';
import { uncloneableField } from './cloneable.ts';
import type { Core } from './core.ts';
import type { Control } from './frame.ts';
import { type Gate, Link } from './link.ts';
import { Delivery } from './mailbox.ts';
import type { Behaviour, Message } from './spec.ts';
import type { SendResult } from './system.ts';
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

/** A mount: a subtree in a worker thread or a child process. The death of either is this actor's failure. */
export class RemoteActor implements Actor, Gate {
  readonly #core: Core;
  readonly #cell: Cell;
  readonly #behaviour: RemoteBehaviour;
  #vessel: Vessel | null = null;
  #link: Link | null = null;
  #markReady: () => void = () => {};
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
    const given = this.#behaviour.input;
    const input: unknown = typeof given === 'function' ? await given() : given;
    const field = uncloneableField(input);
    if (field !== null) throw new MagError('MAG_MESSAGE_NOT_CLONEABLE', { path: this.#cell.path, field });
    const vessel = await acquire(this.#core, this.#cell, this.#behaviour);
    // The start limit or a stop may have come first: what was started for nobody must not stay.
    if (this.#cell.status !== 'starting') {
      vessel.kill();
      return;
    }
    const ready = new Promise<void>((resolve) => {
      this.#markReady = resolve;
    });
    this.#board(vessel);
    const { path: mount, incarnation: epoch, spec } = this.#cell;
    this.#link?.control({ type: 'START', mount, name: spec.id, input, epoch });
    await ready;
  }

  /** What waited in the mailbox: its sender was told that it is sent. */
  receive(message: Message, given: Delivery | null): void {
    this.#link?.push(given ?? new Delivery(this.#cell.path, message));
  }

  /** Nothing waits in the mailbox that would have to go first. */
  get open(): boolean {
    const { status, paused, mailbox } = this.#cell;
    return status === 'running' && !paused && mailbox.depth === 0;
  }

  hold(delivery: Delivery): SendResult {
    return this.#cell.accept(delivery);
  }

  forward(delivery: Delivery): SendResult | null {
    if (this.#link === null || !this.open) return this.#refuse(delivery);
    this.#cell.handled += 1;
    return this.#link.deliver(delivery);
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
    this.#vessel?.kill();
    this.#markEnded();
  }

  pause(paused: boolean): void {
    this.#link?.control({ type: 'PAUSE', paused });
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
    await this.#link?.call('barrier', null, LIMITS.treeTimeoutMs);
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

  #board(vessel: Vessel): void {
    this.#vessel = vessel;
    this.#link = new Link(this.#core, vessel.transport, {
      call: (operation, args) => this.#call(operation, args),
      control: (control) => this.#control(control),
      closed: () => {},
    });
    this.#link.gate = this;
    void vessel.died.then((error) => {
      if (!this.#closing) this.#cell.fail(error);
      this.#markEnded();
    });
  }

  async #call(operation: string, args: unknown): Promise<null> {
    if (operation !== 'barrier') throw new MagError('MAG_NOT_FOUND', { path: operation });
    const { mount } = args as { mount: string }; // our own code asks, in remotes.ts
    const actor = this.#core.registry.find(mount)?.actor;
    if (actor instanceof RemoteActor) await actor.barrier();
    return null;
  }

  #control(control: Control): void {
    switch (control.type) {
      case 'READY':
        this.#ready();
        return;
      case 'FAILED':
        this.#cell.fail(fromWire(control.error));
        return;
      case 'ENDED':
        this.#closing = true;
        this.#markEnded();
        if (this.#cell.status === 'running') this.#cell.finish();
        return;
      case 'DYING':
        this.#vessel?.ending(control.words);
        return;
      case 'LIFECYCLE':
        // The mount's own life is told here already.
        if (control.event.path !== this.#cell.path) this.#core.emit(control.event);
        return;
      case 'LOG':
        this.#core.log.child({ thread: this.#cell.spec.id })[control.level](control.fields, control.message);
    }
  }

  #ready(): void {
    if (this.#link === null || this.#vessel === null || this.#cell.status !== 'starting') return;
    this.#core.remotes.up({
      path: this.#cell.path,
      link: this.#link,
      takesPorts: this.#vessel.takesPorts,
    });
    this.#vessel.settled();
    this.#markReady();
  }
}
