import type { Host } from '../../src/runtime/host.ts';

interface Due {
  readonly at: number;
  readonly order: number;
  readonly callback: () => void;
}

/** A host whose clock moves only when a test says so. Threads and processes are not in it. */
export class ManualHost implements Host {
  #now = 0;
  #order = 0;
  #bytes = 0;
  readonly #due = new Map<number, Due>();

  now = (): number => this.#now;
  wallTime = (): number => Date.UTC(2026, 10, 23, 8) + this.#now;
  random = (): number => 0.5;
  randomBytes = (size: number): Uint8Array => {
    this.#bytes += 1;
    return new Uint8Array(size).fill(this.#bytes);
  };

  setTimer = (delayMs: number, callback: () => void): { readonly id: number } => {
    this.#order += 1;
    this.#due.set(this.#order, { at: this.#now + delayMs, order: this.#order, callback });
    return { id: this.#order };
  };

  clearTimer = (timer: { readonly id: unknown }): void => {
    this.#due.delete(Number(timer.id));
  };

  defer = (callback: () => void): void => void this.setTimer(0, callback);
  soon = (callback: () => void): void => void this.setTimer(0, callback);

  channel = (): never => {
    throw new Error('this host has no channels');
  };

  spawnProcess = (): never => {
    throw new Error('this host has no processes');
  };

  get timers(): number {
    return this.#due.size;
  }

  /** Runs what falls due, each followed by the promises it settled. */
  async advance(milliseconds: number): Promise<void> {
    const end = this.#now + milliseconds;
    for (;;) {
      await settle();
      const [next] = [...this.#due.values()]
        .filter((due) => due.at <= end)
        .sort((a, b) => a.at - b.at || a.order - b.order);
      if (next === undefined) break;
      this.#due.delete(next.order);
      this.#now = next.at;
      next.callback();
    }
    this.#now = end;
  }
}

/** Lets every promise that can settle without a timer do so. */
const settle = (): Promise<void> => new Promise((done) => setImmediate(done));
