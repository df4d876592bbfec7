import { describeError, MagError } from '../../errors.ts';
import type { ActorCommand } from '../../protocol/actor-node.ts';
import { createRuntime, type Runtime } from '../create-system.ts';
import type { Host, MessagePort } from '../host.ts';
import type { Log } from '../log.ts';
import type { ChildSpec } from '../spec.ts';
import { Departure } from './departure.ts';
import type { Control, Start } from './frame.ts';
import { Link } from './link.ts';
import type { Moved } from './moved.ts';
import { PortTransport, type Transport } from './transport.ts';
import { toWire } from './wire-error.ts';

export interface SubtreeOptions {
  readonly host: Host;
  readonly pid: number;
  /** The way to the thread that started this one. */
  readonly transport: Transport;
  /** What makes the child, once its module is loaded; see `load`. */
  readonly make: Promise<Make>;
  /** The subtree is up: from here on the thread must keep beating. Until then its start has a deadline. */
  readonly ready: () => void;
  /** The way to the thread above is lost, or the subtree has ended. */
  readonly leave: () => void;
  /** It has failed: from here on nothing of it may run, until it is ended. */
  readonly failed?: () => void;
}

export type Make = (input: unknown) => ChildSpec | Promise<ChildSpec>;

/** @param module file: URL */
export async function load(module: string): Promise<Make> {
  const loaded: unknown = await import(module);
  const made: unknown =
    typeof loaded === 'object' && loaded !== null && 'default' in loaded ? loaded.default : undefined;
  if (typeof made !== 'function') throw new Error(`${module} has no default export that makes a child`);
  return made as Make; // the contract of a remote child's module
}

/** The far end of a mount: waits for its START, and runs the subtree that its module makes. */
export class Subtree {
  readonly #options: SubtreeOptions;
  #runtime: Runtime | null = null;
  #failed = false;
  #link: Link | null = null;
  #departure: Departure | null = null;

  constructor(options: SubtreeOptions) {
    this.#options = options;
    options.make.catch(() => {}); // told to the other end at START
    // Until START says where it is mounted there is no system yet; what follows goes to the link.
    options.transport.listen({
      message: () => {},
      record: () => {},
      frame: (frame) => {
        if (frame.kind === 'control' && frame.control.type === 'START') this.#start(frame.control);
      },
      closed: options.leave,
      refused: () => {},
    });
  }

  /** It has been told what to run. */
  get mounted(): boolean {
    return this.#runtime !== null;
  }

  /** The thread ends by itself: the other end need not wait until it has. */
  ending(code: number, error: unknown): void {
    const { transport } = this.#options;
    const words = { code, error: error === null ? null : toWire(error) };
    transport.frame({ kind: 'control', control: { type: 'DYING', words } });
    transport.flush();
  }

  #start(start: Start): void {
    const { host, pid, transport } = this.#options;
    const runtime = createRuntime({
      node: start.name,
      host,
      pid,
      mount: start.mount,
      log: remoteLog(() => this.#link, {}),
      onRootFailure: (_path, error) => this.#fail(error),
    });
    runtime.registry.startEpoch(start.epoch);
    this.#runtime = runtime;
    const link = new Link(runtime, transport, {
      call: (operation, args) => this.#call(operation, args),
      control: (control) => this.#control(control),
      closed: this.#options.leave,
    });
    this.#link = link;
    runtime.remotes.attach(start.mount, link);
    runtime.listen((event) => link.control({ type: 'LIFECYCLE', event }));
    void this.#run(runtime, start);
  }

