import { MagError } from '../../errors.ts';
import type { Down } from '../system.ts';
import type { Cell } from './cell.ts';

/** Ends that have still to be told. They take their turn: a chain of links may be longer than the stack is deep. */
const pending: { readonly cell: Cell; readonly down: Down }[] = [];
let isTelling = false;

/** What the end of a linked actor does to this one (Erlang's exit signals). */
export function linkedExit(cell: Cell, down: Down): void {
  pending.push({ cell, down });
  if (isTelling) return;
  isTelling = true;
  try {
    for (const next of pending) tell(next.cell, next.down); // grows on the way
  } finally {
    pending.length = 0;
    isTelling = false;
  }
}

function tell(cell: Cell, down: Down): void {
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
