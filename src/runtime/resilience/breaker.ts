import { CALL_LIMITS } from '../../limits-calls.ts';
import type { BreakerState } from '../../machines/breaker.ts';
import { Circuit, type Probe } from './breaker-circuit.ts';
import {
  type BreakerOptions,
  type BreakerSnapshot,
  type BreakerStats,
  breakerSettings,
} from './breaker-options.ts';
import { type CoarseClock, coarseClock } from './coarse-clock.ts';
import { isAbort, isTimeout } from './failure.ts';

/** Read here once: it is compared with for every call. */
const SPARE_CALLS = CALL_LIMITS.breakerSpareCalls;

/** An admitted call. Exactly one outcome counts: the first that is told. */
export interface BreakerTicket {
  success(): void;
  /** With the error, `isFailure` decides; without it, it is a failure. */
  failure(error?: unknown): void;
  /** The caller gave the call up: it counts for nothing, and gives its place as a probe back. */
  cancel(): void;
}

/** Keeps calls from a dependency that fails, so that both can recover. */
export interface Breaker {
  readonly name: string;
  readonly state: BreakerState;
  /**
   * Calls `fn` where the circuit lets it, and judges by what becomes of its promise.
   * Rejects with MAG_CIRCUIT_OPEN where it is not called.
   *
   * @param signal aborted by its caller, the call counts for nothing, whatever becomes of it; aborted because its time
   *   was over (a TimeoutError or MAG_CALL_TIMEOUT) it has failed. `fn` has to listen to it by itself.
   */
  run<T>(fn: () => Promise<T>, signal?: AbortSignal): Promise<T>;
  /** The same for a function that gives its result at once; throws MAG_CIRCUIT_OPEN. */
  runSync<T>(fn: () => T): T;
  /** The same in two steps, for calls that are no function. Throws MAG_CIRCUIT_OPEN. A ticket must be told an outcome. */
  admit(): BreakerTicket;
  /** Throws what `admit` would, without taking a probe's place: for callers that would have to wait before they call. */
  ensureAdmitting(): void;
  /** Lets nothing through until `reset` or `disable`. */
  forceOpen(): void;
  /** Lets everything through and counts nothing until `reset` or `forceOpen`. */
  disable(): void;
  /** Closed, with nothing counted yet. */
  reset(): void;
  stats(): BreakerStats;
  snapshot(): BreakerSnapshot;
  /** Milliseconds until time alone changes the state; null where it will not. Reading `state` then makes the change. */
  readonly nextChangeIn: number | null;
}

/** What `run` keeps of a call in flight. Its two callbacks are made once and used for many calls. */
interface Flight {
  next: Flight | null;
  generation: number;
  startedAt: number;
  readonly passed: <T>(value: T) => T;
  readonly failed: (error: unknown) => never;
}

class Ticket implements BreakerTicket {
  readonly #end: (ticket: Ticket, passed: boolean | null, error: unknown) => void;
  readonly generation: number;
  readonly startedAt: number;
  readonly probe: Probe | null;
  #ended = false;

  constructor(
    end: (ticket: Ticket, passed: boolean | null, error: unknown) => void,
    generation: number,
    startedAt: number,
    probe: Probe | null,
  ) {
    this.#end = end;
    this.generation = generation;
    this.startedAt = startedAt;
    this.probe = probe;
  }

  success(): void {
    this.#tell(true, undefined);
  }

  failure(error?: unknown): void {
    this.#tell(false, error);
  }

  cancel(): void {
    this.#tell(null, undefined);
  }

  #tell(passed: boolean | null, error: unknown): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#end(this, passed, error);
  }
}

class CircuitBreaker implements Breaker {
  readonly name: string;
  readonly #circuit: Circuit;
  readonly #clock: CoarseClock;
  readonly #isFailure: (error: unknown) => boolean;
  readonly #now: () => number;
  #spare: Flight | null = null;
  #spares = 0;
  #admitted = 0;
  #ended = 0;
  #refused = 0;
  #ignored = 0;
  #cancelled = 0;

  constructor(options: BreakerOptions) {
    const settings = breakerSettings(options);
    this.name = settings.name;
    this.#isFailure = settings.isFailure;
    this.#clock = coarseClock(options.host);
    this.#now = () => options.host.now();
    this.#circuit = new Circuit(options.host, settings, options.snapshot ?? null);
  }

  get state(): BreakerState {
    this.#circuit.look();
    return this.#circuit.phase.state;
  }

