import { MagError } from '../../errors.ts';
import type { Host } from '../host.ts';

/**
 * Calls `fn` with a signal that is aborted when the time is over or the caller's own signal is; rejects then, whether
 * `fn` listens to it or not. What a deaf `fn` still gives later is dropped.
 *
 * @throws MAG_CALL_TIMEOUT, or the reason of the caller's signal
 */
export function withTimeout<T>(
  host: Host,
  ms: number,
  fn: (signal: AbortSignal) => Promise<T>,
  signal?: AbortSignal,
): Promise<T> {
  return untilAborted(
    fn,
    (giveUp) => {
      const timer = host.setTimer(ms, () => giveUp(new MagError('MAG_CALL_TIMEOUT', { ms })));
      return () => host.clearTimer(timer);
    },
    signal,
  );
}

/**
 * The same without a time of its own.
 *
 * @param arm given how to end the call early; returns how to free what it armed
 */
export function untilAborted<T>(
  fn: (signal: AbortSignal) => Promise<T>,
  arm: (giveUp: (reason: unknown) => void) => () => void,
  signal?: AbortSignal,
): Promise<T> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) {
      reject(signal.reason);
      return;
    }
    const controller = new AbortController();
    const giveUp = (reason: unknown): void => {
      finish();
      controller.abort(reason);
      reject(reason);
    };
    const onAbort = (): void => giveUp(signal?.reason);
    const disarm = arm(giveUp);
    const finish = (): void => {
      disarm();
      signal?.removeEventListener('abort', onAbort);
    };
    signal?.addEventListener('abort', onAbort, { once: true });
    // A promise of its own turns a throw of `fn` into a rejection.
    new Promise<T>((done) => done(fn(controller.signal))).then(resolve, reject).finally(finish);
  });
}
