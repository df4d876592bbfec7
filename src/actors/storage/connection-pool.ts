import { MagError } from '../../errors.ts';
import { LIMITS } from '../../limits.ts';
import { POOL_LIMITS } from '../../limits-pools.ts';
import type { EngineKind } from '../../protocol/project.ts';
import type { Host, Timer } from '../../runtime/host.ts';
import { EngineUnreachable } from './engine-unreachable.ts';
import type { Permits } from './permits.ts';

export interface PoolStats {
  readonly open: number;
  readonly idle: number;
  readonly waiting: number;
  /** Waiters that met their deadline, since the session opened. */
  readonly timedOut: number;
  /** Requests that were not let wait because too many did. */
  readonly refused: number;
}

/** What a pool needs of a server connection. */
export interface PooledConnection {
  readonly closed: boolean;
  /** Not to be used again: it is being closed, or a cancel was sent that may yet hit what runs next here. */
  readonly poisoned: boolean;
  /** Served a tenant's own SQL last; queries of the grammar prefer another one. */
  readonly native: boolean;
  /** Called once when the connection is gone, whoever ended it. */
  onClosed: () => void;
  /** Asks the server to cancel what runs here; poisons the connection. */
  cancel(): void;
  /** Closes the socket at once; poisons the connection. */
  destroy(): void;
  /** Says goodbye to the server. */
  end(): Promise<void>;
}

export interface PoolOptions<Connection extends PooledConnection> {
  readonly engine: EngineKind;
  /** Project reference: the permits' key. */
  readonly key: string;
  readonly host: Host;
  readonly permits: Permits;
  /** Opens a connection; rejects with a MagError. */
  readonly connect: (timeoutMs: number) => Promise<Connection>;
  /** Whether an error says that the server, or the user, has as many connections as it may. */
  readonly isNoRoom: (error: unknown) => boolean;
}

interface Waiter<Connection> {
  readonly since: number;
  readonly resolve: (connection: Connection) => void;
  readonly reject: (error: unknown) => void;
  readonly timer: Timer;
}

interface Idle<Connection> {
  readonly connection: Connection;
  readonly since: number;
}

const sessionClosed = (): MagError => new MagError('MAG_COMPONENT_UNAVAILABLE', { name: 'database session' });

/**
 * Permits asked for at once, so that a burst costs one message and not one each, and connections opened at once: the
 * server, and the other workers of a project that want some, are not overrun by whoever asks first.
 */
const LEASE_BATCH = 4;

/**
 * Connections of one project in one worker: none while nobody asks, each backed by a permit, the last one used first,
 * idle ones closed after a while. Waiters queue first come first served, bounded and with a deadline.
 */
export class ConnectionPool<Connection extends PooledConnection> {
  readonly #options: PoolOptions<Connection>;
  readonly #idle: Idle<Connection>[] = [];
  readonly #open = new Set<Connection>();
  #waiters: Waiter<Connection>[] = [];
  #leasing = false;
  /** Connections being opened: a permit is held for each. */
  #opening = 0;
  /** Permits the owner wants back as soon as connections get free, and how many of those close for it already. */
  #owed = 0;
  #repaying = 0;
  #timedOut = 0;
  #refused = 0;
  #evictionTimer: Timer | null = null;
  #growTimer: Timer | null = null;
  #closed = false;
  /** After close(): resolves when the last connection is gone. */
  readonly #empty: Promise<void>;
  #emptied: () => void = () => {};
  readonly #leave: () => void;

