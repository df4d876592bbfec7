import type { BoardState } from '../actors/bios/boot-status.ts';
import type { LifecycleEvent } from '../protocol/actor-node.ts';
import type { BoardStatus } from '../protocol/board-status.ts';
import type { ActorSystem } from '../runtime/system.ts';

/** Health of the component a boot component stands for, as its actor's life shows it. */
function report(state: BoardState, names: ReadonlyMap<string, string>, event: LifecycleEvent): void {
  const name = names.get(event.path);
  if (name === undefined) return;
  if (event.type === 'ready') state.report(name, 'healthy', null);
  if (event.type === 'failed' || event.type === 'backing_off') state.report(name, 'restarting', event.reason);
  if (event.type === 'escalated') state.report(name, 'failed', event.reason);
}

/**
 * Keeps the board's status true after boot, and every edge worker told: /readyz answers from what it was told last.
 * @param names actor path → name of its boot component.
 */
export function followStatus(
  system: ActorSystem,
  state: BoardState,
  names: ReadonlyMap<string, string>,
): () => void {
  const push = (status: BoardStatus): void => {
    for (const mount of system.mounts()) {
      if (mount.startsWith('board/edges/')) system.slot(`${mount}/uplink`).send({ type: 'STATUS', status });
    }
  };
  const stops = [system.onLifecycle((event) => report(state, names, event)), state.subscribe(push)];
  return () => {
    for (const stop of stops) stop();
  };
}
