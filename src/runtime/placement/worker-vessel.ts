import type { Worker } from 'node:worker_threads';
import type { Piscina } from 'piscina';
import { describeError, MagError } from '../../errors.ts';
import { LIMITS } from '../../limits.ts';
import type { Core } from '../core.ts';
import type { MessagePort, Timer } from '../host.ts';
import { moduleCacheFolder } from '../module-cache.ts';
import { PortTransport } from './transport.ts';
import type { LastWords, Vessel, VesselOptions } from './vessel.ts';
import type { Watchdog } from './watchdog.ts';
import { fromWire } from './wire-error.ts';

/** What worker/actor-host is handed: its way to us, what to load, and where to beat. */
export interface HostTask {
  readonly port: MessagePort;
  readonly module: string;
  readonly name: string;
  /** Loaded before it is known what for. */
  readonly spare: boolean;
  /** `[beats]`, shared: nothing that is queued on the port can hold a beat back, and nothing can fake one. */
  readonly pulse: Int32Array;
  /** Folder of compiled modules, or null. */
  readonly cache: string | null;
}

export interface WorkerGround {
  readonly core: Core;
  readonly watchdog: Watchdog;
  readonly piscina: Piscina<HostTask, void>;
}

/** A thread of a pool, from its load to its end; it may have been loaded before it is known what for. */
export class WorkerVessel implements Vessel {
  readonly pid: number;
  readonly transport: PortTransport;
  readonly takesPorts = true;
  readonly died: Promise<MagError>;
  /** Resolves when the thread itself is gone, a little after `died`. */
  readonly gone: Promise<void>;
  readonly #core: Core;
  readonly #abort = new AbortController();
  readonly #onSettled: () => void;
  #name: string;
  #settled = false;
  #resting: Timer | null = null;
  #markDied: (error: MagError) => void = () => {};

  /** @param onSettled called once, when what was started in it is up or has failed */
  constructor(
    { core, watchdog, piscina }: WorkerGround,
    options: VesselOptions,
    spare: boolean,
    onSettled: () => void,
  ) {
    const { port1, port2 } = core.host.channel();
    const pulse = new Int32Array(new SharedArrayBuffer(4));
    this.#core = core;
    this.pid = core.pid;
    this.#name = options.name;
    this.#onSettled = onSettled;
    this.transport = new PortTransport(core.host, port1);
    this.died = new Promise((resolve) => {
      this.#markDied = resolve;
    });
    const { module, name } = options;
    const task: HostTask = { port: port2, module, name, spare, pulse, cache: moduleCacheFolder() };
    const before = new Set(piscina.threads);
    // Piscina types its transfer list by the browser's overload of postMessage; Node's takes ports.
    const running = piscina.run(task, { transferList: [port2], signal: this.#abort.signal } as object);
    // It starts a thread for a task at once while there are fewer than its limit, and ours never end before it does.
    const thread = piscina.threads.find((one) => !before.has(one));
    const unwatch = watchdog.watch({
      pulse,
      thread: () => thread,
      hung: (ms) => {
        this.#end(new MagError('MAG_WORKER_HUNG', { name: this.#name, ms }));
        this.kill();
      },
    });
    this.#listen(thread);
    this.gone = running.then(
      () => this.#end(this.#exited('its task ended')),
      (error: unknown) => this.#end(this.#failed(error)),
    );
    void this.died.then(unwatch);
    void this.gone.then(() => this.#gone(port1));
  }

  /** Its errors name it so from here on. */
  assign(name: string): void {
    this.#name = name;
  }

  settled(): void {
    if (this.#settled) return;
    this.#settled = true;
    this.#onSettled();
  }

  ending({ code, error }: LastWords): void {
    if (error === null) this.#end(this.#exited(`worker exited with code: ${code}`));
    else this.#end(this.#failed(fromWire(error)));
  }

  kill(): void {
    this.#abort.abort();
  }

  release(): void {
    // One that ends by itself is given the time to.
    this.#resting ??= this.#core.host.setTimer(2 * LIMITS.restMs, () => this.kill());
  }

  #gone(port: MessagePort): void {
    port.close();
    if (this.#resting !== null) this.#core.host.clearTimer(this.#resting);
  }

  /** Out of memory it can say nothing itself; the thread's event still comes before Piscina's. */
  #listen(thread: Worker | undefined): void {
    thread?.once('error', (error: unknown) => this.#end(this.#failed(error)));
    thread?.once('exit', (code) => this.#end(this.#exited(`worker exited with code: ${code}`)));
  }

  #failed(error: unknown): MagError {
    const name = this.#name;
    const code = error instanceof Error && 'code' in error ? error.code : null;
    if (code === 'ERR_WORKER_OUT_OF_MEMORY')
      return new MagError('MAG_WORKER_OUT_OF_MEMORY', { name, limit: LIMITS.workerHeapMb }, { cause: error });
    return this.#exited(describeError(error), error);
  }

  #exited(cause: string, error?: unknown): MagError {
    return new MagError('MAG_WORKER_EXITED', { name: this.#name, cause }, { cause: error });
  }

  #end(error: MagError): void {
    this.#markDied(error);
    this.settled();
  }
}
