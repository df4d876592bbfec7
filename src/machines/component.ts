import { assign, setup } from 'xstate';

/** What a component's statechart makes happen; the runtime gives it. */
export interface ComponentEffects {
  /** Replies STARTED or CRASHED. */
  start(): void;
  /** It answers now. */
  open(): void;
  /** It must not be given new work any more. */
  close(): void;
  /** Replies DRAINED, also where draining failed. */
  drain(): void;
  /** Frees everything; replies FREED. */
  free(): void;
}

export type ComponentEvent =
  | { readonly type: 'STARTED' }
  | { readonly type: 'DEGRADED'; readonly detail: string }
  | { readonly type: 'RECOVERED' }
  | { readonly type: 'CRASHED'; readonly error: unknown }
  | { readonly type: 'STOP' }
  | { readonly type: 'DRAINED' }
  | { readonly type: 'FREED' };

interface ComponentState {
  readonly effects: ComponentEffects;
  readonly detail: string | null;
  readonly error: unknown;
}

/**
 * The life of one incarnation of a component. It is freed on every way out, once, also after a crash: a port or a
 * lock that it leaves behind would fail its own replacement.
 */
export const componentMachine = setup({
  types: {
    context: {} as ComponentState, // XState reads these three as types only
    events: {} as ComponentEvent,
    input: {} as { effects: ComponentEffects },
  },
  actions: {
    start: ({ context }) => context.effects.start(),
    open: ({ context }) => context.effects.open(),
    close: ({ context }) => context.effects.close(),
    drain: ({ context }) => context.effects.drain(),
    free: ({ context }) => context.effects.free(),
    noteDetail: assign({ detail: ({ event }) => (event.type === 'DEGRADED' ? event.detail : null) }),
    noteError: assign({ error: ({ event }) => (event.type === 'CRASHED' ? event.error : null) }),
  },
}).createMachine({
  id: 'component',
  initial: 'starting',
  context: ({ input }) => ({ effects: input.effects, detail: null, error: null }),
  states: {
    starting: {
      entry: 'start',
      on: {
        STARTED: { target: 'running' },
        // It may find out while it starts: what it says then holds once it runs.
        DEGRADED: { actions: 'noteDetail' },
        RECOVERED: { actions: 'noteDetail' },
        STOP: { target: 'freeing' },
      },
    },
    running: {
      entry: 'open',
      exit: 'close',
      initial: 'choosing',
      states: {
        choosing: {
          always: [
            { guard: ({ context }) => context.detail !== null, target: 'degraded' },
            { target: 'healthy' },
          ],
        },
        healthy: { on: { DEGRADED: { target: 'degraded', actions: 'noteDetail' } } },
        degraded: {
          on: {
            DEGRADED: { actions: 'noteDetail' },
            RECOVERED: { target: 'healthy', actions: 'noteDetail' },
          },
        },
      },
      on: { STOP: { target: 'draining' } },
    },
    draining: { entry: 'drain', on: { DRAINED: { target: 'freeing' } } },
    freeing: {
      entry: 'free',
      on: { FREED: { target: 'stopped' }, CRASHED: {} },
    },
    failing: {
      entry: 'free',
      on: { FREED: { target: 'failed' }, CRASHED: {} },
    },
    stopped: { type: 'final' },
    failed: { type: 'final' },
  },
  on: { CRASHED: { target: '.failing', actions: 'noteError' } },
});
