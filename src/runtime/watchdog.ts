import type { Worker } from 'node:worker_threads';
import { LIMITS } from '../limits.ts';
import type { Host, Timer } from './host.ts';

export interface Watched {
  /** `[beats, thread id]`: the thread adds to the first while its event loop turns. */
  readonly pulse: Int32Array;
  readonly thread: () => Worker | undefined;
  hung(ms: number): void;
}

interface Patient {
  readonly watched: Watched;
  beats: number;
  missed: number;
  utilization: ReturnType<Worker['performance']['eventLoopUtilization']> | undefined;
}

/** Share of the time that a loop was busy from which on it counts as spinning. */
const BUSY = 0.9;

/**
 * Finds threads whose event loop no longer turns. Counts checks without a beat rather than time, so that a stall of
 * this thread, or of the whole machine, is not taken for one of theirs.
 */
export class Watchdog {
  readonly #host: Host;
  readonly #patients = new Set<Patient>();
  #timer: Timer | null = null;
  #stopped = false;

  constructor(host: Host) {
    this.#host = host;
  }

  watch(watched: Watched): () => void {
    const patient: Patient = { watched, beats: 0, missed: 0, utilization: undefined };
    this.#patients.add(patient);
    this.#plan();
    return () => this.#patients.delete(patient);
  }

  stop(): void {
    this.#stopped = true;
    if (this.#timer !== null) this.#host.clearTimer(this.#timer);
  }

  #plan(): void {
    if (this.#timer !== null || this.#stopped || this.#patients.size === 0) return;
    this.#timer = this.#host.setTimer(LIMITS.heartbeatMs, () => {
      this.#timer = null;
      for (const patient of [...this.#patients]) this.#check(patient);
      this.#plan();
    });
  }

  #check(patient: Patient): void {
    const beats = Atomics.load(patient.watched.pulse, 0);
    // It has not begun to beat: its start has a deadline of its own.
    if (beats === 0) return;
    if (beats !== patient.beats) {
      patient.beats = beats;
      patient.missed = 0;
      patient.utilization = patient.watched.thread()?.performance.eventLoopUtilization();
      return;
    }
    patient.missed += 1;
    const silent = patient.missed * LIMITS.heartbeatMs;
    if (silent < LIMITS.hungMs || !this.#spins(patient)) return;
    this.#patients.delete(patient);
    patient.watched.hung(silent);
  }

  /** A thread that merely got no processor time did not use any either. */
  #spins(patient: Patient): boolean {
    const { performance } = patient.watched.thread() ?? {};
    if (performance === undefined || patient.utilization === undefined) return true;
    return performance.eventLoopUtilization(patient.utilization).utilization >= BUSY;
  }
}
