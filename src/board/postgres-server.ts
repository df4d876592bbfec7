import type { PostgresServer, ServerAddress } from '../actors/storage/postgres/server.ts';
import { describeError, MagError } from '../errors.ts';
import { nextDelay } from '../machines/backoff.ts';
import type { Timer } from '../runtime/host.ts';
import type { ChildSpec, ComponentContext, ComponentService } from '../runtime/spec.ts';
import { component } from '../runtime/specs.ts';
import { BACKOFF } from './restarts.ts';
import type { Shelf } from './shelf.ts';

/** The embedded server, started by its first use. */
export interface PostgresServerApi {
  /** Rejects with MAG_ENGINE_UNAVAILABLE while it does not start. */
  address(): Promise<ServerAddress>;
}

/** The first start makes the cluster. */
const SERVER_START_MS = 60_000;

interface StarterOptions {
  readonly context: Pick<ComponentContext, 'host' | 'degraded' | 'fail'>;
  readonly make: () => Promise<Pick<PostgresServer, 'start' | 'stop' | 'exited' | 'pid' | 'detail'>>;
  /** Tells the board's status why there is no server, or null when there is one. */
  readonly report: (problem: string | null) => void;
}

/**
 * Starts the server when it is first asked for. One that does not start is no crash: it would take the other engines
 * along once the restarts are used up. Whoever asks meanwhile is refused at once, and it is tried again later and later.
 */
export class ServerStarter implements PostgresServerApi {
  readonly #options: StarterOptions;
  #server: Awaited<ReturnType<StarterOptions['make']>> | null = null;
  #starting: Promise<ServerAddress> | null = null;
  #refusal: MagError | null = null;
  #retry: Timer | null = null;
  #delay = 0;
  #stopped = false;

  constructor(options: StarterOptions) {
    this.#options = options;
  }

  get pid(): number | null {
    return this.#server?.pid ?? null;
  }

  address(): Promise<ServerAddress> {
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

  async #start(): Promise<ServerAddress> {
    const { context, make, report } = this.#options;
    try {
      const server = await make();
      if (this.#stopped) throw new Error('it was stopped before it started');
      this.#server = server;
      const address = await server.start();
      void server.exited.then((reason) => {
        if (reason !== 'stopped')
          context.fail(new MagError('MAG_PROCESS_EXITED', { name: 'postgres', cause: reason }));
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
    const { context, report } = this.#options;
    const why = describeError(cause);
    const refusal = new MagError('MAG_ENGINE_UNAVAILABLE', { engine: 'postgres', why }, { cause });
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
 * PostgreSQL as a child process. Nothing is started until somebody asks for its address; after a crash it is
 * started at once, since somebody did.
 */
export function postgresServer(shelf: Shelf): ChildSpec {
  let wanted = false;
  const start = async (context: ComponentContext): Promise<ComponentService> => {
    const starter = new ServerStarter({
      context,
      report: (problem) => shelf.take('health').note(context.self.path, problem),
      make: async () => {
        const { PostgresServer } = await import('../actors/storage/postgres/server.ts');
        const { root, secrets } = shelf.take('folder');
        const { host, log } = context;
        const children = shelf.take('children');
        return new PostgresServer({ dataFolder: root, secretsFolder: secrets, children, host, log });
      },
    });
    // One that does not come up is reported, and tried again: the component itself is well.
    if (wanted) await starter.address().catch(() => {});
    const api: PostgresServerApi = {
      address: () => {
        wanted = true;
        return starter.address();
      },
    };
    return { api, process: () => starter.pid, stop: () => starter.stop() };
  };
  return component('postgres-server', start, {
    backoff: BACKOFF,
    startTimeout: SERVER_START_MS,
    shutdown: SERVER_START_MS,
  });
}
