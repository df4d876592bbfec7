import type { Host } from '../host.ts';
import type { AdaptiveLimit } from './adaptive-limit.ts';
import type { Breaker } from './breaker.ts';
import type { Bulkhead } from './bulkhead.ts';
import type { Retry } from './retry.ts';
import { checkSettings } from './settings.ts';
import { untilAborted, withTimeout } from './timeout.ts';

/** The parts a call goes through; each is optional, and may be shared with other policies. Milliseconds. */
export interface PolicyOptions {
  readonly host: Host;
  /** For everything: attempts, delays and waits. */
  readonly deadlineMs?: number;
  readonly retry?: Retry;
  /** Either bounds the attempts that run at once. */
  readonly bulkhead?: Bulkhead | AdaptiveLimit;
  /** One in the tree as `() => system.service<Breaker>(id)`: after a restart the one held before is nobody's. */
  readonly breaker?: Breaker | (() => Breaker);
  /** For one attempt, without its wait for a place. */
  readonly timeoutMs?: number;
}

export interface CallOptions {
  /** Of the bulkhead; 0 is the most important. */
  readonly lane?: number;
  readonly signal?: AbortSignal;
}

/** What an attempt is told. */
export interface Attempt {
  /** From 1. */
  readonly attempt: number;
  /** Aborted when the attempt's time or the whole call's is over, or when the caller gives up. */
  readonly signal: AbortSignal;
}

export interface Policy {
  /**
   * Calls `fn` through the policy's parts. Rejects with what the last attempt ended in, or with MAG_CIRCUIT_OPEN,
   * MAG_BULKHEAD_FULL, MAG_BULKHEAD_TIMEOUT, MAG_OVERLOADED, MAG_CALL_TIMEOUT, or the signal's reason.
   */
  run<T>(fn: (attempt: Attempt) => Promise<T>, options?: CallOptions): Promise<T>;
}

/**
 * Composes the parts around one asynchronous function, from the outside in:
 *
 *     deadline → retry → breaker asked → bulkhead → breaker → timeout → fn
 *
 * As in resilience4j and cockatiel the retry is outside of the breaker, so that each attempt is counted and an open
 * circuit ends the retrying, and the timeout is innermost, so that a call that hangs is a failure the breaker sees.
 * Unlike resilience4j the bulkhead is outside of the breaker and the timeout: the wait for a place is our own doing,
 * and must not count as a slow or failed call of the dependency. It is inside of the retry, so that a delay between
 * attempts holds no place. As calls must not queue for what they would then be refused, the breaker is asked first, and
 * again when the place is there.
 */
export function policy(options: PolicyOptions): Policy {
  checkSettings(options, { timeoutMs: 0, deadlineMs: 0 });
  const { host, deadlineMs, retry, bulkhead, timeoutMs } = options;
  const breaker = (): Breaker | undefined =>
    typeof options.breaker === 'function' ? options.breaker() : options.breaker;

  const timed = <T>(fn: (signal: AbortSignal) => Promise<T>, signal?: AbortSignal): Promise<T> => {
    if (timeoutMs !== undefined) return withTimeout(host, timeoutMs, fn, signal);
    // A function that does not listen to its signal would hold its place in the bulkhead for ever.
    if (signal !== undefined) return untilAborted(fn, () => () => {}, signal);
    // Not one for all calls: it would collect the listeners of every one of them.
    return fn(new AbortController().signal);
  };
  const guarded = async <T>(fn: (signal: AbortSignal) => Promise<T>, signal?: AbortSignal): Promise<T> => {
    const circuit = breaker();
    return circuit === undefined ? timed(fn, signal) : circuit.run(() => timed(fn, signal), signal);
  };
  const placed = async <T>(
    fn: (signal: AbortSignal) => Promise<T>,
    lane: number | undefined,
    signal: AbortSignal | undefined,
  ): Promise<T> => {
    if (bulkhead === undefined) return guarded(fn, signal);
    breaker()?.ensureAdmitting();
    const wait = { ...(lane === undefined ? {} : { lane }), ...(signal === undefined ? {} : { signal }) };
    return bulkhead.run(() => guarded(fn, signal), wait);
  };
  const tried = <T>(
    fn: (attempt: Attempt) => Promise<T>,
    lane: number | undefined,
    signal: AbortSignal | undefined,
  ): Promise<T> => {
    const once = (attempt: number): Promise<T> =>
      placed((inner) => fn({ attempt, signal: inner }), lane, signal);
    return retry === undefined ? once(1) : retry.run(once, signal);
  };

  return {
    run: (fn, { lane, signal } = {}) =>
      deadlineMs === undefined
        ? tried(fn, lane, signal)
        : withTimeout(host, deadlineMs, (inner) => tried(fn, lane, inner), signal),
  };
}
