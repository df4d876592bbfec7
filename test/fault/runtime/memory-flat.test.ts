import { describe, expect, it } from 'vitest';
import { ORDEALS, restartInPlenty } from '../../soak/restarts.ts';

const RESTARTS = 20_000;
/** What the engine keeps for itself; a leak of one small object for each restart of a light actor is more. */
const SLACK_BYTES = 25 * RESTARTS;

describe('the heap does not grow', () => {
  it.each(Object.entries(ORDEALS))('by restarting %s thousands of times', async (_, ordeal) => {
    const { before, after } = await restartInPlenty(ordeal, RESTARTS * ordeal.share);
    expect(after - before).toBeLessThan(SLACK_BYTES);
  });
});
