import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseError, MagError } from '../../../errors.ts';
import { LIMITS } from '../../../limits.ts';
import type { Host, HostProcess, Timer } from '../../../runtime/host.ts';
import type { Log } from '../../../runtime/log.ts';
import { residentBytes } from './process-memory.ts';
import { socketFolder } from './socket-path.ts';
import type { Lease, LeaseRequest } from './storage-request.ts';

/** What the tree shows of a storage process. */
export interface StorageProcessInfo {
  readonly id: number;
  readonly pid: number;
  readonly state: 'starting' | 'idle' | 'busy' | 'dying';
  /** Project whose statement it runs, or null. */
  readonly ref: string | null;
  readonly statements: number;
  /** Host clock, milliseconds. */
  readonly since: number;
}

export interface StorageProcessesOptions {
  readonly host: Host;
  readonly log: Log;
  /** Folder for the sockets, `<dataDir>/run`. */
  readonly runFolder: string;
  /** Ids of leases and processes; default from 1. An owner that follows another must not use that one's again. */
  readonly nextId?: () => number;
  /** Starts a process that listens on `socket`, and says `{type: 'ready'}` over IPC when it does. */
  readonly spawn: (socket: string) => HostProcess;
  readonly onSpawn?: (info: StorageProcessInfo) => void;
  /** `reason` is null where the process was meant to end. */
  readonly onExit?: (info: StorageProcessInfo, reason: string | null) => void;
  /** Resident bytes of a process; default from /proc. */
  readonly memoryOf?: (pid: number) => number;
  readonly limits?: {
    readonly processes?: number;
    readonly perProject?: number;
    readonly queue?: number;
    readonly idleMs?: number;
    readonly bytes?: number;
  };
}

interface Work {
  readonly id: number;
  readonly owner: string;
  readonly request: LeaseRequest;
  /** Fires at the deadline: a waiter is refused, a running statement's process killed. */
  timer: Timer;
  readonly granted: (lease: Lease) => void;
  readonly refused: (error: Error) => void;
}

interface Child {
  readonly id: number;
  readonly process: HostProcess;
  readonly socket: string;
  readonly since: number;
  state: StorageProcessInfo['state'];
  work: Work | null;
  lastRef: string | null;
  statements: number;
  /** Why we ended it, or null where it ends by itself. */
  intent: string | null;
  timer: Timer | null;
}

/**
 * Owns the storage processes: Node children that run one SQLite statement at a time and can be killed, which nothing
 * else can do to a statement of SQLite. At most one writer per project, a bounded queue, none kept without need.
 * A kill costs other projects nothing but the start of a new process.
 */
export class StorageProcesses {
  readonly #options: StorageProcessesOptions;
  readonly #limits: { processes: number; perProject: number; queue: number; idleMs: number; bytes: number };
  readonly #folder: ReturnType<typeof socketFolder>;
  readonly #children = new Map<number, Child>();
  #waiting: Work[] = [];
  #lastId = 0;
  readonly #nextId: () => number;
  #stopping = false;
  /** Runs while a statement does. */
  #memoryCheck: Timer | null = null;
  /** Statements ended by SIGKILL, and leases refused because the queue was full. */
  killed = 0;
  refused = 0;

