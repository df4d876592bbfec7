/** The machines that both sides of a comparison run: ours under supervision, XState's as they come. */
import { assign, setup } from 'xstate';

/** What a machine here sends to: one of our refs, or a raw actor. */
export interface Target {
  send(event: { readonly type: string; readonly [field: string]: unknown }): unknown;
}

/** Filled in when the actors are there: each reaches the others as an actor of its kind does. */
export type Targets = Record<string, Target>;

interface Read {
  readonly type: 'READ';
  readonly report: (value: number) => void;
}

/** Two states and a count of flips: each event has an assignment to do. */
export const counting = setup({
  types: { context: {} as { flips: number }, events: {} as { readonly type: 'FLIP' } | Read },
  actions: { count: assign({ flips: ({ context }) => context.flips + 1 }) },
}).createMachine({
  id: 'counting',
  initial: 'off',
  context: { flips: 0 },
  on: { READ: { actions: ({ context, event }) => event.report(context.flips) } },
  states: {
    off: { on: { FLIP: { target: 'on', actions: 'count' } } },
    on: { on: { FLIP: { target: 'off', actions: 'count' } } },
  },
});

/** The same without a context: what comes next depends on the state and the event alone. Reports 1 while on. */
export const toggle = setup({ types: { events: {} as { readonly type: 'FLIP' } | Read } }).createMachine({
  id: 'toggle',
  initial: 'off',
  states: {
    off: { on: { FLIP: 'on', READ: { actions: ({ event }) => event.report(0) } } },
    on: { on: { FLIP: 'off', READ: { actions: ({ event }) => event.report(1) } } },
  },
});

/** Asks `pong` so many times, one at a time. */
export const ping = (targets: Targets, done: () => void) =>
  setup({
    types: {
      events: {} as
        | { readonly type: 'START'; readonly rounds: number }
        | { readonly type: 'PONG'; readonly n: number },
    },
  }).createMachine({
    id: 'ping',
    on: {
      START: {
        actions: ({ event }) => targets.pong?.send({ type: 'PING', n: event.rounds, from: targets.ping }),
      },
      PONG: [
        {
          guard: ({ event }) => event.n > 1,
          actions: ({ event }) => targets.pong?.send({ type: 'PING', n: event.n - 1, from: targets.ping }),
        },
        { actions: () => done() },
      ],
    },
  });

export const pong = setup({
  types: { events: {} as { readonly type: 'PING'; readonly n: number; readonly from: Target } },
}).createMachine({
  id: 'pong',
  on: { PING: { actions: ({ event }) => event.from.send({ type: 'PONG', n: event.n }) } },
});

/** Messages that the producer sends for each `MORE` it gets. */
export const BURST = 256;

/** Sends `START.count` additions (a multiple of BURST) to `counter`, two bursts at most on their way. */
export const producer = (targets: Targets) =>
  setup({
    types: {
      context: {} as { left: number; report: (sum: number) => void },
      events: {} as
        | { readonly type: 'START'; readonly count: number; readonly report: (sum: number) => void }
        | { readonly type: 'MORE' },
    },
    actions: {
      sendBurst: () => {
        for (let n = 0; n < BURST; n += 1) targets.counter?.send({ type: 'ADD', value: 1 });
        targets.counter?.send({ type: 'ACK', from: targets.producer });
      },
      askForTwo: () => {
        targets.producer?.send({ type: 'MORE' });
        targets.producer?.send({ type: 'MORE' });
      },
      askForSum: ({ context }) => targets.counter?.send({ type: 'READ', report: context.report }),
    },
  }).createMachine({
    id: 'producer',
    context: { left: 0, report: () => {} },
    on: {
      START: {
        actions: [assign(({ event }) => ({ left: event.count, report: event.report })), 'askForTwo'],
      },
      MORE: [
        {
          guard: ({ context }) => context.left > BURST,
          actions: [assign({ left: ({ context }) => context.left - BURST }), 'sendBurst'],
        },
        {
          guard: ({ context }) => context.left === BURST,
          actions: [assign({ left: 0 }), 'sendBurst', 'askForSum'],
        },
        {},
      ],
    },
  });

export const counter = setup({
  types: {
    context: {} as { sum: number },
    events: {} as
      | { readonly type: 'ADD'; readonly value: number }
      | { readonly type: 'ACK'; readonly from: Target }
      | Read,
  },
}).createMachine({
  id: 'counter',
  context: { sum: 0 },
  on: {
    ADD: { actions: assign({ sum: ({ context, event }) => context.sum + event.value }) },
    ACK: { actions: ({ event }) => event.from.send({ type: 'MORE' }) },
    READ: { actions: ({ context, event }) => event.report(context.sum) },
  },
});
