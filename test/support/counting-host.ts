import { type VirtualHost, virtualHost } from '../../src/testing/virtual-host.ts';

export interface CountingHost extends VirtualHost {
  /** Timers that are set and have neither run nor been cleared. */
  pending(): number;
}

/** A virtual host that knows how many timers are pending: for what must cost nothing while nobody needs it. */
export function countingHost(): CountingHost {
  const host = virtualHost(1);
  const pending = new Set<unknown>();
  return {
    ...host,
    setTimer: (delayMs, callback) => {
      const timer = host.setTimer(delayMs, () => {
        pending.delete(timer.id);
        callback();
      });
      pending.add(timer.id);
      return timer;
    },
    clearTimer: (timer) => {
      pending.delete(timer.id);
      host.clearTimer(timer);
    },
    pending: () => pending.size,
  };
}
