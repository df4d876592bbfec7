export type RestartRule = 'permanent' | 'transient' | 'temporary';
export type GroupStrategy = 'one_for_one' | 'one_for_all' | 'rest_for_one' | 'dynamic';

/** Why an incarnation ended. `normal` and `shutdown` are clean; a transient child is not restarted after them. */
export type ExitKind = 'normal' | 'shutdown' | 'error';

/** More than `max` restarts within `within` milliseconds make a supervisor give up. */
export interface RestartIntensity {
  readonly max: number;
  readonly within: number;
}

/** The supervisor's restart budget: a ring of `max + 1` times, so that a restart costs no scan. */
export interface RestartWindow {
  readonly intensity: RestartIntensity;
  readonly times: readonly number[];
  /** Where the next time goes; once the ring is full, that is the oldest one. */
  readonly next: number;
}

export const emptyWindow = (intensity: RestartIntensity): RestartWindow => ({
  intensity,
  times: [],
  next: 0,
});

export interface RestartDecision {
  readonly action: 'restart' | 'forget' | 'give_up';
  readonly window: RestartWindow;
}

function record(window: RestartWindow, now: number): RestartWindow {
  const times = window.times.slice();
  times[window.next] = now;
  return { intensity: window.intensity, times, next: (window.next + 1) % (window.intensity.max + 1) };
}

/**
 * What a supervisor does about a child that ended: the one place where it is decided (OTP's supervisor semantics).
 * A failed restart is judged like a crash, so it burns the budget too.
 *
 * @param now milliseconds on any monotonic clock
 */
export function decide(
  rule: RestartRule,
  window: RestartWindow,
  reason: ExitKind,
  now: number,
): RestartDecision {
  if (rule === 'temporary' || (rule === 'transient' && reason !== 'error'))
    return { action: 'forget', window };
  const after = record(window, now);
  const oldest = after.times.length > window.intensity.max ? after.times[after.next] : undefined;
  const over = oldest !== undefined && now - oldest <= window.intensity.within;
  return { action: over ? 'give_up' : 'restart', window: after };
}

/** Children that go down and come back together with `failed`, in start order. */
export function groupOf(
  strategy: GroupStrategy,
  order: readonly string[],
  failed: string,
): readonly string[] {
  if (strategy === 'one_for_all') return order;
  if (strategy === 'rest_for_one') return order.slice(Math.max(0, order.indexOf(failed)));
  return [failed];
}
