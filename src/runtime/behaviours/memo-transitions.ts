import type { AnyActorLogic, AnyMachineSnapshot, AnyStateMachine, AnyStateNode } from 'xstate';
import { LIMITS } from '../../limits.ts';

/** A set of active states of a machine, in the one form that all its actors share. */
interface Configuration {
  readonly nodes: AnyMachineSnapshot['_nodes'];
  readonly value: AnyMachineSnapshot['value'];
  readonly tags: AnyMachineSnapshot['tags'];
  /** By event type: where it leads, `same` where it changes nothing, null where that has to be worked out each time. */
  readonly next: Map<string, Configuration | 'same' | null>;
}

type Transition = AnyStateMachine['transition'];
type Initial = AnyStateMachine['getInitialSnapshot'];
type Scope = Parameters<Transition>[2];
type Inspected = Scope['system'] & { _sendInspectionEvent(event: { readonly type: string }): void };

const hasHistory = (node: AnyStateNode): boolean =>
  node.type === 'history' || Object.values<AnyStateNode>(node.states).some(hasHistory);

/** Whether entering, leaving or being in a state does nothing but that. */
const isPlain = (node: AnyStateNode): boolean =>
  node.type !== 'final' &&
  node.entry.length === 0 &&
  node.exit.length === 0 &&
  node.config.invoke === undefined &&
  node.config.after === undefined &&
  node.config.always === undefined &&
  (node.type !== 'compound' || node.initial.actions.length === 0);

/** Whether what a state does on an event depends on nothing but the event's type. */
const isContextFree = (node: AnyStateNode, type: string): boolean => {
  for (const [descriptor, transitions] of node.transitions) {
    if (descriptor !== type && !descriptor.endsWith('*')) continue;
    if (transitions.some(({ guard, actions }) => guard !== undefined || actions.length > 0)) return false;
  }
  return true;
};

/** All states of a statechart, itself first. */
function* statesOf(node: AnyStateNode): Generator<AnyStateNode> {
  yield node;
  for (const inner of Object.values<AnyStateNode>(node.states)) yield* statesOf(inner);
}

/** Whether every state that answers to an event at all has to look at more than its type. */
function alwaysActs(root: AnyStateNode, type: string): boolean {
  const answering = [...statesOf(root)].filter((node) =>
    [...node.transitions.keys()].some((descriptor) => descriptor === type || descriptor.endsWith('*')),
  );
  return answering.length > 0 && answering.every((node) => !isContextFree(node, type));
}

/**
 * A scope that counts its macrostep's microsteps, by the inspection event that XState sends of each. A macrostep of
 * several passes through states that neither its first snapshot nor its last shows: eventless transitions, raised events
 * and the end of a compound state make such.
 */
function counting(scope: Scope): { readonly scope: Scope; readonly steps: () => number } {
  let steps = 0;
  const real = scope.system as Inspected; // XState 5 has it, and declares it internal.
  const system: Scope['system'] = Object.create(real, {
    _sendInspectionEvent: {
      value: (event: { readonly type: string }) => {
        if (event.type === '@xstate.microstep') steps += 1;
        real._sendInspectionEvent(event);
      },
    },
  });
  return { scope: { ...scope, system }, steps: () => steps };
}

/**
 * A machine's transitions that have no guard and no action, between states that do nothing on the way: their result
 * follows from the active states and the event's type alone, so it is worked out once for all actors of the machine.
 * XState works each of them out by set algebra on the statechart (SCXML), which costs microseconds.
 */
class TransitionTable {
  readonly #transition: Transition;
  readonly #initial: Initial;
  /** A context that is made anew may depend on the input. */
  readonly #sameContext: boolean;
  /** The first snapshot of every actor, where it is the same; null where it is not. */
  #first: AnyMachineSnapshot | null | undefined = undefined;
  readonly #known = new WeakMap<object, Configuration>();
  readonly #byStates = new Map<string, Configuration>();
  readonly #root: AnyStateNode;
  /** By event type: nothing of it can be remembered, and to look for it would cost a good part of the transition. */
  readonly #acts = new Map<string, boolean>();

