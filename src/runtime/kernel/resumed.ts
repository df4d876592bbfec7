import { describeError } from '../../errors.ts';
import { migrate, NotCarried } from './carried.ts';
import type { Cell } from './cell.ts';

/** Keeps an actor's state for its next incarnation, where it wants it. One that cannot be told is given up. */
export function keepState({ spec, path, actor, core }: Cell): void {
  const { state } = spec;
  if (state === undefined || state === 'fresh') return;
  try {
    const kept = actor?.snapshot?.() ?? null;
    if (kept !== null) core.carried.keep(path, { version: state.version, state: kept.state });
  } catch (error) {
    core.log.warn({ path, error: describeError(error) }, 'the state of an actor could not be kept');
  }
}

/**
 * The state that a new incarnation takes over, in its own version, or that came with an actor which moved here; null
 * where it starts fresh.
 */
export function resumed(cell: Cell): { readonly state: unknown } | null {
  const arrived = cell.core.arrivals.state(cell.path);
  if (arrived !== null) return arrived;
  const options = cell.spec.state;
  if (options === undefined || options === 'fresh') return null;
  const kept = cell.core.carried.take(cell.path);
  if (kept === undefined) return null;
  const carried = migrate(kept, options);
  if (!(carried instanceof NotCarried)) return carried;
  cell.core.log.warn({ path: cell.path, why: carried.why }, 'an actor starts fresh: its state was given up');
  return null;
}
