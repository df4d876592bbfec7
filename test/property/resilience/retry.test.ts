import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createBreaker, createRetry, MagError } from '../../../src/index.ts';
import { virtualHost } from '../../../src/testing/virtual-host.ts';
import { countingHost } from '../../support/counting-host.ts';

describe('a retry', () => {
  it('tries until it succeeds or its attempts are over, and waits between by the rule', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer(),
        fc.nat(8),
        fc.integer({ min: 1, max: 6 }),
        async (seed, failures, attempts) => {
          const host = countingHost();
          const seeded = { ...host, random: virtualHost(seed).random };
          const retry = createRetry({ host: seeded, attempts });
          const times: number[] = [];
          const call = retry.run(async (attempt) => {
            times.push(host.now());
            expect(attempt).toBe(times.length);
            if (attempt <= failures) throw new Error(`failure ${attempt}`);
            return attempt;
          });
          const ended = call.catch((error: Error) => error.message);
          await host.advance(60_000);
          expect(await ended).toBe(failures >= attempts ? `failure ${attempts}` : failures + 1);
          expect(times.length).toBe(Math.min(failures + 1, attempts));
          let previous = 0;
          for (let index = 1; index < times.length; index += 1) {
            const delay = times[index]! - times[index - 1]!;
            expect(delay).toBeGreaterThanOrEqual(50);
            expect(delay).toBeLessThanOrEqual(Math.max(50, previous * 3) + 1e-6);
            previous = delay;
          }
          expect(host.pending()).toBe(0);
        },
      ),
      { numRuns: 50 },
    );
  });

  it('keeps all retries of an outage within a tenth of the calls, and the reserve', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 400 }), async (calls) => {
        const host = virtualHost(1);
        const retry = createRetry({ host });
        for (let call = 0; call < calls; call += 1)
          retry.run(() => Promise.reject(new Error('down'))).catch(() => {});
        await host.advance(9_000);
        const stats = retry.stats();
        expect(stats.calls).toBe(calls);
        expect(stats.retries).toBe(Math.min(3 * calls, Math.max(10, Math.floor(calls * 0.1))));
        expect(stats.overBudget > 0).toBe(stats.retries < 3 * calls);
      }),
      { numRuns: 30 },
    );
  });

  it.each([
    ['a request that is to blame', new MagError('MAG_BAD_REQUEST', { problem: 'no' })],
    ['a circuit that is open', new MagError('MAG_CIRCUIT_OPEN', { name: 'mail', state: 'open' })],
    ['a call that was aborted', Object.assign(new Error('gone'), { name: 'AbortError' })],
  ])('does not try again: %s', async (_, error) => {
    const retry = createRetry({ host: virtualHost(1) });
    await expect(retry.run(() => Promise.reject(error))).rejects.toBe(error);
    expect(retry.stats()).toEqual({ calls: 1, retries: 0, overBudget: 0 });
  });

  it('stops waiting when its signal is aborted, without a timer left', async () => {
    const host = countingHost();
    const controller = new AbortController();
    const call = createRetry({ host }).run(() => Promise.reject(new Error('down')), controller.signal);
    const ended = expect(call).rejects.toThrow('gave up');
    await host.runUntilIdle();
    expect(host.pending()).toBe(1);
    controller.abort(new Error('gave up'));
    await ended;
    expect(host.pending()).toBe(0);
  });

  it('ends where the circuit that it calls through opens', async () => {
    const host = virtualHost(1);
    const breaker = createBreaker({ host, minimumCalls: 2 });
    const call = createRetry({ host, attempts: 10 }).run(() =>
      breaker.run(() => Promise.reject(new Error('down'))),
    );
    const ended = expect(call).rejects.toMatchObject({ code: 'MAG_CIRCUIT_OPEN' });
    await host.advance(60_000);
    await ended;
    expect(breaker.stats().admitted).toBe(2);
  });
});
