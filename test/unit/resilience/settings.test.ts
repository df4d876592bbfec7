import { describe, expect, it } from 'vitest';
import { createAdaptiveLimit } from '../../../src/runtime/resilience/adaptive-limit.ts';
import { createBreaker } from '../../../src/runtime/resilience/breaker.ts';
import { createRetry } from '../../../src/runtime/resilience/retry.ts';
import { createShedder } from '../../../src/runtime/resilience/shedder.ts';
import { virtualHost } from '../../../src/testing/virtual-host.ts';

const host = virtualHost(1);
const open = { base: 5_000, cap: 60_000, jitter: 0.2 };

/** Bounds that bound nothing: with them a breaker never trips, a retry never waits, a queue stands for ever. */
const unbounded: readonly (readonly [setting: string, make: () => unknown])[] = [
  ['failureRatio', () => createBreaker({ host, failureRatio: Number.NaN })],
  ['slowRatio', () => createBreaker({ host, slowRatio: -1 })],
  ['base', () => createBreaker({ host, open: { ...open, base: Number.NaN } })],
  ['cap', () => createBreaker({ host, open: { ...open, cap: -1 } })],
  ['base', () => createRetry({ host, base: -1 })],
  ['cap', () => createRetry({ host, cap: Number.NaN })],
  ['budget', () => createRetry({ host, budget: Number.NaN })],
  ['reserve', () => createRetry({ host, reserve: -1 })],
  ['lanes', () => createShedder({ host, lanes: 0 })],
  ['targetMs', () => createShedder({ host, targetMs: Number.NaN })],
  ['intervalMs', () => createShedder({ host, intervalMs: -1 })],
  ['floor', () => createAdaptiveLimit({ host, floor: 0 })],
  ['ceiling', () => createAdaptiveLimit({ host, ceiling: Number.NaN })],
  ['initial', () => createAdaptiveLimit({ host, initial: Number.NaN })],
];

describe('the settings of what guards a call', () => {
  it.each(unbounded)('are refused where they bound nothing: %s', (setting, make) => {
    expect(make).toThrow(
      expect.objectContaining({ code: 'MAG_CONFIG_INVALID', message: expect.stringContaining(setting) }),
    );
  });
});
