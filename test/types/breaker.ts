import { type ActorSystem, type BreakerStats, breaker, createBreaker, policy } from '../../src/index.ts';
import type { Equal, Expect } from './equal.ts';

/** What the compiler knows of a breaker: its orders and their answers, and that a call's result stays what it was. */
export async function breakers(system: ActorSystem): Promise<void> {
  const ref = await system.start(breaker('mail', { minimumCalls: 10, restart: 'transient' }));
  const answer = await ref.ask({ type: 'FORCE_OPEN' });
  type _answers = Expect<Equal<typeof answer, BreakerStats>>;
  ref.send({ type: 'RESET' });
  // @ts-expect-error: no order of a breaker
  ref.send({ type: 'EXPLODE' });
  // @ts-expect-error: the breaker gets its host from the system
  breaker('mail', { host: system.host });

  const circuit = createBreaker({ host: system.host });
  const text = await circuit.run(async () => 'text');
  const flag = circuit.runSync(() => true);
  const count = await policy({ host: system.host, breaker: circuit }).run(async ({ attempt }) => attempt);
  type _results = Expect<Equal<[typeof text, typeof flag, typeof count], [string, boolean, number]>>;
}
