import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  BREAKER_STATES,
  type BreakerEvent,
  type BreakerPhase,
  type BreakerState,
  initialPhase,
  nextPhase,
  openDelay,
} from '../../../src/machines/breaker.ts';

const RANGE = { base: 5_000, cap: 60_000, jitter: 0.2 };

const EVENTS: Record<BreakerEvent['type'], BreakerEvent> = {
  TRIP: { type: 'TRIP', at: 100, random: 0.5 },
  RETRY_DUE: { type: 'RETRY_DUE' },
  PROBES_PASSED: { type: 'PROBES_PASSED' },
  PROBE_FAILED: { type: 'PROBE_FAILED', at: 100, random: 0.5 },
  FORCE_OPEN: { type: 'FORCE_OPEN' },
  DISABLE: { type: 'DISABLE' },
  RESET: { type: 'RESET' },
};

/** `null`: the event means nothing in that state. A missing cell does not compile. */
const TABLE: Record<BreakerState, Record<BreakerEvent['type'], BreakerState | null>> = {
  closed: {
    TRIP: 'open',
    RETRY_DUE: null,
    PROBES_PASSED: null,
    PROBE_FAILED: null,
    FORCE_OPEN: 'forced_open',
    DISABLE: 'disabled',
    RESET: 'closed',
  },
  open: {
    TRIP: null,
    RETRY_DUE: 'half_open',
    PROBES_PASSED: null,
    PROBE_FAILED: null,
    FORCE_OPEN: 'forced_open',
    DISABLE: 'disabled',
    RESET: 'closed',
  },
  half_open: {
    TRIP: null,
    RETRY_DUE: null,
    PROBES_PASSED: 'closed',
    PROBE_FAILED: 'open',
    FORCE_OPEN: 'forced_open',
    DISABLE: 'disabled',
    RESET: 'closed',
  },
  forced_open: {
    TRIP: null,
    RETRY_DUE: null,
    PROBES_PASSED: null,
    PROBE_FAILED: null,
    FORCE_OPEN: null,
    DISABLE: 'disabled',
    RESET: 'closed',
  },
  disabled: {
    TRIP: null,
    RETRY_DUE: null,
    PROBES_PASSED: null,
    PROBE_FAILED: null,
    FORCE_OPEN: 'forced_open',
    DISABLE: null,
    RESET: 'closed',
  },
};

const cells = BREAKER_STATES.flatMap((state) =>
  Object.entries(TABLE[state]).map(([type, target]) => ({ state, type, target })),
);
const phaseIn = (state: BreakerState): BreakerPhase => ({
  state,
  range: RANGE,
  generation: 7,
  openings: 2,
  until: state === 'open' ? 50 : 0,
});

describe('the breaker machine', () => {
  it.each(cells)('$state on $type: $target', ({ state, type, target }) => {
    const event = EVENTS[type as BreakerEvent['type']]; // keys of the table above
    const next = nextPhase(phaseIn(state), event);
    expect(next.state).toBe(target ?? state);
    expect(next.generation, 'grows exactly where a state is entered').toBe(target === null ? 7 : 8);
    if (target === null) expect(next).toEqual(phaseIn(state));
    else {
      const opens = type === 'TRIP' || type === 'PROBE_FAILED';
      expect(next.until).toBe(opens ? 100 + openDelay(RANGE, 3, 0.5) : 0);
      expect(next.openings).toBe(target === 'closed' ? 0 : opens ? 3 : 2);
    }
  });

  it('is closed at first', () => {
    expect(initialPhase(RANGE)).toMatchObject({ state: 'closed', openings: 0, until: 0 });
  });

  it('is open for 5, 10, 20, 40, 60, 60, … s', () => {
    const delays = [1, 2, 3, 4, 5, 6, 2_000].map((openings) => openDelay(RANGE, openings, 0.5));
    expect(delays).toEqual([5_000, 10_000, 20_000, 40_000, 60_000, 60_000, 60_000]);
  });

  it('spreads each opening over a fifth more or less', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 40 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (n, random) => {
          const middle = Math.min(60_000, 5_000 * 2 ** (n - 1));
          const delay = openDelay(RANGE, n, random);
          expect(delay).toBeGreaterThanOrEqual(middle * 0.8 - 1e-6);
          expect(delay).toBeLessThanOrEqual(middle * 1.2 + 1e-6);
        },
      ),
    );
    expect(openDelay(RANGE, 1, 0)).toBeCloseTo(4_000);
    expect(openDelay(RANGE, 1, 1)).toBeCloseTo(6_000);
  });
});
