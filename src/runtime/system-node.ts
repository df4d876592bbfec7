import { describeError, MagError } from '../errors.ts';
import { LIMITS } from '../limits.ts';
import {
  ACTOR_COMMANDS,
  type ActorCommand,
  type ActorNode,
  type LifecycleEvent,
} from '../protocol/actor-node.ts';
import type { Runtime, SystemOptions } from './create-system.ts';
import { describeCell } from './describe.ts';
import type { Host } from './host.ts';
import type { Ambient } from './kernel/ambient.ts';
import type { Cell } from './kernel/cell.ts';
import { type CellOwner, limitLeaving, shutdownOf } from './kernel/cell-owner.ts';
import type { DeadLetter } from './kernel/dead-letters.ts';
import type { Exit } from './kernel/exit.ts';
import { CellGroup } from './kernel/group.ts';
import { LocalRef, NameSlot, RemoteRef, slotSpeaking, speaking } from './kernel/ref.ts';
import type { Log } from './log.ts';
import { RemoteActor } from './placement/remote.ts';
import type { AnyMessage, ChildSpec, Message, ProtocolOf } from './spec.ts';
import { ChildManagement, startUnder } from './supervision/child-management.ts';
import { checkRoot } from './supervision/spec-check.ts';
import { SupervisorActor } from './supervision/supervise.ts';
import type { SupervisorHandle } from './supervision/supervisor-handle.ts';
import type { ActorSystem, Group, Ref, Slot } from './system.ts';

/** The public face of one thread's runtime. */
export class System implements ActorSystem, CellOwner {
  readonly node: string;
  readonly host: Host;
  readonly log: Log;
  readonly #runtime: Runtime;
  readonly #options: SystemOptions;
  /** In start order. */
  readonly #roots: Cell[] = [];
  #stopped: Promise<void> | null = null;

  constructor(runtime: Runtime, options: SystemOptions) {
    this.node = runtime.node;
    this.host = runtime.host;
    this.log = runtime.log;
    this.#runtime = runtime;
    this.#options = options;
  }

