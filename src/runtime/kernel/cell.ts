import { describeError, MagError } from '../../errors.ts';
import { LIMITS } from '../../limits.ts';
import type { Actor } from '../behaviours/actor.ts';
import type { Core } from '../core.ts';
import type { Inlet } from '../placement/inlet.ts';
import type { ChildSpec, MailboxOptions, Message } from '../spec.ts';
import type { Down, SendResult } from '../system.ts';
import { absence, gone } from './absence.ts';
import type { Ask } from './ask.ts';
import { Attachments } from './attachments.ts';
import { Bytes } from './bytes.ts';
import type { CellOwner } from './cell-owner.ts';
import { type Exit, KILLED, NORMAL } from './exit.ts';
import type { Runnable } from './kernel.ts';
import { startLimit } from './kind.ts';
import { Delivery, type Entry, Mailbox, notAMessage } from './mailbox.ts';
import { keepState } from './resumed.ts';

export type CellStatus = 'starting' | 'running' | 'stopping' | 'stopped' | 'failed';

const MAILBOX: MailboxOptions = { capacity: LIMITS.mailbox, overflow: 'reject' };

/** One incarnation of an actor in this thread: its mailbox, its counters, and the one way it ends. */
export class Cell implements Runnable {
  readonly core: Core;
  readonly path: string;
  readonly incarnation: number;
  readonly spec: ChildSpec;
  readonly restarts: number;
  readonly startedAt: number;
  queued = false;
  runnable = false;
  paused = false;
  handled = 0;
  /** What it failed with; undefined where it did not. */
  error: unknown = undefined;
  exit: Exit | null = null;
  /** Whether its start succeeded; where not, who started it is told by that. */
  wasReady = false;
  /** Its start returned IGNORE. */
  ignored = false;
  /** Its children are ending, and it after them: whether they come back is for its own supervisor to say. */
  closing = false;
  actor: Actor | null = null;
  /** Lives elsewhere: what is for it goes on as a whole delivery. */
  #passes = false;
  #mailbox: Mailbox | null = null;
  readonly #owner: CellOwner;
  #status: CellStatus = 'starting';
  #attached: Attachments | null = null;

  constructor(
    core: Core,
    path: string,
    incarnation: number,
    spec: ChildSpec,
    restarts: number,
    owner: CellOwner,
  ) {
    this.core = core;
    this.path = path;
    this.incarnation = incarnation;
    this.spec = spec;
    this.restarts = restarts;
    this.#owner = owner;
    this.startedAt = core.host.now();
  }

  /** Made when it is first looked at: most actors of a large tree are idle. */
  get mailbox(): Mailbox {
    this.#mailbox ??= new Mailbox(this.spec.mailbox ?? MAILBOX);
    return this.#mailbox;
  }

  /** Nothing waits for it. */
  get idle(): boolean {
    return this.#mailbox === null || this.#mailbox.depth === 0;
  }

  get address(): string {
    return `${this.path}#${this.incarnation}`;
  }

  get status(): CellStatus {
    return this.#status;
  }

  /** Takes messages now: it starts or runs. */
  get live(): boolean {
    return this.#status === 'running' || this.#status === 'starting';
  }

