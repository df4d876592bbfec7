import { assign, enqueueActions, setup } from 'xstate';
import { decide, type ExitKind, type RestartRule, type RestartWindow } from './restart.ts';

/** What a supervisor's statechart makes happen; the runtime gives it. */
export interface SupervisorEffects {
  /** Starts the children in order, each when the one before is ready. Replies STARTED or START_FAILED. */
  startAll(): void;
  /** Stops the children in reverse order. Replies ALL_STOPPED. */
  stopAll(): void;
  /** Brings a child and its group back. Replies WAITING, RESTARTING and RESTARTED, or CHILD_DOWN. */
  restart(id: string): void;
  /** The child ended and stays away. */
  forget(id: string): void;
}

export type SupervisorEvent =
  | { readonly type: 'STARTED' }
  | { readonly type: 'START_FAILED'; readonly error: unknown }
  /** A child ended, or its restart failed. `at` in milliseconds on the host's monotonic clock. */
  | {
      readonly type: 'CHILD_DOWN';
      readonly id: string;
      readonly rule: RestartRule;
      readonly exit: ExitKind;
      readonly error: unknown;
      readonly at: number;
    }
  | { readonly type: 'WAITING'; readonly id: string }
  | { readonly type: 'RESTARTING'; readonly id: string }
  /** The child is back, or is no longer to be brought back. */
  | { readonly type: 'RESTARTED'; readonly id: string }
  | { readonly type: 'STOP' }
  | { readonly type: 'GIVE_UP'; readonly error: unknown }
  | { readonly type: 'CRASHED'; readonly error: unknown }
  | { readonly type: 'ALL_STOPPED' };

interface SupervisorState {
  readonly effects: SupervisorEffects;
  /** Shared with the kernel, which restarts on its own what needs no state here. */
  readonly budget: { window: RestartWindow };
  /** Children that wait for their delay. */
  readonly waiting: readonly string[];
  /** Children that are being started again. */
  readonly restarting: readonly string[];
  readonly error: unknown;
  /** Whether it ends because its children failed too often, rather than by a failure of its own. */
  readonly gaveUp: boolean;
}

const without = (ids: readonly string[], id: string): readonly string[] =>
  ids.filter((other) => other !== id);
const withId = (ids: readonly string[], id: string): readonly string[] => [...without(ids, id), id];

export const supervisorMachine = setup({
  types: {
    context: {} as SupervisorState, // XState reads these three as types only
    events: {} as SupervisorEvent,
    input: {} as { effects: SupervisorEffects; budget: { window: RestartWindow } },
  },
  actions: {
    startAll: ({ context }) => context.effects.startAll(),
    stopAll: ({ context }) => context.effects.stopAll(),
    judge: enqueueActions(({ context, event, enqueue }) => {
      if (event.type !== 'CHILD_DOWN') return;
      const decision = decide(event.rule, context.budget.window, event.exit, event.at);
      context.budget.window = decision.window;
      enqueue.assign({
        waiting: without(context.waiting, event.id),
        restarting: without(context.restarting, event.id),
      });
      if (decision.action === 'give_up') enqueue.raise({ type: 'GIVE_UP', error: event.error });
      else if (decision.action === 'restart') enqueue(() => context.effects.restart(event.id));
      else enqueue(() => context.effects.forget(event.id));
    }),
    noteError: assign({
      error: ({ event }) => ('error' in event ? event.error : null),
      gaveUp: ({ event }) => event.type === 'GIVE_UP',
    }),
    noteWaiting: assign(({ context, event }) =>
      event.type === 'WAITING'
        ? { waiting: withId(context.waiting, event.id), restarting: without(context.restarting, event.id) }
        : {},
    ),
    noteRestarting: assign(({ context, event }) =>
      event.type === 'RESTARTING'
        ? { waiting: without(context.waiting, event.id), restarting: withId(context.restarting, event.id) }
        : {},
    ),
    noteRestarted: assign(({ context, event }) =>
      event.type === 'RESTARTED'
        ? { waiting: without(context.waiting, event.id), restarting: without(context.restarting, event.id) }
        : {},
    ),
  },
  guards: {
    'is restarting': ({ context }) => context.restarting.length > 0,
    'is only waiting': ({ context }) => context.restarting.length === 0 && context.waiting.length > 0,
    'is settled': ({ context }) => context.restarting.length === 0 && context.waiting.length === 0,
  },
}).createMachine({
  id: 'supervisor',
  initial: 'starting',
  context: ({ input }) => ({
    effects: input.effects,
    budget: input.budget,
    waiting: [],
    restarting: [],
    error: null,
    gaveUp: false,
  }),
  states: {
    starting: {
      entry: 'startAll',
      on: {
        STARTED: { target: 'up' },
        START_FAILED: { target: 'failing', actions: 'noteError' },
        // A child that ends while its siblings still start is judged like any other.
        CHILD_DOWN: { actions: 'judge' },
      },
    },
    up: {
      initial: 'running',
      states: {
        running: {
          always: [
            { guard: 'is restarting', target: 'restarting' },
            { guard: 'is only waiting', target: 'backing_off' },
          ],
        },
        restarting: {
          always: [
            { guard: 'is only waiting', target: 'backing_off' },
            { guard: 'is settled', target: 'running' },
          ],
        },
        backing_off: {
          always: [
            { guard: 'is restarting', target: 'restarting' },
            { guard: 'is settled', target: 'running' },
          ],
        },
      },
      on: { CHILD_DOWN: { actions: 'judge' } },
    },
    stopping: { entry: 'stopAll', on: { ALL_STOPPED: { target: 'stopped' }, CRASHED: {}, STOP: {} } },
    failing: { entry: 'stopAll', on: { ALL_STOPPED: { target: 'failed' }, CRASHED: {}, STOP: {} } },
    stopped: { type: 'final' },
    failed: { type: 'final' },
  },
  on: {
    WAITING: { actions: 'noteWaiting' },
    RESTARTING: { actions: 'noteRestarting' },
    RESTARTED: { actions: 'noteRestarted' },
    GIVE_UP: { target: '.failing', actions: 'noteError' },
    CRASHED: { target: '.failing', actions: 'noteError' },
    STOP: { target: '.stopping' },
  },
});
