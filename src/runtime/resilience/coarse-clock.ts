import { CALL_LIMITS } from '../../limits-calls.ts';
import type { Host } from '../host.ts';

/**
 * A clock for measuring calls that costs a field's read. Reading the host's costs 30 to 70 ns, twice a call, which is
 * more than everything else a breaker does for one.
 *
 * A timer moves it on every CALL_LIMITS.coarseTickMs while somebody reads it, and stops when nobody did: an idle process has
 * no timer, and the first reading after a pause asks the host. So a reading is at most one tick old, and a latency off
 * by at most one tick, against thresholds of a second. Where the event loop stalls, the tick is late, and calls that
 * begin in the stalled turn would be charged with the whole stall; `latency` therefore moves by no more than
 * CALL_LIMITS.coarseStallMs a tick: a stall of our own is no slowness of a dependency.
 */
export class CoarseClock {
  readonly #host: Host;
  /** The host's clock, as of the last tick. */
  now: number;
  /** Milliseconds without stalls; only differences mean anything. */
  latency = 0;
  #ticking = false;
  #read = false;

  constructor(host: Host) {
    this.#host = host;
    this.now = host.now();
  }

  /** Brings `now` and `latency` up to date where they are not kept so. Returns `latency`. */
  read(): number {
    this.#read = true;
    if (!this.#ticking) this.#wake();
    return this.latency;
  }

  #wake(): void {
    const now = this.#host.now();
    this.latency += Math.max(0, now - this.now);
    this.now = now;
    this.#plan();
  }

  #plan(): void {
    this.#ticking = true;
    this.#read = false;
    this.#host.setTimer(CALL_LIMITS.coarseTickMs, this.#tick);
  }

  readonly #tick = (): void => {
    const now = this.#host.now();
    this.latency += Math.min(Math.max(0, now - this.now), CALL_LIMITS.coarseStallMs);
    this.now = now;
    if (this.#read) this.#plan();
    else this.#ticking = false;
  };
}

const clocks = new WeakMap<Host, CoarseClock>();

/** The one clock of a host: a thousand breakers share its timer. */
export function coarseClock(host: Host): CoarseClock {
  const found = clocks.get(host);
  if (found !== undefined) return found;
  const clock = new CoarseClock(host);
  clocks.set(host, clock);
  return clock;
}
