import { describeError } from '../../errors.ts';
import { LIMITS } from '../../limits.ts';
import type { EngineKind } from '../../protocol/project.ts';
import type { Host, Timer } from '../../runtime/host.ts';
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
  /** When a project of the engine was asked for last, on the host's clock. */
  readonly #asked = new Map<EngineKind, number>();
  readonly #timers = new Map<EngineKind, Timer>();
  #closed = false;

  constructor(host: Host, log: Log) {
    this.#host = host;
    this.#log = log;
  }

  /** The spare of the engine, or a reference that nothing was made for. */
  claim(provider: EngineProvider): Claim {
    const { kind } = provider;
    const spare = this.#kept.get(kind);
    this.#kept.delete(kind);
    const ref = spare?.ref ?? makeRef(this.#host);
    const isOneOfMany = this.#wasAsked(kind);
    const provisioned = async (): Promise<void> => {
      if (spare?.isMade === true) await this.#confirm(ref, provider);
      else {
        const made = spare?.made.catch(() => provider.provision(ref)) ?? provider.provision(ref);
        // The next one's is begun while this one's is ended.
        if (isOneOfMany) this.#prepare(provider);
        await made;
      }
      this.#wasAsked(kind);
      if (isOneOfMany) this.#prepare(provider);
      else this.#prepareLater(provider);
    };
    return { ref, provisioned };
  }

  /** Notes that a project of the engine is asked for, and says whether another one was a moment ago. */
  #wasAsked(kind: EngineKind): boolean {
    const now = this.#host.now();
    const last = this.#asked.get(kind) ?? Number.NEGATIVE_INFINITY;
    this.#asked.set(kind, now);
    return now - last < LIMITS.spareAfterMs;
  }

  /** Whether there is one, or will be. */
  isUsed(engine: EngineKind): boolean {
    return this.#kept.has(engine) || this.#timers.has(engine);
  }

  /** Drops the engine's spare. Failures are logged: it is a leftover of the next boot then. */
  async drop(provider: EngineProvider): Promise<void> {
    this.#forgetTimer(provider.kind);
    const spare = this.#kept.get(provider.kind);
    if (spare === undefined) return;
    this.#kept.delete(provider.kind);
    try {
      await spare.made.catch(() => {}); // Logged by who began it; what there is of it is dropped all the same.
      await provider.drop(spare.ref);
    } catch (error) {
      const why = { engine: provider.kind, error: describeError(error) };
      this.#log.warn(why, 'a database made ahead could not be removed');
    }
  }

  /** No more are made. */
  close(): void {
    this.#closed = true;
    for (const kind of [...this.#timers.keys()]) this.#forgetTimer(kind);
  }

  /** Its server may have lost it since: it was of no project. */
  async #confirm(ref: string, provider: EngineProvider): Promise<void> {
    if ((await provider.stands?.(ref)) !== true) await provider.provision(ref);
  }

  /** Whoever made a project uses it now. */
  #prepareLater(provider: EngineProvider): void {
    const { kind } = provider;
    if (this.#closed || provider.stands === undefined || this.#timers.has(kind)) return;
    const timer = this.#host.setTimer(LIMITS.spareAfterMs, () => {
      this.#timers.delete(kind);
      this.#prepare(provider);
    });
    this.#timers.set(kind, timer);
  }

  #forgetTimer(kind: EngineKind): void {
    const timer = this.#timers.get(kind);
    if (timer !== undefined) this.#host.clearTimer(timer);
    this.#timers.delete(kind);
  }

  #prepare(provider: EngineProvider): void {
    const { kind } = provider;
    if (this.#closed || provider.stands === undefined || this.#kept.has(kind)) return;
    this.#forgetTimer(kind);
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
