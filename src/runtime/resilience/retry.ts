import { isPublicError } from '../../errors.ts';
import { CALL_LIMITS } from '../../limits-calls.ts';
import { nextDelay } from '../../machines/backoff.ts';
import { RetryBudget } from '../../machines/retry-budget.ts';
import { type Host, sleep } from '../host.ts';
import { isAbort, isFailure } from './failure.ts';
import { checkSettings } from './settings.ts';

/** Milliseconds unless the name says otherwise. The defaults are in CALL_LIMITS. */
export interface RetryOptions {
  readonly host: Host;
  /** Attempts in all, the first one included; default 4. */
  readonly attempts?: number;
  /** Delays are `min(cap, rand(base, previous × 3))`; default 50 ms to 10 s. */
  readonly base?: number;
  readonly cap?: number;
  /** Retries per first attempt, over ten seconds; default 0.1. */
  readonly budget?: number;
  /** Retries in ten seconds that are granted whatever the traffic; default 10. */
  readonly reserve?: number;
  /**
   * Whether another attempt may end differently. Default: not where the request is to blame (a status below 500), where
   * it was aborted, nor where a breaker refused it: that one is asked not to be called.
   */
  readonly retryable?: (error: unknown) => boolean;
}

export interface RetryStats {
  readonly calls: number;
  readonly retries: number;
  /** Calls that failed with attempts left because the budget was spent. */
  readonly overBudget: number;
}

export interface Retry {
  /**
   * Calls `fn` until it succeeds, is not worth another attempt, or may not be tried again. Rejects with what the last
   * attempt ended in, or with the signal's reason where it is aborted between attempts.
   *
   * @param fn given the number of the attempt, from 1
   */
  run<T>(fn: (attempt: number) => Promise<T>, signal?: AbortSignal): Promise<T>;
  stats(): RetryStats;
}

const isRetryable = (error: unknown): boolean =>
  isFailure(error) && !isAbort(error) && !(isPublicError(error) && error.code === 'MAG_CIRCUIT_OPEN');

/** Tries again what failed, with delays that spread out and a budget over all calls that share it. */
export function createRetry(options: RetryOptions): Retry {
  checkSettings(options, { attempts: 1, base: 0, cap: 0, budget: 0, reserve: 0 });
  const { host } = options;
  const attempts = options.attempts ?? CALL_LIMITS.retryAttempts;
  const range = {
    base: options.base ?? CALL_LIMITS.retryBaseMs,
    cap: options.cap ?? CALL_LIMITS.retryCapMs,
    resetAfter: Number.POSITIVE_INFINITY,
  };
  const retryable = options.retryable ?? isRetryable;
  const budget = new RetryBudget(
    options.budget ?? CALL_LIMITS.retryBudgetRatio,
    options.reserve ?? CALL_LIMITS.retryReserve,
    CALL_LIMITS.retryWindowMs,
    CALL_LIMITS.breakerBuckets,
  );
  let calls = 0;
  let retries = 0;
  let overBudget = 0;

  const mayRetry = (error: unknown, attempt: number): boolean => {
    if (attempt >= attempts || !retryable(error)) return false;
    if (budget.spend(host.now())) return true;
    overBudget += 1;
    return false;
  };

  const run = async <T>(fn: (attempt: number) => Promise<T>, signal?: AbortSignal): Promise<T> => {
    signal?.throwIfAborted();
    calls += 1;
    budget.first(host.now());
    let delay = 0;
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await fn(attempt);
      } catch (error) {
        if (signal?.aborted || !mayRetry(error, attempt)) throw error;
      }
      delay = nextDelay(range, delay, host.random());
      await sleep(host, delay, signal);
      retries += 1;
    }
  };

  return { run, stats: () => ({ calls, retries, overBudget }) };
}
