import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Consumer } from '../../src/actors/realtime/consumer.ts';
import { LIMITS } from '../../src/limits.ts';

const overflow = fc.constantFrom(
  'park' as const,
  'latest' as const,
  'drop_oldest' as const,
  'disconnect' as const,
);
const step = fc.oneof(fc.constant('change' as const), fc.nat(400));
const at = (offset: number) => ({ epoch: 'e', offset });

/** Runs changes and grants through a consumer; what it let out, in order, and what became of the rest. */
function run(
  policy: 'park' | 'latest' | 'drop_oldest' | 'disconnect',
  credit: number,
  steps: readonly (number | 'change')[],
) {
  const consumer = new Consumer({ resume: null, credit, overflow: policy }, at(0));
  const out: number[] = [];
  let offset = 0;
  let dropped = 0;
  let granted = credit;
  for (const next of steps) {
    if (next === 'change') {
      offset += 1;
      const frame = Buffer.from(String(offset));
      const decision = consumer.offer([frame], at(offset));
      if (decision === 'deliver') out.push(offset);
      if (decision === 'park' || decision === 'disconnect')
        return { out, offset: offset - 1, dropped, granted, stopped: true };
    } else {
      granted += next;
      const released = consumer.grant(next);
      dropped += released.dropped;
      out.push(...released.frames.map((frame) => Number(frame.toString())));
    }
  }
  const rest = consumer.grant(LIMITS.creditMax);
  return {
    out,
    kept: rest.frames.map((frame) => Number(frame.toString())),
    dropped: dropped + rest.dropped,
    offset,
    granted,
    stopped: false,
  };
}

describe('a consumer with credit', () => {
  it('is given no more than its credit, in order, and every change it is not given is counted', () => {
    fc.assert(
      fc.property(
        overflow,
        fc.nat(20),
        fc.array(step, { maxLength: 600, size: 'max' }),
        (policy, credit, steps) => {
          const { out, kept = [], dropped, offset, granted } = run(policy, credit, steps);
          expect(out.length).toBeLessThanOrEqual(granted);
          const all = [...out, ...kept];
          expect(all).toEqual([...new Set(all)].sort((left, right) => left - right));
          expect(all.length + dropped).toBe(offset);
          expect(kept.length).toBeLessThanOrEqual(policy === 'latest' ? 1 : LIMITS.creditBuffer);
        },
      ),
    );
  });

  it('keeps the newest within bytes too', () => {
    const consumer = new Consumer({ resume: null, credit: 0, overflow: 'drop_oldest' }, at(0));
    const frame = Buffer.alloc(LIMITS.outboxBytes / 4);
    for (let offset = 1; offset <= 10; offset += 1) consumer.offer([frame], at(offset));
    expect(consumer.grant(100)).toMatchObject({ frames: { length: 4 }, dropped: 6 });
    consumer.offer([frame], at(11));
    expect(consumer.credit).toBe(95);
  });
});
