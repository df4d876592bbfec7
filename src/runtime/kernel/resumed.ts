import { migrate, NotCarried } from './carried.ts';
import type { Cell } from './cell.ts';

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
