import type { ServerOfOurs } from '../actors/storage/managed-server.ts';
import { describeError, MagError } from '../errors.ts';
import { nextDelay } from '../machines/backoff.ts';
import type { EngineKind } from '../protocol/project.ts';
import type { Timer } from '../runtime/host.ts';
import type { ChildSpec, ComponentContext, ComponentService } from '../runtime/spec.ts';
import { component } from '../runtime/specs.ts';
import { BACKOFF } from './restarts.ts';
import type { Shelf } from './shelf.ts';

/** A server of ours, started by its first use. */
export interface ServerApi<Address> {
  /** Rejects with MAG_ENGINE_UNAVAILABLE while it does not start. */
  address(): Promise<Address>;
}

/** The first start may have to make what the server keeps. */
const SERVER_START_MS = 60_000;

interface StarterOptions<Address> {
  readonly engine: EngineKind;
  readonly context: Pick<ComponentContext, 'host' | 'degraded' | 'fail'>;
  readonly make: () => Promise<ServerOfOurs<Address>>;
  /** Tells the board's status why there is no server, or null when there is one. */
  readonly report: (problem: string | null) => void;
}

/**
 * Starts the server when it is first asked for. One that does not start is no crash: it would take the other engines
 * along once the restarts are used up. Whoever asks meanwhile is refused at once, and it is tried again later and later.
 */
export class ServerStarter<Address> implements ServerApi<Address> {
  readonly #options: StarterOptions<Address>;
  #server: ServerOfOurs<Address> | null = null;
  #starting: Promise<Address> | null = null;
  #refusal: MagError | null = null;
  #retry: Timer | null = null;
  #delay = 0;
  #stopped = false;

  constructor(options: StarterOptions<Address>) {
    this.#options = options;
  }

  get pid(): number | null {
    return this.#server?.pid ?? null;
  }

  address(): Promise<Address> {
    if (this.#refusal !== null) return Promise.reject(this.#refusal);
    this.#starting ??= this.#start();
    return this.#starting;
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    if (this.#retry !== null) this.#options.context.host.clearTimer(this.#retry);
    this.#retry = null;
    await this.#server?.stop();
  }

  async #start(): Promise<Address> {
    const { context, engine, make, report } = this.#options;
    try {
      const server = await make();
      if (this.#stopped) throw new Error('it was stopped before it started');
      this.#server = server;
      const address = await server.start();
      void server.exited.then((reason) => {
        if (reason !== 'stopped')
          context.fail(new MagError('MAG_PROCESS_EXITED', { name: engine, cause: reason }));
      });
      this.#delay = 0;
      context.degraded(server.detail);
      report(null);
      return address;
    } catch (error) {
      throw await this.#refuse(error);
    }
  }

  async #refuse(cause: unknown): Promise<MagError> {
    const { context, engine, report } = this.#options;
    const why = describeError(cause);
    const refusal = new MagError('MAG_ENGINE_UNAVAILABLE', { engine, why }, { cause });
    this.#refusal = refusal;
    this.#starting = null;
    await this.#server?.stop();
    this.#server = null;
    if (this.#stopped) return refusal;
    context.degraded(why);
    report(why);
    this.#delay = nextDelay(BACKOFF, this.#delay, context.host.random());
    this.#retry = context.host.setTimer(this.#delay, () => {
      this.#retry = null;
      this.#refusal = null;
      this.address().catch(() => {}); // reported, and planned again, above
    });
    return refusal;
  }
}

/**
 * An engine's server as a child process. Nothing is started until somebody asks for its address; after a crash it is
 * started at once, since somebody did.
 */
export function engineServer<Address>(
  engine: EngineKind,
  shelf: Shelf,
  make: (context: ComponentContext) => Promise<ServerOfOurs<Address>>,
): ChildSpec {
  let wanted = false;
  const start = async (context: ComponentContext): Promise<ComponentService> => {
    const starter = new ServerStarter({
      ...{ engine, context, make: () => make(context) },
      report: (problem) => shelf.take('health').note(context.self.path, problem),
    });
    // One that does not come up is reported, and tried again: the component itself is well.
    if (wanted) await starter.address().catch(() => {});
    const api: ServerApi<Address> = {
      address: () => {
        wanted = true;
        return starter.address();
      },
    };
    return { api, process: () => starter.pid, stop: () => starter.stop() };
  };
  return component(`${engine}-server`, start, {
    backoff: BACKOFF,
    startTimeout: SERVER_START_MS,
    shutdown: SERVER_START_MS,
  });
}
