import { describeError } from '../../errors.ts';
import type { EngineKind } from '../../protocol/project.ts';
import type { Host } from '../../runtime/host.ts';
import type { Log } from '../../runtime/log.ts';
import type { EngineProvider } from '../storage/engine.ts';
import { makeRef } from './naming.ts';

/** A project's database that is made before anybody asks for the project. */
interface Spare {
  readonly ref: string;
  readonly made: Promise<unknown>;
  isMade: boolean;
}

/** What a project that is being created is given: its reference, and a promise that its database is there. */
export interface Claim {
  readonly ref: string;
  readonly provisioned: () => Promise<void>;
}

/**
 * One database ahead of each engine that says it needs them, from its first project of this process on. Only this
 * process knows of it: after a kill it belongs to no project, and recovery removes it like any other leftover. Were it
 * written down, a board put back to an older state could give a new project the database of one that it forgot.
 */
export class Spares {
  readonly #host: Host;
  readonly #log: Log;
  readonly #kept = new Map<EngineKind, Spare>();
  #closed = false;

  constructor(host: Host, log: Log) {
    this.#host = host;
    this.#log = log;
  }

  /** The spare of the engine, or a reference that nothing was made for. */
  claim(provider: EngineProvider): Claim {
    const spare = this.#kept.get(provider.kind);
    if (spare === undefined) {
      const ref = makeRef(this.#host);
      return { ref, provisioned: () => this.#provision(ref, provider) };
    }
    this.#kept.delete(provider.kind);
    const { ref, isMade } = spare;
    if (isMade) return { ref, provisioned: () => this.#confirmed(ref, provider) };
    // Projects are asked for faster than one is made: the next one's is begun while this one's is ended.
    this.#prepare(provider);
    return { ref, provisioned: () => spare.made.then(() => {}).catch(() => this.#provision(ref, provider)) };
  }

  has(engine: EngineKind): boolean {
    return this.#kept.has(engine);
  }

  /** Drops the engine's spare. Failures are logged: it is a leftover of the next boot then. */
  async drop(provider: EngineProvider): Promise<void> {
    const spare = this.#kept.get(provider.kind);
    if (spare === undefined) return;
    this.#kept.delete(provider.kind);
    try {
      await spare.made.catch(() => {});
      await provider.drop(spare.ref);
    } catch (error) {
      const why = { engine: provider.kind, error: describeError(error) };
      this.#log.warn(why, 'a database made ahead could not be removed');
    }
  }

  /** No more are made. */
  close(): void {
    this.#closed = true;
  }

  async #provision(ref: string, provider: EngineProvider): Promise<void> {
    await provider.provision(ref);
    this.#prepare(provider);
  }

  /** Its server may have lost it since: it was of no project. */
  async #confirmed(ref: string, provider: EngineProvider): Promise<void> {
    if ((await provider.stands?.(ref)) !== true) await provider.provision(ref);
    // After the answer, which would else wait for a connection of its own.
    this.#prepare(provider);
  }

  #prepare(provider: EngineProvider): void {
    const { kind } = provider;
    if (this.#closed || provider.stands === undefined || this.#kept.has(kind)) return;
    const ref = makeRef(this.#host);
    const spare: Spare = { ref, made: provider.provision(ref), isMade: false };
    this.#kept.set(kind, spare);
    spare.made.then(
      () => {
        spare.isMade = true;
      },
      (error: unknown) => {
        this.#log.warn({ engine: kind, error: describeError(error) }, 'no database was made ahead');
        // What there is of it is a leftover; one who claimed it meanwhile tries again.
        if (this.#kept.get(kind) === spare) this.#kept.delete(kind);
      },
    );
  }
}
