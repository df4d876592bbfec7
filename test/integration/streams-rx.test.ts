import { firstValueFrom, from, interval, map as rxMap, take as rxTake, Subject, toArray } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { fromObservable, toObservable } from '../../src/streams/flow-rx.ts';
import { buffer, fromPush } from '../../src/streams/flow-sources.ts';
import { FlowProbe } from '../support/flow-probe.ts';
import { cancelTold, counting, failing } from '../support/flow-subjects.ts';

describe('a flow in RxJS', () => {
  it('is taken by from, as fast as a synchronous chain consumes it', async () => {
    const seen = await firstValueFrom(
      from(counting(10_000)).pipe(
        rxMap((n) => n * 2),
        toArray(),
      ),
    );
    expect(seen).toHaveLength(10_000);
    expect(seen[9_999]).toBe(19_998);
  });

  it('is cancelled by a take, though it has no end and is synchronous', async () => {
    for (const policy of [undefined, buffer(5), 'drop_newest'] as const) {
      let cancelled = 0;
      const told = () =>
        cancelTold(() => {
          cancelled += 1;
        });
      const plain = policy === undefined ? from(told()) : toObservable(told(), policy);
      expect(await firstValueFrom(plain.pipe(rxTake(3), toArray()))).toEqual([0, 1, 2]);
      expect(cancelled).toBe(1);
    }
  });

  it('tells its error', async () => {
    await expect(firstValueFrom(from(failing(0, new Error('gone'))))).rejects.toThrow('gone');
    await expect(firstValueFrom(toObservable(failing(0, new Error('gone'))))).rejects.toThrow('gone');
  });

  it('is asked for as many as are not consumed yet, with buffer(n)', () => {
    const asked: number[] = [];
    const source = fromPush<number>(buffer(10));
    const subscription = toObservable(source.flow, buffer(3)).subscribe((n) => void asked.push(n));
    for (const n of [1, 2, 3, 4]) source.push(n);
    expect(asked).toEqual([1, 2, 3, 4]);
    subscription.unsubscribe();
    expect(source.push(5)).toBe(false);
  });

  it('keeps what its policy says between two deliveries, and never slows its source', () => {
    const run = (policy: 'latest' | 'drop_oldest' | 'drop_newest' | ReturnType<typeof buffer>) => {
      const due: (() => void)[] = [];
      const source = fromPush<number>(buffer(1));
      const seen: number[] = [];
      let failure: unknown = null;
      toObservable(
        source.flow,
        typeof policy === 'string' && policy !== 'latest' ? { capacity: 2, overflow: policy } : policy,
        { deliver: (next) => void due.push(next) },
      ).subscribe({
        next: (n) => void seen.push(n),
        error: (error: unknown) => {
          failure = error;
        },
      });
      for (const n of [1, 2, 3, 4, 5]) expect(source.push(n)).toBe(true);
      for (let round = 0; round < 10; round += 1) due.shift()?.();
      return { seen, failure };
    };
    expect(run('latest').seen).toEqual([5]);
    expect(run('drop_oldest').seen).toEqual([4, 5]);
    expect(run('drop_newest').seen).toEqual([1, 2]);
    const failed = run(buffer(2));
    expect(failed.seen).toEqual([1, 2]);
    expect(failed.failure).toMatchObject({ code: 'MAG_FLOW_OVERFLOW' });
  });
});

describe('an Observable as a flow', () => {
  it('is unsubscribed at once when it overflows, also a synchronous one without end', () => {
    let emitted = 0;
    function* endless(): Generator<number> {
      for (;;) yield emitted++;
    }
    const probe = FlowProbe.on(fromObservable(from(endless()), buffer(3)));
    expect(emitted).toBeLessThan(10);
    probe.request(10);
    expect(probe.items).toEqual([0, 1, 2]);
    expect(probe.reason).toMatchObject({ code: 'MAG_FLOW_OVERFLOW' });
  });

  it('tells of each item that its policy loses', () => {
    const subject = new Subject<number>();
    let lost = 0;
    const onDrop = (): void => {
      lost += 1;
    };
    const probe = FlowProbe.on(fromObservable(subject, { capacity: 2, overflow: 'drop_oldest', onDrop }));
    for (const n of [1, 2, 3, 4, 5]) subject.next(n);
    probe.request(10);
    expect(probe.items).toEqual([4, 5]);
    expect(lost).toBe(3);
  });

  it('may not emit what nobody asked for, with the policy error', () => {
    const subject = new Subject<number>();
    const probe = FlowProbe.on(fromObservable(subject, 'error'));
    probe.request(1);
    subject.next(1);
    expect(probe.items).toEqual([1]);
    subject.next(2);
    expect(probe.reason).toMatchObject({ code: 'MAG_FLOW_OVERFLOW' });
    expect(subject.observed).toBe(false);
  });

  it('is iterated with for await, and left by a break', async () => {
    const seen: number[] = [];
    for await (const n of fromObservable(interval(1), 'drop_oldest')) {
      seen.push(n);
      if (seen.length === 3) break;
    }
    expect(seen).toEqual([0, 1, 2]);
  });
});
