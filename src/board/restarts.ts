import { LIMITS } from '../limits.ts';
import type { Backoff, Intensity } from '../runtime/spec.ts';

/** How every part of the board is restarted: patiently, since a dependency may need its time to come back. */
export const BACKOFF: Backoff = {
  base: LIMITS.backoffBaseMs,
  cap: LIMITS.backoffCapMs,
  resetAfter: LIMITS.backoffResetMs,
};

/**
 * The root's: over it the board ends, and whoever started it decides. The window is as long as it takes a part that
 * crashes whenever it is up to get through the backoff above; an operator who crashes parts by hand stays below.
 */
export const INTENSITY: Intensity = { max: LIMITS.boardRestarts, within: LIMITS.boardRestartsWithinMs };

/** A branch's: over it the whole branch is made anew, which is one restart for the root. */
export const BRANCH_INTENSITY: Intensity = { max: LIMITS.branchRestarts, within: LIMITS.restartWithinMs };
