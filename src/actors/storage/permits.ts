import type { Host, Timer } from '../../runtime/host.ts';

/** Asks a holder for one permit of a key back: `idle` only one it does not use, `next` the next one that gets free. */
export type Recall = (owner: string, key: string, urgency: 'idle' | 'next') => void;

export interface PermitOwnerOptions {
  /** Permits of one key over all owners. */
  readonly perKey: number;
  /** Permits over all keys and owners. */
  readonly total: number;
  /** Requests that wait; beyond it a request is answered with 0 at once. */
  readonly waiters: number;
  readonly host: Host;
  readonly recall: Recall;
}

interface Waiter {
  readonly owner: string;
  readonly key: string;
  readonly timer: Timer;
  readonly answer: (granted: number) => void;
}

/**
 * The one holder of what must hold over all edge workers: how many connections a project, and the server, may have.
 * Workers lease permits in batches and keep them with their idle connections; while somebody waits, idle ones are
 * asked back, and busy ones too from whoever holds more than its share.
 */
export class PermitOwner {
  readonly #options: PermitOwnerOptions;
  /** key → owner → permits held. */
  readonly #held = new Map<string, Map<string, number>>();
  #waiting: Waiter[] = [];
  #used = 0;
  #unserved = 0;

  constructor(options: PermitOwnerOptions) {
    this.#options = options;
  }

  /** Requests answered with 0: at their deadline, or because too many waited. */
  get unserved(): number {
    return this.#unserved;
  }

  get used(): number {
    return this.#used;
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  usedBy(key: string): number {
    let sum = 0;
    for (const count of this.#held.get(key)?.values() ?? []) sum += count;
    return sum;
  }

  /** Grants between 1 and `wanted` permits, or 0 where none became free within `waitMs`. */
  lease(owner: string, key: string, wanted: number, waitMs: number): Promise<number> {
    const granted = this.#grant(owner, key, wanted);
    if (granted > 0) return Promise.resolve(granted);
    if (this.#waiting.length >= this.#options.waiters || waitMs <= 0) {
      this.#unserved += 1;
      return Promise.resolve(0);
    }
    return new Promise((resolve) => {
      const timer = this.#options.host.setTimer(waitMs, () => {
        this.#waiting = this.#waiting.filter((other) => other !== waiter);
        this.#unserved += 1;
        resolve(0);
      });
      const waiter: Waiter = { owner, key, timer, answer: resolve };
      this.#waiting.push(waiter);
      this.#demand(waiter);
    });
  }

  /** Gives permits back. More than the owner holds is no error: its end may have been noticed before its last word. */
  release(owner: string, key: string, count: number): void {
    const holders = this.#held.get(key);
    const before = holders?.get(owner) ?? 0;
    const returned = Math.min(before, count);
    if (holders === undefined || returned === 0) return;
    if (before === returned) holders.delete(owner);
    else holders.set(owner, before - returned);
    if (holders.size === 0) this.#held.delete(key);
    this.#used -= returned;
    this.#serve();
  }

  /** What a worker holds since before this owner was there, whatever the limits are: it has the connections. */
  adopt(owner: string, key: string, count: number): void {
    if (count <= 0) return;
    const holders = this.#held.get(key) ?? new Map<string, number>();
    holders.set(owner, (holders.get(owner) ?? 0) + count);
    this.#held.set(key, holders);
    this.#used += count;
  }

