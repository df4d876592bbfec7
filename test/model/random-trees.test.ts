import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compareClosely, sameOrder } from './comparison.ts';
import { scenario } from './steps.ts';
import { weather } from './storm.ts';

describe('a tree of supervisors', () => {
  it('does what the reference model does, whatever happens to it', async () => {
    // What fails is made small by steps of our own, which keep each fault's target.
    await fc.assert(
      fc.asyncProperty(scenario, fc.nat(), (given, seed) => compareClosely(given, seed)),
      { numRuns: 300, endOnFailure: true },
    );
  });

  it('has each child once, where it belongs, and answers, whatever happens at the same time', async () => {
    await fc.assert(
      fc.asyncProperty(scenario, fc.nat(), (given, seed) => weather(given, seed)),
      { numRuns: 200, endOnFailure: true },
    );
  });
});

describe('the comparison with the model', () => {
  const dynamic = ['r/s'];

  it('takes no other order but among children of a dynamic supervisor', () => {
    expect(sameOrder(dynamic, ['+r/a', '+r/b'], ['+r/a', '+r/b'])).toBe(true);
    expect(sameOrder(dynamic, ['+r/a', '+r/b'], ['+r/b', '+r/a'])).toBe(false);
    expect(sameOrder(dynamic, ['+r/s/a', '+r/s/b', '+r/c'], ['+r/s/b', '+r/s/a', '+r/c'])).toBe(true);
    expect(sameOrder(dynamic, ['+r/s/a', '+r/s/b', '+r/c'], ['+r/s/b', '+r/c', '+r/s/a'])).toBe(false);
    expect(sameOrder(dynamic, ['+r/s/a', '-r/s/a'], ['-r/s/a', '+r/s/a'])).toBe(false);
  });

  it('takes no line for another, and none for two', () => {
    expect(sameOrder(dynamic, ['+r/a', '+r/a'], ['+r/a', '+r/b'])).toBe(false);
    expect(sameOrder(dynamic, ['+r/a'], ['+r/a', '+r/a'])).toBe(false);
  });
});
