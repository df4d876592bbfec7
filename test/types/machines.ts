import { assign, fromTransition, setup } from 'xstate';
import { type ActorSystem, type ChildSpec, machine, type Question, type Ref } from '../../src/index.ts';
import type { Equal, Expect } from './equal.ts';

/** What the compiler knows of a machine actor: its events, answers and input are those of `setup({types})`. */
type Door = { type: 'OPEN'; by: string } | Question<{ type: 'WHO' }, string | null>;

const door = setup({
  types: { events: {} as Door, context: {} as { by: string | null }, input: {} as { by: string | null } },
}).createMachine({
  context: ({ input }) => ({ by: input.by }),
  on: {
    OPEN: { actions: assign({ by: ({ event }) => event.by }) },
    WHO: {
      actions: [
        ({ context, event }) => event.reply?.(context.by),
        // @ts-expect-error: the answer is a string or null
        ({ event }) => event.reply?.(1),
      ],
    },
  },
});

export async function machines(system: ActorSystem): Promise<void> {
  const spec = machine('door', door, { input: { by: null } });
  type _Spec = Expect<Equal<typeof spec, ChildSpec<Door>>>;
  const ref = await system.start(spec);
  type _Ref = Expect<Equal<typeof ref, Ref<Door>>>;
  ref.send({ type: 'OPEN', by: 'Ada' });
  ref.send({ type: 'WHO' });
  // @ts-expect-error: no such event
  ref.send({ type: 'CLOSE' });
  // @ts-expect-error: a field is missing
  ref.send({ type: 'OPEN' });
  const who = await ref.ask({ type: 'WHO' });
  type _Who = Expect<Equal<typeof who, string | null>>;
  // @ts-expect-error: nobody answers an OPEN
  await ref.ask({ type: 'OPEN', by: 'Ada' });

  machine('door', door, { input: ({ self }) => ({ by: self.path }) });
  // @ts-expect-error: a function's input is held to the type too
  machine('door', door, { input: () => ({ by: 1 }) });
  // @ts-expect-error: its input is missing
  machine('door', door);
  // @ts-expect-error: its input is of another type
  machine('door', door, { input: { by: 1 } });
}

/** Any other actor logic of XState is typed the same way. */
export async function transitions(system: ActorSystem): Promise<void> {
  type Count = { type: 'ADD'; by: number } | Question<{ type: 'READ' }, number>;
  const count = fromTransition((sum: number, event: Count) => {
    if (event.type === 'ADD') return sum + event.by;
    event.reply?.(sum);
    return sum;
  }, 0);
  const ref = await system.start(machine('count', count));
  const sum = await ref.ask({ type: 'READ' });
  type _Sum = Expect<Equal<typeof sum, number>>;
  // @ts-expect-error: no such event
  ref.send({ type: 'SUB' });
}
