import { describe, expect, it } from 'vitest';
import { light, supervisor } from '../../../src/index.ts';
import { LIMITS } from '../../../src/limits.ts';
import { bench, probe } from '../../support/runtime/probe.ts';

describe('what waits is bounded and counted', () => {
  it('while an actor is restarted: beyond the bound a send is rejected and an ask fails', async () => {
    const b = bench();
    const backoff = { base: 1_000, cap: 1_000, resetAfter: 60_000 };
    const mailbox = { capacity: LIMITS.parkedMessages * 2, overflow: 'reject' as const };
    await b.start(supervisor('board', { children: [probe('a', [], { backoff, mailbox })] }));
    const slot = b.system.slot('board/a');
    slot.send({ type: 'BOOM' });
    await b.host.runUntilIdle();
    for (let n = 0; n < LIMITS.parkedMessages; n += 1) expect(slot.send({ type: 'ADD' })).toBe('sent');
    expect(slot.send({ type: 'ADD' })).toBe('rejected');
    await expect(slot.ask({ type: 'GET' })).rejects.toMatchObject({ code: 'MAG_COMPONENT_UNAVAILABLE' });
    await b.host.advance(1_001);
    expect(await b.settle(slot.ask({ type: 'GET' }))).toBe(LIMITS.parkedMessages);
  });

  it('of dead letters only the last are kept, all are counted', async () => {
    const b = bench();
    await b.start(supervisor('board', { children: [] }));
    for (let n = 0; n < LIMITS.deadLetters + 5; n += 1) b.system.slot('board/none').send({ type: `N${n}` });
    expect(b.runtime.deadLetters.count).toBe(LIMITS.deadLetters + 5);
    const kept = b.runtime.deadLetters.recent();
    expect(kept).toHaveLength(LIMITS.deadLetters);
    expect([kept.at(0)?.type, kept.at(-1)?.type]).toEqual(['N5', `N${LIMITS.deadLetters + 4}`]);
  });
});

describe('the run queue', () => {
  it('gives every actor its turn while one has a full mailbox', async () => {
    const b = bench();
    const order: string[] = [];
    const note = (id: string) =>
      light(id, { init: () => null, receive: () => void order.push(id) as unknown as null });
    await b.start(supervisor('board', { children: [note('busy'), note('calm')] }));
    for (let n = 0; n < 1_000; n += 1) b.system.slot('board/busy').send({ type: 'N' });
    b.system.slot('board/calm').send({ type: 'N' });
    await b.host.runUntilIdle();
    expect(order).toHaveLength(1_001);
    expect(order.indexOf('calm')).toBeLessThan(100);
  });

  const flood = async (count: number, msPerLook: number): Promise<number> => {
    const b = bench();
    let deferred = 0;
    let late = 0;
    const { defer, now } = b.host;
    Object.assign(b.host, {
      defer: (callback: () => void) => {
        deferred += 1;
        defer(callback);
      },
      now: () => {
        late += msPerLook;
        return now() + late;
      },
    });
    const mailbox = { capacity: count, overflow: 'reject' as const };
    await b.start(supervisor('board', { children: [probe('a', [], { mailbox })] }));
    for (let n = 0; n < count; n += 1) b.system.slot('board/a').send({ type: 'ADD' });
    await b.host.runUntilIdle();
    expect(b.runtime.kernel.handled).toBeGreaterThanOrEqual(count);
    return deferred;
  };

  it('lets timers and sockets in after each quantum where that takes long', async () => {
    expect(await flood(LIMITS.runQueueQuantum * 40, LIMITS.runQueueMs)).toBe(40);
  });

  it('lets them in after some quanta where those take no time', async () => {
    // From idle after one quantum, then as often as the bound says.
    expect(await flood(LIMITS.runQueueQuantum * (LIMITS.runQueueQuanta * 2 + 1), 0)).toBe(3);
  });

  it('can be stepped one message at a time', async () => {
    const b = bench();
    await b.start(supervisor('board', { children: [probe('a')] }));
    for (let n = 0; n < 3; n += 1) b.system.slot('board/a').send({ type: 'ADD' });
    const handled = b.runtime.kernel.handled;
    expect(b.runtime.kernel.step()).toBe(true);
    expect(b.runtime.kernel.handled).toBe(handled + 1);
    expect([1, 2, 3].map(() => b.runtime.kernel.step())).toEqual([true, true, false]);
  });
});
