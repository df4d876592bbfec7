import type { AnyActorLogic, EventFromLogic, InputFrom } from 'xstate';
import type {
  ActorContext,
  AnyMessage,
  AutoShutdown,
  Behaviour,
  ChildOptions,
  ChildSpec,
  ComponentContext,
  Intensity,
  LightLogic,
  Message,
  Settled,
  Starting,
  Strategy,
  WithInput,
} from './spec.ts';

export interface SupervisorOptions extends ChildOptions {
  /** Default one_for_one. */
  readonly strategy?: Strategy;
  /** Default LIMITS.restartIntensity within LIMITS.restartWithinMs. */
  readonly intensity?: Intensity;
  /** Default never. */
  readonly autoShutdown?: AutoShutdown;
  /** In start order. */
  readonly children: readonly ChildSpec[];
}

export function supervisor(id: string, options: SupervisorOptions): ChildSpec {
  const { strategy = 'one_for_one', intensity, autoShutdown, children, ...rest } = options;
  const behaviour: Behaviour = {
    kind: 'supervisor',
    strategy,
    children,
    ...(autoShutdown === undefined ? {} : { autoShutdown }),
    ...(intensity === undefined ? {} : { intensity }),
  };
  return { id, behaviour, ...rest };
}

/**
 * A service with a life: started, health-checked, drained, freed. Its `api` is what `system.service(id)` gives. Its
 * messages are those that `handle` is declared to take.
 */
export function component<M extends AnyMessage = Message>(
  id: string,
  start: (context: ComponentContext) => Starting<M>,
  options: ChildOptions = {},
): ChildSpec<Settled<M>> {
  // The runtime hands `handle` only messages of its protocol.
  const begin = start as unknown as (context: ComponentContext) => Starting;
  return { id, behaviour: { kind: 'component', start: begin }, ...options };
}

/** A machine's input, or what makes it for each incarnation: it may need the system, or the actor's own reference. */
export type MachineInput<Logic extends AnyActorLogic> =
  | InputFrom<Logic>
  | ((context: ActorContext<EventFromLogic<Logic>>) => InputFrom<Logic>);

/**
 * Any XState actor logic. It takes the logic's own events; one of them that has a `reply` function can be asked:
 * `{ type: 'READ'; reply?: (value: number) => void }`.
 */
export function machine<Logic extends AnyActorLogic>(
  id: string,
  logic: Logic,
  ...[options]: WithInput<ChildOptions, MachineInput<Logic>>
): ChildSpec<Settled<EventFromLogic<Logic>>> {
  if (options === undefined) return { id, behaviour: { kind: 'machine', logic } };
  const { input, ...rest } = options;
  return { id, behaviour: { kind: 'machine', logic, input }, ...rest };
}

/** A function over state. Its messages are those that `receive` is declared to take. */
export function light<State, M extends AnyMessage = Message, Input = undefined>(
  id: string,
  logic: LightLogic<State, M, Input>,
  ...[options]: WithInput<ChildOptions<NoInfer<State>>, Input>
): ChildSpec<Settled<M>> {
  // The runtime hands `logic` only the state it made itself, the input given here and messages of its protocol.
  const inner = logic as unknown as LightLogic<unknown>;
  // Of these there may be a hundred thousand: an object of nothing else takes half the room.
  if (options === undefined) return { id, behaviour: { kind: 'light', logic: inner } };
  const { input, ...rest } = options;
  return { id, behaviour: { kind: 'light', logic: inner, input }, ...rest };
}

export interface RemoteOptions extends ChildOptions {
  readonly where: 'worker' | 'process';
  /** file: URL of a module that default-exports `(input) => ChildSpec`. */
  readonly module: string | URL;
  /** Cloneable. A function is called for each incarnation. */
  readonly input?: unknown | (() => unknown | Promise<unknown>);
  /** Trust class; default `default`. */
  readonly pool?: string;
  /** Keep one loaded spare, so that a replacement starts at once. */
  readonly spare?: boolean;
}

/** A subtree in a worker thread or a child process. */
export function remote<M extends AnyMessage = Message>(
  id: string,
  options: RemoteOptions,
): ChildSpec<Settled<M>> {
  const { where, module, input, pool = 'default', spare = false, ...rest } = options;
  return { id, behaviour: { kind: 'remote', where, module: String(module), input, pool, spare }, ...rest };
}
