import { MagError } from '../../errors.ts';
import { CALL_LIMITS } from '../../limits-calls.ts';
import { type BreakerEvent, type BreakerPhase, initialPhase, nextPhase } from '../../machines/breaker.ts';
import { BreakerWindow } from '../../machines/breaker-window.ts';
import { LatencyMedian } from '../../machines/latency-median.ts';
import type { Host } from '../host.ts';
import type { BreakerSettings, BreakerSnapshot } from './breaker-options.ts';

/** A call let through while half open, as far as the circuit cares. */
export interface Probe {
  /** On the host's clock. */
  readonly deadline: number;
}

/**
 * A breaker's state and what moves it. It has no timer: a deadline that passed is an edge when somebody next looks,
 * dated back to the deadline, so that looking rarely and looking often give the same edges.
 */
export class Circuit {
  readonly #host: Host;
  readonly #settings: BreakerSettings;
  readonly #window: BreakerWindow;
  readonly #median: LatencyMedian;
  readonly #probes = new Set<Probe>();
  #passed = 0;
  #phase: BreakerPhase;
  /** Read by every call. */
  closed = true;
  generation = 0;

  constructor(host: Host, settings: BreakerSettings, snapshot: BreakerSnapshot | null) {
    this.#host = host;
    this.#settings = settings;
    this.#window = new BreakerWindow(settings.windowMs, CALL_LIMITS.breakerBuckets);
    this.#median = new LatencyMedian(settings.windowMs);
    this.#phase = initialPhase(settings.open);
    if (snapshot !== null) this.#phase = this.#restored(snapshot);
    this.#follow();
  }

  get phase(): BreakerPhase {
    return this.#phase;
  }

  get window(): BreakerWindow {
    return this.#window;
  }

  get probesInFlight(): number {
    return this.#probes.size;
  }

  /** A call beyond it is slow now. */
  get slowMs(): number {
    this.#median.advance(this.#host.now());
    return Math.max(this.#settings.slowMs, this.#settings.slowFactor * this.#median.value);
  }

  /** The next time at which looking would find an edge; null where only calls and operators make one. */
  get nextDeadline(): number | null {
    if (this.#phase.state === 'open') return this.#phase.until;
    return this.#phase.state === 'half_open' ? this.#earliestProbe() : null;
  }

  /** A call that was admitted in the closed state of now ended. */
  record(failed: boolean, latencyMs: number, now: number): void {
    const window = this.#window;
    this.#median.advance(now);
    // The first comparison is almost always the only one.
    const slow =
      latencyMs > this.#settings.slowMs && latencyMs > this.#settings.slowFactor * this.#median.value;
    window.record(failed, slow, now);
    if (!failed) this.#median.add(latencyMs);
    const { calls } = window;
    if (calls < this.#settings.minimumCalls) return;
    if (
      window.failures >= calls * this.#settings.failureRatio ||
      window.slow >= calls * this.#settings.slowRatio
    )
      this.apply({ type: 'TRIP', at: this.#host.now(), random: this.#host.random() });
  }

  /** Finds the edges that time has made. */
  look(): void {
    const now = this.#host.now();
    for (let due = this.nextDeadline; due !== null && due <= now; due = this.nextDeadline) {
      if (this.#phase.state === 'open') this.apply({ type: 'RETRY_DUE' });
      else this.apply({ type: 'PROBE_FAILED', at: due, random: this.#host.random() });
    }
  }

  /** Whether a call would be let through in a state that is not closed. Look first. */
  get admits(): boolean {
    const { state } = this.#phase;
    if (state === 'half_open') return this.#probes.size + this.#passed < this.#settings.probes;
    return state === 'closed' || state === 'disabled';
  }

  addProbe(): Probe {
    const probe = { deadline: this.#host.now() + this.#settings.probeMs };
    this.#probes.add(probe);
    return probe;
  }

  /** A probe of this generation ended; `null` where its caller gave it up: another call may take its place. */
  endProbe(probe: Probe, passed: boolean | null): void {
    this.#probes.delete(probe);
    if (passed === null) return;
    const now = this.#host.now();
    const latency = this.#settings.probeMs - (probe.deadline - now);
    const slow = latency > this.slowMs;
    if (passed) {
      // A dependency that is slower for good is told from a slow phase in the end: what probes take counts too.
      this.#median.add(latency);
    }
    if (!passed || slow) this.apply({ type: 'PROBE_FAILED', at: now, random: this.#host.random() });
    else {
      this.#passed += 1;
      if (this.#passed >= this.#settings.probes) this.apply({ type: 'PROBES_PASSED' });
    }
  }

  apply(event: BreakerEvent): void {
    const before = this.#phase;
    this.#phase = nextPhase(before, event);
    if (this.#phase.generation === before.generation) return;
    this.#follow();
    this.#tell(before);
  }

  snapshot(): BreakerSnapshot {
    const { state, openings, until } = this.#phase;
    const openUntil = until === 0 ? 0 : this.#host.wallTime() + (until - this.#host.now());
    return { state, openings, openUntil };
  }

  refusal(): MagError {
    const { state } = this.#phase;
    const { name } = this.#settings;
    const waitMs = state === 'open' ? Math.max(0, this.#phase.until - this.#host.now()) : 0;
    const details =
      state === 'open' ? `The next probe is let through in ${Math.ceil(waitMs)} ms` : `It is ${state}`;
    return new MagError(
      'MAG_CIRCUIT_OPEN',
      { name, state: state.replace('_', ' ') },
      { details, retryAfter: Math.max(1, Math.ceil(waitMs / 1_000)) },
    );
  }

  #follow(): void {
    this.closed = this.#phase.state === 'closed';
    this.generation = this.#phase.generation;
    this.#window.clear();
    this.#probes.clear();
    this.#passed = 0;
  }

  #tell(before: BreakerPhase): void {
    const { onChange } = this.#settings;
    if (onChange === null) return;
    const { until } = this.#phase;
    const opensFor = until === 0 ? 0 : Math.max(0, until - this.#host.now());
    const change = { ...this.snapshot(), from: before.state, opensFor };
    // Not inside the call that made the edge: what a listener throws is not that call's result.
    this.#host.soon(() => onChange(change));
  }

  #earliestProbe(): number | null {
    let earliest: number | null = null;
    for (const { deadline } of this.#probes)
      if (earliest === null || deadline < earliest) earliest = deadline;
    return earliest;
  }

  #restored(snapshot: BreakerSnapshot): BreakerPhase {
    const { open } = this.#settings;
    const { state, openings } = snapshot;
    // A wall clock that was set back must not keep it open for longer than any opening lasts.
    const longest = open.cap * (1 + open.jitter);
    const waitMs = Math.max(0, Math.min(longest, snapshot.openUntil - this.#host.wallTime()));
    const until = state === 'open' ? this.#host.now() + waitMs : 0;
    return { ...this.#phase, state, openings, until, generation: this.#phase.generation + 1 };
  }
}
