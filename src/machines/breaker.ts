import { assign, initialTransition, setup, transition } from 'xstate';

export const BREAKER_STATES = ['closed', 'open', 'half_open', 'forced_open', 'disabled'] as const;

/**
 * closed: calls pass and are counted · open: none passes until the deadline · half_open: a few probes pass ·
 * forced_open: an operator keeps it open · disabled: an operator lets everything pass, uncounted.
 */
export type BreakerState = (typeof BREAKER_STATES)[number];

/** Milliseconds, and a part of 1. */
export interface OpenRange {
  /** How long the first opening lasts; each that follows without a recovery lasts twice as long. */
  readonly base: number;
  /** The longest, before jitter. */
  readonly cap: number;
  /** 0.2: a fifth more or less, so that clients which tripped together do not come back together. */
  readonly jitter: number;
}

/** `at`: milliseconds on any monotonic clock. `random`: uniform in [0, 1). */
interface OpeningEdge {
  readonly at: number;
  readonly random: number;
}

/** Edges only: a chart that got an event for each call would cost more than most calls. */
export type BreakerEvent =
  | ({ readonly type: 'TRIP' } & OpeningEdge)
  /** The deadline of an opening has passed. */
  | { readonly type: 'RETRY_DUE' }
  | { readonly type: 'PROBES_PASSED' }
  | ({ readonly type: 'PROBE_FAILED' } & OpeningEdge)
  | { readonly type: 'FORCE_OPEN' }
  | { readonly type: 'DISABLE' }
  | { readonly type: 'RESET' };

export interface BreakerMemory {
  readonly range: OpenRange;
  /** Grows with each change of state: a result that belongs to an earlier one says nothing about this one. */
  readonly generation: number;
  /** Openings since it was last closed. */
  readonly openings: number;
  /** The deadline before which nothing is admitted, on the clock of the events; 0 where there is none. */
  readonly until: number;
}

export interface BreakerPhase extends BreakerMemory {
  readonly state: BreakerState;
}

/** How long the `openings`-th opening in a row lasts: `min(cap, base × 2^(openings − 1))`, with jitter. */
export function openDelay(range: OpenRange, openings: number, random: number): number {
  // Beyond 2^30 the power only ever meets the cap.
  const grown = Math.min(range.cap, range.base * 2 ** Math.min(openings - 1, 30));
  return grown * (1 + range.jitter * (2 * random - 1));
}

/**
 * The circuit breaker's states (Nygard, "Release It!"; resilience4j's names for the two an operator sets).
 * What happens to single calls is plain code beside it.
 */
export const breakerMachine = setup({
  types: {
    context: {} as BreakerMemory, // XState reads these three as types only
    events: {} as BreakerEvent,
    input: {} as OpenRange,
  },
  actions: {
    renew: assign({ generation: ({ context }) => context.generation + 1, until: 0 }),
    forgive: assign({ openings: 0 }),
    postpone: assign(({ context, event }) => {
      if (event.type !== 'TRIP' && event.type !== 'PROBE_FAILED') return {};
      const openings = context.openings + 1;
      return { openings, until: event.at + openDelay(context.range, openings, event.random) };
    }),
  },
}).createMachine({
  id: 'breaker',
  initial: 'closed',
  context: ({ input }) => ({ range: input, generation: 0, openings: 0, until: 0 }),
  states: {
    closed: {
      entry: ['renew', 'forgive'],
      on: { TRIP: 'open', FORCE_OPEN: 'forced_open', DISABLE: 'disabled' },
    },
    open: {
      entry: ['renew', 'postpone'],
      on: { RETRY_DUE: 'half_open', FORCE_OPEN: 'forced_open', DISABLE: 'disabled' },
    },
    half_open: {
      entry: 'renew',
      on: {
        PROBES_PASSED: 'closed',
        PROBE_FAILED: 'open',
        FORCE_OPEN: 'forced_open',
        DISABLE: 'disabled',
      },
    },
    forced_open: { entry: 'renew', on: { DISABLE: 'disabled' } },
    disabled: { entry: 'renew', on: { FORCE_OPEN: 'forced_open' } },
  },
  // From closed too: what was counted so far is forgotten.
  on: { RESET: { target: '.closed', reenter: true } },
});

const isState = (value: unknown): value is BreakerState => BREAKER_STATES.some((state) => state === value);

const phaseOf = (snapshot: { readonly value: unknown; readonly context: BreakerMemory }): BreakerPhase => {
  if (!isState(snapshot.value)) throw new Error(`the breaker went to ${JSON.stringify(snapshot.value)}`);
  return { ...snapshot.context, state: snapshot.value };
};

export const initialPhase = (range: OpenRange): BreakerPhase =>
  phaseOf(initialTransition(breakerMachine, range)[0]);

/** The phase after an event; an equal one where the event means nothing in it. */
export function nextPhase(phase: BreakerPhase, event: BreakerEvent): BreakerPhase {
  const { state, ...context } = phase;
  const from = breakerMachine.resolveState({ value: state, context });
  return phaseOf(transition(breakerMachine, from, event)[0]);
}
