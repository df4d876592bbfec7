import { describeError, MagError } from '../../errors.ts';
import { LIMITS } from '../../limits.ts';
import type { Host } from '../../runtime/host.ts';
import type { Log } from '../../runtime/log.ts';
import type { BootComponent } from './boot-plan.ts';

/** Resolves or rejects with the work, or rejects with `late()` when the time is over. */
function within<Result>(host: Host, ms: number, work: Promise<Result>, late: () => Error): Promise<Result> {
  const { promise, resolve, reject } = Promise.withResolvers<Result>();
  const timer = host.setTimer(ms, () => reject(late()));
  work.then(resolve, reject).finally(() => host.clearTimer(timer));
  return promise;
}

/**
 * Starts a component and sees it healthy within its deadline. When that passes, or `signal` aborts, its own signal
 * aborts, and a start that does not heed it is left behind. Rejects with why it did not come up.
 */
export async function startComponent(
  component: BootComponent,
  host: Host,
  signal: AbortSignal,
): Promise<void> {
  const { name, deadlineMs } = component;
  const deadline = new AbortController();
  const either = AbortSignal.any([signal, deadline.signal]);
  const given = Promise.withResolvers<never>();
  const giveUp = (): void => given.reject(signal.reason);
  if (signal.aborted) giveUp();
  signal.addEventListener('abort', giveUp, { once: true });
  const work = (async () => {
    await component.start(either);
    await component.health?.();
  })();
  try {
    const late = (): Error => new MagError('MAG_ACTOR_START_TIMEOUT', { path: name, ms: deadlineMs });
    await within(host, deadlineMs, Promise.race([work, given.promise]), late);
  } catch (error) {
    deadline.abort(error);
    // It may still be cleaning up; what comes of it must not be an unhandled rejection.
    work.catch(() => {});
    throw error;
  } finally {
    signal.removeEventListener('abort', giveUp);
  }
}

/** Stops a component within the bound; one that hangs or throws is logged and left, so that the others are stopped. */
export async function stopComponent(component: BootComponent, host: Host, log: Log): Promise<void> {
  if (component.stop === undefined) return;
  const { name, stopMs = LIMITS.shutdownMs } = component;
  const late = (): Error => new Error(`not stopped within ${stopMs} ms`);
  try {
    await within(host, stopMs, component.stop(), late);
  } catch (error) {
    log.error({ component: name, error: describeError(error) }, 'component did not stop cleanly');
  }
}
