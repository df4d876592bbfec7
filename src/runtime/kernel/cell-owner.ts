import { LIMITS } from '../../limits.ts';
import type { ChildSpec, Shutdown } from '../spec.ts';
import type { Cell } from './cell.ts';
import type { Exit } from './exit.ts';

/** Who started an incarnation and is told of its end. */
export interface CellOwner {
  /** It is about to start: from here on it can be stopped, also by its own start. */
  cellBegins(cell: Cell): void;
  cellEnded(cell: Cell): void;
  /** It ends orderly and takes its time. It may have been asked by its owner, by somebody else, or by itself. */
  cellLeaving(cell: Cell, exit: Exit): void;
}

/** How long an actor has for its end: the default where its specification does not say. */
export const shutdownOf = (spec: ChildSpec): Shutdown =>
  spec.shutdown ?? (spec.behaviour.kind === 'supervisor' ? 'infinity' : LIMITS.shutdownMs);

/** An actor that leaves by itself has as long as when it is stopped: one that hangs then would be away for ever. */
export function limitLeaving(cell: Cell, exit: Exit): void {
  const given = shutdownOf(cell.spec);
  if (given === 'infinity') return;
  const { host } = cell.core;
  const timer = host.setTimer(given === 'brutal' ? LIMITS.shutdownMs : given, () => cell.kill(exit));
  void cell.ended.then(() => host.clearTimer(timer));
}