  /** A worker is gone: everything it held is free, and nobody waits for it any more. */
  releaseOwner(owner: string): void {
    const gone = this.#waiting.filter((waiter) => waiter.owner === owner);
    this.#waiting = this.#waiting.filter((waiter) => waiter.owner !== owner);
    for (const waiter of gone) this.#answer(waiter, 0);
    for (const key of [...this.#held.keys()]) this.release(owner, key, Number.MAX_SAFE_INTEGER);
  }

  #grant(owner: string, key: string, wanted: number): number {
    const { perKey, total } = this.#options;
    const granted = Math.min(wanted, perKey - this.usedBy(key), total - this.#used);
    if (granted <= 0) return 0;
    this.adopt(owner, key, granted);
    return granted;
  }

  /**
   * Hands out what is free. Among keys the first waiter comes first, and one whose key is exhausted holds up nobody;
   * among the waiters of a key, the worker that holds least: else a busy worker's own request would catch the very
   * permit that it gave back for another.
   */
  #serve(): void {
    for (;;) {
      const first = this.#waiting.find((waiter) => this.usedBy(waiter.key) < this.#options.perKey);
      if (first === undefined || this.#used >= this.#options.total) return;
      const poorest = this.#waiting
        .filter((waiter) => waiter.key === first.key)
        .reduce((a, b) => (this.#heldBy(b) < this.#heldBy(a) ? b : a));
      this.#waiting = this.#waiting.filter((waiter) => waiter !== poorest);
      this.#answer(poorest, this.#grant(poorest.owner, poorest.key, 1));
    }
  }

  #heldBy({ owner, key }: Waiter): number {
    return this.#held.get(key)?.get(owner) ?? 0;
  }

  #answer(waiter: Waiter, granted: number): void {
    this.#options.host.clearTimer(waiter.timer);
    waiter.answer(granted);
  }

  /** Asks for one permit on behalf of a new waiter. */
  #demand(waiter: Waiter): void {
    const { perKey, recall } = this.#options;
    const sameKey = this.usedBy(waiter.key) >= perKey;
    const keys = sameKey ? [waiter.key] : [...this.#held.keys()];
    const holders = keys.flatMap((key) =>
      [...(this.#held.get(key) ?? [])].map(([owner, count]) => ({ key, owner, count })),
    );
    const others = holders.filter((holder) => holder.owner !== waiter.owner || holder.key !== waiter.key);
    for (const holder of others) recall(holder.owner, holder.key, 'idle');
    // Whoever holds most gives the next one it gets free, while it holds more than the waiter would have then:
    // so that permits move towards equal shares, and stop moving there.
    const own = this.#heldBy(waiter);
    const most = others.reduce((a, b) => (b.count > a.count ? b : a), { key: '', owner: '', count: 0 });
    if (most.count > own + 1 || (own === 0 && most.count > 0 && !sameKey))
      recall(most.owner, most.key, 'next');
  }
}

/** What a pool needs of the permits. */
export interface Permits {
  /** Grants between 1 and `wanted`, or 0 where none became free in time. Rejects where the owner cannot be asked. */
  lease(key: string, wanted: number, waitMs: number): Promise<number>;
  release(key: string, count: number): void;
  /** Registers who gives permits of this key back; one listener a key. Returns how to leave. */
  onRecall(key: string, listener: (urgency: 'idle' | 'next') => void): () => void;
}

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

/** An edge worker's side: passes calls on, and hands what the owner recalls to the pool of that key. */
export class PermitClient implements Permits {
  readonly #calls: PermitCalls;
  readonly #listeners = new Map<string, (urgency: 'idle' | 'next') => void>();
  readonly #held = new Map<string, number>();
  #serial = 0;

  constructor(calls: PermitCalls) {
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

  onRecall(key: string, listener: (urgency: 'idle' | 'next') => void): () => void {
    this.#listeners.set(key, listener);
    return () => {
      if (this.#listeners.get(key) === listener) this.#listeners.delete(key);
    };
  }

  /** Call with what the owner sends to this worker. */
  recalled(key: string, urgency: 'idle' | 'next'): void {
    this.#listeners.get(key)?.(urgency);
  }
}

/** Permits for a single process without edge workers: the feed, tests. */
export function localPermits(options: Omit<PermitOwnerOptions, 'recall'>): Permits {
  const owner = new PermitOwner({
    ...options,
    recall: (_owner, key, urgency) => client.recalled(key, urgency),
  });
  const client = new PermitClient({
    lease: (key, wanted, waitMs) => owner.lease('local', key, wanted, waitMs),
    release: (key, count) => owner.release('local', key, count),
  });
  return client;
}
