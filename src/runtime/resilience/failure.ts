import { isPublicError } from '../../errors.ts';

/** A call's caller gave it up: that says nothing about what was called. */
export const isAbort = (error: unknown): boolean => error instanceof Error && error.name === 'AbortError';

/** A call's time was over: that says that what was called is slow, or hangs. */
export const isTimeout = (error: unknown): boolean =>
  error instanceof Error &&
  (error.name === 'TimeoutError' || (isPublicError(error) && error.code === 'MAG_CALL_TIMEOUT'));

/**
 * Whether an error says that what was called is not well. One that blames the request (a status below 500) was given
 * by a dependency that works; anything unknown counts.
 */
export const isFailure = (error: unknown): boolean => !isPublicError(error) || error.status >= 500;

/** Whether an error says that what was called has too much to do. */
export const isOverload = (error: unknown): boolean =>
  isPublicError(error) && (error.status === 503 || error.status === 504 || error.status === 429);