  constructor(options: PoolOptions<Connection>) {
    this.#options = options;
    this.#empty = new Promise((resolve) => {
      this.#emptied = resolve;
    });
    this.#leave = options.permits.join(options.key, {
      idleSince: () => this.#idle.map(({ since }) => since),
      recall: (urgency, wanted) => this.#recalled(urgency, wanted),
    });
  }

  stats(): PoolStats {
    return {
      ...{ open: this.#open.size, idle: this.#idle.length, waiting: this.#waiters.length },
      ...{ timedOut: this.#timedOut, refused: this.#refused },
    };
  }

  /** An idle connection at once, or null: then `wait`. One that served the same kind of work is preferred. */
  take(native: boolean): Connection | null {
    const fitting = this.#idle.findLastIndex(({ connection }) => connection.native === native);
    const [idle] = this.#idle.splice(fitting, 1); // -1 is the last one.
    return idle?.connection ?? null;
  }

  /** Rejects with MAG_POOL_TIMEOUT at the deadline, MAG_OVERLOADED where too many wait, or why no connection opens. */
  wait(deadline: number): Promise<Connection> {
    const { host, key } = this.#options;
    if (this.#closed) return Promise.reject(sessionClosed());
    if (this.#waiters.length >= LIMITS.poolWaiters) {
      this.#refused += 1;
      return Promise.reject(
        new MagError('MAG_OVERLOADED', { what: 'too many requests wait for the database' }),
      );
    }
    const patience = Math.max(0, Math.min(LIMITS.poolWaitMs, deadline - host.now()));
    return new Promise((resolve, reject) => {
      const timer = host.setTimer(patience, () => {
        this.#waiters = this.#waiters.filter((other) => other !== waiter);
        this.#timedOut += 1;
        const ms = Math.round(patience);
        // A server that hangs: none of ours is busy, and it has taken no connection in all this time.
        const hangs = this.#open.size === 0 && this.#opening > 0 && patience >= LIMITS.poolWaitMs;
        reject(
          hangs
            ? new EngineUnreachable(this.#options.engine, `it took no connection within ${ms} ms`)
            : new MagError('MAG_POOL_TIMEOUT', { ref: key, ms }),
        );
      });
      const waiter: Waiter<Connection> = { since: host.now(), resolve, reject, timer };
      this.#waiters.push(waiter);
      this.#grow();
    });
  }

  /** Hands a connection back: to the longest waiter, else to the idle ones, else it is closed. */
  give(connection: Connection): void {
    if (connection.closed) return;
    if (connection.poisoned) {
      this.discard(connection);
      return;
    }
    if (this.#owed > this.#repaying) {
      this.#repaying += 1;
      this.discard(connection);
      return;
    }
    const waiter = this.#waiters.shift();
    if (waiter !== undefined) {
      this.#options.host.clearTimer(waiter.timer);
      waiter.resolve(connection);
      return;
    }
    if (this.#closed) {
      this.discard(connection);
      return;
    }
    this.#idle.push({ connection, since: this.#options.host.now() });
    this.#scheduleEviction();
  }

  /** Ends a connection that is not to be used again. */
  discard(connection: Connection): void {
    if (connection.poisoned) connection.destroy();
    else void connection.end();
  }

  /**
   * Takes no new work, lets what was accepted finish within a grace, then ends what is left. A session also closes
   * because its project's settings changed: requests under way have no part in that.
   */
  async close(): Promise<void> {
    const { host } = this.#options;
    if (!this.#closed) {
      this.#closed = true;
      this.#leave();
      for (const timer of [this.#evictionTimer, this.#growTimer]) if (timer !== null) host.clearTimer(timer);
      for (const idle of this.#idle.splice(0)) this.discard(idle.connection);
      const grace = host.setTimer(LIMITS.sessionCloseMs, () => this.#endAll());
      void this.#empty.then(() => host.clearTimer(grace));
    }
    this.#settleEmpty();
    await this.#empty;
  }

  #endAll(): void {
    this.#failWaiters(sessionClosed());
    for (const connection of this.#open) {
      connection.cancel();
      connection.destroy();
    }
  }

  #settleEmpty(): void {
    if (this.#closed && this.#open.size === 0 && this.#opening === 0) {
      this.#failWaiters(sessionClosed());
      this.#emptied();
    }
  }

  /** Leases permits and opens connections while somebody waits for more than is on its way. */
  #grow(): void {
    const missing = Math.min(this.#waiters.length, LEASE_BATCH) - this.#opening;
    if (this.#leasing || this.#closed || missing <= 0 || this.#mayBeServedSoon()) return;
    this.#leasing = true;
    const { permits, key } = this.#options;
    permits.lease(key, missing, LIMITS.poolWaitMs).then(
      (granted) => {
        this.#leasing = false;
        for (let n = 0; n < granted; n += 1) this.#openOne();
        if (granted > 0) this.#grow();
        else this.#growIn(POOL_LIMITS.lookMs); // For those that came while it was asked.
      },
      (error: unknown) => {
        this.#leasing = false;
        this.#failWaiters(
          new MagError('MAG_COMPONENT_UNAVAILABLE', { name: 'the connection permits' }, { cause: error }),
        );
      },
    );
  }

  /**
   * Whether those that are open may do: opening one costs what many queries do. Where more wait than are open, they get
   * more at once; else those that have waited for a while do.
   */
  #mayBeServedSoon(): boolean {
    const oldest = this.#waiters[0];
    const open = this.#open.size + this.#opening;
    if (oldest === undefined || open === 0 || this.#waiters.length > open) return false;
    const { host } = this.#options;
    const left = oldest.since + POOL_LIMITS.growMs - host.now();
    if (left <= 0) return false;
    this.#growIn(left);
    return true;
  }

  #growIn(ms: number): void {
    if (this.#waiters.length === 0 || this.#closed) return;
    this.#growTimer ??= this.#options.host.setTimer(ms, () => {
      this.#growTimer = null;
      this.#grow();
    });
  }

  #openOne(): void {
    const { connect } = this.#options;
    if (this.#closed || this.#waiters.length === 0) {
      this.#release();
      return;
    }
    this.#opening += 1;
    connect(LIMITS.poolWaitMs).then(
      (connection) => {
        this.#opening -= 1;
        this.#open.add(connection);
        connection.onClosed = () => this.#forget(connection);
        if (connection.closed) this.#forget(connection);
        else this.give(connection);
        this.#grow();
      },
      (error: unknown) => {
        this.#opening -= 1;
        this.#release();
        // Where the server only has no more room, those that are open still serve whoever waits.
        if (this.#open.size === 0 || !this.#options.isNoRoom(error)) this.#failWaiters(error);
        this.#settleEmpty();
      },
    );
  }

  #forget(connection: Connection): void {
    if (!this.#open.delete(connection)) return;
    const at = this.#idle.findIndex((idle) => idle.connection === connection);
    if (at >= 0) this.#idle.splice(at, 1);
    this.#release();
    this.#grow();
    this.#settleEmpty();
  }

  #release(): void {
    this.#options.permits.release(this.#options.key, 1);
    // Whatever it comes back for.
    this.#owed = Math.max(0, this.#owed - 1);
    this.#repaying = Math.max(0, this.#repaying - 1);
  }

  #failWaiters(error: unknown): void {
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const waiter of waiters) {
      this.#options.host.clearTimer(waiter.timer);
      waiter.reject(error);
    }
  }

  #recalled(urgency: 'idle' | 'next', wanted: number): void {
    const idle = this.#idle.shift();
    if (idle !== undefined) {
      this.#owed += 1;
      this.#repaying += 1;
      this.discard(idle.connection);
    } else if (urgency === 'next') {
      // What is being opened gets free as well: after a restart that is all there is.
      const most = Math.min(wanted, this.#open.size + this.#opening);
      this.#owed = Math.max(this.#owed, Math.min(this.#owed + 1, most));
    }
  }

  /** One timer for the oldest idle connection, and none while there is none. */
  #scheduleEviction(): void {
    const oldest = this.#idle[0];
    if (this.#evictionTimer !== null || oldest === undefined || this.#closed) return;
    const { host } = this.#options;
    this.#evictionTimer = host.setTimer(Math.max(1, oldest.since + LIMITS.poolIdleMs - host.now()), () => {
      this.#evictionTimer = null;
      const limit = host.now() - LIMITS.poolIdleMs;
      while (this.#idle[0] !== undefined && this.#idle[0].since <= limit) {
        const idle = this.#idle.shift();
        if (idle !== undefined) this.discard(idle.connection);
      }
      this.#scheduleEviction();
    });
  }
}
