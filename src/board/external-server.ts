import type { EngineProvider } from '../actors/storage/engine.ts';
import { describeError } from '../errors.ts';
import { LIMITS } from '../limits.ts';
import { nextDelay } from '../machines/backoff.ts';
import type { EngineAvailability } from '../protocol/project.ts';
import type { Timer } from '../runtime/host.ts';
import type { ComponentContext } from '../runtime/spec.ts';
import { BACKOFF } from './restarts.ts';

interface WatchOptions {
  readonly context: Pick<ComponentContext, 'host' | 'log' | 'degraded'>;
  readonly provider: Pick<EngineProvider, 'kind' | 'availability'>;
  /** Tells the board's status why the server cannot be used, or null where it can. */
  readonly report: (problem: string | null) => void;
}

/** What an operator is told: the cause, and how it is mended where that is known. */
export const diagnosis = ({ why, hint }: EngineAvailability): string =>
  `${why ?? ''}${hint === undefined ? '' : ` — ${hint}`}`;

/**
 * Looks at an external server when the board boots and from then on, so that one that cannot be used (a wrong
 * certificate, a right that is missing) is told in the log and by /readyz, and not first by somebody's request. It ends
 * nothing: the other engines serve, and the server may be mended meanwhile.
 */
export class ExternalWatch {
  readonly #options: WatchOptions;
  #problem: string | null = null;
  #delay = 0;
  #timer: Timer | null = null;
  #stopped = false;

  constructor(options: WatchOptions) {
    this.#options = options;
    void this.#look();
  }

  stop(): void {
    this.#stopped = true;
    if (this.#timer !== null) this.#options.context.host.clearTimer(this.#timer);
    this.#timer = null;
  }

  async #look(): Promise<void> {
    const { context, provider } = this.#options;
    const found = await provider
      .availability()
      .catch((error: unknown) => ({ available: false, why: describeError(error) }) as EngineAvailability); // what is read of it
    if (this.#stopped) return;
    this.#tell(found);
    this.#delay = found.available
      ? LIMITS.externalLookMs
      : nextDelay(BACKOFF, this.#delay, context.host.random());
    this.#timer = context.host.setTimer(this.#delay, () => {
      this.#timer = null;
      void this.#look();
    });
  }

  /** Once for each change: a server that stays away fills no log. */
  #tell(found: EngineAvailability): void {
    const { context, provider, report } = this.#options;
    const problem = found.available ? null : diagnosis(found);
    if (problem === this.#problem) return;
    if (problem === null)
      context.log.info({ engine: provider.kind }, 'the external server can be used again');
    else {
      const { why, hint = null } = found;
      const where = { stage: 'storage', component: `engines/${provider.kind}` };
      context.log.error({ ...where, cause: why, hint }, 'an external server cannot be used');
    }
    this.#problem = problem;
    context.degraded(problem);
    report(problem);
  }
}
