import { describe, expect, it } from 'vitest';
import {
  CHANNEL_EVENTS,
  CHANNEL_STATES,
  type ChannelEvent,
  type ChannelState,
  channelMachine,
  nextChannelState,
} from '../../src/machines/channel.ts';

/** Total: the compiler rejects a missing cell. */
const EXPECTED: Record<ChannelState, Record<ChannelEvent, ChannelState>> = {
  joining: {
    ACCEPTED: 'joined',
    FOLLOWED: 'live',
    RESUMED: 'replaying',
    CAUGHT_UP: 'joining',
    CREDIT_EXHAUSTED: 'joining',
    CREDIT_GRANTED: 'joining',
    LEFT: 'closed',
    FAILED: 'closed',
  },
  joined: {
    ACCEPTED: 'joined',
    FOLLOWED: 'joined',
    RESUMED: 'joined',
    CAUGHT_UP: 'joined',
    CREDIT_EXHAUSTED: 'joined',
    CREDIT_GRANTED: 'joined',
    LEFT: 'closed',
    FAILED: 'closed',
  },
  replaying: {
    ACCEPTED: 'replaying',
    FOLLOWED: 'replaying',
    RESUMED: 'replaying',
    CAUGHT_UP: 'live',
    CREDIT_EXHAUSTED: 'parked',
    CREDIT_GRANTED: 'replaying',
    LEFT: 'closed',
    FAILED: 'closed',
  },
  live: {
    ACCEPTED: 'live',
    FOLLOWED: 'live',
    RESUMED: 'live',
    CAUGHT_UP: 'live',
    CREDIT_EXHAUSTED: 'parked',
    CREDIT_GRANTED: 'live',
    LEFT: 'closed',
    FAILED: 'closed',
  },
  parked: {
    ACCEPTED: 'parked',
    FOLLOWED: 'parked',
    RESUMED: 'parked',
    CAUGHT_UP: 'parked',
    CREDIT_EXHAUSTED: 'parked',
    CREDIT_GRANTED: 'replaying',
    LEFT: 'closed',
    FAILED: 'closed',
  },
  closed: {
    ACCEPTED: 'closed',
    FOLLOWED: 'closed',
    RESUMED: 'closed',
    CAUGHT_UP: 'closed',
    CREDIT_EXHAUSTED: 'closed',
    CREDIT_GRANTED: 'closed',
    LEFT: 'closed',
    FAILED: 'closed',
  },
};

describe('the channel machine', () => {
  it('goes from every state by every event where the table says', () => {
    for (const state of CHANNEL_STATES) {
      for (const event of CHANNEL_EVENTS) {
        expect([state, event, nextChannelState(state, event)]).toEqual([
          state,
          event,
          EXPECTED[state][event],
        ]);
      }
    }
  });

  it('has no state or event beyond the table', () => {
    expect(Object.keys(channelMachine.states).sort()).toEqual([...CHANNEL_STATES].sort());
    expect([...channelMachine.events].sort()).toEqual([...CHANNEL_EVENTS].sort());
  });
});
