import type { BreakerState } from '../../../src/machines/breaker.ts';

/** An admitted call, as the reference knows it. */
export interface ModelCall {
  readonly generation: number;
  readonly startedAt: number;
  readonly probe: boolean;
  /** Calls of a breaker that was replaced: its successor must not hear of them. */
  readonly life: number;
}

export type Outcome = 'success' | 'failure' | 'cancel';

/**
 * What a breaker has to do, as naively as it can be said: every call in a list, everything counted anew each time.
 * It knows the published parameters only: 20 calls, 50 % failures, 80 % slow, 10 s in 10 buckets, 3 probes of 10 s,
 * open 5 s doubled up to 60 s and ±20 %.
 */
export class BreakerModel {
  state: BreakerState = 'closed';
  generation = 0;
  life = 0;
  openings = 0;
  until = 0;
  passed = 0;
  probes: ModelCall[] = [];
  log: { readonly at: number; readonly failed: boolean; readonly slow: boolean }[] = [];
  counts = { admitted: 0, refused: 0, ignored: 0, cancelled: 0, inFlight: 0 };
  readonly #draw: () => number;

  /** @param draw what the breaker drew for the same opening */
  constructor(draw: () => number) {
    this.#draw = draw;
  }

  look(now: number): void {
    for (;;) {
      const overdue = Math.min(...this.probes.map(({ startedAt }) => startedAt + 10_000));
      if (this.state === 'open' && now >= this.until) this.enter('half_open');
      else if (this.state === 'half_open' && now >= overdue) this.#open(overdue);
      else return;
    }
  }

  admits(now: number): boolean {
    this.look(now);
    if (this.state === 'half_open') return this.probes.length + this.passed < 3;
    return this.state === 'closed' || this.state === 'disabled';
  }

  call(now: number): ModelCall | null {
    if (!this.admits(now)) {
      this.counts.refused += 1;
      return null;
    }
    this.counts.admitted += 1;
    this.counts.inFlight += 1;
    const probe = this.state === 'half_open';
    const call = { generation: this.generation, startedAt: now, probe, life: this.life };
    if (probe) this.probes.push(call);
    return call;
  }

  settle(call: ModelCall, outcome: Outcome, now: number, slowMs: number): void {
    if (call.life !== this.life) return;
    this.counts.inFlight -= 1;
    if (call.probe) this.look(now);
    const slow = now - call.startedAt > slowMs;
    if (outcome === 'cancel') {
      this.counts.cancelled += 1;
      this.probes = this.probes.filter((probe) => probe !== call);
    } else if (call.generation !== this.generation) this.counts.ignored += 1;
    else if (call.probe) this.#endProbe(call, outcome === 'success' && !slow, now);
    else if (this.state === 'closed') this.#count(outcome === 'failure', slow, now);
  }

  window(now: number) {
    const held = this.log.filter(({ at }) => Math.floor(at / 1_000) > Math.floor(now / 1_000) - 10);
    return {
      calls: held.length,
      failures: held.filter(({ failed }) => failed).length,
      slow: held.filter(({ slow }) => slow).length,
    };
  }

  enter(state: BreakerState): void {
    this.state = state;
    this.generation += 1;
    this.until = 0;
    this.passed = 0;
    this.probes = [];
    this.log = [];
    if (state === 'closed') this.openings = 0;
  }

  /** What a successor made from the snapshot knows. */
  restart(): void {
    const { state, openings, until } = this;
    this.enter(state);
    Object.assign(this, { openings, until });
    this.life += 1;
    this.counts = { admitted: 0, refused: 0, ignored: 0, cancelled: 0, inFlight: 0 };
  }

  #endProbe(call: ModelCall, passed: boolean, now: number): void {
    this.probes = this.probes.filter((probe) => probe !== call);
    if (!passed) this.#open(now);
    else {
      this.passed += 1;
      if (this.passed === 3) this.enter('closed');
    }
  }

  #count(failed: boolean, slow: boolean, now: number): void {
    this.log.push({ at: now, failed, slow });
    const window = this.window(now);
    const bad = window.failures / window.calls >= 0.5 || window.slow / window.calls >= 0.8;
    if (window.calls >= 20 && bad) this.#open(now);
  }

  #open(at: number): void {
    const openings = this.openings + 1;
    this.enter('open');
    this.openings = openings;
    let delay = 5_000;
    for (let step = 1; step < openings; step += 1) delay = Math.min(60_000, delay * 2);
    this.until = at + delay * (0.8 + 0.4 * this.#draw());
  }
}
