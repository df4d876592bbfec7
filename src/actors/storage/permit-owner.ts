import { POOL_LIMITS } from '../../limits-pools.ts';
import type { Host, Timer } from '../../runtime/host.ts';

/** How the owner of permits reaches the workers that hold them. */
export interface PermitHolders {
  /** How long the permits that nobody uses there have been idle, milliseconds; as many of the longest as are `wanted`. */
  idle(owner: string, wanted: number): Promise<readonly number[]>;
  /** Takes the permits that have been idle longest, over all keys; they are released as soon as they are free. */
  take(owner: string, count: number): void;
  /**
   * Asks for one permit of a key back: `idle` only one it does not use, `next` the next one that gets free. It may have
   * been asked before: it need owe no more of them than are `wanted`.
   */
  recall(owner: string, key: string, urgency: 'idle' | 'next', wanted: number): void;
}

export interface PermitOwnerOptions {
  /** Permits of one key over all owners. */
  readonly perKey: number;
  /** Permits over all keys and owners. */
  readonly total: number;
  /** Requests that wait; beyond it a request is answered with 0 at once. */
  readonly waiters: number;
  readonly host: Host;
  readonly holders: PermitHolders;
}

interface Waiter {
  readonly owner: string;
  readonly key: string;
  readonly timer: Timer;
  readonly answer: (granted: number) => void;
}

interface Holding {
  readonly owner: string;
  readonly key: string;
  readonly count: number;
}

/**
 * The one holder of what must hold over all edge workers: how many connections a project, and the server, may have.
 * Workers lease permits in batches and keep them with their idle connections. While somebody waits because the server
 * has no more, as many as are missing are taken from where they have been idle longest, whichever project and worker
 * that is; only where all are busy, whoever holds most gives the next one it gets free.
 */
export class PermitOwner {
  readonly #options: PermitOwnerOptions;
  #total: number;
  /** key → owner → permits held. */
  readonly #held = new Map<string, Map<string, number>>();
  #waiting: Waiter[] = [];
  #used = 0;
  #unserved = 0;
  #taken = 0;
  #leased = 0;
  /** Permits on their way back, by the worker that was asked. */
  readonly #returning = new Map<string, number>();
  #reclaiming = false;
  #again = false;
  #lookTimer: Timer | null = null;

  constructor(options: PermitOwnerOptions) {
    this.#options = options;
    this.#total = options.total;
  }

  /** Requests answered with 0: at their deadline, or because too many waited. */
  get unserved(): number {
    return this.#unserved;
  }

  /** Permits asked back from idle connections for somebody else. */
  get taken(): number {
    return this.#taken;
  }

  /** Permits granted so far; about as many connections were opened. */
  get leased(): number {
    return this.#leased;
  }

  get used(): number {
    return this.#used;
  }

