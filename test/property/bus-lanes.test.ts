import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LaneChoice } from '../../src/streams/bus/lane-choice.ts';

const lanesArbitrary = fc.integer({ min: 1, max: 6 });
const ageingArbitrary = fc.integer({ min: 1, max: 20 });

describe('the choice of a lane', () => {
  it('serves a lane that waits within its rank times the ageing, whatever the others do', () => {
    fc.assert(
      fc.property(
        lanesArbitrary,
        ageingArbitrary,
        fc.nat(5),
        fc.array(fc.nat(63), { minLength: 400, maxLength: 400 }),
        (lanes, ageing, pick, moments) => {
          const choice = new LaneChoice(lanes, ageing);
          const watched = pick % lanes;
          let waited = 0;
          for (const others of moments) {
            const chosen = choice.choose((lane) => lane === watched || (others & (1 << lane)) !== 0);
            waited = chosen === watched ? 0 : waited + 1;
            expect(waited).toBeLessThan(watched * ageing + lanes);
          }
        },
      ),
    );
  });

  it('serves only lanes that wait, and one whenever any does', () => {
    fc.assert(
      fc.property(lanesArbitrary, ageingArbitrary, fc.array(fc.nat(63)), (lanes, ageing, moments) => {
        const choice = new LaneChoice(lanes, ageing);
        for (const moment of moments) {
          const waiting = moment & ((1 << lanes) - 1);
          const chosen = choice.choose((lane) => (waiting & (1 << lane)) !== 0);
          expect(chosen === -1).toBe(waiting === 0);
          if (chosen !== -1) expect(waiting & (1 << chosen)).not.toBe(0);
        }
      }),
    );
  });

  it('gives the highest lane all but what ageing takes', () => {
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 6 }), ageingArbitrary, (lanes, ageing) => {
        const choice = new LaneChoice(lanes, ageing);
        const served = new Array<number>(lanes).fill(0);
        for (let n = 0; n < 2_000; n += 1) {
          const chosen = choice.choose(() => true);
          served[chosen] = (served[chosen] ?? 0) + 1;
        }
        for (let lane = 1; lane < lanes; lane += 1)
          expect(served[lane]).toBeLessThanOrEqual(2_000 / (lane * ageing) + 1);
      }),
    );
  });
});
