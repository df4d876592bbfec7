/** What the calls of the last while came to, counted in time buckets: constant memory, no list of calls. */
export class BreakerWindow {
  readonly #bucketMs: number;
  readonly #buckets: number;
  readonly #callsIn: Uint32Array;
  readonly #failuresIn: Uint32Array;
  readonly #slowIn: Uint32Array;
  /** Number of the newest bucket since the clock's zero, and where that one ends. */
  #newest = Number.NEGATIVE_INFINITY;
  #end = Number.NEGATIVE_INFINITY;
  #place = 0;
  #calls = 0;
  #failures = 0;
  #slow = 0;

  /** @param spanMs the window, a multiple of `buckets`; it always holds the newest bucket and the whole ones before. */
  constructor(spanMs: number, buckets: number) {
    this.#bucketMs = spanMs / buckets;
    this.#buckets = buckets;
    this.#callsIn = new Uint32Array(buckets);
    this.#failuresIn = new Uint32Array(buckets);
    this.#slowIn = new Uint32Array(buckets);
  }

  /** As of the last `record` or `advance`. */
  get calls(): number {
    return this.#calls;
  }

  get failures(): number {
    return this.#failures;
  }

  get successes(): number {
    return this.#calls - this.#failures;
  }

  /** Slow calls, failed ones included. */
  get slow(): number {
    return this.#slow;
  }

  /** @param now milliseconds on a clock that never goes back */
  record(failed: boolean, slow: boolean, now: number): void {
    if (now >= this.#end) this.advance(now);
    const place = this.#place;
    this.#callsIn[place] = (this.#callsIn[place] ?? 0) + 1;
    this.#calls += 1;
    if (failed) {
      this.#failuresIn[place] = (this.#failuresIn[place] ?? 0) + 1;
      this.#failures += 1;
    }
    if (slow) {
      this.#slowIn[place] = (this.#slowIn[place] ?? 0) + 1;
      this.#slow += 1;
    }
  }

  /** Forgets the buckets that are too old by now. */
  advance(now: number): void {
    if (now < this.#end) return;
    const newest = Math.floor(now / this.#bucketMs);
    const steps = Math.min(newest - this.#newest, this.#buckets);
    for (let step = 0; step < steps; step += 1) this.#turn();
    this.#newest = newest;
    this.#end = (newest + 1) * this.#bucketMs;
  }

  clear(): void {
    for (let step = 0; step < this.#buckets; step += 1) this.#turn();
  }

  /** The oldest bucket becomes the newest, empty. */
  #turn(): void {
    const place = (this.#place + 1) % this.#buckets;
    this.#place = place;
    this.#calls -= this.#callsIn[place] ?? 0;
    this.#failures -= this.#failuresIn[place] ?? 0;
    this.#slow -= this.#slowIn[place] ?? 0;
    this.#callsIn[place] = 0;
    this.#failuresIn[place] = 0;
    this.#slowIn[place] = 0;
  }
}
