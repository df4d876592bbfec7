import { createMachine, initialTransition, transition } from 'xstate';

/**
 * A channel's life on the server. Only edges come here; rows and broadcasts flow past it. There is no actor per
 * channel: a connection keeps the state's name and asks for the next one.
 *
 * joining: access and feed are being asked · joined: broadcast and presence only · replaying: changes come from
 * the log · live: changes come as they happen · parked: out of credit, the log keeps what comes meanwhile ·
 * closed: left, failed, or its socket is gone.
 */
export const CHANNEL_STATES = ['joining', 'joined', 'replaying', 'live', 'parked', 'closed'] as const;
export type ChannelState = (typeof CHANNEL_STATES)[number];

export const CHANNEL_EVENTS = [
  'ACCEPTED',
  'FOLLOWED',
  'RESUMED',
  'CAUGHT_UP',
  'CREDIT_EXHAUSTED',
  'CREDIT_GRANTED',
  'LEFT',
  'FAILED',
] as const;
export type ChannelEvent = (typeof CHANNEL_EVENTS)[number];

const ends = { LEFT: 'closed', FAILED: 'closed' } as const;

export const channelMachine = createMachine({
  id: 'channel',
  initial: 'joining',
  states: {
    joining: { on: { ...ends, ACCEPTED: 'joined', FOLLOWED: 'live', RESUMED: 'replaying' } },
    joined: { on: ends },
    replaying: { on: { ...ends, CAUGHT_UP: 'live', CREDIT_EXHAUSTED: 'parked' } },
    live: { on: { ...ends, CREDIT_EXHAUSTED: 'parked' } },
    parked: { on: { ...ends, CREDIT_GRANTED: 'replaying' } },
    closed: { type: 'final' },
  },
});

const isState = (value: unknown): value is ChannelState => CHANNEL_STATES.some((state) => state === value);

function compute(state: ChannelState, event: ChannelEvent): ChannelState {
  // A final state takes no events; resolving a snapshot for it would start the machine anew.
  if (state === 'closed') return state;
  const [initial] = initialTransition(channelMachine);
  const from = state === 'joining' ? initial : channelMachine.resolveState({ value: state, context: {} });
  const [next] = transition(channelMachine, from, { type: event });
  if (!isState(next.value)) throw new Error(`the channel machine went to ${JSON.stringify(next.value)}`);
  return next.value;
}

const TABLE: ReadonlyMap<string, ChannelState> = new Map(
  CHANNEL_STATES.flatMap((state) =>
    CHANNEL_EVENTS.map((event): [string, ChannelState] => [`${state} ${event}`, compute(state, event)]),
  ),
);

/** The state after an event; the same state where the event means nothing in it. Computed once from the machine. */
export const nextChannelState = (state: ChannelState, event: ChannelEvent): ChannelState =>
  TABLE.get(`${state} ${event}`) ?? state;
