import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { breakerCommands, rig } from '../../support/runtime/breaker-commands.ts';

describe('a circuit breaker', () => {
  it('does what the reference model does, whatever is called, ended, awaited, ordered and restarted', async () => {
    await fc.assert(
      fc.asyncProperty(breakerCommands, fc.integer(), async (commands, seed) => {
        const { model, real } = rig(seed);
        await fc.asyncModelRun(() => ({ model, real }), commands);
        // Each call that was let through ends as its function did.
        for (const { expected, got } of real.results) expect(await got).toBe(expected);
      }),
      { numRuns: 150 },
    );
  });
});
