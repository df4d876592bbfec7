import { describe, expect, it } from 'vitest';
import { createBreaker, createBulkhead, createRetry, policy } from '../../../src/index.ts';
import { countingHost } from '../../support/counting-host.ts';

const forever = (): Promise<never> => new Promise(() => {});
const code = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    (value) => String(value),
    (error: { code?: string; message: string }) => error.code ?? error.message,
  );

describe('a policy', () => {
  it('is nothing but the call where it has no parts', async () => {
    const host = countingHost();
    const result = await policy({ host }).run(async ({ attempt, signal }) => [attempt, signal.aborted]);
    expect(result).toEqual([1, false]);
    expect(host.pending()).toBe(0);
  });

  it('counts each attempt that times out against the dependency, and tries again', async () => {
    const host = countingHost();
    const breaker = createBreaker({ host });
    const call = policy({ host, retry: createRetry({ host, attempts: 3 }), breaker, timeoutMs: 100 });
    const signals: AbortSignal[] = [];
    const ended = code(
      call.run(({ signal, attempt }) => {
        signals.push(signal);
        return attempt < 3 ? forever() : Promise.resolve('third time');
      }),
    );
    await host.advance(5_000);
    expect(await ended).toBe('third time');
    expect(signals.map(({ aborted }) => aborted)).toEqual([true, true, false]);
    expect(breaker.stats()).toMatchObject({ calls: 3, failures: 2 });
  });

  it('does not hold its own queue against the dependency: neither a refusal nor a wait', async () => {
    const host = countingHost();
    const breaker = createBreaker({ host });
    const bulkhead = createBulkhead({ host, concurrency: 1, queue: 1, waitMs: 60_000 });
    const call = policy({ host, breaker, bulkhead, timeoutMs: 3_000 });
    const slow = (): Promise<string> => new Promise((resolve) => host.setTimer(900, () => resolve('done')));
    const ended = [call.run(slow), call.run(slow), call.run(slow)].map(code);
    await host.advance(5_000);
    expect(await Promise.all(ended)).toEqual(['done', 'done', 'MAG_BULKHEAD_FULL']);
    expect(breaker.stats()).toMatchObject({ calls: 2, failures: 0, slow: 0 });
  });

  it('does not queue for a circuit that is open, nor calls through one that opened meanwhile', async () => {
    const host = countingHost();
    const breaker = createBreaker({ host });
    const bulkhead = createBulkhead({ host, concurrency: 1 });
    const call = policy({ host, breaker, bulkhead });
    const release = await bulkhead.acquire();
    let called = false;
    const queued = code(
      call.run(async () => {
        called = true;
      }),
    );
    await host.runUntilIdle();
    expect(bulkhead.stats().waiting).toBe(1);
    breaker.forceOpen();
    expect(await code(call.run(async () => 1))).toBe('MAG_CIRCUIT_OPEN');
    expect(bulkhead.stats().waiting).toBe(1);
    release();
    expect(await queued).toBe('MAG_CIRCUIT_OPEN');
    expect(called).toBe(false);
    expect(bulkhead.running).toBe(0);
  });

  it('holds no place between attempts', async () => {
    const host = countingHost();
    const bulkhead = createBulkhead({ host, concurrency: 1, queue: 0 });
    const call = policy({ host, bulkhead, retry: createRetry({ host, base: 1_000, attempts: 2 }) });
    const failing = code(call.run(() => Promise.reject(new Error('down'))));
    await host.advance(10);
    expect(await code(call.run(async () => 'in between'))).toBe('in between');
    await host.advance(5_000);
    expect(await failing).toBe('down');
  });

  it('ends everything at its deadline: attempts, delays and waits', async () => {
    const host = countingHost();
    const bulkhead = createBulkhead({ host, concurrency: 1, waitMs: 60_000 });
    const retry = createRetry({ host, base: 1_000 });
    const within = (deadlineMs: number) => policy({ host, deadlineMs, bulkhead, retry });
    const delayed = code(within(400).run(() => Promise.reject(new Error('down'))));
    await host.advance(0);
    const hanging = code(within(500).run(forever));
    const waiting = code(within(400).run(async () => 'too late'));
    await host.advance(399);
    expect(bulkhead.stats()).toMatchObject({ running: 1, waiting: 1 });
    await host.advance(101);
    expect(await Promise.all([delayed, hanging, waiting])).toEqual(Array(3).fill('MAG_CALL_TIMEOUT'));
    expect(bulkhead.stats()).toMatchObject({ running: 0, waiting: 0, cancelled: 1 });
    expect(host.pending()).toBe(0);
  });

  it('takes a call that its deadline ended for failed, and one that its caller gave up for none', async () => {
    const host = countingHost();
    const breaker = createBreaker({ host });
    const call = policy({ host, deadlineMs: 500, breaker });
    const controller = new AbortController();
    const calls = [code(call.run(forever)), code(call.run(forever, { signal: controller.signal }))];
    await host.advance(100);
    controller.abort(new Error('gave up'));
    await host.advance(400);
    expect(await Promise.all(calls)).toEqual(['MAG_CALL_TIMEOUT', 'gave up']);
    expect(breaker.stats()).toMatchObject({ calls: 1, failures: 1, cancelled: 1, inFlight: 0 });
  });
});
