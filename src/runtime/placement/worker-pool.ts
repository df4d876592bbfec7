import { Piscina } from 'piscina';
import { describeError, MagError } from '../../errors.ts';
import { LIMITS } from '../../limits.ts';
import type { Core } from '../core.ts';
import { sleep, type Timer } from '../host.ts';
import { sibling } from '../sibling.ts';
import type { Vessel, VesselOptions } from './vessel.ts';
import { Watchdog } from './watchdog.ts';
import { type HostTask, WorkerVessel } from './worker-vessel.ts';

/** One trust class: its threads, and one loaded spare for each module that wants one. */
class WorkerPool {
  readonly #core: Core;
  readonly #watchdog: Watchdog;
  readonly #piscina: Piscina<HostTask, void>;
  readonly #spares = new Map<string, WorkerVessel>();
  readonly #live = new Set<WorkerVessel>();
  /** Threads in which something is being started: nothing else is loaded meanwhile. */
  readonly #starting = new Set<WorkerVessel>();
  /** Spares that are to be loaded, by module. */
  readonly #wanted = new Map<string, VesselOptions>();
  #timer: Timer | null = null;
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
    if (options.spare) this.#wanted.set(options.module, options);
    const vessel = spare ?? this.#launch(options, false);
    vessel.assign(options.name);
    this.#starting.add(vessel);
    return vessel;
  }

  async close(): Promise<void> {
    this.#closed = true;
    if (this.#timer !== null) this.#core.host.clearTimer(this.#timer);
    for (const vessel of this.#live) vessel.kill();
    // A thread that is blocked in native code does not end; the stop of the rest must not wait for it.
    const done = new AbortController();
    const limit = sleep(this.#core.host, LIMITS.shutdownMs, done.signal).catch(() => {}); // only by our own abort
    await Promise.race([this.#piscina.destroy(), limit]);
    done.abort();
  }

  /** What starts has the processor for itself: the next spares are loaded a little after all of it is up. */
  #settled(vessel: WorkerVessel): void {
    this.#starting.delete(vessel);
    if (this.#closed || this.#wanted.size === 0) return;
    if (this.#timer !== null) this.#core.host.clearTimer(this.#timer);
    this.#timer = this.#core.host.setTimer(LIMITS.spareDelayMs, () => {
      this.#timer = null;
      if (this.#starting.size > 0) return;
      for (const options of this.#wanted.values()) this.#loadSpare(options);
      this.#wanted.clear();
    });
  }

  #loadSpare(options: VesselOptions): void {
    if (this.#closed || this.#spares.has(options.module) || this.#live.size >= LIMITS.poolThreads) return;
    const spare = this.#launch({ ...options, name: `${options.name} (spare)` }, true);
    this.#spares.set(options.module, spare);
    void spare.died.then((error) => {
      if (this.#spares.get(options.module) !== spare) return;
      this.#spares.delete(options.module);
      if (!this.#closed) this.#core.log.warn({ error: describeError(error) }, 'a spare worker ended');
    });
  }

  #launch(options: VesselOptions, spare: boolean): WorkerVessel {
    // Beyond maxThreads Piscina would queue the task silently, for ever.
    if (this.#live.size >= LIMITS.poolThreads)
      throw new MagError('MAG_OVERLOADED', { what: `the worker pool ${options.pool} is full` });
    const ground = { core: this.#core, watchdog: this.#watchdog, piscina: this.#piscina };
    const vessel: WorkerVessel = new WorkerVessel(ground, options, spare, () => this.#settled(vessel));
    this.#live.add(vessel);
    void vessel.gone.then(() => this.#live.delete(vessel));
    return vessel;
  }
}

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