  get nextChangeIn(): number | null {
    const deadline = this.#circuit.nextDeadline;
    return deadline === null ? null : Math.max(0, deadline - this.#now());
  }

  run<T>(fn: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    const circuit = this.#circuit;
    if (!circuit.closed || signal !== undefined) return this.#runTicketed(fn, signal);
    let flight = this.#spare;
    if (flight === null) flight = this.#newFlight();
    else {
      this.#spare = flight.next;
      this.#spares -= 1;
    }
    flight.generation = circuit.generation;
    flight.startedAt = this.#clock.read();
    this.#admitted += 1;
    let result: Promise<T>;
    try {
      result = fn();
    } catch (error) {
      this.#fail(flight, error);
      return Promise.reject(error);
    }
    // A thenable of another make may call back twice; a promise does not.
    return (result instanceof Promise ? result : Promise.resolve<T>(result)).then(
      flight.passed,
      flight.failed,
    );
  }

  runSync<T>(fn: () => T): T {
    const circuit = this.#circuit;
    if (!circuit.closed) return this.#runSyncTicketed(fn);
    const { generation } = circuit;
    const startedAt = this.#clock.read();
    this.#admitted += 1;
    let result: T;
    try {
      result = fn();
    } catch (error) {
      this.#record(generation, startedAt, this.#judge(error));
      throw error;
    }
    this.#record(generation, startedAt, true);
    return result;
  }

  admit(): BreakerTicket {
    const circuit = this.#circuit;
    if (circuit.closed) {
      this.#admitted += 1;
      return new Ticket(this.#end, circuit.generation, this.#clock.read(), null);
    }
    this.ensureAdmitting();
    this.#admitted += 1;
    const probe = circuit.phase.state === 'half_open' ? circuit.addProbe() : null;
    return new Ticket(this.#end, circuit.generation, this.#clock.read(), probe);
  }

  ensureAdmitting(): void {
    const circuit = this.#circuit;
    if (circuit.closed) return;
    circuit.look();
    if (circuit.admits) return;
    this.#refused += 1;
    throw circuit.refusal();
  }

  forceOpen(): void {
    this.#circuit.apply({ type: 'FORCE_OPEN' });
  }

  disable(): void {
    this.#circuit.apply({ type: 'DISABLE' });
  }

  reset(): void {
    this.#circuit.apply({ type: 'RESET' });
  }

  snapshot(): BreakerSnapshot {
    this.#circuit.look();
    return this.#circuit.snapshot();
  }

  stats(): BreakerStats {
    const circuit = this.#circuit;
    circuit.look();
    circuit.window.advance(this.#now());
    const { calls, failures, slow } = circuit.window;
    return {
      state: circuit.phase.state,
      calls,
      failures,
      slow,
      slowMs: circuit.slowMs,
      admitted: this.#admitted,
      refused: this.#refused,
      ignored: this.#ignored,
      cancelled: this.#cancelled,
      inFlight: this.#admitted - this.#ended,
      probesInFlight: circuit.probesInFlight,
      openings: circuit.phase.openings,
    };
  }

  async #runTicketed<T>(fn: () => Promise<T>, signal: AbortSignal | undefined): Promise<T> {
    signal?.throwIfAborted();
    const ticket = this.admit();
    // At once, not when `fn` notices: it may not listen, and hold a probe's place.
    const onAbort = (): void => {
      if (isTimeout(signal?.reason)) ticket.failure(signal?.reason);
      else ticket.cancel();
    };
    signal?.addEventListener('abort', onAbort, { once: true });
    try {
      const value = await fn();
      ticket.success();
      return value;
    } catch (error) {
      ticket.failure(error);
      throw error;
    } finally {
      signal?.removeEventListener('abort', onAbort);
    }
  }

  #runSyncTicketed<T>(fn: () => T): T {
    const ticket = this.admit();
    try {
      const value = fn();
      ticket.success();
      return value;
    } catch (error) {
      ticket.failure(error);
      throw error;
    }
  }

  #newFlight(): Flight {
    const flight: Flight = {
      next: null,
      generation: 0,
      startedAt: 0,
      passed: (value) => {
        this.#record(flight.generation, flight.startedAt, true);
        this.#keep(flight);
        return value;
      },
      failed: (error) => {
        this.#fail(flight, error);
        throw error;
      },
    };
    return flight;
  }

  #fail(flight: Flight, error: unknown): void {
    const { generation, startedAt } = flight;
    this.#keep(flight);
    this.#record(generation, startedAt, this.#judge(error));
  }

  /** Beyond the bound it is left to the garbage collector. */
  #keep(flight: Flight): void {
    if (this.#spares >= SPARE_CALLS) return;
    flight.next = this.#spare;
    this.#spare = flight;
    this.#spares += 1;
  }

  /** Whether an error leaves the dependency blameless; null: it says nothing at all. */
  #judge(error: unknown): boolean | null {
    if (isAbort(error)) return null;
    return !this.#isFailure(error);
  }

  #record(generation: number, startedAt: number, passed: boolean | null): void {
    const circuit = this.#circuit;
    this.#ended += 1;
    if (passed === null) {
      this.#cancelled += 1;
      return;
    }
    if (generation !== circuit.generation) {
      this.#ignored += 1;
      return;
    }
    const clock = this.#clock;
    const latency = clock.read() - startedAt;
    if (circuit.closed) circuit.record(!passed, latency, clock.now);
  }

  readonly #end = (ticket: Ticket, passed: boolean | null, error: unknown): void => {
    const judged = passed === false && error !== undefined ? this.#judge(error) : passed;
    const { probe } = ticket;
    // A probe whose deadline passed has failed, also where nobody has looked since.
    if (probe !== null) this.#circuit.look();
    if (probe === null || ticket.generation !== this.#circuit.generation) {
      this.#record(ticket.generation, ticket.startedAt, judged);
      return;
    }
    this.#ended += 1;
    if (judged === null) this.#cancelled += 1;
    this.#circuit.endProbe(probe, judged);
  };
}

/**
 * A circuit breaker for use by itself. In a supervision tree use `breaker(id, options)`. Throws MAG_CONFIG_INVALID.
 *
 * An admitted call costs some tens of nanoseconds: it is counted in typed arrays and timed by a coarse clock (25 ms;
 * the least threshold is a second). Only changes of state reach the statechart.
 */
export const createBreaker = (options: BreakerOptions): Breaker => new CircuitBreaker(options);
