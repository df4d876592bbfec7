import { MagError } from '../../errors.ts';
import type { Down } from '../system.ts';
import type { Cell } from './cell.ts';

/** What the end of a linked actor does to this one (Erlang's exit signals). */
export function linkedExit(cell: Cell, down: Down): void {
  const { address, path, reason } = down;
  if (cell.spec.trapExit === true) {
    cell.accept({ type: 'EXIT', address, path, reason });
    return;
  }
  if (reason.kind === 'normal' || !cell.live) return;
  if (reason.kind === 'shutdown') {
    cell.stop(reason.reason);
    return;
  }
  const cause = reason.kind === 'error' ? { cause: reason.error } : {};
  cell.fail(
    new MagError('MAG_LINKED_EXIT', { path: cell.path, linked: address, reason: reason.kind }, cause),
  );
}
