import { describe, expect, it } from 'vitest';
import { type BootComponent, planBoot } from '../../src/actors/bios/boot-plan.ts';

const component = (name: string, rest: Partial<BootComponent> = {}): BootComponent => ({
  name,
  stage: 'storage',
  requires: [],
  optional: false,
  deadlineMs: 1_000,
  start: async () => {},
  ...rest,
});

describe('components that do not fit together are refused before anything starts', () => {
  it('names a requirement that does not exist', () => {
    expect(() => planBoot([component('a', { requires: ['ghost'] })])).toThrow(
      'The component a cannot be booted: it requires ghost, which does not exist',
    );
  });

  it('names a requirement that belongs to a later stage', () => {
    const late = component('late', { stage: 'compute' });
    expect(() => planBoot([component('a', { requires: ['late'] }), late])).toThrow(/later stage compute/);
  });

  it('names a name that is used twice', () => {
    expect(() => planBoot([component('a'), component('a')])).toThrow(/two components have this name/);
  });

  it('spells out a cycle', () => {
    const ring = [component('a', { requires: ['b'] }), component('b', { requires: ['a'] })];
    expect(() => planBoot(ring)).toThrow(/a → b → a/);
  });
});
