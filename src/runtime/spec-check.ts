import { MagError } from '../errors.ts';
import type { Behaviour, ChildSpec } from './spec.ts';

type SupervisorBehaviour = Extract<Behaviour, { kind: 'supervisor' }>;

/** A field and what is wrong with it. */
type Fault = readonly [field: string, problem: string];

const STRATEGIES: readonly unknown[] = ['one_for_one', 'one_for_all', 'rest_for_one', 'dynamic'];
const AUTO_SHUTDOWNS: readonly unknown[] = [undefined, 'never', 'any_significant', 'all_significant'];
const RESTARTS: readonly unknown[] = [undefined, 'permanent', 'transient', 'temporary'];
const OVERFLOWS: readonly unknown[] = ['backpressure', 'reject', 'drop_oldest', 'drop_newest'];

const isWhole = (value: unknown, least: number): boolean =>
  typeof value === 'number' && Number.isSafeInteger(value) && value >= least;
const isDuration = (value: unknown, above: number): boolean =>
  typeof value === 'number' && Number.isFinite(value) && value > above;
const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null;

/** Callers without types, and values read from a file, meet this; the types say the same to everybody else. */
function* behaviourFaults(behaviour: unknown): Generator<Fault> {
  if (!isObject(behaviour)) {
    yield ['behaviour', 'is missing'];
    return;
  }
  const { kind, logic } = behaviour;
  if (kind === 'light' && !(isObject(logic) && typeof logic.init === 'function'))
    yield ['behaviour.logic', 'has no function init'];
  if (kind === 'light' && !(isObject(logic) && typeof logic.receive === 'function'))
    yield ['behaviour.logic', 'has no function receive'];
  if (kind === 'machine' && !isObject(logic)) yield ['behaviour.logic', 'is no actor logic'];
  if (kind === 'component' && typeof behaviour.start !== 'function')
    yield ['behaviour.start', 'is no function'];
  if (kind === 'remote' && typeof behaviour.module !== 'string') yield ['behaviour.module', 'is no URL'];
  if (!['light', 'machine', 'component', 'remote', 'supervisor'].includes(String(kind)))
    yield ['behaviour.kind', `is ${String(kind)}`];
}

function* specFaults(spec: ChildSpec, parent: SupervisorBehaviour): Generator<Fault> {
  const { id, restart, shutdown, significant, mailbox, backoff, startTimeout } = spec;
  if (typeof id !== 'string' || id === '') yield ['id', 'is missing'];
  // They separate the parts of an address.
  else if (/[/#]/.test(id)) yield ['id', 'holds / or #'];
  yield* behaviourFaults(spec.behaviour);
  if (!RESTARTS.includes(restart)) yield ['restart', `is ${String(restart)}`];
  if (shutdown !== undefined && shutdown !== 'brutal' && shutdown !== 'infinity' && !isDuration(shutdown, -1))
    yield ['shutdown', `is ${String(shutdown)}`];
  else if (typeof shutdown === 'number' && shutdown < 0) yield ['shutdown', `is ${shutdown}`];
  if (significant !== undefined && typeof significant !== 'boolean')
    yield ['significant', `is ${String(significant)}`];
  if (significant === true && (parent.autoShutdown ?? 'never') === 'never')
    yield ['significant', 'needs a supervisor with autoShutdown'];
  if (significant === true && (restart ?? 'permanent') === 'permanent')
    yield ['significant', 'is for transient and temporary children: a permanent one never ends'];
  if (mailbox !== undefined && !isWhole(mailbox.capacity, 1))
    yield ['mailbox.capacity', `is ${String(mailbox.capacity)}`];
  if (mailbox !== undefined && !OVERFLOWS.includes(mailbox.overflow))
    yield ['mailbox.overflow', `is ${String(mailbox.overflow)}`];
  if (startTimeout !== undefined && !isDuration(startTimeout, 0))
    yield ['startTimeout', `is ${String(startTimeout)}`];
  if (backoff === undefined) return;
  if (!(backoff.base >= 0)) yield ['backoff.base', `is ${String(backoff.base)}`];
  if (!(backoff.cap >= backoff.base)) yield ['backoff.cap', 'is below backoff.base'];
  if (!(backoff.resetAfter >= 0)) yield ['backoff.resetAfter', `is ${String(backoff.resetAfter)}`];
}

function* supervisorFaults(behaviour: SupervisorBehaviour): Generator<Fault> {
  const { strategy, intensity, autoShutdown, children } = behaviour;
  if (!STRATEGIES.includes(strategy)) yield ['strategy', `is ${String(strategy)}`];
  if (intensity !== undefined && !isWhole(intensity.max, 0))
    yield ['intensity.max', `is ${String(intensity.max)}`];
  if (intensity !== undefined && !isDuration(intensity.within, 0))
    yield ['intensity.within', `is ${String(intensity.within)}`];
  if (!AUTO_SHUTDOWNS.includes(autoShutdown)) yield ['autoShutdown', `is ${String(autoShutdown)}`];
  if (strategy === 'dynamic' && (autoShutdown ?? 'never') !== 'never')
    yield ['autoShutdown', 'is not for dynamic supervisors: their children come and go'];
  if (!Array.isArray(children)) yield ['children', 'is no list'];
}

function refuse(path: string, faults: Generator<Fault>): void {
  for (const [field, problem] of faults)
    throw new MagError('MAG_CHILD_SPEC_INVALID', { path, field, problem }, { details: field });
}

/** Throws MAG_CHILD_SPEC_INVALID, whose details are the first field that is wrong. */
export function checkChildSpec(spec: ChildSpec, parent: string, behaviour: SupervisorBehaviour): void {
  if (!isObject(spec))
    throw new MagError(
      'MAG_CHILD_SPEC_INVALID',
      { path: parent, field: 'children', problem: 'holds what is no specification' },
      { details: 'children' },
    );
  refuse(`${parent}/${String(spec.id)}`, specFaults(spec, behaviour));
}

/** Checks what a supervisor is given and each of its first children. Throws MAG_CHILD_SPEC_INVALID. */
export function checkSupervisor(behaviour: SupervisorBehaviour, path: string): void {
  refuse(path, supervisorFaults(behaviour));
  const ids = new Set<string>();
  for (const spec of behaviour.children) {
    checkChildSpec(spec, path, behaviour);
    if (ids.has(spec.id))
      throw new MagError(
        'MAG_CHILD_SPEC_INVALID',
        { path: `${path}/${spec.id}`, field: 'id', problem: 'is there twice' },
        { details: 'id' },
      );
    ids.add(spec.id);
  }
}
