export interface GradientOptions {
  /** Never fewer at once. */
  readonly floor: number;
  readonly ceiling: number;
  /** Where it starts, before anything is known. */
  readonly initial: number;
  /** A decision takes at least so long and at least `windowSamples` calls. */
  readonly windowMs: number;
  readonly windowSamples: number;
  /** How often the latency without load is measured anew. */
  readonly remeasureMs: number;
}

/** Latency over the one without load that is not taken for queueing yet: Envoy's min RTT buffer of 25 %. */
const TOLERANCE = 1.25;
/** A decision never takes away more than half: one odd window must not stop the traffic. */
const STEEPEST = 0.5;
/** What a window with overload errors leaves of the limit (Netflix's AIMDLimit). */
const BACKOFF = 0.9;

/**
 * How many calls a dependency takes at once before they queue in it, found from latencies alone:
 *
 *     gradient = latency without load × 1.25 ÷ latency now      (between ½ and 1)
 *     limit    = limit × gradient + √limit
 *
 * The latency without load is measured at the floor, first and then every so often, as Envoy's adaptive concurrency
 * filter and Netflix's GradientLimit do (concurrency-limits); a running mean would take the queue that the limit itself
 * made for normal, and the limit would drift upwards for ever.
 */
export class GradientLimit {
  readonly #options: GradientOptions;
  /** Mean latency at the floor; 0 until it was measured. */
  #unloaded = 0;
  #limit: number;
  /** While measuring: the limit to go on from. */
  #resume: number;
  #measuring = true;
  #measuringSince = Number.NEGATIVE_INFINITY;
  #remeasureAt = Number.POSITIVE_INFINITY;
  #windowEnd = Number.NEGATIVE_INFINITY;
  #samples = 0;
  #sum = 0;
  #mostInFlight = 0;
  #overloaded = false;

  constructor(options: GradientOptions) {
    this.#options = options;
    this.#limit = options.floor;
    this.#resume = options.initial;
  }

  /** Calls that may be in flight now, a whole number. */
  get limit(): number {
    return Math.floor(this.#limit);
  }

  get measuring(): boolean {
    return this.#measuring;
  }

  /**
   * A call ended.
   *
   * @param latencyMs its time in the dependency, without the wait for a place
   * @param inFlight calls in flight when it ended, itself included
   * @param overloaded it ended in a timeout or a refusal that tells of overload; its latency then counts for nothing
   * @param now milliseconds on a clock that never goes back
   */
  sample(latencyMs: number, inFlight: number, overloaded: boolean, now: number): void {
    if (this.#windowEnd === Number.NEGATIVE_INFINITY) this.#open(now);
    if (overloaded) this.#overloaded = true;
    // One that began before the measuring did has seen the load of then.
    else if (!(this.#measuring && now - latencyMs < this.#measuringSince)) {
      this.#samples += 1;
      this.#sum += latencyMs;
    }
    this.#mostInFlight = Math.max(this.#mostInFlight, inFlight);
    if (now < this.#windowEnd) return;
    if (this.#samples >= this.#options.windowSamples) this.#decide(now);
    else if (this.#overloaded) this.#backOff(now);
  }

  #decide(now: number): void {
    const latency = Math.max(this.#sum / this.#samples, Number.MIN_VALUE);
    if (this.#measuring) {
      this.#unloaded = latency;
      this.#measuring = false;
      this.#remeasureAt = now + this.#options.remeasureMs;
      this.#limit = this.#bounded(this.#resume);
    } else if (this.#overloaded) {
      this.#limit = this.#bounded(this.#limit * BACKOFF);
    } else if (now >= this.#remeasureAt) {
      this.#resume = this.#limit;
      this.#limit = this.#options.floor;
      this.#measuring = true;
      this.#measuringSince = now;
    } else if (this.#mostInFlight * 2 >= this.#limit) {
      // Below half of the limit the callers are what limits: the latencies say nothing about more load.
      const gradient = Math.min(1, Math.max(STEEPEST, (this.#unloaded * TOLERANCE) / latency));
      this.#limit = this.#bounded(this.#limit * gradient + Math.sqrt(this.#limit));
    }
    this.#open(now);
  }

  /** Too few answers to judge by, and errors that tell why. */
  #backOff(now: number): void {
    if (this.#measuring) this.#resume = this.#bounded(this.#resume * BACKOFF);
    else this.#limit = this.#bounded(this.#limit * BACKOFF);
    this.#open(now);
  }

  #open(now: number): void {
    this.#windowEnd = now + this.#options.windowMs;
    this.#samples = 0;
    this.#sum = 0;
    this.#mostInFlight = 0;
    this.#overloaded = false;
  }

  #bounded(limit: number): number {
    return Math.min(this.#options.ceiling, Math.max(this.#options.floor, limit));
  }
}
