import { MagError } from '../../errors.ts';
import type { ChildOptions, ChildSpec, ComponentContext, Question } from '../spec.ts';
import { component } from '../specs.ts';
import type { ActorSystem } from '../system.ts';
import { type Breaker, createBreaker } from './breaker.ts';
import type { BreakerChange, BreakerOptions, BreakerSnapshot, BreakerStats } from './breaker-options.ts';

export type BreakerChildOptions = Omit<BreakerOptions, 'host' | 'name' | 'snapshot' | 'onChange'>;

const detailOf = (id: string, state: string, opensForMs: number): string | null => {
  if (state === 'open') return `circuit ${id} is open, for ${Math.ceil(opensForMs / 1_000)} s`;
  return state === 'forced_open' ? `circuit ${id} is kept open by an operator` : null;
};

/** An operator's orders to a breaker in the tree; each is answered with its figures. */
export type BreakerMessage =
  | Question<{ type: 'FORCE_OPEN' }, BreakerStats>
  | Question<{ type: 'DISABLE' }, BreakerStats>
  | Question<{ type: 'RESET' }, BreakerStats>
  | Question<{ type: 'STATS' }, BreakerStats>;

function handle(circuit: Breaker, { type }: BreakerMessage): BreakerStats {
  if (type === 'FORCE_OPEN') circuit.forceOpen();
  else if (type === 'DISABLE') circuit.disable();
  else if (type === 'RESET') circuit.reset();
  // The type holds for this thread's senders; from another one anything may come.
  else if (type !== 'STATS')
    throw new MagError('MAG_BAD_REQUEST', { problem: `a breaker takes no message ${String(type)}` });
  return circuit.stats();
}

/** Keeps the tree and the snapshot true to a breaker, and wakes it when its deadline is over. */
function attend(context: ComponentContext, id: string, keep: (snapshot: BreakerSnapshot) => void) {
  const ended = (): boolean => context.signal.aborted;
  let timer: ReturnType<typeof context.host.setTimer> | null = null;
  const disarm = (): void => {
    if (timer !== null) context.host.clearTimer(timer);
    timer = null;
  };
  const arm = (circuit: Breaker): void => {
    disarm();
    // Probes in flight have deadlines too, but what they change is only worth telling when the next call comes.
    if (circuit.state !== 'open') return;
    timer = context.host.setTimer(circuit.nextChangeIn ?? 0, () => arm(circuit));
  };
  return {
    disarm,
    begin: (circuit: Breaker): void => {
      if (circuit.state !== 'closed')
        context.degraded(detailOf(id, circuit.state, circuit.nextChangeIn ?? 0));
      arm(circuit);
    },
    changed: (circuit: Breaker, change: BreakerChange): void => {
      // A call that outlived its breaker must not overwrite what the next one has learnt.
      if (ended()) return;
      keep({ state: change.state, openings: change.openings, openUntil: change.openUntil });
      context.degraded(detailOf(id, change.state, change.opensFor));
      context.log.info({ path: context.self.path, from: change.from, to: change.state }, 'circuit changed');
      arm(circuit);
    },
  };
}

/**
 * A circuit breaker in the supervision tree. `system.service<Breaker>(id)` gives it; while it is open its node is
 * degraded, and says for how long. One that is restarted goes on with its state and its deadline, unless `state` is
 * `fresh`.
 */
export function breaker(
  id: string,
  options: BreakerChildOptions & ChildOptions = {},
): ChildSpec<BreakerMessage> {
  // By system: one specification may be started in several.
  const kept = new WeakMap<ActorSystem, BreakerSnapshot>();
  const start = (context: ComponentContext) => {
    const attendant = attend(context, id, (snapshot) => kept.set(context.system, snapshot));
    const circuit = createBreaker({
      ...options,
      host: context.host,
      name: id,
      snapshot: options.state === 'fresh' ? null : (kept.get(context.system) ?? null),
      onChange: (change) => attendant.changed(circuit, change),
    });
    attendant.begin(circuit);
    return {
      api: circuit,
      handle: (message: BreakerMessage) => handle(circuit, message),
      stop: () => {
        attendant.disarm();
        return Promise.resolve();
      },
    };
  };
  return component(id, start, options);
}
