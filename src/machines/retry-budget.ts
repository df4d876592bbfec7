import { BreakerWindow } from './breaker-window.ts';

/**
 * How many retries the traffic may bear: in each window at most a part of the first attempts, or a small reserve where
 * there is little traffic. Without it a dependency that is down gets a multiple of its normal load, and stays down
 * (Google SRE Book, "Handling Overload"; Finagle's RetryBudget).
 */
export class RetryBudget {
  readonly #ratio: number;
  readonly #reserve: number;
  /** A retry is filed as a failure, a first attempt as a success. */
  readonly #attempts: BreakerWindow;

  /**
   * @param ratio retries per first attempt, such as 0.1
   * @param reserve retries a window that are granted whatever the traffic
   */
  constructor(ratio: number, reserve: number, spanMs: number, buckets: number) {
    this.#ratio = ratio;
    this.#reserve = reserve;
    this.#attempts = new BreakerWindow(spanMs, buckets);
  }

  /** A first attempt. @param now milliseconds on a clock that never goes back */
  first(now: number): void {
    this.#attempts.record(false, false, now);
  }

  /** Whether one more retry fits; it is spent where it does. */
  spend(now: number): boolean {
    this.#attempts.advance(now);
    const { successes: firsts, failures: retries } = this.#attempts;
    if (retries + 1 > Math.max(this.#reserve, firsts * this.#ratio)) return false;
    this.#attempts.record(true, false, now);
    return true;
  }
}
