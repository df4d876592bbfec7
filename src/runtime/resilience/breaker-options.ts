import { CALL_LIMITS } from '../../limits-calls.ts';
import type { BreakerState, OpenRange } from '../../machines/breaker.ts';
import type { Host } from '../host.ts';
import { isFailure } from './failure.ts';
import { checkSettings } from './settings.ts';

/** What a breaker must not forget when it is restarted: an open one keeps its deadline. Plain data. */
export interface BreakerSnapshot {
  readonly state: BreakerState;
  /** Openings since it was last closed: the next one lasts accordingly long. */
  readonly openings: number;
  /** Milliseconds since the Unix epoch, so that it means the same in another process; 0 where there is no deadline. */
  readonly openUntil: number;
}

/** An edge, as a listener hears of it. */
export interface BreakerChange extends BreakerSnapshot {
  readonly from: BreakerState;
  /** Milliseconds from now to the deadline; 0 where there is none. */
  readonly opensFor: number;
}

/** Milliseconds unless the name says otherwise. The defaults are in CALL_LIMITS, each with its reason. */
export interface BreakerOptions {
  readonly host: Host;
  /** In errors and in the tree; default `breaker`. */
  readonly name?: string;
  /** Calls of so long are judged, 10 s by default. */
  readonly windowMs?: number;
  /** Never trips with fewer calls in the window; default 20. */
  readonly minimumCalls?: number;
  /** Failed calls of all in the window that trip it; default 0.5. */
  readonly failureRatio?: number;
  /** Slow calls of all in the window that trip it; default 0.8. */
  readonly slowRatio?: number;
  /** A call is slow beyond the larger of this (default 1 s) and `slowFactor` (default 4) times the median. */
  readonly slowMs?: number;
  readonly slowFactor?: number;
  /** How long it stays open: 5 s at first, doubled with each failed recovery up to 60 s, ±20 %. */
  readonly open?: OpenRange;
  /** Calls let through when it is half open; all must pass. Default 3. */
  readonly probes?: number;
  /** A probe without an answer for so long has failed; default 10 s. */
  readonly probeMs?: number;
  /**
   * Which errors speak against the dependency. Default: all but those of the registry that blame the request (a status
   * below 500). An AbortError, or an error after the call's own signal was aborted, never counts.
   */
  readonly isFailure?: (error: unknown) => boolean;
  /** Where it goes on from. */
  readonly snapshot?: BreakerSnapshot | null;
  /** Told of each change of state, at the end of the turn. */
  readonly onChange?: (change: BreakerChange) => void;
}

/** A read of everything at once; the counts of calls are those in the window. */
export interface BreakerStats {
  readonly state: BreakerState;
  readonly calls: number;
  readonly failures: number;
  readonly slow: number;
  /** A call beyond it is slow now. */
  readonly slowMs: number;
  /** Since it was made. `ignored`: results that came after the state they belong to. */
  readonly admitted: number;
  readonly refused: number;
  readonly ignored: number;
  readonly cancelled: number;
  /** Calls let through that have no outcome yet, those of earlier states included. */
  readonly inFlight: number;
  readonly probesInFlight: number;
  readonly openings: number;
}

/**
 * A breaker without a probe would stay half-open for ever; one without a minimum would trip on no call at all; and a
 * ratio or a time that is no number would never trip it, or never let it close.
 */
function check(options: BreakerOptions): void {
  checkSettings(options, { probes: 1, minimumCalls: 1, windowMs: 1, probeMs: 1, slowMs: 0, slowFactor: 0 });
  checkSettings(options, { failureRatio: 0, slowRatio: 0 });
  if (options.open !== undefined) checkSettings(options.open, { base: 0, cap: 0, jitter: 0 });
}

/** What the options come to. Throws MAG_CONFIG_INVALID. */
export function breakerSettings(options: BreakerOptions) {
  check(options);
  return {
    name: options.name ?? 'breaker',
    windowMs: options.windowMs ?? CALL_LIMITS.breakerWindowMs,
    minimumCalls: options.minimumCalls ?? CALL_LIMITS.breakerMinimumCalls,
    failureRatio: options.failureRatio ?? CALL_LIMITS.breakerFailureRatio,
    slowRatio: options.slowRatio ?? CALL_LIMITS.breakerSlowRatio,
    slowMs: options.slowMs ?? CALL_LIMITS.breakerSlowMs,
    slowFactor: options.slowFactor ?? CALL_LIMITS.breakerSlowFactor,
    open: options.open ?? {
      base: CALL_LIMITS.breakerOpenMs,
      cap: CALL_LIMITS.breakerOpenCapMs,
      jitter: CALL_LIMITS.breakerJitter,
    },
    probes: options.probes ?? CALL_LIMITS.breakerProbes,
    probeMs: options.probeMs ?? CALL_LIMITS.breakerProbeMs,
    isFailure: options.isFailure ?? isFailure,
    onChange: options.onChange ?? null,
  };
}

export type BreakerSettings = ReturnType<typeof breakerSettings>;
