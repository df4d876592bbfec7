import { CALL_LIMITS } from '../../limits-calls.ts';
import { GradientLimit } from '../../machines/gradient-limit.ts';
import {
  type Bulkhead,
  type BulkheadOptions,
  type BulkheadStats,
  createBulkhead,
  type WaitOptions,
} from './bulkhead.ts';
import { isAbort, isFailure, isOverload } from './failure.ts';
import { checkSettings } from './settings.ts';

export interface AdaptiveLimitOptions extends Omit<BulkheadOptions, 'concurrency'> {
  /** Calls at once: never fewer (default 4), never more (default 1,000), and at first (default 20). */
  readonly floor?: number;
  readonly ceiling?: number;
  readonly initial?: number;
  /** Which errors tell that the dependency has too much to do. Default: status 429, 503 and 504. */
  readonly isOverload?: (error: unknown) => boolean;
}

/** A bulkhead that finds its number of places by itself, from how long calls take. */
export interface AdaptiveLimit {
  /** As `Bulkhead.run`. */
  run<T>(fn: () => Promise<T>, options?: WaitOptions): Promise<T>;
  /** `concurrency` is the limit of now. */
  stats(): BulkheadStats;
}

class GradientBulkhead implements AdaptiveLimit {
  readonly #now: () => number;
  readonly #bulkhead: Bulkhead;
  readonly #limit: GradientLimit;
  readonly #isOverload: (error: unknown) => boolean;

  constructor(options: AdaptiveLimitOptions) {
    checkSettings(options, { floor: 1, ceiling: 1, initial: 1 });
    const { floor, ceiling, initial, isOverload: overloads, ...rest } = options;
    this.#now = () => options.host.now();
    this.#limit = new GradientLimit({
      floor: floor ?? CALL_LIMITS.adaptiveFloor,
      ceiling: ceiling ?? CALL_LIMITS.adaptiveCeiling,
      initial: initial ?? CALL_LIMITS.adaptiveInitial,
      windowMs: CALL_LIMITS.adaptiveWindowMs,
      windowSamples: CALL_LIMITS.adaptiveWindowCalls,
      remeasureMs: CALL_LIMITS.adaptiveRemeasureMs,
    });
    this.#isOverload = overloads ?? isOverload;
    this.#bulkhead = createBulkhead({ ...rest, concurrency: this.#limit.limit });
  }

  run<T>(fn: () => Promise<T>, options?: WaitOptions): Promise<T> {
    return this.#bulkhead.run(() => this.#measured(fn), options);
  }

  stats(): BulkheadStats {
    return this.#bulkhead.stats();
  }

  async #measured<T>(fn: () => Promise<T>): Promise<T> {
    const startedAt = this.#now();
    try {
      const value = await fn();
      this.#sample(startedAt, false);
      return value;
    } catch (error) {
      // An error that came fast says nothing about how long an answer takes, unless it is the answer.
      if (this.#isOverload(error)) this.#sample(startedAt, true);
      else if (!isFailure(error) && !isAbort(error)) this.#sample(startedAt, false);
      throw error;
    }
  }

  #sample(startedAt: number, overloaded: boolean): void {
    const now = this.#now();
    this.#limit.sample(now - startedAt, this.#bulkhead.running, overloaded, now);
    this.#bulkhead.setConcurrency(this.#limit.limit);
  }
}

export const createAdaptiveLimit = (options: AdaptiveLimitOptions): AdaptiveLimit =>
  new GradientBulkhead(options);
