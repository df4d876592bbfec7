import fc from 'fast-check';
import { expect, it } from 'vitest';
import {
  type AnyMachineSnapshot,
  type AnyStateMachine,
  assign,
  createActor,
  createMachine,
  raise,
} from 'xstate';
import { memoised } from '../../../src/runtime/behaviours/memo-transitions.ts';

const EVENTS = ['A', 'B', 'C', 'D.x'] as const;

/** One state of a drawn statechart; `on` names targets by their number in document order. */
interface Drawn {
  readonly kind: 'atomic' | 'compound' | 'parallel' | 'final';
  readonly children: readonly Drawn[];
  readonly on: readonly {
    readonly event: string;
    readonly target: number;
    readonly with: string;
    readonly reenter: boolean;
  }[];
  readonly extra: 'none' | 'entry' | 'exit' | 'always' | 'onwards' | 'raise' | 'tag' | 'initial action';
}

const plain = fc.constantFrom(
  'nothing',
  'nothing',
  'nothing',
  'nothing',
  'guard',
  'action',
  'assign',
  'no target',
);
const transition = fc.record({
  event: fc.constantFrom(...EVENTS, '*', 'D.*'),
  target: fc.nat(20),
  with: plain,
  reenter: fc.boolean(),
});
const extra = fc.constantFrom<Drawn['extra'][]>(
  'none',
  'none',
  'none',
  'tag',
  'tag',
  'entry',
  'exit',
  'always',
  'onwards',
  'raise',
  'initial action',
);

const { state } = fc.letrec<{ state: Drawn }>((tie) => ({
  state: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.record({
      kind: fc.constantFrom('atomic' as const, 'atomic' as const, 'atomic' as const, 'final' as const),
      children: fc.constant([]),
      on: fc.array(transition, { maxLength: 3 }),
      extra,
    }),
    fc.record({
      kind: fc.constantFrom('compound' as const, 'parallel' as const),
      children: fc.array(tie('state'), { minLength: 1, maxLength: 3 }),
      on: fc.array(transition, { maxLength: 2 }),
      extra,
    }),
  ),
}));

/** Builds the machine; what its actions and guards do is written to `log`. */
function build(root: readonly Drawn[], fresh: boolean, log: string[]): AnyStateMachine {
  const ids: string[] = [];
  const number = (drawn: Drawn): void => {
    ids.push(`s${ids.length}`);
    drawn.children.forEach(number);
  };
  root.forEach(number);
  let next = 0;
  const note = (text: string) => () => void log.push(text);
  const config = (drawn: Drawn, inParallel: boolean): object => {
    const id = `s${next++}`;
    const on: Record<string, object[]> = {};
    for (const { event, target, with: what, reenter } of drawn.on) {
      on[event] ??= [];
      on[event].push({
        ...(what === 'no target' ? {} : { target: `#${ids[target % ids.length]}`, reenter }),
        // A guard that reads the event: the same type does not always lead to the same place.
        ...(what === 'guard'
          ? { guard: ({ event: e }: { event: { n?: number } }) => (e.n ?? 0) % 2 === 0 }
          : {}),
        ...(what === 'action' ? { actions: note(`on ${event} in ${id}`) } : {}),
        ...(what === 'assign' ? { actions: assign({ n: ({ context }) => context.n + 1 }) } : {}),
      });
    }
    const states = Object.fromEntries(
      drawn.children.map((child, index) => [`c${index}`, config(child, drawn.kind === 'parallel')]),
    );
    const isFinal = drawn.kind === 'final' && !inParallel;
    const initial =
      drawn.extra === 'initial action' ? { target: 'c0', actions: note(`initial of ${id}`) } : 'c0';
    return {
      id,
      ...(isFinal ? { type: 'final' } : { on }),
      ...(drawn.kind === 'parallel' ? { type: 'parallel', states } : {}),
      ...(drawn.kind === 'compound' ? { initial, states } : {}),
      ...(drawn.extra === 'entry' ? { entry: note(`entry of ${id}`) } : {}),
      // States that are left as soon as they are entered show in no snapshot.
      ...(drawn.extra === 'raise' ? { entry: [note(`entry of ${id}`), raise({ type: 'B' })] } : {}),
      ...(drawn.extra === 'onwards' && !isFinal
        ? { entry: note(`entry of ${id}`), always: { target: `#${ids[ids.length - 1]}` } }
        : {}),
      ...(drawn.extra === 'exit' ? { exit: note(`exit of ${id}`) } : {}),
      ...(drawn.extra === 'tag' ? { tags: [id] } : {}),
      ...(drawn.extra === 'always' && !isFinal
        ? {
            always: [
              {
                guard: ({ context }: { context: { n: number } }) => context.n === 3,
                target: `#${ids[0]}`,
                actions: assign({ n: 0 }),
              },
            ],
          }
        : {}),
    };
  };
  return createMachine({
    id: 'drawn',
    ...(fresh ? { context: () => ({ n: 0 }) } : { context: { n: 0 } }),
    // A drawn chart may go round for ever; XState then gives up, and so must ours.
    options: { maxIterations: 20 },
    initial: 'c0',
    states: Object.fromEntries(root.map((drawn, index) => [`c${index}`, config(drawn, false)])),
  } as never);
}

function trace(
  machine: AnyStateMachine,
  log: string[],
  events: readonly { type: string; n: number }[],
): unknown[] {
  const actor = createActor(machine);
  actor.subscribe({ error: () => {} });
  actor.start();
  const first = actor.getSnapshot() as AnyMachineSnapshot;
  const begin = structuredClone([first.value, first.status, first.context, log.splice(0)]);
  const steps = events.map((event) => {
    if (actor.getSnapshot().status === 'active') actor.send(event);
    const { value, status, context, tags } = actor.getSnapshot() as AnyMachineSnapshot;
    return structuredClone([value, status, context, [...tags].sort(), log.splice(0)]);
  });
  return [begin, ...steps];
}

it('a machine whose transitions are remembered does what it did before, for every actor in turn', () => {
  const event = fc.record({ type: fc.constantFrom(...EVENTS, 'NOT KNOWN'), n: fc.nat(3) });
  const runs = fc.array(fc.array(event, { minLength: 1, maxLength: 30 }), { minLength: 1, maxLength: 4 });
  fc.assert(
    fc.property(
      fc.array(state, { minLength: 1, maxLength: 4 }),
      fc.boolean(),
      runs,
      (root, fresh, sequences) => {
        const rawLog: string[] = [];
        const ourLog: string[] = [];
        const raw = build(root, fresh, rawLog);
        const ours = memoised(build(root, fresh, ourLog)) as AnyStateMachine;
        for (const events of sequences)
          expect(trace(ours, ourLog, events)).toEqual(trace(raw, rawLog, events));
      },
    ),
    { numRuns: 300 },
  );
});

it('remembers what it may: a cycle of plain states comes back to the same configuration', () => {
  const machine = memoised(
    createMachine({
      initial: 'a',
      states: { a: { on: { GO: 'b' } }, b: { tags: ['second'], on: { GO: 'a' } } },
    }),
  ) as AnyStateMachine;
  const actor = createActor(machine).start();
  const nodes = new Set<unknown>();
  for (let n = 0; n < 10; n += 1) {
    actor.send({ type: 'GO' });
    nodes.add((actor.getSnapshot() as AnyMachineSnapshot)._nodes);
  }
  // The first round works each transition out; from then on nothing new is made.
  expect(nodes.size).toBeLessThanOrEqual(3);
  expect(actor.getSnapshot().matches('a')).toBe(true);
});
