export type RestartRule = 'permanent' | 'transient' | 'temporary';
export type GroupStrategy = 'one_for_one' | 'one_for_all' | 'rest_for_one' | 'dynamic';
/**
 * Whether a supervisor ends when significant children ended by themselves: never, after the first, after the last (OTP's
 * auto_shutdown).
 */
export type AutoShutdown = 'never' | 'any_significant' | 'all_significant';

/** Why an incarnation ended. `normal` and `shutdown` are clean; a transient child is not restarted after them. */
export type ExitKind = 'normal' | 'shutdown' | 'error';

/** More than `max` restarts within `within` milliseconds make a supervisor give up. */
export interface RestartIntensity {
  readonly max: number;
  readonly within: number;
}

/** The first restarts of a supervisor need no more room than this. */
const FIRST_TIMES = 4;

/**
 * The supervisor's restart budget: the times of its last restarts in a ring, which grows to as many as lie within the
 * window at once, and never beyond `max + 1`. Noting one costs neither a scan nor a copy, however large the budget.
 */
export class RestartWindow {
  readonly intensity: RestartIntensity;
  #times: number[] = [];
  /** Where the oldest one is. */
  #first = 0;
  #size = 0;

  constructor(intensity: RestartIntensity) {
    this.intensity = intensity;
  }

  /** How many restarts it remembers. */
  get size(): number {
    return this.#size;
  }

  /**
   * Notes a restart.
   *
   * @param now milliseconds on any clock that does not go back
   * @returns whether the budget allows it
   */
  record(now: number): boolean {
    const { max, within } = this.intensity;
    while (this.#size > 0 && now - (this.#times[this.#first] ?? now) > within) this.#dropOldest();
    // Over the budget only the newest `max + 1` can matter.
    if (this.#size > max) this.#dropOldest();
    if (this.#size === this.#times.length) this.#grow(max + 1);
    this.#times[(this.#first + this.#size) % this.#times.length] = now;
    this.#size += 1;
    return this.#size <= max;
  }

  #dropOldest(): void {
    this.#first = (this.#first + 1) % this.#times.length;
    this.#size -= 1;
  }

  #grow(most: number): void {
    const length = Math.min(most, Math.max(FIRST_TIMES, this.#times.length * 2));
    const grown: number[] = new Array(length).fill(0);
    for (let index = 0; index < this.#size; index += 1)
      grown[index] = this.#times[(this.#first + index) % this.#times.length] ?? 0;
    this.#times = grown;
    this.#first = 0;
  }
}

export type RestartAction = 'restart' | 'forget' | 'give_up';

/**
 * What a supervisor does about a child that ended: the one place where it is decided (OTP's supervisor semantics).
 * A failed restart is judged like a crash, so it burns the budget too. Its one effect is on the window.
 *
 * @param now milliseconds on the window's clock
 */
export function decide(rule: RestartRule, window: RestartWindow, exit: ExitKind, now: number): RestartAction {
  if (rule === 'temporary' || (rule === 'transient' && exit !== 'error')) return 'forget';
  return window.record(now) ? 'restart' : 'give_up';
}

/**
 * Whether a supervisor ends because a child ended by itself and is not brought back. Children that it stopped, on
 * request or with their group, are not asked about.
 *
 * @param left significant children that are there, or are being brought back
 */
export function shutsDown(mode: AutoShutdown, significant: boolean, left: number): boolean {
  if (mode === 'never' || !significant) return false;
  return mode === 'any_significant' || left === 0;
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
