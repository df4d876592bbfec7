import type { Worker } from 'node:worker_threads';
import { LIMITS } from '../../limits.ts';
import type { Host, Timer } from '../host.ts';

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
  /** Processor time of the thread when its first beat was missed, milliseconds; null while it is not known. */
  used: number | null;
}

/** Processor time of a thread so far, in milliseconds; null where this Node cannot tell (before 24.6). */
async function processorTime(thread: Worker | undefined): Promise<number | null> {
  if (thread === undefined || typeof thread.cpuUsage !== 'function') return null;
  const { user, system } = await thread.cpuUsage();
  return (user + system) / 1_000;
}

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
    const patient: Patient = { watched, beats: 0, missed: 0, used: null };
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
      patient.used = null;
      return;
    }
    patient.missed += 1;
    const silent = patient.missed * LIMITS.heartbeatMs;
    if (patient.missed === 1 || patient.used === null) void this.#note(patient);
    // Blocked in native code it cannot even be asked.
    if (silent >= LIMITS.blockedMs) this.#giveUp(patient, silent);
    else if (silent >= LIMITS.hungMs) void this.#judge(patient, silent);
  }

  #giveUp(patient: Patient, silent: number): void {
    if (this.#patients.delete(patient)) patient.watched.hung(silent);
  }

  async #note(patient: Patient): Promise<void> {
    try {
      patient.used = await processorTime(patient.watched.thread());
    } catch {
      patient.used = null; // It ended meanwhile, which its owner hears by itself.
    }
  }

  /**
   * A thread that merely got no processor time on a busy machine did not use any either: only one that worked all the
   * while without a beat spins. One that neither works nor beats is blocked, and gets much longer.
   */
  async #judge(patient: Patient, silent: number): Promise<void> {
    const { beats, used } = patient;
    let now: number | null = null;
    try {
      now = await processorTime(patient.watched.thread());
    } catch {
      return; // As above.
    }
    const spins = used === null || now === null || now - used >= LIMITS.spinMs;
    if (spins && patient.beats === beats) this.#giveUp(patient, silent);
  }
}
