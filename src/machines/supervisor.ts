import { assign, enqueueActions, setup } from 'xstate';
import {
  type AutoShutdown,
  decide,
  type ExitKind,
  type RestartRule,
  type RestartWindow,
  shutsDown,
} from './restart.ts';

/** What a supervisor's statechart makes happen; the runtime gives it. */
export interface SupervisorEffects {
  /** Starts the children in order, each when the one before is ready. Replies STARTED or START_FAILED. */
  startAll(): void;
  /** Stops the children in reverse order. Replies ALL_STOPPED. */
  stopAll(): void;
  /** Brings a child and its group back. Replies REPAIRS as it goes on, and CHILD_DOWN where that fails. */
  restart(id: string): void;
  /** The child ended and stays away. */
  forget(id: string): void;
  /** The child failed too often: its state is not to be carried over any more. */
  condemn(id: string): void;
}

/** A child ended by itself, or its restart failed. */
export interface ChildDown {
  readonly type: 'CHILD_DOWN';
  readonly id: string;
  readonly rule: RestartRule;
  readonly exit: ExitKind;
  readonly error: unknown;
  readonly significant: boolean;
  /** Other significant children that are there, or are being brought back. */
  readonly significantLeft: number;
  /** Milliseconds on the host's monotonic clock. */
  readonly at: number;
}

export type SupervisorEvent =
  | { readonly type: 'STARTED' }
  | { readonly type: 'START_FAILED'; readonly error: unknown }
  | ChildDown
  /** How many children wait for their delay now, and how many are being started again. */
  | { readonly type: 'REPAIRS'; readonly waiting: number; readonly restarting: number }
  /** So many children were restarted at once, past the chart: told when the turn is over. */
  | { readonly type: 'RESTARTED_AT_ONCE'; readonly count: number }
  | { readonly type: 'STOP' }
  | { readonly type: 'GIVE_UP'; readonly error: unknown }
  | { readonly type: 'AUTO_SHUTDOWN' }
  | { readonly type: 'CRASHED'; readonly error: unknown }
  | { readonly type: 'ALL_STOPPED' };

export interface SupervisorInput {
  readonly effects: SupervisorEffects;
  /** Shared with the runtime, which restarts at once past the chart: there is one budget. */
  readonly window: RestartWindow;
  readonly autoShutdown: AutoShutdown;
  /** Children that depend on each other are not judged before all have started. */
  readonly grouped: boolean;
}

interface SupervisorState extends SupervisorInput {
  /** Children that ended while their siblings still started, in that order. */
  readonly postponed: readonly ChildDown[];
  /** Children that wait for their delay. */
  readonly waiting: number;
  /** Children that are being started again. */
  readonly restarting: number;
  /** Restarts at once, in all. */
  readonly restartsAtOnce: number;
  /** A significant child ended before all had started. */
  readonly shutdownDue: boolean;
  readonly error: unknown;
  /** Whether it ends because its children failed too often, rather than by a failure of its own. */
  readonly gaveUp: boolean;
}

export const supervisorMachine = setup({
  types: {
    context: {} as SupervisorState, // XState reads these three as types only
    events: {} as SupervisorEvent,
    input: {} as SupervisorInput,
  },
  actions: {
    startAll: ({ context }) => context.effects.startAll(),
    stopAll: ({ context }) => context.effects.stopAll(),
    judge: enqueueActions(({ context, event, enqueue }) => {
      if (event.type !== 'CHILD_DOWN') return;
      const { effects, window, autoShutdown } = context;
      const action = decide(event.rule, window, event.exit, event.at);
      if (action === 'give_up') {
        enqueue(() => effects.condemn(event.id));
        enqueue.raise({ type: 'GIVE_UP', error: event.error });
      } else if (action === 'restart') enqueue(() => effects.restart(event.id));
      else {
        enqueue(() => effects.forget(event.id));
        if (shutsDown(autoShutdown, event.significant, event.significantLeft))
          enqueue.raise({ type: 'AUTO_SHUTDOWN' });
      }
    }),
    postpone: assign(({ context, event }) =>
      event.type === 'CHILD_DOWN' ? { postponed: [...context.postponed, event] } : {},
    ),
    judgePostponed: enqueueActions(({ context, enqueue }) => {
      for (const down of context.postponed) enqueue.raise(down);
      enqueue.assign({ postponed: [] });
      if (context.shutdownDue) enqueue.raise({ type: 'AUTO_SHUTDOWN' });
    }),
    noteShutdownDue: assign({ shutdownDue: true }),
    noteError: assign({
      error: ({ event }) => ('error' in event ? event.error : null),
      gaveUp: ({ event }) => event.type === 'GIVE_UP',
    }),
    noteRepairs: assign(({ event }) =>
      event.type === 'REPAIRS' ? { waiting: event.waiting, restarting: event.restarting } : {},
    ),
    countRestarts: assign(({ context, event }) =>
      event.type === 'RESTARTED_AT_ONCE' ? { restartsAtOnce: context.restartsAtOnce + event.count } : {},
    ),
  },
  guards: {
    'is grouped': ({ context }) => context.grouped,
    'is restarting': ({ context }) => context.restarting > 0,
    'is only waiting': ({ context }) => context.restarting === 0 && context.waiting > 0,
    'is settled': ({ context }) => context.restarting === 0 && context.waiting === 0,
  },
}).createMachine({
  id: 'supervisor',
  initial: 'starting',
  context: ({ input }) => ({
    ...input,
    postponed: [],
    waiting: 0,
    restarting: 0,
    restartsAtOnce: 0,
    shutdownDue: false,
    error: null,
    gaveUp: false,
  }),
  states: {
    starting: {
      entry: 'startAll',
      on: {
        STARTED: { target: 'up' },
        START_FAILED: { target: 'failing', actions: 'noteError' },
        CHILD_DOWN: [{ guard: 'is grouped', actions: 'postpone' }, { actions: 'judge' }],
        AUTO_SHUTDOWN: { actions: 'noteShutdownDue' },
      },
    },
    up: {
      entry: 'judgePostponed',
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
      on: { CHILD_DOWN: { actions: 'judge' }, AUTO_SHUTDOWN: { target: 'shutting_down' } },
    },
    // Its significant children ended: so does it, orderly. To its own supervisor that is a clean exit.
    shutting_down: { entry: 'stopAll', on: { ALL_STOPPED: { target: 'shut_down' }, STOP: {}, CRASHED: {} } },
    stopping: { entry: 'stopAll', on: { ALL_STOPPED: { target: 'stopped' }, CRASHED: {}, STOP: {} } },
    failing: { entry: 'stopAll', on: { ALL_STOPPED: { target: 'failed' }, CRASHED: {}, STOP: {} } },
    shut_down: { type: 'final' },
    stopped: { type: 'final' },
    failed: { type: 'final' },
  },
  on: {
    REPAIRS: { actions: 'noteRepairs' },
    RESTARTED_AT_ONCE: { actions: 'countRestarts' },
    GIVE_UP: { target: '.failing', actions: 'noteError' },
    CRASHED: { target: '.failing', actions: 'noteError' },
    STOP: { target: '.stopping' },
  },
});
