import type { AnyActorLogic, AnyActorRef, AnyMachineSnapshot, AnyStateMachine } from 'xstate';

const isMachineSnapshot = (snapshot: unknown): snapshot is AnyMachineSnapshot =>
  typeof snapshot === 'object' && snapshot !== null && '_nodes' in snapshot && 'context' in snapshot;

/**
 * Starts the `after` delays of the states that a machine was restored to. XState arms them on entering a state, which a
 * restored machine does not (statelyai/xstate#5331): it would stay there for ever. They begin anew; what had passed of
 * them is not kept.
 */
export function rearmDelays(actor: AnyActorRef, logic: AnyActorLogic): void {
  const snapshot: unknown = actor.getSnapshot();
  if (!isMachineSnapshot(snapshot) || snapshot.status !== 'active') return;
  const { delays } = (logic as AnyStateMachine).implementations; // only a statechart has such snapshots
  for (const node of snapshot._nodes) {
    // The transitions of one delay share its event, by which leaving the state cancels it.
    const armed = new Map(node.after.map(({ eventType, delay }) => [eventType, delay]));
    for (const [type, delay] of armed) {
      const named = typeof delay === 'string' ? delays[delay] : delay;
      const { context } = snapshot;
      const args = { context, event: { type }, self: actor, system: actor.system };
      const ms = typeof named === 'function' ? named(args, undefined) : named;
      if (typeof ms === 'number') actor.system.scheduler.schedule(actor, actor, { type }, ms, type);
    }
  }
}
