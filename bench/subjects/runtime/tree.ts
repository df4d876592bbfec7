/** The supervised tree that the runtime's programs run in. */
import { type ActorSystem, type ChildSpec, createSystem, supervisor } from '../../../src/index.ts';
import { expectEqual } from '../../program.ts';

/** Supervisor `bench` with these children, bounded by the defaults. Restarts at once, as often as it takes. */
export async function plant(children: readonly ChildSpec[]): Promise<ActorSystem> {
  const system = createSystem();
  await system.start(supervisor('bench', { intensity: { max: 100_000, within: 1_000 }, children }));
  return system;
}

/** A dynamic supervisor without children, at the path `bench`. */
export async function plantDynamic(): Promise<ActorSystem> {
  const system = createSystem();
  await system.start(supervisor('bench', { strategy: 'dynamic', children: [] }));
  return system;
}

/** Fails where a message reached nobody. */
export function expectDelivered(system: ActorSystem): void {
  expectEqual('dead letters', system.deadLetters().count, 0);
}
