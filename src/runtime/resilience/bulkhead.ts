import { MagError } from '../../errors.ts';
import { CALL_LIMITS } from '../../limits-calls.ts';
import { LaneQueue, type Waiting } from '../../machines/lane-queue.ts';
import type { Host, Timer } from '../host.ts';
import { checkSettings } from './settings.ts';
import type { Shedder } from './shedder.ts';

export interface BulkheadOptions {
  readonly host: Host;
  /** In errors; default `bulkhead`. */
  readonly name?: string;
  /** Calls at once; default 64. */
  readonly concurrency?: number;
  /** Calls that wait for a place; 0: none waits. Default 256. */
  readonly queue?: number;
  /** Default 3. */
  readonly lanes?: number;
  /** How long a call waits, in milliseconds, unless it says otherwise; default 1 s. */
  readonly waitMs?: number;
  /** Keeps the queue from standing; without it only the bounds do. It needs as many lanes. */
  readonly shedder?: Shedder;
}

/** How a call waits for its place. */
export interface WaitOptions {
  /** 0 is served first; default 1, or the lowest where there are fewer. */
  readonly lane?: number;
  /** Milliseconds. */
  readonly waitMs?: number;
  readonly signal?: AbortSignal;
}

/** Counts since it was made, but for the first two. */
export interface BulkheadStats {
  readonly running: number;
  readonly waiting: number;
  readonly concurrency: number;
  readonly admitted: number;
  /** Refused or displaced because all places and the queue were full. */
  readonly refused: number;
  readonly timedOut: number;
  readonly cancelled: number;
  readonly shed: number;
}

/** Bounds the calls to one dependency, so that it takes no more than its share of everything else. */
export interface Bulkhead {
  /**
   * Calls `fn` once there is a place, and gives the place back when its promise is settled. Rejects with
   * MAG_BULKHEAD_FULL, MAG_BULKHEAD_TIMEOUT, MAG_OVERLOADED (shed) or the signal's reason where it is not called.
   */
  run<T>(fn: () => Promise<T>, options?: WaitOptions): Promise<T>;
  /** The same in two steps: resolves with what gives the place back, once, however often it is called. */
  acquire(options?: WaitOptions): Promise<() => void>;
  /** Fewer than run now: those go on, and no other starts until enough have ended. */
  setConcurrency(concurrency: number): void;
  /** Calls that run now. */
  readonly running: number;
  stats(): BulkheadStats;
}

interface Waiter extends Waiting {
  readonly since: number;
  readonly admit: () => void;
  readonly refuse: (error: unknown) => void;
  /** Frees its timer and its listener. */
  readonly leave: () => void;
}

class LanedBulkhead implements Bulkhead {
  readonly #host: Host;
  readonly #name: string;
  readonly #capacity: number;
  readonly #waitMs: number;
  readonly #shedder: Shedder | null;
  readonly #queue: LaneQueue<Waiter>;
  #concurrency: number;
  #running = 0;
  #admitted = 0;
  #refused = 0;
  #timedOut = 0;
  #cancelled = 0;
  #shed = 0;

  constructor(options: BulkheadOptions) {
    this.#host = options.host;
    this.#name = options.name ?? 'bulkhead';
    this.#concurrency = options.concurrency ?? CALL_LIMITS.bulkheadConcurrency;
    this.#capacity = options.queue ?? CALL_LIMITS.bulkheadQueue;
    this.#waitMs = options.waitMs ?? CALL_LIMITS.bulkheadWaitMs;
    this.#shedder = options.shedder ?? null;
    this.#queue = new LaneQueue(options.lanes ?? CALL_LIMITS.bulkheadLanes);
  }

  get running(): number {
    return this.#running;
  }

  async run<T>(fn: () => Promise<T>, options: WaitOptions = {}): Promise<T> {
    const release = await this.acquire(options);
    try {
      // The place may come in the same turn as the abort.
      options.signal?.throwIfAborted();
      return await fn();
    } finally {
      release();
    }
  }

