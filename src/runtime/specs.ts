import type { AnyActorLogic } from 'xstate';
import type {
  Behaviour,
  ChildSpec,
  ComponentContext,
  ComponentService,
  Intensity,
  LightLogic,
  Strategy,
} from './spec.ts';

/** What every kind of child may set; see ChildSpec. */
export type ChildOptions = Omit<ChildSpec, 'id' | 'behaviour'>;

export interface SupervisorOptions extends ChildOptions {
  /** Default one_for_one. */
  readonly strategy?: Strategy;
  /** Default LIMITS.restartIntensity within LIMITS.restartWithinMs. */
  readonly intensity?: Intensity;
  /** In start order. */
  readonly children: readonly ChildSpec[];
}

export function supervisor(id: string, options: SupervisorOptions): ChildSpec {
  const { strategy = 'one_for_one', intensity, children, ...rest } = options;
  const behaviour: Behaviour = {
    kind: 'supervisor',
    strategy,
    children,
    ...(intensity === undefined ? {} : { intensity }),
  };
  return { id, behaviour, ...rest };
}

/** A service with a life: started, health-checked, drained, freed. Its `api` is what `system.service(id)` gives. */
export function component(
  id: string,
  start: (context: ComponentContext) => Promise<ComponentService> | ComponentService,
  options: ChildOptions = {},
): ChildSpec {
  return { id, behaviour: { kind: 'component', start }, ...options };
}

/** Any XState actor logic. */
export function machine(
  id: string,
  logic: AnyActorLogic,
  options: ChildOptions & { readonly input?: unknown } = {},
): ChildSpec {
  const { input, ...rest } = options;
  return { id, behaviour: { kind: 'machine', logic, input }, ...rest };
}

/** A function over state. */
export function light<State, Input = unknown>(
  id: string,
  logic: LightLogic<State, Input>,
  options: ChildOptions & { readonly input?: Input } = {},
): ChildSpec {
  const { input, ...rest } = options;
  // The runtime hands `logic` only the state it made itself and the input given here.
  return { id, behaviour: { kind: 'light', logic: logic as unknown as LightLogic<unknown>, input }, ...rest };
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
export function remote(id: string, options: RemoteOptions): ChildSpec {
  const { where, module, input, pool = 'default', spare = false, ...rest } = options;
  return { id, behaviour: { kind: 'remote', where, module: String(module), input, pool, spare }, ...rest };
}
