import { PermitClient } from './permit-client.ts';
import { PermitOwner, type PermitOwnerOptions } from './permit-owner.ts';

/** Who has leased permits of a key. */
export interface PermitHolder {
  /** Since when each permit that nobody uses has been so, by the host's clock; the longest first. */
  idleSince(): readonly number[];
  /**
   * Gives one back: `idle` the one unused for longest, `next` also, or else the next one that gets free. So many wait
   * for it, and more need not come.
   */
  recall(urgency: 'idle' | 'next', wanted: number): void;
}

/** What a pool needs of the permits of its server. */
export interface Permits {
  /** Grants between 1 and `wanted`, or 0 where none became free in time. Rejects where the owner cannot be asked. */
  lease(key: string, wanted: number, waitMs: number): Promise<number>;
  release(key: string, count: number): void;
  /** Registers who gives permits of this key back; one holder a key. Returns how to leave. */
  join(key: string, holder: PermitHolder): () => void;
}

/** Permits for a single process without edge workers: tests. */
export function localPermits(options: Omit<PermitOwnerOptions, 'holders'>): Permits {
  const owner = new PermitOwner({
    ...options,
    holders: {
      idle: async (_owner, wanted) => client.idle(wanted),
      take: (_owner, count) => client.take(count),
      recall: (_owner, key, urgency, wanted) => client.recalled(key, urgency, wanted),
    },
  });
  const client = new PermitClient(options.host, {
    lease: (key, wanted, waitMs) => owner.lease('local', key, wanted, waitMs),
    release: (key, count) => owner.release('local', key, count),
  });
  return client;
}
