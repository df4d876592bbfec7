import { describeError, isPublicError, MagError } from '../../errors.ts';
import { LIMITS } from '../../limits.ts';
import { BOOT_STAGES, type BootStage } from '../../protocol/board-status.ts';
import type { Host, Timer } from '../../runtime/host.ts';
import type { Log } from '../../runtime/log.ts';
import { type BootComponent, planBoot } from './boot-plan.ts';
import type { BootProgress } from './boot-progress.ts';
import { type BoardState, BootStatus } from './boot-status.ts';
import { startComponent, stopComponent } from './start-component.ts';

export interface BootOptions {
  readonly host: Host;
  readonly log: Log;
  readonly progress: BootProgress;
  /** Aborting gives the boot up: what was started is stopped again, and boot rejects with the signal's reason. */
  readonly signal?: AbortSignal;
  /** Handed the state before the first component starts, so that components may show it. */
  readonly onState?: (state: BoardState) => void;
}

/** A board that is up. */
export interface Booted {
  readonly state: BoardState;
  /** Says `draining` from now on, and stops trying optional components again. Idempotent. */
  drain(): void;
  /** Stops every component in the reverse of the order in which they came up. Idempotent. */
  stop(): Promise<void>;
}

/** The first required component that failed. */
interface Failure {
  readonly component: BootComponent;
  readonly error: unknown;
}

class Boot implements Booted {
  readonly state: BootStatus;
  readonly #options: BootOptions;
  readonly #plan: ReturnType<typeof planBoot>;
  readonly #abort = new AbortController();
  /** In the order in which their starts began: a component begins after all it requires have come up. */
  readonly #begun: BootComponent[] = [];
  readonly #up = new Set<string>();
  /** Optional components that are down, and why. */
  readonly #down = new Map<BootComponent, unknown>();
  #retry: Timer | null = null;
  #retryDelay: number = LIMITS.bootRetryBaseMs;
  #retrying: Promise<void> = Promise.resolve();
  #stopping: Promise<void> | null = null;

  constructor(components: readonly BootComponent[], options: BootOptions) {
    this.#options = options;
    this.#plan = planBoot(components);
    this.state = new BootStatus(components, options.log);
    options.onState?.(this.state);
  }

  async run(): Promise<Booted> {
    const { signal, host, progress } = this.#options;
    const giveUp = (): void => this.#abort.abort(signal?.reason);
    if (signal?.aborted) giveUp();
    signal?.addEventListener('abort', giveUp, { once: true });
    try {
      for (const stage of BOOT_STAGES) {
        const began = host.now();
        progress.stageStarted(stage);
        const failure = await this.#runStage(stage);
        if (failure !== null) await this.#fail(stage, failure);
        progress.stageCompleted(stage, host.now() - began, this.#componentsOf(stage));
        this.state.send({ type: 'STAGE_COMPLETED' });
      }
    } finally {
      signal?.removeEventListener('abort', giveUp);
    }
    this.#planRetry();
    return this;
  }

  #componentsOf(stage: BootStage): ReturnType<BootStatus['status']>['components'] {
    return this.state.status().components.filter((component) => component.stage === stage);
  }

  /** Starts what the stage holds, each as soon as what it requires has its outcome. */
  async #runStage(stage: BootStage): Promise<Failure | null> {
    const outcomes = new Map<string, Promise<void>>();
    let failure: Failure | null = null;
    for (const component of this.#plan.get(stage) ?? []) {
      const before = component.requires.map((name) => outcomes.get(name));
      const outcome = Promise.all(before).then(async () => {
        const error = await this.#bringUp(component);
        if (error === null || component.optional) return;
        failure ??= { component, error };
        // Nothing else of this boot matters any more.
        this.#abort.abort(error);
      });
      outcomes.set(component.name, outcome);
    }
    await Promise.all(outcomes.values());
    const given = this.#options.signal;
    if (given?.aborted) {
      await this.stop();
      throw given.reason;
    }
    return failure;
  }

  /** Starts one component; returns why it did not come up, or null. */
  async #bringUp(component: BootComponent): Promise<unknown | null> {
    const { name } = component;
    try {
      this.#abort.signal.throwIfAborted();
      const missing = component.requires.find((required) => !this.#up.has(required));
      if (missing !== undefined) throw new MagError('MAG_COMPONENT_UNAVAILABLE', { name: missing });
      this.#begun.push(component);
      await startComponent(component, this.#options.host, this.#abort.signal);
      this.#up.add(name);
      this.#down.delete(component);
      this.state.report(name, 'healthy', null);
      return null;
    } catch (error) {
      if (component.optional) this.#down.set(component, error);
      this.state.report(name, component.optional ? 'degraded' : 'failed', describeError(error));
      return error ?? new Error('it failed without a reason');
    }
  }

  /** Stops what was started, then throws the failure with stage, component, cause chain and hint. */
  async #fail(stage: BootStage, { component, error }: Failure): Promise<never> {
    const cause = describeError(error);
    const hint =
      isPublicError(error) && error.hint !== null ? error.hint : 'The cause above says what to mend.';
    this.#options.progress.stageFailed(stage, component.name, cause);
    this.state.send({ type: 'BOOT_FAILED', reason: cause });
    await this.stop();
    throw new MagError(
      'MAG_BOOT_FAILED',
      { stage, component: component.name, cause },
      { cause: error, hint },
    );
  }

  #planRetry(): void {
    if (this.#down.size === 0 || this.#stopping !== null || this.#abort.signal.aborted) return;
    this.#retry = this.#options.host.setTimer(this.#retryDelay, () => {
      this.#retry = null;
      this.#retryDelay = Math.min(LIMITS.bootRetryCapMs, this.#retryDelay * 2);
      this.#retrying = this.#tryAgain().then(() => this.#planRetry());
    });
  }

  async #tryAgain(): Promise<void> {
    for (const component of [...this.#down.keys()]) {
      if (this.#abort.signal.aborted || component.requires.some((name) => !this.#up.has(name))) continue;
      // What the failed start left behind goes first.
      this.#forget(component);
      await stopComponent(component, this.#options.host, this.#options.log);
      const error = await this.#bringUp(component);
      const fields = { component: component.name, error: error === null ? null : describeError(error) };
      if (error === null) this.#options.log.info(fields, 'optional component came up');
      else this.#options.log.debug(fields, 'optional component is still down');
    }
  }

  #forget(component: BootComponent): void {
    const index = this.#begun.indexOf(component);
    if (index !== -1) this.#begun.splice(index, 1);
  }

  drain(): void {
    if (this.#retry !== null) this.#options.host.clearTimer(this.#retry);
    this.#retry = null;
    this.#abort.abort(new MagError('MAG_DRAINING'));
    this.state.send({ type: 'DRAIN' });
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#stopAll();
    return this.#stopping;
  }

  async #stopAll(): Promise<void> {
    this.drain();
    await this.#retrying;
    for (const component of this.#begun.toReversed()) {
      await stopComponent(component, this.#options.host, this.#options.log);
      this.state.report(component.name, 'stopped', null);
    }
    this.state.send({ type: 'STOPPED' });
  }
}

/**
 * Brings the board up stage by stage. Throws MAG_COMPONENT_INVALID before anything starts where the components do
 * not fit together; rejects with MAG_BOOT_FAILED (stage, component, cause chain, hint) after what was started has
 * been stopped again.
 */
export async function boot(components: readonly BootComponent[], options: BootOptions): Promise<Booted> {
  return new Boot(components, options).run();
}
