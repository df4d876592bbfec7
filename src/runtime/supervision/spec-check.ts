import { MagError } from '../../errors.ts';
import type { Behaviour, ChildSpec } from '../spec.ts';

type SupervisorBehaviour = Extract<Behaviour, { kind: 'supervisor' }>;

/** A field and what is wrong with it. */
type Fault = readonly [field: string, problem: string];

const STRATEGIES: readonly unknown[] = ['one_for_one', 'one_for_all', 'rest_for_one', 'dynamic'];
const AUTO_SHUTDOWNS: readonly unknown[] = [undefined, 'never', 'any_significant', 'all_significant'];
const RESTARTS: readonly unknown[] = [undefined, 'permanent', 'transient', 'temporary'];
const KEEPS: readonly unknown[] = ['last', 'last_valid'];
const KINDS: readonly unknown[] = ['light', 'machine', 'component', 'remote', 'supervisor'];
const OVERFLOWS: readonly unknown[] = ['backpressure', 'reject', 'drop_oldest', 'drop_newest'];

const isWhole = (value: unknown, least: number): boolean =>
  typeof value === 'number' && Number.isSafeInteger(value) && value >= least;
const isDuration = (value: unknown, above: number): boolean =>
  typeof value === 'number' && Number.isFinite(value) && value > above;
const isName = (value: unknown): boolean => typeof value === 'string' && value !== '';
const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null;

/** Callers without types, and values read from a file, meet this; the types say the same to everybody else. */
function behaviourFault(behaviour: unknown): Fault | null {
  if (!isObject(behaviour)) {
    return ['behaviour', 'is missing'];
  }
  const { kind, logic } = behaviour;
  if (kind === 'light' && !(isObject(logic) && typeof logic.init === 'function'))
    return ['behaviour.logic', 'has no function init'];
  if (kind === 'light' && !(isObject(logic) && typeof logic.receive === 'function'))
    return ['behaviour.logic', 'has no function receive'];
  if (kind === 'machine' && !isObject(logic)) return ['behaviour.logic', 'is no actor logic'];
  if (kind === 'component' && typeof behaviour.start !== 'function')
    return ['behaviour.start', 'is no function'];
  if (kind === 'remote' && !(typeof behaviour.module === 'string' && URL.canParse(behaviour.module)))
    return ['behaviour.module', 'is no URL: new URL(…, import.meta.url) makes one'];
  if (kind === 'remote' && behaviour.where !== 'worker' && behaviour.where !== 'process')
    return ['behaviour.where', `is ${String(behaviour.where)}`];
  if (!KINDS.includes(kind)) return ['behaviour.kind', `is ${String(kind)}`];
  return null;
}

/** What an incarnation takes over from the one before it. */
function identityFault({ name, groups, state, trapExit }: ChildSpec): Fault | null {
  if (name !== undefined && !isName(name)) return ['name', 'is no name'];
  if (groups !== undefined && !(Array.isArray(groups) && groups.every(isName)))
    return ['groups', 'is no list of names'];
  if (trapExit !== undefined && typeof trapExit !== 'boolean') return ['trapExit', `is ${String(trapExit)}`];
  if (state === undefined || state === 'fresh') return null;
  if (!isObject(state)) return ['state', `is ${String(state)}`];
  if (!KEEPS.includes(state.keep)) return ['state.keep', `is ${String(state.keep)}`];
  if (!isWhole(state.version, 0)) return ['state.version', `is ${String(state.version)}`];
  if (state.keep === 'last_valid' && typeof state.valid !== 'function')
    return ['state.valid', 'is missing: without it last_valid means nothing'];
  return null;
}