  acquire(options: WaitOptions = {}): Promise<() => void> {
    const { signal } = options;
    if (signal?.aborted) return Promise.reject(signal.reason);
    // Nobody waits then: whoever frees a place hands it on in the same step.
    if (this.#running < this.#concurrency) return Promise.resolve(this.#take());
    const lane = Math.max(0, Math.min(options.lane ?? 1, this.#queue.lanes - 1));
    const refusal = this.#refusal(lane);
    if (refusal !== null) return Promise.reject(refusal);
    return this.#wait(lane, options.waitMs ?? this.#waitMs, signal);
  }

  setConcurrency(concurrency: number): void {
    const more = concurrency > this.#concurrency;
    this.#concurrency = concurrency;
    if (more) this.#serve();
  }

  stats(): BulkheadStats {
    return {
      running: this.#running,
      waiting: this.#queue.size,
      concurrency: this.#concurrency,
      admitted: this.#admitted,
      refused: this.#refused,
      timedOut: this.#timedOut,
      cancelled: this.#cancelled,
      shed: this.#shed,
    };
  }

  #take(): () => void {
    this.#running += 1;
    this.#admitted += 1;
    let held = true;
    return () => {
      if (!held) return;
      held = false;
      this.#running -= 1;
      this.#serve();
    };
  }

  /** Why a newcomer may not even wait; a full queue makes room for it where somebody of a lower lane waits. */
  #refusal(lane: number): MagError | null {
    this.#drop();
    const next = this.#queue.next();
    if (next !== null) this.#shedder?.observeWaiting(next.lane, this.#host.now() - next.since);
    if (this.#shedder?.sheds(lane)) {
      this.#shed += 1;
      return this.#shedder.refusal(lane);
    }
    if (this.#queue.size < this.#capacity) return null;
    this.#refused += 1;
    const error = new MagError('MAG_BULKHEAD_FULL', {
      name: this.#name,
      running: this.#running,
      waiting: this.#queue.size,
    });
    const last = this.#queue.last();
    if (last === null || last.lane <= lane) return error;
    this.#dismiss(last, error);
    return null;
  }

  #wait(lane: number, waitMs: number, signal: AbortSignal | undefined): Promise<() => void> {
    const { promise, resolve, reject } = Promise.withResolvers<() => void>();
    let timer: Timer | null = null;
    const onAbort = (): void => {
      this.#cancelled += 1;
      this.#dismiss(waiter, signal?.reason);
    };
    const waiter: Waiter = {
      lane,
      before: null,
      after: null,
      queued: false,
      since: this.#host.now(),
      admit: () => resolve(this.#take()),
      refuse: reject,
      leave: () => {
        if (timer !== null) this.#host.clearTimer(timer);
        signal?.removeEventListener('abort', onAbort);
      },
    };
    timer = this.#host.setTimer(waitMs, () => {
      this.#timedOut += 1;
      this.#shedder?.observe(lane, this.#host.now() - waiter.since);
      this.#dismiss(waiter, new MagError('MAG_BULKHEAD_TIMEOUT', { name: this.#name, ms: waitMs }));
    });
    signal?.addEventListener('abort', onAbort, { once: true });
    this.#queue.push(waiter);
    return promise;
  }

  #dismiss(waiter: Waiter, error: unknown): void {
    this.#queue.remove(waiter);
    waiter.leave();
    waiter.refuse(error);
  }

  /** Gives free places to those that wait. */
  #serve(): void {
    while (this.#running < this.#concurrency) {
      const waiter = this.#queue.next();
      if (waiter === null) return;
      const waited = this.#host.now() - waiter.since;
      this.#shedder?.observe(waiter.lane, waited);
      if (this.#shedder?.drops(waiter.lane, waited)) this.#shedWaiter(waiter, this.#shedder);
      else {
        this.#queue.remove(waiter);
        waiter.leave();
        waiter.admit();
      }
    }
    this.#drop();
  }

  /** Drops those of shed lanes that have waited over the target: they would wait on for nothing. */
  #drop(): void {
    const shedder = this.#shedder;
    if (shedder === null || this.#queue.size === 0) return;
    const now = this.#host.now();
    for (let lane = this.#queue.lanes - 1; lane >= 0 && shedder.sheds(lane); lane -= 1) {
      for (let first = this.#queue.first(lane); first !== null; first = this.#queue.first(lane)) {
        if (!shedder.drops(lane, now - first.since)) break;
        this.#shedWaiter(first, shedder);
      }
    }
  }

  #shedWaiter(waiter: Waiter, shedder: Shedder): void {
    this.#shed += 1;
    this.#dismiss(waiter, shedder.refusal(waiter.lane));
  }
}

export function createBulkhead(options: BulkheadOptions): Bulkhead {
  checkSettings(options, { concurrency: 1, queue: 0, lanes: 1, waitMs: 0 });
  return new LanedBulkhead(options);
}
