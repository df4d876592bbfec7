import { describeError, MagError } from '../errors.ts';
import { LIMITS } from '../limits.ts';
import type { ActorNode } from '../protocol/actor-node.ts';
import type { Actor, Exit } from './actor.ts';
import type { Ask } from './ask.ts';
import type { Core, SpawnCell } from './core.ts';
import type { Timer } from './host.ts';
import type { Runnable } from './kernel.ts';
import { type Delivery, Mailbox } from './mailbox.ts';
import type { ChildSpec } from './spec.ts';

export type CellStatus = 'starting' | 'running' | 'stopping' | 'stopped' | 'failed';

const KINDS = {
  supervisor: 'supervisor',
  component: 'component',
  machine: 'actor',
  light: 'actor',
} as const;

export function kindOf(spec: ChildSpec): ActorNode['kind'] {
  return spec.behaviour.kind === 'remote' ? spec.behaviour.where : KINDS[spec.behaviour.kind];
}

/** One incarnation of an actor in this thread: its mailbox, its counters, and the one way it ends. */
export class Cell implements Runnable {
  readonly path: string;
  readonly incarnation: number;
  readonly spec: ChildSpec;
  readonly mailbox: Mailbox;
  readonly restarts: number;
  readonly since: string;
  readonly startedAt: number;
  /** Resolves when it may be sent to; rejects when it ends before. */
  readonly ready: Promise<void>;
  readonly ended: Promise<Exit>;
  queued = false;
  handled = 0;
  paused = false;
  lastError: string | null = null;
  exit: Exit | null = null;
  /** Whether its start succeeded; where not, who started it is told by that. */
  wasReady = false;
  readonly #core: Core;
  readonly #onEnd: (cell: Cell) => void;
  readonly #asks = new Set<Ask>();
  readonly #watchers = new Set<(reason: string) => void>();
  #actor: Actor | null = null;
  #status: CellStatus = 'starting';
  #abort: AbortController | null = null;
  #startTimer: Timer | null = null;
  #drained: (() => void) | null = null;
  #markReady: () => void = () => {};
  #refuseReady: (error: unknown) => void = () => {};
  #markEnded: (exit: Exit) => void = () => {};

  constructor(core: Core, path: string, incarnation: number, spec: ChildSpec, options: SpawnCell) {
    this.#core = core;
    this.path = path;
    this.incarnation = incarnation;
    this.spec = spec;
    this.mailbox = new Mailbox(spec.mailbox ?? { capacity: LIMITS.mailbox, overflow: 'reject' });
    this.restarts = options.restarts;
    this.#onEnd = options.onEnd;
    this.startedAt = core.host.now();
    this.since = new Date(core.host.wallTime()).toISOString();
    this.ready = new Promise((resolve, reject) => {
      this.#markReady = resolve;
      this.#refuseReady = reject;
    });
    // Who does not wait for readiness learns of the failure from the end of the incarnation.
    this.ready.catch(() => {});
    this.ended = new Promise((resolve) => {
      this.#markEnded = resolve;
    });
  }

  get address(): string {
    return `${this.path}#${this.incarnation}`;
  }

  get status(): CellStatus {
    return this.#status;
  }

  /** Takes messages now: it starts or runs. */
  get live(): boolean {
    return this.#status === 'starting' || this.#status === 'running';
  }

  get actor(): Actor | null {
    return this.#actor;
  }

  get signal(): AbortSignal {
    this.#abort ??= new AbortController();
    if (this.exit !== null) this.#abort.abort();
    return this.#abort.signal;
  }