  /** Something waits in its mailbox, or at its door. */
  get backlog(): boolean {
    return (this.#mailbox?.depth ?? 0) > 0 || (this.#attached?.door ?? null) !== null;
  }

  get lastError(): string | null {
    return this.error === undefined ? null : describeError(this.error);
  }

  get signal(): AbortSignal {
    const attached = this.#attachments();
    attached.abort ??= new AbortController();
    if (this.exit !== null) attached.abort.abort();
    return attached.abort.signal;
  }

  /** Resolves when it may be sent to; rejects when it ends before. */
  get ready(): Promise<void> {
    const { ready } = this.#attachments();
    if (this.wasReady) ready.resolve();
    else if (!this.live) ready.reject(gone(this));
    return ready.promise;
  }

  get ended(): Promise<Exit> {
    const { ended } = this.#attachments();
    if (this.exit !== null) ended.resolve(this.exit);
    return ended.promise;
  }

  /** Starts the behaviour. A constructor that throws leaves no zombie: it is a failed start like any other. */
  begin(create: (cell: Cell) => Actor): void {
    this.#emit('started', null);
    // Who was told of that may have ended it.
    if (!this.live) return;
    try {
      this.core.names.claim(this);
      this.actor = create(this);
      this.#passes = this.actor.forward !== undefined;
      const starting = this.actor.start();
      if (this.exit !== null) return;
      if (starting === undefined) this.#becomeReady();
      else this.#await(starting);
    } catch (error) {
      this.fail(error);
    }
  }

  /** Throws MAG_MESSAGE_INVALID: it would crash whoever receives it. */
  send(message: Message): SendResult {
    if (typeof message !== 'object' || message === null) throw notAMessage(this.path);
    const { ambient } = this.core.kernel;
    const passed = this.#passes && ambient === null && this.live ? this.actor?.pass?.(message) : null;
    if (passed != null) return passed;
    if (ambient !== null || this.#passes) return this.accept(new Delivery(this.path, message, null, ambient));
    return this.live ? this.#enqueue(message) : this.#bury(message);
  }

  sendBytes(record: Uint8Array): SendResult {
    const isBare = this.#passes && this.live && this.core.kernel.ambient === null;
    const passed = isBare && record instanceof Uint8Array ? this.actor?.pass?.(record) : null;
    return passed ?? this.send(new Bytes(record));
  }

  /** Takes a message into its mailbox, or hands it straight on where it lives elsewhere. */
  accept(entry: Entry): SendResult {
    if (!this.live) return this.#bury(entry);
    if (this.#passes && entry instanceof Delivery) {
      const forwarded = this.actor?.forward?.(entry) ?? null;
      if (forwarded !== null) return forwarded;
    }
    return this.#enqueue(entry);
  }

  /** Takes a message now or as soon as there is room, where its overflow is backpressure. */
  offer(delivery: Delivery, ask: Ask): Promise<SendResult> {
    const { mailbox } = this;
    const forwarded = this.actor?.forwardWhenRoom?.(delivery, ask) ?? null;
    if (forwarded !== null) return forwarded;
    const waits = this.live && mailbox.overflow === 'backpressure' && mailbox.full;
    if (waits) return this.#attachments().wait(delivery, ask, mailbox.capacity);
    ask.resolve(this.accept(delivery));
    return ask.promise as Promise<SendResult>; // resolved with nothing else
  }

  /** Takes what came over a link, whose sender was told that it is sent. */
  acceptFrom(inlet: Inlet, entry: Entry): void {
    this.#attachments().arrive(this, inlet, entry);
  }

  handle(entry: Entry): void {
    this.handled += 1;
    const isDelivery = entry instanceof Delivery;
    try {
      if (isDelivery) this.#handleDelivery(entry);
      else this.actor?.receive(entry, null);
    } catch (error) {
      this.fail(error);
    }
    if (isDelivery && entry.ask !== null) this.#keepAsk(entry.ask);
    if (this.#attached !== null) this.#attached.handled(this);
  }

  /** Keeps an ask with its incarnation: it is answered, or fails when the incarnation ends. */
  hold(ask: Ask): void {
    this.#attachments().hold(ask);
  }

  watch(listener: (down: Down) => void): () => void {
    return this.#attachments().watch(listener);
  }

  setPaused(paused: boolean): void {
    this.paused = paused;
    this.#setRunnable();
    this.actor?.pause?.(paused);
    this.core.kernel.wake(this);
  }

  /** The incarnation failed, from inside or outside; only the first call counts. */
  fail(error: unknown): void {
    if (!this.live && this.#status !== 'stopping') return;
    this.error = error ?? new Error(String(error));
    this.#leave('failed');
    if (this.core.listening) this.#emit('failed', this.lastError);
    this.#free(() => this.actor?.abandon(error), { kind: 'error', error: this.error });
  }

  /** Its start had nothing to do: it ends without having been there. */
  ignore(): void {
    this.ignored = true;
    this.#end(NORMAL);
  }

  /** It is gone, and why is about to be told: until it fails nothing reaches it, and what is for its path waits. */
  lose(): void {
    if (this.#status === 'running') this.#status = 'stopping';
  }

  /** The behaviour came to its own end. */
  finish(): void {
    if (!this.live) return;
    this.#leave('stopped');
    this.#free(() => this.actor?.stop('normal'), NORMAL);
  }

  /** Handles what is in the mailbox, then stops; `ended` tells when. */
  stop(reason: string, exit: Exit = { kind: 'shutdown', reason }): void {
    if (!this.live) return;
    // In a step of its own it goes on to the end of that, whose state it is stopped with.
    const isBusy = !this.idle || this.core.kernel.running === this;
    const drains = this.#status === 'running' && !this.paused && isBusy;
    this.#status = 'stopping';
    this.#setRunnable();
    this.#attached?.clearStartTimer(this.core.host);
    const stop = (): Promise<void> | void | undefined => {
      this.#attached?.abort?.abort();
      keepState(this);
      return this.actor?.stop(reason);
    };
    if (drains) {
      this.#attachments().drained = () => this.#free(stop, exit);
      this.core.kernel.wake(this);
    } else this.#free(stop, exit);
  }

  /** Ends it now, without asking it. */
  kill(exit: Exit = KILLED): void {
    if (this.exit !== null) return;
    keepState(this);
    this.#free(() => this.actor?.kill(), exit);
  }

  #handleDelivery(delivery: Delivery): void {
    const { kernel } = this.core;
    // Its caller has gone or gave up: the answer would reach nobody.
    if (delivery.ask?.settled === true) return;
    kernel.ambient = delivery.ambient;
    try {
      this.actor?.receive(delivery.message, delivery);
    } finally {
      kernel.ambient = null;
    }
  }

  #enqueue(entry: Entry): SendResult {
    const left = this.mailbox.offer(entry);
    if (left !== null) return this.#overflowed(entry, left);
    if (!this.queued) this.core.kernel.wake(this);
    return 'sent';
  }

  /** A question may be answered later than in its own step; where its actor ended in that step, never. */
  #keepAsk(ask: Ask): void {
    if (ask.settled) return;
    if (this.live || this.#status === 'stopping') this.hold(ask);
    else ask.reject(gone(this));
  }

  #overflowed(entry: Entry, left: Entry): SendResult {
    const { path, mailbox } = this;
    const params = { path, capacity: mailbox.capacity };
    if (mailbox.overflow === 'reject' || mailbox.overflow === 'backpressure') {
      if (entry instanceof Delivery) entry.ask?.reject(new MagError('MAG_MAILBOX_FULL', params));
      return 'rejected';
    }
    this.core.bury(path, left, 'MAG_MAILBOX_FULL', params);
    this.core.kernel.wake(this);
    return 'sent';
  }

  #bury(entry: Entry): SendResult {
    this.core.bury(this.path, entry, 'MAG_ACTOR_NOT_FOUND', { path: this.address });
    return 'dead';
  }

  #attachments(): Attachments {
    this.#attached ??= new Attachments();
    return this.#attached;
  }

