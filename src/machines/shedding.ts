/**
 * Decides by queue time when a queue is overloaded, and which lanes have to bear it: controlled delay as Facebook
 * adapted it to servers (Maurer, "Fail at Scale", ACM Queue 13(8), 2015; Nichols and Jacobson, "Controlling Queue
 * Delay", RFC 8289).
 *
 * A burst makes a queue that empties again: some of its waits are short. A standing queue has only long ones: the
 * shortest wait of an interval is the sign. Each interval in which a lane that is not shed yet stood, its shortest wait
 * over the target, lets one more lane be shed, the lowest first; each in which none stood gives one back.
 */
export class Shedding {
  readonly #targetMs: number;
  readonly #intervalMs: number;
  /** The shortest wait seen in this interval, by lane; infinite where nothing was seen. */
  readonly #shortest: Float64Array;
  #end = Number.NEGATIVE_INFINITY;
  #level = 0;

  constructor(lanes: number, targetMs: number, intervalMs: number) {
    this.#targetMs = targetMs;
    this.#intervalMs = intervalMs;
    this.#shortest = new Float64Array(lanes).fill(Number.POSITIVE_INFINITY);
  }

  /** How many lanes are shed, counted from the lowest, as of the last `observe` or `advance`. */
  get level(): number {
    return this.#level;
  }

  /** Something of this lane waited so long. @param now milliseconds on a clock that never goes back */
  observe(lane: number, waitMs: number, now: number): void {
    this.advance(now);
    const shortest = this.#shortest[lane] ?? Number.POSITIVE_INFINITY;
    if (waitMs < shortest) this.#shortest[lane] = waitMs;
  }

  /**
   * Something of this lane is still waiting, for so long already. That is no whole wait: it only counts once it is
   * over the target, when it says what the whole wait will say. So a queue that does not move at all is seen too.
   */
  observeWaiting(lane: number, waitMs: number, now: number): void {
    if (waitMs > this.#targetMs) this.observe(lane, waitMs, now);
    else this.advance(now);
  }

  /** Ends the intervals that are over. */
  advance(now: number): void {
    if (now < this.#end) return;
    const begun = Number.isFinite(this.#end);
    const intervals = begun ? 1 + Math.floor((now - this.#end) / this.#intervalMs) : 0;
    this.#end = begun ? this.#end + intervals * this.#intervalMs : now + this.#intervalMs;
    if (intervals === 0) return;
    // In all intervals but the first nothing was seen: nothing waited long.
    this.#level = Math.max(0, this.#level + this.#step() - (intervals - 1));
    this.#shortest.fill(Number.POSITIVE_INFINITY);
  }

  /** Whether this lane bears the overload now. */
  sheds(lane: number): boolean {
    return lane >= this.#shortest.length - this.#level;
  }

  /** Whether one that has waited so long is to be dropped. */
  drops(lane: number, waitMs: number): boolean {
    return waitMs > this.#targetMs && this.sheds(lane);
  }

  /** Where the interval that ends moves the level. Lanes that stand although they are shed hold it where it is. */
  #step(): -1 | 0 | 1 {
    let step: -1 | 0 = -1;
    for (let lane = 0; lane < this.#shortest.length; lane += 1) {
      const wait = this.#shortest[lane] ?? Number.POSITIVE_INFINITY;
      if (wait <= this.#targetMs || wait === Number.POSITIVE_INFINITY) continue;
      if (!this.sheds(lane)) return 1;
      step = 0;
    }
    return step;
  }
}