  async start<M extends AnyMessage>(spec: ChildSpec<M>): Promise<Ref<ProtocolOf<M>>> {
    const path = this.#options.mount ?? spec.id;
    // Nobody would stop it.
    if (this.#stopped !== null) throw new MagError('MAG_COMPONENT_UNAVAILABLE', { name: this.node });
    checkRoot(spec, this.node);
    if (this.#runtime.registry.find(path) !== undefined)
      throw new MagError('MAG_ACTOR_DUPLICATE', { id: path, path: this.node });
    const cell = this.#runtime.spawn(path, spec, 0, this);
    await this.#ready(cell);
    return speaking(new LocalRef(cell));
  }

  startChild<M extends AnyMessage>(path: string, spec: ChildSpec<M>): Promise<Ref<ProtocolOf<M>>> {
    try {
      return startUnder(this.#supervisor(path), spec);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  async stopChild(path: string, id: string): Promise<void> {
    await this.#supervisor(path).manage.remove(id);
  }

  lookup<M extends AnyMessage = Message>(path: string): Ref<M> | undefined {
    const { registry, remotes } = this.#runtime;
    const cell = registry.find(path);
    if (cell !== undefined) return cell.live ? speaking(new LocalRef(cell)) : undefined;
    const outlet = remotes.bind(path);
    return outlet === null ? undefined : speaking(new RemoteRef(this.#runtime, outlet));
  }

  slot<M extends AnyMessage = Message>(path: string): Slot<M> {
    const { registry } = this.#runtime;
    return slotSpeaking(
      new NameSlot(
        this.#runtime,
        path,
        () => registry.find(path),
        () => path,
      ),
    );
  }

  named<M extends AnyMessage = Message>(name: string): Slot<M> {
    const { names } = this.#runtime;
    return slotSpeaking(
      new NameSlot(
        this.#runtime,
        name,
        () => names.find(name),
        () => names.pathOf(name) ?? null,
      ),
    );
  }

  group<M extends AnyMessage = Message>(name: string): Group<M> {
    return new CellGroup(this.#runtime.names, name);
  }

  withAmbient<Result>(ambient: Ambient, run: () => Result): Result {
    const { kernel } = this.#runtime;
    const before = kernel.ambient;
    kernel.ambient = { ...before, ...ambient };
    try {
      return run();
    } finally {
      kernel.ambient = before;
    }
  }

  deadLetters(): { readonly count: number; readonly recent: readonly DeadLetter[] } {
    const { deadLetters } = this.#runtime;
    return { count: deadLetters.count, recent: deadLetters.recent() };
  }

  service<Api>(name: string): Api {
    const api = this.#runtime.registry.services.get(name);
    if (api === undefined) throw new MagError('MAG_COMPONENT_UNAVAILABLE', { name });
    return api as Api; // the caller names the component, and with it its interface
  }

  async tree(): Promise<ActorNode> {
    const roots = await Promise.all(
      this.#roots.filter((root) => root.exit === null).map((root) => describeCell(this.#runtime, root)),
    );
    const [only] = roots;
    if (roots.length === 1 && only !== undefined) return only;
    return this.#ground(roots);
  }

  async command(path: string, command: ActorCommand, reason: string): Promise<void> {
    const { registry, remotes } = this.#runtime;
    if (!ACTOR_COMMANDS.includes(command))
      throw new MagError('MAG_BAD_REQUEST', { problem: `there is no command ${String(command)}` });
    const mount = registry.mountAbove(path);
    if (mount !== undefined && mount.path !== path) {
      if (!(mount.actor instanceof RemoteActor))
        throw new MagError('MAG_COMPONENT_UNAVAILABLE', { name: path });
      await mount.actor.command(path, command, reason);
      return;
    }
    const cell = registry.find(path);
    const way = cell === undefined && !registry.awaited(path) ? remotes.route(path) : null;
    if (way !== null) {
      await way.call('command', { path, command, reason }, LIMITS.commandTimeoutMs);
      return;
    }
    this.#runtime.emit({ type: 'command', path, reason: `${command}: ${reason}`, delay: null });
    if (command === 'restart' || command === 'stop') await this.#manage(path, command);
    else this.#act(path, cell, command, reason);
  }

  async move(path: string, options: { readonly pool?: string } = {}): Promise<void> {
    const actor = this.#runtime.registry.find(path)?.actor;
    if (!(actor instanceof RemoteActor))
      throw new MagError('MAG_MOVE_FAILED', { path, reason: 'no worker or process is mounted there' });
    await actor.move(options.pool);
  }

  onLifecycle(listener: (event: LifecycleEvent) => void): () => void {
    return this.#runtime.listen(listener);
  }

  mounts(): readonly string[] {
    return this.#runtime.remotes.mounts();
  }

  stop(reason: string): Promise<void> {
    this.#stopped ??= this.#stop(reason);
    return this.#stopped;
  }

  async #stop(reason: string): Promise<void> {
    for (const root of [...this.#roots].reverse()) {
      const limit = shutdownOf(root.spec);
      if (limit === 'brutal') root.kill();
      else {
        root.stop(reason);
        const timer = typeof limit === 'number' ? this.host.setTimer(limit, () => root.kill()) : null;
        await root.ended;
        if (timer !== null) this.host.clearTimer(timer);
      }
    }
    await this.#runtime.remotes.close();
    this.#runtime.deadlines.close();
  }

  #act(path: string, cell: Cell | undefined, command: ActorCommand, reason: string): void {
    if (cell === undefined || !cell.live) {
      if (this.#runtime.registry.awaited(path))
        throw new MagError('MAG_COMPONENT_UNAVAILABLE', { name: path });
      throw new MagError('MAG_ACTOR_NOT_FOUND', { path });
    }
    if (command === 'crash') cell.fail(new MagError('MAG_FAULT_INJECTED', { reason }));
    else cell.setPaused(command === 'pause');
  }

  async #manage(path: string, command: 'restart' | 'stop'): Promise<void> {
    const cut = path.lastIndexOf('/');
    const parent = cut === -1 ? undefined : this.#runtime.registry.find(path.slice(0, cut))?.actor;
    const id = path.slice(cut + 1);
    if (parent instanceof SupervisorActor) {
      await (command === 'restart' ? parent.manage.renew(id) : parent.manage.hold(id));
      return;
    }
    if (this.#runtime.registry.find(path) === undefined) throw new MagError('MAG_ACTOR_NOT_FOUND', { path });
    throw new MagError('MAG_BAD_REQUEST', {
      problem: `${path} has no supervisor here that could ${command} it`,
    });
  }

  supervisor(path: string): SupervisorHandle {
    this.#supervisor(path);
    return new ChildManagement(() => this.#supervisor(path));
  }

  #supervisor(path: string): SupervisorActor {
    const actor = this.#runtime.registry.find(path)?.actor;
    if (actor instanceof SupervisorActor) return actor;
    throw new MagError('MAG_ACTOR_NOT_FOUND', { path });
  }

  async #ready(cell: Cell): Promise<void> {
    try {
      await cell.ready;
    } catch (error) {
      const exit = await cell.ended;
      throw exit.kind === 'error' ? exit.error : error;
    }
  }

  cellBegins(cell: Cell): void {
    this.#roots.push(cell);
  }

  cellLeaving(cell: Cell, exit: Exit): void {
    // Where the whole system stops, that holds it to its limit.
    if (!(this.#stopped !== null)) limitLeaving(cell, exit);
  }

  cellEnded(cell: Cell): void {
    const at = this.#roots.indexOf(cell);
    if (at !== -1) this.#roots.splice(at, 1);
    this.#runtime.registry.release(cell.path);
    if (this.#stopped !== null || !cell.wasReady || cell.exit?.kind !== 'error') return;
    this.log.error({ path: cell.path, error: describeError(cell.exit.error) }, 'a root actor failed');
    try {
      this.#options.onRootFailure?.(cell.path, cell.exit.error);
    } catch (error) {
      this.log.error({ path: cell.path, error: describeError(error) }, 'who is told of root failures threw');
    }
  }

  /** What several roots, or none, stand on. */
  #ground(children: readonly ActorNode[]): ActorNode {
    return {
      path: '',
      name: this.node,
      kind: 'supervisor',
      state: 'running',
      status: this.#stopped !== null ? 'stopping' : 'running',
      restarts: 0,
      mailbox: { depth: 0, capacity: 0, dropped: 0 },
      placement: { thread: this.node, process: this.#runtime.pid, node: this.node },
      since: new Date(this.host.wallTime()).toISOString(),
      lastError: null,
      handled: 0,
      incarnation: 0,
      children,
    };
  }
}
