import { describe, expect, it } from 'vitest';
import type { Flow } from '../../src/streams/flow.ts';
import { mergeMap } from '../../src/streams/flow-merge.ts';
import { take } from '../../src/streams/flow-operators.ts';
import { buffer, fromPush } from '../../src/streams/flow-sources.ts';
import { window } from '../../src/streams/flow-window.ts';
import { FlowProbe } from '../support/flow-probe.ts';
import { cancelTold, counting } from '../support/flow-subjects.ts';

/** A clock that strikes when it is told to. */
function clock() {
  const due: (() => void)[] = [];
  return {
    strike: () => {
      for (const callback of due.splice(0)) callback();
    },
    pending: () => due.length,
    host: {
      setTimer: (_ms: number, callback: () => void) => {
        due.push(callback);
        return { id: callback };
      },
      clearTimer: (timer: { readonly id: unknown }) => {
        const at = due.indexOf(timer.id as () => void);
        if (at >= 0) due.splice(at, 1);
      },
    },
  };
}

describe('a window', () => {
  it('stands still with its first item until it is read', () => {
    let emitted = 0;
    const source = counting(100).pipe((from) => from);
    const outer = FlowProbe.on(source.pipe(window({ size: 5 })));
    outer.request(10);
    expect(outer.items).toHaveLength(1);
    const inner = FlowProbe.on(outer.items[0] as Flow<number>);
    inner.request(2);
    emitted = inner.items.length;
    expect(emitted).toBe(2);
    inner.request(10);
    expect(inner.items).toEqual([0, 1, 2, 3, 4]);
    expect(inner.ending).toBe('complete');
    expect(outer.items).toHaveLength(2);
  });

  it('that is cancelled early is skipped to its end', () => {
    const outer = FlowProbe.on(counting(12).pipe(window({ size: 5 })));
    outer.request(10);
    const first = FlowProbe.on(outer.items[0] as Flow<number>);
    first.request(2);
    first.cancel();
    expect(outer.items).toHaveLength(2);
    const second = FlowProbe.on(outer.items[1] as Flow<number>);
    second.request(10);
    expect(second.items).toEqual([5, 6, 7, 8, 9]);
  });

  it('that is being read runs to its end when the outer flow is cancelled, and the source is cancelled then', () => {
    let cancelled = 0;
    const probe = FlowProbe.on(
      cancelTold(() => {
        cancelled += 1;
      }).pipe(
        window({ size: 4 }),
        take(1),
        mergeMap((items) => items, { concurrency: 2 }),
      ),
    );
    probe.request(2);
    expect(cancelled).toBe(0);
    probe.request(10);
    expect(probe.items).toEqual([0, 1, 2, 3]);
    expect(probe.ending).toBe('complete');
    expect(cancelled).toBe(1);
  });

  it('has one subscriber', () => {
    const outer = FlowProbe.on(counting(12).pipe(window({ size: 5 })));
    outer.request(1);
    FlowProbe.on(outer.items[0] as Flow<number>);
    const second = FlowProbe.on(outer.items[0] as Flow<number>);
    expect(second.reason).toMatchObject({ code: 'MAG_FLOW_SUBSCRIBED' });
  });

  it('ends with its time, and what it had asked for opens the next one', () => {
    const { strike, pending, host } = clock();
    const source = fromPush<number>(buffer(10));
    const outer = FlowProbe.on(source.flow.pipe(window({ size: 3, within: { host, ms: 10 } })));
    outer.request(1);
    source.push(1);
    const first = FlowProbe.on(outer.items[0] as Flow<number>);
    first.request(3);
    strike();
    expect(first.items).toEqual([1]);
    expect(first.ending).toBe('complete');
    source.push(2);
    source.push(3);
    source.push(4);
    // Nobody has asked for a second window yet; the source may not give more than the first one asked for.
    expect(outer.items).toHaveLength(1);
    expect(source.buffered).toBe(1);
    outer.request(1);
    const second = FlowProbe.on(outer.items[1] as Flow<number>);
    second.request(3);
    expect(second.items).toEqual([2, 3, 4]);
    expect(second.ending).toBe('complete');
    source.complete();
    expect(outer.ending).toBe('complete');
    expect(pending()).toBe(0);
  });

  it('ends with its source’s error, as the outer flow does', () => {
    const source = fromPush<number>(buffer(10));
    const outer = FlowProbe.on(source.flow.pipe(window({ size: 3 })));
    outer.request(2);
    source.push(1);
    const inner = FlowProbe.on(outer.items[0] as Flow<number>);
    inner.request(1);
    const wrong = new Error('gone');
    source.error(wrong);
    expect(inner.reason).toBe(wrong);
    expect(outer.reason).toBe(wrong);
  });
});