  get total(): number {
    return this.#total;
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  usedBy(key: string): number {
    let sum = 0;
    for (const count of this.#held.get(key)?.values() ?? []) sum += count;
    return sum;
  }

  /** From now on so many over all. Fewer than are held: none is granted until enough came back. */
  limit(total: number): void {
    this.#total = total;
    this.#serve();
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
        this.#unserved += 1;
        this.#forget(waiter);
        resolve(0);
      });
      const waiter: Waiter = { owner, key, timer, answer: resolve };
      this.#waiting.push(waiter);
      if (this.#isExhausted(key)) this.#moveWithin(waiter, false);
      void this.#reclaim();
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
    this.#expect(owner, -returned);
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
    for (const waiter of this.#waiting.filter((each) => each.owner === owner)) this.#answer(waiter, 0);
    this.#returning.delete(owner);
    for (const key of [...this.#held.keys()]) this.release(owner, key, Number.MAX_SAFE_INTEGER);
  }

  get #isFull(): boolean {
    return this.#used >= this.#total;
  }

  #isExhausted(key: string): boolean {
    return this.usedBy(key) >= this.#options.perKey;
  }

  #grant(owner: string, key: string, wanted: number): number {
    const granted = Math.min(wanted, this.#options.perKey - this.usedBy(key), this.#total - this.#used);
    if (granted <= 0) return 0;
    this.#leased += granted;
    this.adopt(owner, key, granted);
    return granted;
  }

  /**
   * Hands out what is free. Whoever has none of its key comes before who only wants more, else who waited longer; a
   * waiter whose key is exhausted holds up nobody. Among the waiters of a key, the worker that holds least: else a busy
   * worker's own request would catch the very permit that it gave back for another.
   */
  #serve(): void {
    while (!this.#isFull) {
      const served = this.#waiting.filter((waiter) => !this.#isExhausted(waiter.key));
      const first = served.find((waiter) => this.#heldBy(waiter) === 0) ?? served[0];
      if (first === undefined) return;
      const poorest = served
        .filter((waiter) => waiter.key === first.key)
        .reduce((a, b) => (this.#heldBy(b) < this.#heldBy(a) ? b : a));
      this.#answer(poorest, this.#grant(poorest.owner, poorest.key, 1));
    }
  }

  #heldBy({ owner, key }: Pick<Waiter, 'owner' | 'key'>): number {
    return this.#held.get(key)?.get(owner) ?? 0;
  }

  #answer(waiter: Waiter, granted: number): void {
    this.#options.host.clearTimer(waiter.timer);
    this.#forget(waiter);
    waiter.answer(granted);
  }

  #forget(waiter: Waiter): void {
    this.#waiting = this.#waiting.filter((other) => other !== waiter);
    if (this.#waiting.length > 0 || this.#lookTimer === null) return;
    this.#options.host.clearTimer(this.#lookTimer);
    this.#lookTimer = null;
  }

  /** The project has as many as it may: one of them moves from another worker to the waiter, who was `kept` waiting. */
  #moveWithin(waiter: Waiter, kept: boolean): void {
    const { recall } = this.#options.holders;
    const others = this.#holdings([waiter.key]).filter(({ owner }) => owner !== waiter.owner);
    for (const { owner, key } of others) recall(owner, key, 'idle', 1);
    const most = richest(others);
    // What it waits for itself is not for the others.
    const wanted = this.#waiting.filter(({ owner, key }) => key === most.key && owner !== most.owner).length;
    const own = this.#heldBy(waiter);
    // While it holds more than the waiter would have then: so permits move towards equal shares, and stop there. Where
    // there are more workers than permits, they go round.
    if (most.count > own + 1 || (kept && own === 0)) recall(most.owner, most.key, 'next', wanted);
  }

  #holdings(keys: Iterable<string>): readonly Holding[] {
    return [...keys].flatMap((key) =>
      [...(this.#held.get(key) ?? [])].map(([owner, count]) => ({ key, owner, count })),
    );
  }

  #expect(owner: string, count: number): void {
    const left = (this.#returning.get(owner) ?? 0) + count;
    if (left > 0) this.#returning.set(owner, left);
    else this.#returning.delete(owner);
  }

  /** Waiters for whom the server has nothing free, and nothing is on its way back, the ones without any first. */
  #missing(): readonly Waiter[] {
    const starved = this.#waiting.filter(({ key }) => !this.#isExhausted(key));
    const isNew = (waiter: Waiter): boolean => this.#heldBy(waiter) === 0;
    const sorted = [...starved.filter(isNew), ...starved.filter((waiter) => !isNew(waiter))];
    let coming = Math.max(0, this.#total - this.#used);
    for (const count of this.#returning.values()) coming += count;
    return sorted.slice(coming);
  }

  /** Takes what is missing; one round at a time, since each asks all workers. */
  async #reclaim(): Promise<void> {
    this.#again = true;
    if (this.#reclaiming) return;
    this.#reclaiming = true;
    while (this.#again) {
      this.#again = false;
      const busy = await this.#takeIdle(this.#missing());
      for (const waiter of busy) this.#takeNext(waiter, busy);
    }
    this.#reclaiming = false;
    this.#lookLater();
  }

  /** The waiters for whom nothing was idle. */
  async #takeIdle(missing: readonly Waiter[]): Promise<readonly Waiter[]> {
    if (missing.length === 0) return missing;
    const { holders } = this.#options;
    const owners = new Set(this.#holdings(this.#held.keys()).map(({ owner }) => owner));
    const offers = await Promise.all(
      [...owners].map(async (owner) => {
        const ages = await holders.idle(owner, missing.length);
        return ages.map((age) => ({ owner, age }));
      }),
    );
    const idle = offers.flat().sort((one, other) => other.age - one.age);
    const left: Waiter[] = [];
    const taken = new Map<string, number>();
    for (const waiter of missing) {
      // Who has some is served by those; for one more nobody else is made to open one anew that is in use.
      const longest =
        this.#heldBy(waiter) === 0 || (idle[0]?.age ?? 0) >= POOL_LIMITS.restMs ? idle.shift() : undefined;
      if (longest === undefined) left.push(waiter);
      else taken.set(longest.owner, (taken.get(longest.owner) ?? 0) + 1);
    }
    for (const [owner, count] of taken) {
      this.#taken += count;
      this.#expect(owner, count);
      holders.take(owner, count);
    }
    return left;
  }

  /** Everything is busy: whoever holds most gives the next one it gets free, down to equal shares. */
  #takeNext(waiter: Waiter, busy: readonly Waiter[]): void {
    const own = this.#heldBy(waiter);
    const others = this.#holdings(this.#held.keys()).filter(
      ({ owner, key }) => owner !== waiter.owner || key !== waiter.key,
    );
    const most = richest(others);
    if (most.count === 0 || (own > 0 && most.count <= own + 1)) return;
    this.#expect(most.owner, 1);
    const wanted = busy.filter(({ owner, key }) => owner !== most.owner || key !== most.key).length;
    this.#options.holders.recall(most.owner, most.key, 'next', wanted);
  }

  /** A worker may have used, or lost, what it was asked for: while somebody waits, it is all looked at again. */
  #lookLater(): void {
    if (this.#lookTimer !== null || this.#waiting.length === 0) return;
    this.#lookTimer = this.#options.host.setTimer(POOL_LIMITS.lookMs, () => {
      this.#lookTimer = null;
      this.#returning.clear();
      for (const waiter of this.#waiting) if (this.#isExhausted(waiter.key)) this.#moveWithin(waiter, true);
      void this.#reclaim();
    });
  }
}

const NOBODY: Holding = { key: '', owner: '', count: 0 };

const richest = (holdings: readonly Holding[]): Holding =>
  holdings.reduce((a, b) => (b.count > a.count ? b : a), NOBODY);