  #await(starting: Promise<void>): void {
    const limit = startLimit(this.spec);
    if (limit !== null)
      this.#attachments().startTimer = this.core.host.setTimer(limit, () => {
        this.fail(new MagError('MAG_ACTOR_START_TIMEOUT', { path: this.path, ms: limit }));
      });
    starting.then(
      () => this.#becomeReady(),
      (error: unknown) => this.fail(error),
    );
  }

  #becomeReady(): void {
    if (this.#status !== 'starting') return;
    this.#status = 'running';
    this.wasReady = true;
    this.#setRunnable();
    this.#attached?.clearStartTimer(this.core.host);
    this.core.kernel.wake(this);
    // Before anybody is told: what waited goes before what is sent from here on.
    this.core.registry.settle(this.path);
    this.core.names.join(this);
    this.#emit('ready', null);
    if (this.restarts > 0) this.#emit('restarted', null);
    this.#attached?.markReady();
  }

  #setRunnable(): void {
    this.runnable = (this.#status === 'running' && !this.paused) || this.#status === 'stopping';
  }

  /** Leaves the living: nothing is handled any more, and who waits for an answer is told. */
  #leave(status: 'failed' | 'stopped'): void {
    if (this.live) keepState(this);
    this.#status = status;
    this.runnable = false;
    this.#attached?.clearStartTimer(this.core.host);
    if (this.#mailbox !== null) for (const left of this.#mailbox.clear()) this.#lose(left);
    this.#attached?.dismiss(
      this,
      () => gone(this),
      (entry) => this.#lose(entry),
    );
  }

  #free(free: () => Promise<void> | void | undefined, exit: Exit): void {
    try {
      const freeing = free();
      if (freeing === undefined) this.#end(exit);
      else {
        freeing.then(
          () => this.#end(exit),
          (error: unknown) => this.#notFreed(error, exit),
        );
        if (exit.kind !== 'error') this.#owner.cellLeaving(this, exit);
      }
    } catch (error) {
      this.#notFreed(error, exit);
    }
  }

  #notFreed(error: unknown, exit: Exit): void {
    this.core.log.warn({ path: this.path, error: describeError(error) }, 'an actor could not be freed');
    this.#end(exit);
  }

  #end(exit: Exit): void {
    if (this.exit !== null) return;
    this.exit = exit;
    this.#leave(exit.kind === 'error' ? 'failed' : 'stopped');
    if (exit.kind !== 'error') this.#emit('stopped', exit.kind === 'shutdown' ? exit.reason : exit.kind);
    this.core.registry.remove(this);
    this.#attached?.tellEnd(this, exit);
    this.#owner.cellEnded(this);
    // Only now: until its owner has said whether it comes back, nobody else may have its name.
    this.core.names.leave(this);
  }

  #lose(entry: Entry): void {
    const { code, params } = absence(this);
    this.core.bury(this.path, entry, code, params);
  }

  #emit(type: 'started' | 'ready' | 'restarted' | 'failed' | 'stopped', reason: string | null): void {
    if (this.core.listening) this.core.emit({ type, path: this.path, reason, delay: null });
  }
}