  constructor(machine: AnyStateMachine) {
    this.#root = machine.root;
    this.#transition = machine.transition;
    this.#initial = machine.getInitialSnapshot;
    this.#sameContext = typeof machine.config.context !== 'function';
  }

  readonly initial: Initial = (scope, input) => {
    const first = this.#first;
    if (first !== undefined && first !== null) return { ...first, children: {} };
    if (first === null) return this.#initial(scope, input);
    const counted = counting(scope);
    const made = this.#initial(counted.scope, input);
    this.#first = counted.steps() === 0 && this.#isSame(made) ? made : null;
    return made;
  };

  readonly transition: Transition = (snapshot, event, scope) => {
    // XState's own events come once in a life at most.
    if (event.type.startsWith('xstate.') || this.#alwaysActs(event.type))
      return this.#transition(snapshot, event, scope);
    const from = this.#known.get(snapshot._nodes) ?? this.#learn(snapshot);
    const next = from?.next.get(event.type);
    if (snapshot.status === 'active') {
      if (next === 'same') return snapshot;
      // A snapshot is plain data and functions of `this`; XState makes its successors in the same way.
      if (next !== undefined && next !== null)
        return { ...snapshot, _nodes: next.nodes, value: next.value, tags: next.tags };
    }
    if (next !== undefined || from === undefined || from.next.size >= LIMITS.memoEventTypes)
      return this.#transition(snapshot, event, scope);
    const counted = counting(scope);
    const result = this.#transition(snapshot, event, counted.scope);
    from.next.set(event.type, counted.steps() === 1 ? this.#follow(snapshot, event.type, result) : null);
    return result;
  };

  #alwaysActs(type: string): boolean {
    const known = this.#acts.get(type);
    if (known !== undefined) return known;
    if (this.#acts.size >= LIMITS.memoEventTypes) return false;
    const acts = alwaysActs(this.#root, type);
    this.#acts.set(type, acts);
    return acts;
  }

  #isSame(made: AnyMachineSnapshot): boolean {
    return this.#sameContext && made.status === 'active' && made._nodes.every(isPlain);
  }

  /** Configurations multiply in parallel states: beyond the bound they are worked out each time. */
  #learn(snapshot: AnyMachineSnapshot): Configuration | undefined {
    const key = snapshot._nodes.map((node) => node.order).join();
    const known = this.#byStates.get(key);
    if (known === undefined && this.#byStates.size >= LIMITS.memoConfigurations) return undefined;
    const { _nodes: nodes, value, tags } = snapshot;
    const configuration = known ?? { nodes, value, tags, next: new Map() };
    if (known === undefined) this.#byStates.set(key, configuration);
    this.#known.set(nodes, configuration);
    return configuration;
  }

  #follow(
    before: AnyMachineSnapshot,
    type: string,
    after: AnyMachineSnapshot,
  ): Configuration | 'same' | null {
    const isPure =
      before.status === 'active' &&
      after.status === 'active' &&
      before.context === after.context &&
      before.children === after.children &&
      before._nodes.every((node) => isPlain(node) && isContextFree(node, type)) &&
      after._nodes.every(isPlain);
    if (!isPure) return null;
    if (before === after) return 'same';
    return this.#learn(after) ?? null;
  }
}

const tables = new WeakMap<AnyStateMachine, AnyStateMachine>();

/** By XState's own mark: an application may hold another copy of the package than this one. */
const isMachine = (logic: AnyActorLogic): logic is AnyStateMachine =>
  '__xstatenode' in logic && logic.__xstatenode === true && 'root' in logic;

function remembering(machine: AnyStateMachine): AnyStateMachine {
  const { transition, initial } = new TransitionTable(machine);
  return Object.create(machine, {
    transition: { value: transition },
    getInitialSnapshot: { value: initial },
  });
}

/** The logic with its context-free transitions remembered, where it is a statechart; otherwise as it is. */
export function memoised(logic: AnyActorLogic): AnyActorLogic {
  if (!isMachine(logic)) return logic;
  const known = tables.get(logic);
  if (known !== undefined) return known;
  // A history state makes the result depend on more than the active states.
  const made: AnyStateMachine = hasHistory(logic.root) ? logic : remembering(logic);
  tables.set(logic, made);
  return made;
}