function specFault(spec: ChildSpec, parent: SupervisorBehaviour): Fault | null {
  const { id, restart, shutdown, significant, mailbox, backoff, startTimeout } = spec;
  if (typeof id !== 'string' || id === '') return ['id', 'is missing'];
  // They separate the parts of an address.
  else if (id.includes('/') || id.includes('#')) return ['id', 'holds / or #'];
  const inBehaviour = behaviourFault(spec.behaviour);
  if (inBehaviour !== null) return inBehaviour;
  if (!RESTARTS.includes(restart)) return ['restart', `is ${String(restart)}`];
  if (shutdown !== undefined && shutdown !== 'brutal' && shutdown !== 'infinity' && !isDuration(shutdown, -1))
    return ['shutdown', `is ${String(shutdown)}`];
  else if (typeof shutdown === 'number' && shutdown < 0) return ['shutdown', `is ${shutdown}`];
  if (significant !== undefined && typeof significant !== 'boolean')
    return ['significant', `is ${String(significant)}`];
  if (significant === true && (parent.autoShutdown ?? 'never') === 'never')
    return ['significant', 'needs a supervisor with autoShutdown'];
  if (significant === true && (restart ?? 'permanent') === 'permanent')
    return ['significant', 'is for transient and temporary children: a permanent one never ends'];
  if (mailbox !== undefined && !isObject(mailbox)) return ['mailbox', `is ${String(mailbox)}`];
  if (mailbox !== undefined && !isWhole(mailbox.capacity, 1))
    return ['mailbox.capacity', `is ${String(mailbox.capacity)}`];
  if (mailbox !== undefined && !OVERFLOWS.includes(mailbox.overflow))
    return ['mailbox.overflow', `is ${String(mailbox.overflow)}`];
  if (startTimeout !== undefined && !isDuration(startTimeout, 0))
    return ['startTimeout', `is ${String(startTimeout)}`];
  const inIdentity = spec.name ?? spec.groups ?? spec.state ?? spec.trapExit;
  if (inIdentity !== undefined) {
    const fault = identityFault(spec);
    if (fault !== null) return fault;
  }
  if (backoff === undefined) return null;
  if (!isObject(backoff)) return ['backoff', `is ${String(backoff)}`];
  if (!(backoff.base >= 0)) return ['backoff.base', `is ${String(backoff.base)}`];
  if (!(backoff.cap >= backoff.base)) return ['backoff.cap', 'is below backoff.base'];
  if (!(backoff.resetAfter >= 0)) return ['backoff.resetAfter', `is ${String(backoff.resetAfter)}`];
  return null;
}

function supervisorFault(behaviour: SupervisorBehaviour): Fault | null {
  const { strategy, intensity, autoShutdown, children } = behaviour;
  if (!STRATEGIES.includes(strategy)) return ['strategy', `is ${String(strategy)}`];
  if (intensity !== undefined && !isWhole(intensity.max, 0))
    return ['intensity.max', `is ${String(intensity.max)}`];
  if (intensity !== undefined && !isDuration(intensity.within, 0))
    return ['intensity.within', `is ${String(intensity.within)}`];
  if (!AUTO_SHUTDOWNS.includes(autoShutdown)) return ['autoShutdown', `is ${String(autoShutdown)}`];
  if (strategy === 'dynamic' && (autoShutdown ?? 'never') !== 'never')
    return ['autoShutdown', 'is not for dynamic supervisors: their children come and go'];
  if (!Array.isArray(children)) return ['children', 'is no list'];
  return null;
}

function refuse(path: string, [field, problem]: Fault): never {
  throw new MagError('MAG_CHILD_SPEC_INVALID', { path, field, problem }, { details: field });
}

/** Throws MAG_CHILD_SPEC_INVALID, whose details are the first field that is wrong. */
export function checkChildSpec(spec: ChildSpec, parent: string, behaviour: SupervisorBehaviour): void {
  if (!isObject(spec)) refuse(parent, ['children', 'holds what is no specification']);
  const fault = specFault(spec, behaviour);
  if (fault !== null) refuse(`${parent}/${String(spec.id)}`, fault);
}

const NOBODY: SupervisorBehaviour = { kind: 'supervisor', strategy: 'one_for_one', children: [] };

/** A root is held to what a supervisor would hold it to. Throws MAG_CHILD_SPEC_INVALID. */
export function checkRoot(spec: ChildSpec, node: string): void {
  checkChildSpec(spec, node, NOBODY);
}

/** Checks what a supervisor is given and each of its first children. Throws MAG_CHILD_SPEC_INVALID. */
export function checkSupervisor(behaviour: SupervisorBehaviour, path: string): void {
  const fault = supervisorFault(behaviour);
  if (fault !== null) refuse(path, fault);
  const ids = new Set<string>();
  for (const spec of behaviour.children) {
    checkChildSpec(spec, path, behaviour);
    if (ids.has(spec.id)) refuse(`${path}/${spec.id}`, ['id', 'is there twice']);
    ids.add(spec.id);
  }
}
