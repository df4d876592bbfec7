import { type ErrorCode, MagError } from '../../errors.ts';
import type { Parameters } from '../core.ts';
import type { Cell } from './cell.ts';

/** For who still waits when an incarnation has ended. After an orderly end it may come back, and asking again may help. */
export function absence({ status, path, lastError }: Cell): {
  readonly code: ErrorCode;
  readonly params: Parameters;
} {
  return status === 'failed'
    ? { code: 'MAG_ACTOR_CRASHED', params: { path, cause: lastError ?? 'unknown' } }
    : { code: 'MAG_COMPONENT_UNAVAILABLE', params: { name: path } };
}

/** The same as the error of who waits for an answer. */
export function gone(cell: Cell): MagError {
  const { code, params } = absence(cell);
  return new MagError(code, params);
}
