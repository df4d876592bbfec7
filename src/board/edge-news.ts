import type { BoardStatus } from '../protocol/board-status.ts';
import type { Host, Timer } from '../runtime/host.ts';
import type { Message } from '../runtime/spec.ts';
import type { ActorSystem } from '../runtime/system.ts';

/** Path of every edge worker, without its name. */
export const EDGES = 'board/edges/';

export const edgeMounts = (system: ActorSystem): readonly string[] =>
  system.mounts().filter((mount) => mount.startsWith(EDGES));

export const edgeName = (mount: string): string => mount.slice(EDGES.length);

/** An edge worker that could not be told is told everything so much later. */
const RETRY_MS = 500;

export interface EdgeNewsOptions {
  readonly system: ActorSystem;
  readonly host: Host;
  readonly status: () => BoardStatus;
}

/**
 * What every edge worker must hear: /readyz answers from the status it was told last, and a project's key or grant
 * that was withdrawn must not go on counting. So each message is answered, and a worker that came up while something
 * happened, or did not answer, catches up.
 */
export class EdgeNews {
  readonly #options: EdgeNewsOptions;
  readonly #retries = new Map<string, Timer>();
  #stopped = false;

  constructor(options: EdgeNewsOptions) {
    this.#options = options;
  }

  tellStatus(): void {
    const message = this.#status();
    for (const mount of edgeMounts(this.#options.system)) this.#tell(mount, message);
  }

  tellProjectChanged(ref: string): void {
    for (const mount of edgeMounts(this.#options.system)) this.#tell(mount, { type: 'PROJECT_CHANGED', ref });
  }

  /** The worker may have missed anything until now. */
  catchUp(mount: string): void {
    this.#tell(mount, this.#status());
    this.#tell(mount, { type: 'PROJECTS_UNHEARD' });
  }

  /** Nothing is told a second time any more. */
  stop(): void {
    this.#stopped = true;
    for (const timer of this.#retries.values()) this.#options.host.clearTimer(timer);
    this.#retries.clear();
  }

  #status(): Message {
    return { type: 'STATUS', status: this.#options.status() };
  }

  #tell(mount: string, message: Message): void {
    this.#options.system
      .slot(`${mount}/uplink`)
      .ask(message)
      .catch(() => this.#retry(mount));
  }

  #retry(mount: string): void {
    if (this.#stopped || this.#retries.has(mount)) return;
    const timer = this.#options.host.setTimer(RETRY_MS, () => {
      this.#retries.delete(mount);
      // One that is gone catches up when it is back.
      if (edgeMounts(this.#options.system).includes(mount)) this.catchUp(mount);
    });
    this.#retries.set(mount, timer);
  }
}