  constructor(options: StorageProcessesOptions) {
    this.#options = options;
    this.#limits = {
      processes: options.limits?.processes ?? LIMITS.storageProcesses,
      perProject: options.limits?.perProject ?? LIMITS.storageProcessesPerProject,
      queue: options.limits?.queue ?? LIMITS.storageQueue,
      idleMs: options.limits?.idleMs ?? LIMITS.storageProcessIdleMs,
      bytes: options.limits?.bytes ?? LIMITS.storageProcessBytes,
    };
    this.#folder = socketFolder(options.runFolder);
    this.#nextId = options.nextId ?? (() => ++this.#lastId);
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  list(): readonly StorageProcessInfo[] {
    return [...this.#children.values()].map((child) => infoOf(child));
  }

  /**
   * A process for one statement. At `timeoutMs` the wait ends with MAG_POOL_TIMEOUT, or the process with SIGKILL.
   * Rejects with MAG_OVERLOADED where the queue is full, MAG_PROCESS_EXITED where none can be started.
   * @param owner who holds the lease (`edge-1`); see releaseOwner.
   */
  lease(owner: string, request: LeaseRequest): Promise<Lease> {
    if (this.#stopping) return Promise.reject(new MagError('MAG_DRAINING'));
    if (this.#waiting.length >= this.#limits.queue) {
      this.refused += 1;
      return Promise.reject(new MagError('MAG_OVERLOADED', { what: 'too many statements wait' }));
    }
    return new Promise((granted, refused) => {
      const id = this.#nextId();
      const timer = this.#options.host.setTimer(Math.max(0, request.timeoutMs), () => this.#expire(id));
      this.#waiting.push({ id, owner, request, timer, granted, refused });
      this.#pump();
    });
  }

  /** The statement is over and its process free again. Unknown ids (killed meanwhile) are ignored. */
  release(id: number): void {
    const child = this.#holder(id);
    if (child === undefined || child.state !== 'busy') return;
    this.#endWork(child);
    this.#idle(child);
    this.#pump();
  }

  /** Nobody waits for this statement any more: its process is killed, or its place in the queue given up. */
  cancel(id: number): void {
    const waiter = this.#waiting.find((work) => work.id === id);
    if (waiter !== undefined)
      this.#refuse(waiter, new DatabaseError('57014', 'canceling statement due to user request'));
    const child = this.#holder(id);
    if (child !== undefined) this.#kill(child, 'its statement was cancelled');
  }

  /** Gives back everything a dead edge worker held or waited for. */
  releaseOwner(owner: string): void {
    for (const work of this.#waiting.filter((each) => each.owner === owner))
      this.#refuse(
        work,
        new MagError('MAG_WORKER_EXITED', { name: owner, cause: 'its leases were returned' }),
      );
    for (const child of this.#children.values())
      if (child.work?.owner === owner) this.#kill(child, `${owner} went away`);
  }

  /** Ends all processes, with force after `LIMITS.shutdownMs`. Idempotent. */
  async stop(): Promise<void> {
    this.#stopping = true;
    for (const work of [...this.#waiting]) this.#refuse(work, new MagError('MAG_DRAINING'));
    if (this.#memoryCheck !== null) this.#options.host.clearTimer(this.#memoryCheck);
    this.#memoryCheck = null;
    const children = [...this.#children.values()];
    for (const child of children) {
      child.intent ??= 'the board stops';
      child.process.kill('SIGTERM');
    }
    const force = this.#options.host.setTimer(LIMITS.shutdownMs, () => {
      for (const child of children) child.process.kill('SIGKILL');
    });
    await Promise.all(children.map((child) => child.process.exited));
    this.#options.host.clearTimer(force);
    if (this.#folder.temporary) rmSync(this.#folder.path, { recursive: true, force: true });
  }

  #holder(id: number): Child | undefined {
    for (const child of this.#children.values()) if (child.work?.id === id) return child;
    return undefined;
  }

  #expire(id: number): void {
    const waiter = this.#waiting.find((work) => work.id === id);
    if (waiter !== undefined) {
      const { ref, timeoutMs } = waiter.request;
      this.#refuse(waiter, new MagError('MAG_POOL_TIMEOUT', { ref, ms: Math.round(timeoutMs) }));
    }
    const child = this.#holder(id);
    if (child !== undefined) this.#kill(child, 'its statement passed its deadline');
  }

  #refuse(work: Work, error: Error): void {
    this.#waiting = this.#waiting.filter((each) => each !== work);
    this.#options.host.clearTimer(work.timer);
    work.refused(error);
  }

  #kill(child: Child, why: string): void {
    if (child.state === 'dying') return;
    child.state = 'dying';
    child.intent = why;
    this.killed += 1;
    // Its lease stays until it is gone: only then is the project's write lock free.
    child.process.kill('SIGKILL');
  }

  #endWork(child: Child): void {
    if (child.work !== null) this.#options.host.clearTimer(child.work.timer);
    child.work = null;
  }

  #idle(child: Child): void {
    child.state = 'idle';
    child.timer = this.#options.host.setTimer(this.#limits.idleMs, () => {
      if (child.state !== 'idle') return;
      child.state = 'dying';
      child.intent = 'idle';
      child.process.kill('SIGTERM');
    });
  }

  /** Whether the project may have one more process now, and this lane is free. */
  #isRunnable(work: Work): boolean {
    let held = 0;
    for (const { work: other } of this.#children.values()) {
      if (other?.request.ref !== work.request.ref) continue;
      held += 1;
      if (work.request.lane === 'write' && other.request.lane === 'write') return false;
    }
    return held < this.#limits.perProject;
  }

  /** First come first served among those that may run; starts processes for the ones that find none idle. */
  #pump(): void {
    let wanted = 0;
    for (const work of [...this.#waiting]) {
      if (!this.#isRunnable(work)) continue;
      const child = this.#pickIdle(work.request.ref);
      if (child === undefined) wanted += 1;
      else this.#grant(child, work);
    }
    const starting = [...this.#children.values()].filter((child) => child.state === 'starting').length;
    const room = this.#limits.processes - this.#children.size;
    for (let missing = Math.min(wanted - starting, room); missing > 0; missing -= 1) this.#start();
  }

  /** One that served this project last has its database open and its plans compiled. */
  #pickIdle(ref: string): Child | undefined {
    const idle = [...this.#children.values()].filter((child) => child.state === 'idle');
    return idle.find((child) => child.lastRef === ref) ?? idle[0];
  }

  #grant(child: Child, work: Work): void {
    this.#waiting = this.#waiting.filter((each) => each !== work);
    if (child.timer !== null) this.#options.host.clearTimer(child.timer);
    child.timer = null;
    child.state = 'busy';
    child.work = work;
    child.lastRef = work.request.ref;
    child.statements += 1;
    work.granted({ id: work.id, socket: child.socket });
    this.#watchMemory();
  }

  /** One statement can ask for all the memory there is; its process goes before the kernel has to choose. */
  #watchMemory(): void {
    if (this.#memoryCheck !== null) return;
    const { host, memoryOf = residentBytes } = this.#options;
    this.#memoryCheck = host.setTimer(LIMITS.storageMemoryCheckMs, () => {
      this.#memoryCheck = null;
      const busy = [...this.#children.values()].filter((child) => child.state === 'busy');
      for (const child of busy)
        if (memoryOf(child.process.pid) > this.#limits.bytes)
          this.#kill(child, 'its statement took too much memory');
      if (busy.length > 0) this.#watchMemory();
    });
  }

  #start(): void {
    const { host, spawn, onSpawn, log } = this.#options;
    const id = this.#nextId();
    const socket = join(this.#folder.path, `storage-${id}.sock`);
    const child: Child = {
      id,
      process: spawn(socket),
      socket,
      since: host.now(),
      state: 'starting',
      work: null,
      lastRef: null,
      statements: 0,
      intent: null,
      timer: null,
    };
    child.timer = host.setTimer(LIMITS.startTimeoutMs, () => this.#kill(child, 'it did not become ready'));
    this.#children.set(id, child);
    child.process.onMessage?.((message) => {
      if (child.state !== 'starting' || !isReady(message)) return;
      if (child.timer !== null) host.clearTimer(child.timer);
      this.#idle(child);
      this.#pump();
    });
    void child.process.exited.then((how) => this.#exited(child, how));
    log.debug({ id, pid: child.process.pid }, 'storage process starts');
    onSpawn?.(infoOf(child));
  }

  #exited(child: Child, how: { readonly code: number | null; readonly signal: string | null }): void {
    const { host, log, onExit } = this.#options;
    const startFailed = child.state === 'starting' || (child.state === 'dying' && child.statements === 0);
    const { intent } = child;
    if (child.timer !== null) host.clearTimer(child.timer);
    this.#children.delete(child.id);
    this.#endWork(child);
    if (process.platform !== 'win32') rmSync(child.socket, { force: true });
    const cause = `${how.signal ?? `code ${how.code}`} ${child.process.lastOutput()}`.trim();
    if (intent === null) log.warn({ id: child.id, cause }, 'storage process died');
    onExit?.(infoOf(child), intent === null ? cause : null);
    if (startFailed && intent !== 'idle' && intent !== 'the board stops') this.#failOne(cause);
    if (!this.#stopping) this.#pump();
  }

  /** A process that cannot start fails one waiter, so that a broken installation is an error and not a loop. */
  #failOne(cause: string): void {
    const [first] = this.#waiting;
    if (first !== undefined)
      this.#refuse(first, new MagError('MAG_PROCESS_EXITED', { name: 'storage process', cause }));
  }
}

const isReady = (message: unknown): boolean =>
  typeof message === 'object' && message !== null && 'type' in message && message.type === 'ready';

const infoOf = (child: Child): StorageProcessInfo => ({
  id: child.id,
  pid: child.process.pid,
  state: child.state,
  ref: child.work?.request.ref ?? null,
  statements: child.statements,
  since: child.since,
});
