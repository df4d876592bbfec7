import { Piscina } from 'piscina';
import { describeError, MagError } from '../errors.ts';
import { LIMITS } from '../limits.ts';
import type { Core } from './core.ts';
import { type MessagePort, sleep, type Timer } from './host.ts';
import { moduleCacheFolder } from './module-cache.ts';
import { sibling } from './sibling.ts';
import { PortTransport } from './transport.ts';
import type { Vessel, VesselOptions } from './vessel.ts';
import { Watchdog } from './watchdog.ts';

/** What worker/actor-host is handed: its way to us, what to load, and where to beat. */
export interface HostTask {
  readonly port: MessagePort;
  readonly module: string;
  readonly name: string;
  /** `[beats, thread id]`, shared. */
  readonly pulse: Int32Array;
  /** Folder of compiled modules, or null. */
  readonly cache: string | null;
}

/** A thread that may have been loaded before it is known what for. */
interface WorkerVessel extends Vessel {
  /** Its errors name it so from here on. */
  assign(name: string): void;
}

/** One trust class: its threads, and one loaded spare for each module that wants one. */
class WorkerPool {
  readonly #core: Core;
  readonly #watchdog: Watchdog;
  readonly #piscina: Piscina<HostTask, void>;
  readonly #spares = new Map<string, WorkerVessel>();
  readonly #live = new Set<Vessel>();
  readonly #timers = new Set<Timer>();
  #closed = false;

  constructor(core: Core, watchdog: Watchdog) {
    this.#core = core;
    this.#watchdog = watchdog;
    this.#piscina = new Piscina({
      filename: sibling('worker/actor-host'),
      minThreads: 0,
      maxThreads: LIMITS.poolThreads,
      concurrentTasksPerWorker: 1,
      // A worker that blocks on a lock for its next task would not run its own event loop.
      atomics: 'disabled',
      recordTiming: false,
      idleTimeout: Number.POSITIVE_INFINITY,
      resourceLimits: { maxOldGenerationSizeMb: LIMITS.workerHeapMb },
    });
    this.#piscina.on('error', (error: unknown) => {
      core.log.warn({ error: describeError(error) }, 'a worker failed outside its task');
    });
  }

  acquire(options: VesselOptions): Vessel {
    const spare = this.#spares.get(options.module);
    this.#spares.delete(options.module);
    if (options.spare)
      this.#planSpare(options, spare === undefined ? LIMITS.spareDelayMs : LIMITS.spareRefillMs);
    if (spare === undefined) return this.#launch(options);
    spare.assign(options.name);
    return spare;
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const timer of this.#timers) this.#core.host.clearTimer(timer);
    for (const vessel of this.#live) vessel.kill();
    // A thread that is blocked in native code does not end; the stop of the rest must not wait for it.
    const done = new AbortController();
    const limit = sleep(this.#core.host, LIMITS.shutdownMs, done.signal).catch(() => {}); // only by our own abort
    await Promise.race([this.#piscina.destroy(), limit]);
    done.abort();
  }

  /** The next spare is loaded a little later, so that it does not slow down what is starting now. */
  #planSpare(options: VesselOptions, delay: number): void {
    const timer = this.#core.host.setTimer(delay, () => {
      this.#timers.delete(timer);
      if (this.#closed || this.#spares.has(options.module) || this.#live.size >= LIMITS.poolThreads) return;
      const spare = this.#launch({ ...options, name: `${options.name} (spare)` });
      this.#spares.set(options.module, spare);
      void spare.died.then((error) => {
        if (this.#spares.get(options.module) !== spare) return;
        this.#spares.delete(options.module);
        if (!this.#closed) this.#core.log.warn({ error: describeError(error) }, 'a spare worker ended');
      });
    });
    this.#timers.add(timer);
  }

  #launch(options: VesselOptions): WorkerVessel {
    // Beyond maxThreads Piscina would queue the task silently, for ever.
    if (this.#live.size >= LIMITS.poolThreads)
      throw new MagError('MAG_OVERLOADED', { what: `the worker pool ${options.pool} is full` });
    const { port1, port2 } = this.#core.host.channel();
    const pulse = new Int32Array(new SharedArrayBuffer(8));
    const abort = new AbortController();
    let hung: MagError | null = null;
    let name = options.name;
    const task: HostTask = {
      port: port2,
      module: options.module,
      name: options.name,
      pulse,
      cache: moduleCacheFolder(),
    };
    // Piscina types its transfer list by the browser's overload of postMessage; Node's takes ports.
    const run = { transferList: [port2], signal: abort.signal } as object;
    const running = this.#piscina.run(task, run);
    const died = running.then(
      () => exited(name, 'its task ended'),
      (error: unknown) => hung ?? exited(name, describeError(error)),
    );
    const unwatch = this.#watchdog.watch({
      pulse,
      thread: () => this.#piscina.threads.find((thread) => thread.threadId === pulse[1]),
      hung: (ms) => {
        hung = new MagError('MAG_WORKER_HUNG', { name, ms });
        abort.abort();
      },
    });
    const vessel: WorkerVessel = {
      pid: this.#core.pid,
      transport: new PortTransport(this.#core.host, port1),
      takesPorts: true,
      died,
      kill: () => abort.abort(),
      assign: (given) => {
        name = given;
      },
    };
    this.#live.add(vessel);
    void died.then(() => {
      unwatch();
      port1.close();
      this.#live.delete(vessel);
    });
    return vessel;
  }
}

const exited = (name: string, cause: string): MagError => new MagError('MAG_WORKER_EXITED', { name, cause });

/** The worker threads of one actor system, by trust class. */
export class Workers {
  readonly #core: Core;
  readonly #watchdog: Watchdog;
  readonly #pools = new Map<string, WorkerPool>();

  constructor(core: Core) {
    this.#core = core;
    this.#watchdog = new Watchdog(core.host);
  }

  /** A thread that has loaded, or is loading, the module. Throws MAG_OVERLOADED where the pool is full. */
  acquire(options: VesselOptions): Vessel {
    const known = this.#pools.get(options.pool);
    const pool = known ?? new WorkerPool(this.#core, this.#watchdog);
    if (known === undefined) this.#pools.set(options.pool, pool);
    return pool.acquire(options);
  }

  async close(): Promise<void> {
    this.#watchdog.stop();
    await Promise.all([...this.#pools.values()].map((pool) => pool.close()));
    this.#pools.clear();
  }
}

const systems = new WeakMap<Core, Workers>();

/** The workers of a system, made on first use and ended with it. */
export function workersOf(core: Core): Workers {
  const known = systems.get(core);
  if (known !== undefined) return known;
  const workers = new Workers(core);
  systems.set(core, workers);
  core.remotes.onClose(() => workers.close());
  return workers;
}
