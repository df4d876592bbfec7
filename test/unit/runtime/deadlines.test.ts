import { describe, expect, it } from 'vitest';
import { component, createSystem, light, supervisor } from '../../../src/index.ts';
import { LIMITS } from '../../../src/limits.ts';
import { nodeHost } from '../../../src/runtime/host-node.ts';
import { bench, probe } from '../../support/runtime/probe.ts';

const silent = light('silent', { init: () => null, receive: (state) => state });

describe('the time of an ask', () => {
  it.each([
    ['no number', Number.NaN, LIMITS.askTimeoutMs],
    ['a fraction', 0.25, 1],
    ['nothing', 0, 0],
    ['less than nothing', -5, 0],
  ])('where it is %s is over', async (_what, timeout, ms) => {
    const b = bench();
    await b.start(silent);
    const asked = b.system.slot('silent').ask({ type: 'GET' }, { timeout });
    asked.catch(() => {});
    await b.host.advance(ms);
    await expect(asked).rejects.toMatchObject({ code: 'MAG_ASK_TIMEOUT' });
  });

  it.each([Number.POSITIVE_INFINITY, 1e12])('of %s ms costs no timer that fires at once', async (timeout) => {
    const real = nodeHost();
    let timers = 0;
    const host = {
      ...real,
      setTimer: (delay: number, callback: () => void) => {
        timers += 1;
        return real.setTimer(delay, callback);
      },
    };
    const system = createSystem({ host });
    await system.start(silent);
    const asked = system.slot('silent').ask({ type: 'GET' }, { timeout });
    asked.catch(() => {});
    await new Promise((resolve) => void setTimeout(resolve, 30));
    expect(timers).toBe(1);
    await system.stop('done');
    await expect(asked).rejects.toMatchObject({ code: 'MAG_COMPONENT_UNAVAILABLE' });
  });
});

describe('an answer that is only promised', () => {
  it('by something like a promise, that never comes, is late like any other', async () => {
    const b = bench();
    // biome-ignore lint/suspicious/noThenProperty: it is the one thing that this is about
    await b.start(component('c', () => ({ handle: () => ({ then: () => {} }) })));
    const asked = b.system.slot('c').ask({ type: 'GET' }, { timeout: 10 });
    asked.catch(() => {});
    await b.host.advance(11);
    await expect(asked).rejects.toMatchObject({ code: 'MAG_ASK_TIMEOUT' });
  });
});

describe('a question after the end of everything', () => {
  it('fails at once, and keeps no timer', async () => {
    const real = nodeHost();
    const timers = new Set<unknown>();
    const host = {
      ...real,
      setTimer: (delay: number, callback: () => void) => {
        const timer = real.setTimer(delay, callback);
        timers.add(timer);
        return timer;
      },
      clearTimer: (timer: { readonly id: unknown }) => {
        timers.delete(timer);
        real.clearTimer(timer);
      },
    };
    const system = createSystem({ host });
    await system.start(silent);
    await system.stop('done');
    await expect(system.slot('silent').ask({ type: 'GET' })).rejects.toMatchObject({
      code: 'MAG_ACTOR_NOT_FOUND',
    });
    expect(timers.size).toBe(0);
  });
});

describe('an offer that was called off before it was made', () => {
  it('rejects with its reason and is not sent', async () => {
    const b = bench();
    await b.start(probe('a'));
    const slot = b.system.slot('a');
    const signal = AbortSignal.abort(new Error('called off'));
    await expect(slot.offer({ type: 'ADD' }, { signal })).rejects.toThrow('called off');
    await expect(b.system.lookup('a')?.offer({ type: 'ADD' }, { signal })).rejects.toThrow('called off');
    expect(await b.settle(slot.ask({ type: 'GET' }))).toBe(0);
  });
});

describe('the stop of a system', () => {
  it('does not wait for a root beyond the limit that it has by default', async () => {
    const b = bench();
    await b.start(component('hung', () => ({ stop: () => new Promise<void>(() => {}) })));
    let over = false;
    const stopped = b.system.stop('done').then(() => {
      over = true;
    });
    await b.host.advance(LIMITS.shutdownMs + 1);
    expect(over).toBe(true);
    await stopped;
  });

  it('refuses new roots from then on, which nobody would stop', async () => {
    const b = bench();
    await b.start(probe('a'));
    const stopped = b.system.stop('done');
    await expect(b.settle(b.system.start(probe('late')))).rejects.toMatchObject({
      code: 'MAG_COMPONENT_UNAVAILABLE',
    });
    await stopped;
    await b.settle(b.system.stop('again'));
    expect(b.runtime.counters().actors).toBe(0);
  });

  it('of several roots ends the last one first, asked twice at once', async () => {
    const b = bench();
    const log: string[] = [];
    for (const id of ['a', 'b', 'c']) await b.start(probe(id, log));
    await b.settle(Promise.all([b.system.stop('once'), b.system.stop('twice')]));
    expect(log).toEqual(['+a', '+b', '+c', '-c', '-b', '-a']);
  });
});

describe('a conversation of questions', () => {
  it('lets timers have their turn', async () => {
    const system = createSystem();
    await system.start(supervisor('board', { children: [probe('a')] }));
    const slot = system.slot('board/a');
    let rang = false;
    setTimeout(() => {
      rang = true;
    }, 5);
    for (let n = 0; n < 300_000 && !rang; n += 1) await slot.ask({ type: 'GET' });
    expect(rang).toBe(true);
    await system.stop('done');
  });
});