  /** Starts the behaviour. A constructor that throws leaves no zombie: it is a failed start like any other. */
  begin(create: (cell: Cell) => Actor): void {
    const limit = this.#startLimit();
    if (limit !== null)
      this.#startTimer = this.#core.host.setTimer(limit, () => {
        this.fail(new MagError('MAG_ACTOR_START_TIMEOUT', { path: this.path, ms: limit }));
      });
    this.#emit('started', null);
    try {
      this.#actor = create(this);
      const starting = this.#actor.start();
      if (starting === undefined) this.#becomeReady();
      else
        starting.then(
          () => this.#becomeReady(),
          (error: unknown) => this.fail(error),
        );
    } catch (error) {
      this.fail(error);
    }
  }

  runnable(): boolean {
    return (this.#status === 'running' && !this.paused) || this.#status === 'stopping';
  }

  handle(delivery: Delivery): void {
    this.handled += 1;
    // Its caller has gone or gave up: the answer would reach nobody.
    if (delivery.ask?.settled !== true) this.#receive(delivery);
    if (this.#drained !== null && this.mailbox.depth === 0) this.#drained();
  }

  /** Keeps an ask with its incarnation: it is answered, or fails when the incarnation ends. */
  hold(ask: Ask): void {
    this.#asks.add(ask);
    ask.onSettled(() => this.#asks.delete(ask));
  }

  watch(listener: (reason: string) => void): () => void {
    this.#watchers.add(listener);
    return () => this.#watchers.delete(listener);
  }

  setPaused(paused: boolean): void {
    this.paused = paused;
    this.#actor?.pause?.(paused);
    this.#core.kernel.wake(this);
  }

  /** The incarnation failed, from inside or outside; only the first call counts. */
  fail(error: unknown): void {
    if (!this.live && this.#status !== 'stopping') return;
    this.lastError = describeError(error);
    this.#leave('failed', new MagError('MAG_ACTOR_CRASHED', { path: this.path, cause: this.lastError }));
    this.#emit('failed', this.lastError);
    this.#settleEnd(() => this.#actor?.abandon(error), { kind: 'error', error });
  }

  /** The behaviour came to its own end. */
  finish(): void {
    if (!this.live) return;
    this.#leave('stopped', this.#unavailable());
    this.#settleEnd(() => this.#actor?.stop('normal'), { kind: 'normal' });
  }

  /** Handles what is in the mailbox, then stops. Resolves when it has ended. */
  stop(reason: string): Promise<Exit> {
    if (!this.live) return this.ended;
    const wasRunning = this.#status === 'running' && !this.paused;
    this.#status = 'stopping';
    this.#clearStartTimer();
    const drained =
      wasRunning && this.mailbox.depth > 0
        ? new Promise<void>((resolve) => {
            this.#drained = resolve;
            this.#core.kernel.wake(this);
          })
        : undefined;
    const stop = async (): Promise<void> => {
      await drained;
      this.#abort?.abort();
      await this.#actor?.stop(reason);
    };
    this.#settleEnd(stop, { kind: 'shutdown', reason });
    return this.ended;
  }

  /** Ends it now, without asking it. */
  kill(): void {
    if (this.exit !== null) return;
    this.#actor?.kill();
    this.#end({ kind: 'shutdown', reason: 'killed' });
  }

  #receive(delivery: Delivery): void {
    try {
      this.#actor?.receive(delivery);
    } catch (error) {
      this.fail(error);
    }
  }

  #startLimit(): number | null {
    if (this.spec.startTimeout !== undefined) return this.spec.startTimeout;
    // A supervisor is ready when its children are, and each of these has a limit of its own.
    return this.spec.behaviour.kind === 'supervisor' ? null : LIMITS.startTimeoutMs;
  }

  #becomeReady(): void {
    if (this.#status !== 'starting') return;
    this.#status = 'running';
    this.wasReady = true;
    this.#clearStartTimer();
    this.#emit('ready', null);
    if (this.restarts > 0) this.#emit('restarted', null);
    this.#markReady();
    this.#core.kernel.wake(this);
    this.#core.registry.settle(this.path);
  }

  #clearStartTimer(): void {
    if (this.#startTimer !== null) this.#core.host.clearTimer(this.#startTimer);
    this.#startTimer = null;
  }

  /** Leaves the living: nothing is handled any more, and who waits for an answer is told. */
  #leave(status: 'failed' | 'stopped', error: MagError): void {
    this.#status = status;
    this.#clearStartTimer();
    this.#abort?.abort();
    this.#refuseReady(error);
    this.#dismiss(error);
  }

  #dismiss(error: MagError): void {
    for (const left of this.mailbox.clear()) {
      if (left.ask === null) this.#core.deadLetters.add(left, error.code);
      else left.ask.reject(error);
    }
    for (const ask of [...this.#asks]) ask.reject(error);
  }

  #settleEnd(free: () => Promise<void> | void | undefined, exit: Exit): void {
    const done = (): void => this.#end(exit);
    const failed = (error: unknown): void => {
      this.#core.log.warn({ path: this.path, error: describeError(error) }, 'an actor could not be freed');
      this.#end(exit);
    };
    try {
      const freeing = free();
      if (freeing === undefined) done();
      else freeing.then(done, failed);
    } catch (error) {
      failed(error);
    }
  }

  #end(exit: Exit): void {
    if (this.exit !== null) return;
    this.exit = exit;
    const error = exit.kind === 'error' ? this.#crashed() : this.#unavailable();
    this.#leave(exit.kind === 'error' ? 'failed' : 'stopped', error);
    if (exit.kind !== 'error') this.#emit('stopped', exit.kind === 'shutdown' ? exit.reason : 'normal');
    this.#core.registry.remove(this);
    this.#markEnded(exit);
    const reason = exitReason(exit);
    const watchers = [...this.#watchers];
    this.#watchers.clear();
    for (const watcher of watchers) this.#tell(watcher, reason);
    this.#onEnd(this);
  }

  /** A watcher that throws must not keep the others, or the supervisor, from being told. */
  #tell(watcher: (reason: string) => void, reason: string): void {
    try {
      watcher(reason);
    } catch (error) {
      this.#core.log.error({ path: this.path, error: describeError(error) }, 'a monitor threw');
    }
  }

  /** For who still waits when it stops: it may come back, and asking again may help. */
  #unavailable(): MagError {
    return new MagError('MAG_COMPONENT_UNAVAILABLE', { name: this.path });
  }

  #crashed(): MagError {
    return new MagError('MAG_ACTOR_CRASHED', { path: this.path, cause: this.lastError ?? 'unknown' });
  }

  #emit(type: 'started' | 'ready' | 'restarted' | 'failed' | 'stopped', reason: string | null): void {
    this.#core.emit({ type, path: this.path, reason, delay: null });
  }
}

/** The reason a monitor is told. */
export function exitReason(exit: Exit): string {
  if (exit.kind === 'error') return describeError(exit.error);
  return exit.kind === 'normal' ? 'normal' : 'shutdown';
}