  async #run(runtime: Runtime, start: Start): Promise<void> {
    try {
      const make = await this.#options.make;
      const { moved } = start;
      if (moved !== null) {
        runtime.arrivals.expect(moved);
        runtime.registry.continueFrom(moved.next);
      }
      const spec = await make(start.input);
      await runtime.system.start({ ...spec, id: start.mount.slice(start.mount.lastIndexOf('/') + 1) });
      if (moved !== null) this.#arrive(runtime, start.mount, moved);
      const root = runtime.registry.find(start.mount);
      void root?.ended.then((exit) => {
        // A failure is told by onRootFailure; any other end, also one that nobody above asked for, here.
        if (exit.kind !== 'error') this.#link?.control({ type: 'ENDED' });
      });
      this.#options.ready();
      this.#link?.control({ type: 'READY' });
    } catch (error) {
      this.#fail(error);
    }
  }

  /** Whoever was added at run time is known to no module. */
  #arrive({ arrivals, registry }: Runtime, mount: string, { actors }: Moved): void {
    arrivals.close();
    for (const { path } of actors) {
      if (registry.find(path) !== undefined) continue;
      const reason = `${path} was added at run time, and what it was made from cannot cross a thread`;
      throw new MagError('MAG_MOVE_FAILED', { path: mount, reason });
    }
  }

  #fail(error: unknown): void {
    if (this.#failed) return;
    this.#failed = true;
    this.#link?.control({ type: 'FAILED', error: toWire(error) });
    this.#options.transport.flush();
    this.#options.failed?.();
  }

  #call(operation: string, args: unknown): Promise<unknown> {
    const runtime = this.#runtime;
    if (runtime === null) return Promise.reject(new MagError('MAG_NOT_FOUND', { path: operation }));
    const { system } = runtime;
    if (operation === 'tree') return system.tree();
    if (operation === 'detach') {
      const { mount } = args as { mount: string }; // as below
      return runtime.remotes.detachPeer(mount).then(() => null);
    }
    if (operation === 'depart' || operation === 'stay' || operation === 'surrender')
      return this.#depart(runtime, operation);
    // What came before it over the same way has been handed on.
    if (operation === 'barrier') return Promise.resolve(null);
    if (operation === 'command') {
      // Only our own code calls; the admin interface has checked what a user sent.
      const { path, command, reason } = args as { path: string; command: ActorCommand; reason: string };
      return system.command(path, command, reason).then(() => null);
    }
    return Promise.reject(new MagError('MAG_NOT_FOUND', { path: operation }));
  }

  /** A move: the subtree comes to rest and is written down; then it goes, or stays after all. */
  async #depart(runtime: Runtime, step: 'depart' | 'stay' | 'surrender'): Promise<unknown> {
    const link = this.#link;
    if (step === 'depart') {
      this.#departure = new Departure(runtime, {
        serving: () => (link?.serving ?? 0) + runtime.remotes.serving,
        settled: () => runtime.remotes.peersReached(),
      });
      return this.#departure.prepare(this.#mount());
    }
    if (step === 'stay') this.#departure?.thaw();
    else this.#departure?.surrender((delivery) => link?.push(delivery));
    return null;
  }

  #control(control: Control): void {
    const runtime = this.#runtime;
    if (runtime === null) return;
    switch (control.type) {
      case 'STOP':
        void this.#stop(runtime, control.reason);
        return;
      case 'PAUSE':
        runtime.registry.find(this.#mount())?.setPaused(control.paused);
        return;
      case 'PEER':
        this.#addPeer(runtime, control.mount, control.port);
        return;
      case 'PEER_GONE':
        runtime.remotes.removePeer(control.mount);
        return;
      case 'MOUNTS':
        runtime.remotes.setTold(control.mounts);
    }
  }

  #mount(): string {
    const root = this.#runtime?.registry.cells().next().value;
    return root?.path ?? '';
  }

  #addPeer(runtime: Runtime, mount: string, port: MessagePort): void {
    const peer: Link = new Link(runtime, new PortTransport(this.#options.host, port), {
      call: async (operation) => {
        // What came before it over the same way has been handed on.
        if (operation !== 'barrier') throw new MagError('MAG_NOT_FOUND', { path: operation });
        return null;
      },
      control: () => {},
      closed: () => runtime.remotes.removePeer(mount, peer),
    });
    runtime.remotes.addPeer(mount, peer);
  }

  async #stop(runtime: Runtime, reason: string): Promise<void> {
    try {
      await runtime.system.stop(reason);
    } catch (error) {
      runtime.log.warn({ error: describeError(error) }, 'the subtree could not be stopped');
    }
    this.#link?.control({ type: 'ENDED' });
  }
}

/** Writes through the thread above, so that one place formats and one file handle is open. */
function remoteLog(link: () => Link | null, bound: object): Log {
  const write = (level: 'debug' | 'info' | 'warn' | 'error') => (fields: object, message: string) =>
    link()?.control({ type: 'LOG', level, fields: plain({ ...bound, ...fields }), message });
  return {
    debug: write('debug'),
    info: write('info'),
    warn: write('warn'),
    error: write('error'),
    child: (fields) => remoteLog(link, { ...bound, ...fields }),
  };
}

/** A log must never fail on what it is given: what cannot cross is written as text. */
function plain(fields: object): object {
  return Object.fromEntries(
    Object.entries(fields).map(([key, value]: [string, unknown]) => {
      if (value instanceof Error) return [key, describeError(value)];
      return [key, typeof value === 'object' || typeof value === 'function' ? asText(value) : value];
    }),
  );
}

function asText(value: unknown): unknown {
  try {
    return JSON.parse(JSON.stringify(value) ?? 'null');
  } catch {
    return String(value);
  }
}
