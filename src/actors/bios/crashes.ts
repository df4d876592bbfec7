import { describeError } from '../../errors.ts';
import type { Log } from '../../runtime/log.ts';

/**
 * Takes errors of the main thread that nobody caught, rejections among them. No supervisor knows whose they are, and
 * what they left half done: the board says so and stops in order, for whoever started it to start anew. Without this
 * Node would end the process on the spot, and leave PostgreSQL running. (A worker thread just ends: its supervisor
 * replaces it.) Returns how to leave it to Node again.
 */
export function catchCrashes(log: Log, fail: (error: unknown) => void): () => void {
  const onCrash = (error: unknown, origin: NodeJS.UncaughtExceptionOrigin): void => {
    const stack = error instanceof Error ? (error.stack ?? null) : null;
    log.error({ origin, error: describeError(error), stack }, 'nobody caught this error; the board stops');
    fail(error);
  };
  // Unhandled rejections come here too: Node throws them by default.
  process.on('uncaughtException', onCrash);
  return () => process.off('uncaughtException', onCrash);
}
