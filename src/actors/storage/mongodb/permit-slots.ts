import { MagError } from '../../../errors.ts';
import { LIMITS } from '../../../limits.ts';
import { POOL_LIMITS } from '../../../limits-pools.ts';
import type { Host, Timer } from '../../../runtime/host.ts';
import type { Permits } from '../permits.ts';

export interface PermitSlotsOptions {
  /** Project reference: the permits' key. */
  readonly key: string;
  readonly host: Host;
  readonly permits: Permits;
}

interface Waiter {
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
  readonly timer: Timer;
}

const LEASE_BATCH = 4;

/**
 * How many commands a project may have under way in this worker, each backed by a leased permit. A driver that keeps
 * its own pool opens no more connections than commands run at once, so a permit here is a connection there.
 */
export class PermitSlots {
  readonly #options: PermitSlotsOptions;
  readonly #leave: () => void;
  #free = 0;
  /** When a slot was last given back: the free ones are told apart by nothing. */
  #givenAt = 0;
  #used = 0;
  #waiters: Waiter[] = [];
  #leasing = false;
  #owed = 0;
  #idleTimer: Timer | null = null;
  #growTimer: Timer | null = null;
  #closed = false;

  constructor(options: PermitSlotsOptions) {
    this.#options = options;
    this.#leave = options.permits.join(options.key, {
      idleSince: () => Array.from({ length: this.#free }, () => this.#givenAt),
      recall: (urgency, wanted) => this.#recalled(urgency, wanted),
    });
  }

  /** Takes a slot at once, or null where somebody must wait for one: take() then. */
  takeNow(): boolean {
    if (this.#free === 0 || this.#closed) return false;
    this.#free -= 1;
    this.#used += 1;
    return true;
  }

  /** Rejects with MAG_OVERLOADED, MAG_POOL_TIMEOUT or MAG_COMPONENT_UNAVAILABLE. */
  take(deadline: number): Promise<void> {
    const { host, key } = this.#options;
    if (this.#closed) return Promise.reject(closed());
    if (this.takeNow()) return Promise.resolve();
    if (this.#waiters.length >= LIMITS.poolWaiters)
      return Promise.reject(
        new MagError('MAG_OVERLOADED', { what: 'too many requests wait for the database' }),
      );
    const patience = Math.max(0, Math.min(LIMITS.poolWaitMs, deadline - host.now()));
    return new Promise((resolve, reject) => {
      const timer = host.setTimer(patience, () => {
        this.#waiters = this.#waiters.filter((other) => other !== waiter);
        reject(new MagError('MAG_POOL_TIMEOUT', { ref: key, ms: Math.round(patience) }));
      });
      const waiter: Waiter = { resolve, reject, timer };
      this.#waiters.push(waiter);
      this.#grow();
    });
  }

  give(): void {
    this.#used -= 1;
    if (this.#owed > 0 || this.#closed) {
      this.#owed = Math.max(0, this.#owed - 1);
      this.#release(1);
      return;
    }
    this.#free += 1;
    this.#givenAt = this.#options.host.now();
    this.#serve();
    this.#scheduleReturn();
  }

  /** Nobody gets a slot any more; what is under way gives its own back. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#leave();
    for (const timer of [this.#idleTimer, this.#growTimer])
      if (timer !== null) this.#options.host.clearTimer(timer);
    const free = this.#free;
    this.#free = 0;
    this.#release(free);
    this.#fail(closed());
  }

  get used(): number {
    return this.#used;
  }

  #serve(): void {
    while (this.#free > 0) {
      const waiter = this.#waiters.shift();
      if (waiter === undefined) return;
      this.#options.host.clearTimer(waiter.timer);
      this.#free -= 1;
      this.#used += 1;
      waiter.resolve();
    }
  }

  #grow(): void {
    if (this.#leasing || this.#closed || this.#waiters.length === 0) return;
    this.#leasing = true;
    const { permits, key, host } = this.#options;
    permits.lease(key, Math.min(LEASE_BATCH, this.#waiters.length), LIMITS.poolWaitMs).then(
      (granted) => {
        this.#leasing = false;
        if (this.#closed) {
          this.#release(granted);
          return;
        }
        this.#free += granted;
        this.#serve();
        if (granted > 0) this.#grow();
        // For those that came while it was asked.
        else if (this.#waiters.length > 0)
          this.#growTimer ??= host.setTimer(POOL_LIMITS.lookMs, () => this.#growLate());
      },
      (error: unknown) => {
        this.#leasing = false;
        this.#fail(
          new MagError('MAG_COMPONENT_UNAVAILABLE', { name: 'the connection permits' }, { cause: error }),
        );
      },
    );
  }

  #growLate(): void {
    this.#growTimer = null;
    this.#grow();
  }

  #recalled(urgency: 'idle' | 'next', wanted: number): void {
    if (this.#free > 0) {
      this.#free -= 1;
      this.#release(1);
    } else if (urgency === 'next') {
      this.#owed = Math.max(this.#owed, Math.min(this.#owed + 1, wanted, this.#used));
    }
  }

  #release(count: number): void {
    if (count > 0) this.#options.permits.release(this.#options.key, count);
  }

  #fail(error: unknown): void {
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const waiter of waiters) {
      this.#options.host.clearTimer(waiter.timer);
      waiter.reject(error);
    }
  }

  /** Permits that nobody used for a while go back; the driver closes its connections after the same time. */
  #scheduleReturn(): void {
    if (this.#idleTimer !== null || this.#free === 0) return;
    const { host } = this.#options;
    this.#idleTimer = host.setTimer(LIMITS.poolIdleMs, () => {
      this.#idleTimer = null;
      const free = this.#used === 0 ? this.#free : Math.max(0, this.#free - this.#used);
      this.#free -= free;
      this.#release(free);
      this.#scheduleReturn();
    });
  }
}

const closed = (): MagError => new MagError('MAG_COMPONENT_UNAVAILABLE', { name: 'database session' });
