import { throwError } from 'rxjs';
import {
  assign,
  createMachine,
  enqueueActions,
  fromCallback,
  fromObservable,
  fromPromise,
  fromTransition,
  raise,
  spawnChild,
} from 'xstate';
import { type ChildSpec, component, light, machine, supervisor } from '../../../src/index.ts';

/** What every source's error says. */
export const BROKE = 'broke on purpose';

const broke = (): never => {
  throw new Error(BROKE);
};

const brokenMachine = createMachine({ entry: broke });
const answering = {
  PING: {
    actions: ({ event }: { event: { readonly reply?: (value: string) => void } }) => event.reply?.('pong'),
  },
};
/** Running, and after FAIL in a state that breaks. */
const thenBad = (bad: object): object => ({
  initial: 'good',
  on: answering,
  states: { good: { on: { FAIL: 'bad' } }, bad },
});
const onFail = (transition: object): object => ({
  initial: 'good',
  states: { good: { on: { ...answering, FAIL: transition } }, bad: {} },
});

/** XState configurations, each of which fails when it is sent FAIL. */
const MACHINES: Readonly<Record<string, object>> = {
  action: onFail({ actions: broke }),
  enqueued: onFail({ actions: enqueueActions(broke) }),
  raised: onFail({ actions: raise(broke) }),
  guard: onFail({ guard: broke, target: 'bad' }),
  assign: onFail({ actions: assign(broke) }),
  entry: thenBad({ entry: broke }),
  exit: { initial: 'good', states: { good: { exit: broke, on: { ...answering, FAIL: 'bad' } }, bad: {} } },
  always: thenBad({ always: { guard: broke, target: 'good' } }),
  after: thenBad({ after: { 1: { actions: broke } } }),
  promise: thenBad({ invoke: { src: fromPromise(async () => broke()) } }),
  callback: thenBad({ invoke: { src: fromCallback(broke) } }),
  observable: thenBad({ invoke: { src: fromObservable(() => throwError(() => new Error(BROKE))) } }),
  invoked_machine: thenBad({ invoke: { src: brokenMachine } }),
  spawned_machine: thenBad({ entry: spawnChild(brokenMachine) }),
};

/** Every kind of actor that ends by an error once it is sent FAIL, by where the error comes from. */
export const SOURCES: Readonly<Record<string, ChildSpec>> = {
  ...Object.fromEntries(
    Object.entries(MACHINES).map(([id, config]) => [id, machine(id, createMachine(config))] as const),
  ),
  transition: machine(
    'transition',
    fromTransition(
      (state: null, event: { readonly type: string; readonly reply?: (value: string) => void }) => {
        if (event.type === 'FAIL') broke();
        event.reply?.('pong');
        return state;
      },
      null,
    ),
  ),
  receive: light('receive', {
    init: () => null,
    receive: (state, message) => {
      if (message.type === 'FAIL') broke();
      if (typeof message.reply === 'function') message.reply('pong');
      return state;
    },
  }),
  context: light('context', {
    init: () => null,
    receive: (state, message, context) => {
      if (message.type === 'FAIL') context.fail(new Error(BROKE));
      if (typeof message.reply === 'function') message.reply('pong');
      return state;
    },
  }),
  component: component('component', (context) => ({
    handle: (message) => {
      if (message.type === 'FAIL') setTimeout(() => context.fail(new Error(BROKE)), 1);
      return 'pong';
    },
  })),
};

/** How often each of these was started in this thread. */
const starts = new Map<string, number>();

/** Counts a start; the second one breaks, so that only a restart meets it. */
const breaksSecond = (id: string): void => {
  const count = (starts.get(id) ?? 0) + 1;
  starts.set(id, count);
  if (count === 2) broke();
};

const failsOnDemand = (message: { readonly type: string }): void => {
  if (message.type === 'FAIL') broke();
};

/** Actors whose first restart fails, by where it fails. Each begins anew for each `STARTS()`. */
export function failingStarts(): Readonly<Record<string, ChildSpec>> {
  starts.clear();
  const living = (id: string, more: object): ChildSpec => {
    const config: object = { ...more, on: { ...answering, FAIL: { actions: broke } } };
    return machine(id, createMachine(config));
  };
  return {
    init: light('init', {
      init: () => breaksSecond('init'),
      receive: (_, message) => {
        failsOnDemand(message);
        if (typeof message.reply === 'function') message.reply('pong');
      },
    }),
    machine_context: living('machine_context', { context: () => ({ at: breaksSecond('machine_context') }) }),
    machine_entry: living('machine_entry', { entry: () => breaksSecond('machine_entry') }),
    throwing_start: component('throwing_start', (context) => {
      breaksSecond('throwing_start');
      return { handle: (message) => (message.type === 'FAIL' ? context.fail(new Error(BROKE)) : 'pong') };
    }),
    rejecting_start: component('rejecting_start', async (context) => {
      await null;
      breaksSecond('rejecting_start');
      return { handle: (message) => (message.type === 'FAIL' ? context.fail(new Error(BROKE)) : 'pong') };
    }),
    never_ready: component(
      'never_ready',
      async (context) => {
        try {
          breaksSecond('never_ready');
        } catch {
          await new Promise(() => {});
        }
        return { handle: (message) => (message.type === 'FAIL' ? context.fail(new Error(BROKE)) : 'pong') };
      },
      { startTimeout: 100 },
    ),
  };
}

/** The same actors as a subtree of another thread, and ways for it to come up badly. */
export default function make(input: { readonly how?: 'throws' | 'hangs' }): ChildSpec | Promise<ChildSpec> {
  if (input.how === 'throws') broke();
  if (input.how === 'hangs') return new Promise(() => {});
  const children = [...Object.values(SOURCES), ...Object.values(failingStarts())];
  return supervisor('replaced', { intensity: { max: 1_000, within: 1_000 }, children });
}
