/** Parts of a millisecond in which a latency is filed. */
const RESOLUTION = 1_024;
/** The largest latency told apart, some 35 minutes; it still fits an int32 at this resolution. */
const LARGEST_MS = 2_097_151;
/** Four bins an octave: a bin's edges are at most a quarter apart. */
const BINS = 120;
/** What is left of a sample's weight after each period; with periods of 10 s half of it is gone after 43 s. */
const KEPT = 0.85;
/** A histogram that weighs less than this has not been fed for minutes, and says nothing any more. */
const LEAST_WEIGHT = 1e-3;

/** The bin of a latency: its octave and the two bits below its highest one. */
function binOf(latencyMs: number): number {
  const units = latencyMs > 0 ? (Math.min(latencyMs, LARGEST_MS) * RESOLUTION) | 0 : 0;
  if (units < 4) return units;
  const octave = 31 - Math.clz32(units);
  return (octave - 1) * 4 + ((units >>> (octave - 2)) & 3);
}

/** The middle of a bin in milliseconds. */
function middleOf(bin: number): number {
  if (bin < 4) return (bin + 0.5) / RESOLUTION;
  const octave = Math.floor(bin / 4) + 1;
  return (2 ** octave * (1 + ((bin % 4) + 0.5) / 4)) / RESOLUTION;
}

/**
 * The median latency of the last minutes, from a histogram with logarithmic bins whose weights decay by time: right to
 * within an eighth, in constant memory and a few nanoseconds a sample (the bins are HdrHistogram's, with two bits).
 *
 * Decay goes by time and not by samples on purpose. A dependency that turns slow must be told slow from what it was
 * like before; a median that follows the newest samples would take the slowness for normal within a second of traffic.
 */
export class LatencyMedian {
  readonly #weights = new Float64Array(BINS);
  readonly #periodMs: number;
  #periodEnd = Number.NEGATIVE_INFINITY;
  #median = 0;
  /** Samples until it is computed before its period is over: while nothing is known, the first ones count at once. */
  #untilLook = 1;
  #looks = 0;

  /** @param periodMs the median is computed anew, and old samples lose weight, this often */
  constructor(periodMs: number) {
    this.#periodMs = periodMs;
  }

  /** Milliseconds, as of the last whole period (in the first one after 1, 2, 4, … samples); 0 while nothing is known. */
  get value(): number {
    return this.#median;
  }

  add(latencyMs: number): void {
    const bin = binOf(latencyMs);
    this.#weights[bin] = (this.#weights[bin] ?? 0) + 1;
    this.#untilLook -= 1;
    if (this.#untilLook === 0) this.#lookEarly();
  }

  /** Call it before reading `value`. @param now milliseconds on a clock that never goes back */
  advance(now: number): void {
    if (now < this.#periodEnd) return;
    const begun = Number.isFinite(this.#periodEnd);
    const periods = begun ? 1 + Math.floor((now - this.#periodEnd) / this.#periodMs) : 1;
    this.#periodEnd = begun ? this.#periodEnd + periods * this.#periodMs : now + this.#periodMs;
    this.#recompute();
    // While it is known, `untilLook` runs below zero, where it means nothing.
    this.#untilLook = this.#median === 0 ? 1 : 0;
    this.#looks = 0;
    const kept = KEPT ** periods;
    for (let bin = 0; bin < BINS; bin += 1) this.#weights[bin] = (this.#weights[bin] ?? 0) * kept;
  }

  #lookEarly(): void {
    this.#untilLook = 2 ** this.#looks;
    this.#looks += 1;
    this.#recompute();
  }

  #recompute(): void {
    let total = 0;
    for (const weight of this.#weights) total += weight;
    this.#median = 0;
    if (total < LEAST_WEIGHT) return;
    let below = 0;
    for (let bin = 0; bin < BINS; bin += 1) {
      below += this.#weights[bin] ?? 0;
      if (below * 2 < total) continue;
      this.#median = middleOf(bin);
      return;
    }
  }
}
