import type { Host } from '../../runtime/host.ts';
import type { PermitHolder, Permits } from './permits.ts';

export interface PermitCalls {
  lease(key: string, wanted: number, waitMs: number): Promise<number>;
  /** `serial` counts the releases of this client, from 1. */
  release(key: string, count: number, serial: number): void;
}

/** What a client holds, for an owner that was restarted, and the serial of the last release that is not in it. */
export interface PermitReport {
  readonly held: Readonly<Record<string, number>>;
  readonly serial: number;
}

/** An edge worker's side: passes calls on, and hands what the owner wants back to the pools that have it. */
export class PermitClient implements Permits {
  readonly #host: Pick<Host, 'now'>;
  readonly #calls: PermitCalls;
  readonly #holders = new Map<string, PermitHolder>();
  readonly #held = new Map<string, number>();
  #serial = 0;

  constructor(host: Pick<Host, 'now'>, calls: PermitCalls) {
    this.#host = host;
    this.#calls = calls;
  }

  async lease(key: string, wanted: number, waitMs: number): Promise<number> {
    const granted = await this.#calls.lease(key, wanted, waitMs);
    if (granted > 0) this.#held.set(key, (this.#held.get(key) ?? 0) + granted);
    return granted;
  }

  release(key: string, count: number): void {
    const left = (this.#held.get(key) ?? 0) - count;
    if (left > 0) this.#held.set(key, left);
    else this.#held.delete(key);
    this.#serial += 1;
    this.#calls.release(key, count, this.#serial);
  }

  report(): PermitReport {
    return { held: Object.fromEntries(this.#held), serial: this.#serial };
  }

  join(key: string, holder: PermitHolder): () => void {
    this.#holders.set(key, holder);
    return () => {
      if (this.#holders.get(key) === holder) this.#holders.delete(key);
    };
  }

  /** How long what nobody uses has been idle, milliseconds; as many of the longest as are wanted. */
  idle(wanted: number): readonly number[] {
    const now = this.#host.now();
    return this.#resting()
      .slice(0, wanted)
      .map(({ since }) => now - since);
  }

  /** Gives up what has been idle longest, over all keys. */
  take(count: number): void {
    for (const { holder } of this.#resting().slice(0, count)) holder.recall('idle', 1);
  }

  /** Call with what the owner wants of one key. */
  recalled(key: string, urgency: 'idle' | 'next', wanted: number): void {
    this.#holders.get(key)?.recall(urgency, wanted);
  }

  #resting(): readonly { readonly since: number; readonly holder: PermitHolder }[] {
    const resting = [...this.#holders.values()].flatMap((holder) =>
      holder.idleSince().map((since) => ({ since, holder })),
    );
    return resting.sort((one, other) => one.since - other.since);
  }
}
