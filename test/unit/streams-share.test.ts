import { describe, expect, it } from 'vitest';
import { createFlow } from '../../src/streams/flow.ts';
import { share } from '../../src/streams/flow-share.ts';
import { buffer, fromPush } from '../../src/streams/flow-sources.ts';
import { FlowProbe } from '../support/flow-probe.ts';

const shared = (slow: 'wait' | 'drop_oldest' | 'drop_newest' | 'error') => {
  const source = fromPush<number>(buffer(100));
  let drops = 0;
  const flow = source.flow.pipe(
    share({
      capacity: 2,
      slow,
      onDrop: () => {
        drops += 1;
      },
    }),
  );
  const fast = FlowProbe.on(flow);
  const slowOne = FlowProbe.on(flow);
  fast.request(100);
  for (let n = 1; n <= 6; n += 1) source.push(n);
  return { source, fast, slow: slowOne, drops: () => drops };
};

describe('a shared flow with a subscriber that asks for nothing', () => {
  it('waits for it, at the size of its buffer', () => {
    const { fast, slow, drops } = shared('wait');
    expect(fast.items).toEqual([1, 2]);
    slow.request(1);
    expect(fast.items).toEqual([1, 2, 3]);
    slow.request(10);
    expect(slow.items).toEqual([1, 2, 3, 4, 5, 6]);
    expect(fast.items).toEqual([1, 2, 3, 4, 5, 6]);
    expect(drops()).toBe(0);
  });

  it('goes on when it cancels', () => {
    const { fast, slow } = shared('wait');
    slow.cancel();
    expect(fast.items).toEqual([1, 2, 3, 4, 5, 6]);
  });

  it('drops its oldest items', () => {
    const { fast, slow, drops } = shared('drop_oldest');
    expect(fast.items).toEqual([1, 2, 3, 4, 5, 6]);
    slow.request(10);
    expect(slow.items).toEqual([5, 6]);
    expect(drops()).toBe(4);
  });

  it('drops its newest items', () => {
    const { slow, drops } = shared('drop_newest');
    slow.request(10);
    expect(slow.items).toEqual([1, 2]);
    expect(drops()).toBe(4);
  });

  it('ends it alone with an error, after what it holds', () => {
    const { source, fast, slow } = shared('error');
    slow.request(10);
    expect(slow.items).toEqual([1, 2]);
    expect(slow.reason).toMatchObject({ code: 'MAG_FLOW_OVERFLOW' });
    source.push(7);
    expect(fast.items).toEqual([1, 2, 3, 4, 5, 6, 7]);
    expect(fast.isOver).toBe(false);
  });
});

describe('a shared flow', () => {
  it('subscribes once, cancels with the last subscriber, and begins anew with the next', () => {
    let started = 0;
    let cancelled = 0;
    const flow = createFlow<number>((emitter) => {
      let at = 0;
      started += 1;
      return {
        pull: () => {
          while (emitter.demand > 0) emitter.next(at++);
        },
        cancel: () => {
          cancelled += 1;
        },
      };
    }).pipe(share({ capacity: 4, slow: 'wait' }));
    const first = FlowProbe.on(flow);
    const second = FlowProbe.on(flow);
    first.request(3);
    expect(first.items).toEqual([0, 1, 2]);
    second.request(3);
    expect(second.items).toEqual([0, 1, 2]);
    expect(started).toBe(1);
    first.cancel();
    expect(cancelled).toBe(0);
    second.cancel();
    expect(cancelled).toBe(1);
    const third = FlowProbe.on(flow);
    third.request(2);
    expect(third.items).toEqual([0, 1]);
    expect(started).toBe(2);
  });

  it('gives one that joins late what comes from then on, and all the same end', () => {
    const source = fromPush<number>(buffer(10));
    const flow = source.flow.pipe(share({ capacity: 4, slow: 'wait' }));
    const first = FlowProbe.on(flow);
    first.request(10);
    source.push(1);
    const late = FlowProbe.on(flow);
    late.request(10);
    source.push(2);
    source.error(new Error('over'));
    expect(first.items).toEqual([1, 2]);
    expect(late.items).toEqual([2]);
    expect(first.reason).toBe(late.reason);
    expect(first.broken.concat(late.broken)).toEqual([]);
  });

  it('ends for all where one observer throws, and who made it emit is told', () => {
    const source = fromPush<number>(buffer(10));
    const flow = source.flow.pipe(share({ capacity: 4, slow: 'wait' }));
    const good = FlowProbe.on(flow);
    const bad = FlowProbe.on(flow);
    const alsoGood = FlowProbe.on(flow);
    bad.onItem = () => {
      throw new Error('broken observer');
    };
    for (const probe of [good, bad, alsoGood]) probe.request(10);
    expect(() => source.push(1)).toThrow('broken observer');
    expect(good.items).toEqual([1]);
    expect(alsoGood.items).toEqual([1]);
    expect(good.reason).toMatchObject({ message: 'broken observer' });
    expect(source.push(2)).toBe(false);
  });
});
