import { describe, expect, it } from 'vitest';
import { BACKOFF, INTENSITY } from '../../src/board/restarts.ts';
import { restartDelay } from '../../src/machines/backoff.ts';
import { decide, RestartWindow } from '../../src/machines/restart.ts';
import { virtualHost } from '../../src/testing/virtual-host.ts';

const SEEDS = Array.from({ length: 200 }, (_, seed) => seed);
const MINUTE = 60_000;

/** When the board gives up on crashes at these times, milliseconds; null where it does not. */
function givesUpAt(crashes: Iterable<number>): number | null {
  const window = new RestartWindow(INTENSITY);
  for (const at of crashes) {
    if (decide('permanent', window, 'error', at) === 'give_up') return at;
  }
  return null;
}

/** A part that crashes `upMs` after each start. */
function* loop(seed: number, upMs: number): Generator<number> {
  const { random } = virtualHost(seed);
  let delay = 0;
  for (let at = 0; at < 60 * MINUTE; at += delay + upMs) {
    yield at;
    delay = restartDelay(BACKOFF, delay, upMs, random());
  }
}

describe('the restarts of a board', () => {
  it('end it where a part crashes whenever it comes up, within ten minutes', () => {
    for (const seed of SEEDS) {
      for (const upMs of [0, 100, 1_000]) {
        const end = givesUpAt(loop(seed, upMs));
        expect(end, `seed ${seed}, up for ${upMs} ms`).not.toBeNull();
        expect(end).toBeLessThan(10 * MINUTE);
      }
    }
  });

  it('outlast an operator who crashes ten parts a minute, and each part in turn three times', () => {
    const aMinute = Array.from({ length: 10 }, (_, n) => n * 6_000);
    expect(givesUpAt(aMinute)).toBeNull();
    const inTurn = Array.from({ length: 3 * 9 }, (_, n) => n * 500);
    expect(givesUpAt(inTurn)).toBeNull();
  });
});
