import type { ActorCommand, ActorNode, LifecycleEvent } from '../../src/protocol/actor-node.ts';
import type { Host } from '../../src/runtime/host.ts';
import { silentLog } from '../../src/runtime/log.ts';
import type { ActorSystem } from '../../src/runtime/system.ts';

type Mutable = { -readonly [Key in keyof Omit<ActorNode, 'children'>]: ActorNode[Key] } & {
  children: Mutable[];
};

/** An actor system whose tree a test writes by hand: what the scope hub needs of the real one. */
export class ScriptedSystem implements Pick<ActorSystem, 'host' | 'log' | 'tree' | 'onLifecycle'> {
  readonly log = silentLog;
  readonly host: Host;
  root: Mutable;
  /** How often the tree was read. */
  looks = 0;
  readonly #listeners = new Set<(event: LifecycleEvent) => void>();

  constructor(host: Host, root: ActorNode) {
    this.host = host;
    this.root = structuredClone(root) as Mutable; // a copy of our own, so that it may be changed
  }

  replace(root: ActorNode): void {
    this.root = structuredClone(root) as Mutable; // as in the constructor
  }

  async tree(): Promise<ActorNode> {
    this.looks += 1;
    return structuredClone(this.root);
  }

  onLifecycle(listener: (event: LifecycleEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  get listeners(): number {
    return this.#listeners.size;
  }

  emit(
    type: LifecycleEvent['type'],
    path: string,
    reason: string | null = null,
    delay: number | null = null,
  ) {
    for (const listener of [...this.#listeners]) listener({ type, path, reason, delay });
  }

  find(path: string): Mutable | undefined {
    const waiting = [this.root];
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
      if (next.path === path) return next;
      waiting.push(...next.children);
    }
    return undefined;
  }

  #set(path: string, change: Partial<Mutable>): void {
    const found = this.find(path);
    if (found !== undefined) Object.assign(found, change);
  }

  /** Fails, backs off for `delay` milliseconds, starts, becomes ready: as a supervisor would have it. */
  #crash(path: string, reason: string, delay: number): void {
    const now = (): string => new Date(this.host.wallTime()).toISOString();
    this.#set(path, { status: 'failed', state: 'failed', lastError: reason });
    this.emit('failed', path, reason);
    this.#set(path, { status: 'restarting', state: 'backing_off' });
    this.emit('backing_off', path, null, delay);
    this.host.setTimer(delay, () => {
      const node = this.find(path);
      if (node === undefined) return;
      this.#set(path, { status: 'starting', state: 'starting', since: now(), restarts: node.restarts + 1 });
      this.#set(path, { incarnation: node.incarnation + 1, handled: 0 });
      this.emit('restarted', path);
      this.host.setTimer(delay / 2, () => {
        this.#set(path, { status: 'running', state: 'healthy' });
        this.emit('ready', path);
      });
    });
  }

  async command(path: string, command: ActorCommand, reason: string): Promise<void> {
    this.emit('command', path, `${command}: ${reason}`);
    if (command === 'crash') this.#crash(path, `Crashed on purpose: ${reason} ← injected by admin`, 700);
    else if (command === 'restart') this.#crash(path, reason, 200);
    else if (command === 'pause') this.#set(path, { status: 'paused', state: 'paused' });
    else if (command === 'resume') this.#set(path, { status: 'running', state: 'healthy' });
    else {
      this.#set(path, { status: 'stopped', state: 'stopped' });
      this.emit('stopped', path, reason);
    }
  }
}

export type NodeSketch = readonly [
  name: string,
  kind: ActorNode['kind'],
  change?: Partial<Omit<ActorNode, 'children' | 'path' | 'name' | 'kind'>>,
  children?: readonly NodeSketch[],
];

/** A tree from a sketch; what is left out is an ordinary running actor on the main thread. */
export function sketchTree([name, kind, change = {}, children = []]: NodeSketch, parent = ''): ActorNode {
  const path = parent === '' ? name : `${parent}/${name}`;
  return {
    path,
    name,
    kind,
    state: kind === 'supervisor' ? 'supervising' : 'healthy',
    status: 'running',
    restarts: 0,
    mailbox: { depth: 0, capacity: 1_024, dropped: 0 },
    placement: { thread: 'main', process: process.pid, node: 'local' },
    since: '2026-11-23T08:00:00.000Z',
    lastError: null,
    handled: 0,
    incarnation: 1,
    ...change,
    children: children.map((child) => sketchTree(child, path)),
  };
}
