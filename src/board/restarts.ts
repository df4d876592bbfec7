import { LIMITS } from '../limits.ts';
import type { Backoff, Intensity } from '../runtime/spec.ts';

/** How every part of the board is restarted: patiently, since a dependency may need its time to come back. */
export const BACKOFF: Backoff = {
  base: LIMITS.backoffBaseMs,
  cap: LIMITS.backoffCapMs,
  resetAfter: LIMITS.backoffResetMs,
};

/** With the backoff above, so many restarts in a minute mean that no restart will help. */
export const INTENSITY: Intensity = { max: LIMITS.boardRestarts, within: LIMITS.restartWithinMs };
