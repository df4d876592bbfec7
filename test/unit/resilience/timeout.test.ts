import { describe, expect, it } from 'vitest';
import { withTimeout } from '../../../src/index.ts';
import { countingHost } from '../../support/counting-host.ts';

const forever = (): Promise<never> => new Promise(() => {});

describe('a timeout', () => {
  it('rejects when the time is over, and tells the function', async () => {
    const host = countingHost();
    const seen: { signal?: AbortSignal } = {};
    const call = withTimeout(host, 100, (signal) => {
      seen.signal = signal;
      return forever();
    });
    const ended = expect(call).rejects.toMatchObject({ code: 'MAG_CALL_TIMEOUT', status: 504 });
    await host.advance(99);
    expect(seen.signal?.aborted).toBe(false);
    await host.advance(1);
    await ended;
    expect(seen.signal?.reason).toMatchObject({ code: 'MAG_CALL_TIMEOUT' });
  });

  it('gives what the function gives, and leaves no timer and no listener', async () => {
    const host = countingHost();
    const { signal } = new AbortController();
    expect(await withTimeout(host, 100, async () => 'fine', signal)).toBe('fine');
    await expect(withTimeout(host, 100, () => Promise.reject(new Error('no')), signal)).rejects.toThrow('no');
    const thrown = withTimeout(host, 100, () => {
      throw new Error('thrown');
    });
    await expect(thrown).rejects.toThrow('thrown');
    await host.runUntilIdle();
    expect(host.pending()).toBe(0);
  });

  it('ends with the caller’s own signal, before and in the middle of the call', async () => {
    const host = countingHost();
    const controller = new AbortController();
    let inner: AbortSignal | undefined;
    const call = withTimeout(
      host,
      100,
      (signal) => {
        inner = signal;
        return forever();
      },
      controller.signal,
    );
    controller.abort(new Error('gave up'));
    await expect(call).rejects.toThrow('gave up');
    expect(inner?.aborted).toBe(true);
    expect(host.pending()).toBe(0);
    let called = false;
    const late = withTimeout(
      host,
      100,
      async () => {
        called = true;
      },
      controller.signal,
    );
    await expect(late).rejects.toThrow('gave up');
    expect(called).toBe(false);
  });
});
