import { describe, expect, it } from 'vitest';
import { type ChildSpec, component, light, type Question, sleep, supervisor } from '../../src/index.ts';
import { child, Sup, UNLIMITED } from '../support/runtime/otp.ts';

type Counting = { readonly type: 'ADD' } | { readonly type: 'BOOM' } | Question<{ type: 'READ' }, unknown>;

/** A counter whose state has a shape of its own in each version. */
const counter = (version: 1 | 2, options: { readonly fails?: boolean } = {}): ChildSpec =>
  light(
    'counter',
    {
      init: () => {
        if (options.fails === true) throw new Error('this version cannot start');
        return version === 1 ? { n: 0 } : { total: 0 };
      },
      resume: (state) => {
        if (options.fails === true) throw new Error('this version cannot start');
        return state;
      },
      receive: (state: { n?: number; total?: number }, message: Counting) => {
        if (message.type === 'BOOM') throw new Error('broke');
        if (message.type === 'READ') message.reply?.(state);
        if (message.type !== 'ADD') return state;
        return version === 1 ? { n: (state.n ?? 0) + 1 } : { total: (state.total ?? 0) + 1 };
      },
    },
    {
      shutdown: version * 1_000,
      state: {
        keep: 'last',
        version,
        migrate: { 1: (old) => ({ total: 10 * ((old as { n: number }).n ?? 0) }) },
      },
    },
  );

const read = (sup: Sup): Promise<unknown> =>
  sup.bench.settle(sup.bench.system.slot('sup_test/counter').ask({ type: 'READ' }));
const replace = (sup: Sup, spec: ChildSpec): Promise<unknown> =>
  sup.bench.settle(sup.api().replaceChild(spec));

async function started(strategy: 'one_for_one' | 'rest_for_one' = 'one_for_one'): Promise<Sup> {
  const children = [child('before'), counter(1), child('after')];
  const sup = await Sup.start({ strategy, intensity: UNLIMITED, children });
  for (let index = 0; index < 3; index += 1) sup.bench.system.slot('sup_test/counter').send({ type: 'ADD' });
  await sup.bench.host.runUntilIdle();
  return sup;
}

describe('a replaced child', () => {
  it('keeps its path, its place and its state, which goes through the migrations', async () => {
    const sup = await started();
    const before = sup.pid('counter');
    await replace(sup, counter(2));
    expect(sup.ids()).toEqual(['before', 'counter', 'after']);
    expect(sup.end(before)).toBe('shutdown');
    expect(sup.pid('counter').address).not.toBe(before.address);
    expect(await read(sup)).toEqual({ total: 30 });
    expect(sup.api().childSpec('counter').shutdown).toBe(2_000);
    expect(sup.api().child('before').restarts).toBe(0);
    expect(before.send({ type: 'ADD' })).toBe('dead');
  });

  it('loses no message that is sent to its slot meanwhile, in their order', async () => {
    const seen: unknown[] = [];
    const keeper = (id: string, ms: number): ChildSpec =>
      component('keeper', async ({ host }) => {
        await new Promise<void>((resolve) => void host.setTimer(ms, resolve));
        return {
          handle: (message) => void seen.push([id, message.n]),
          stop: () => new Promise((resolve) => void host.setTimer(ms, resolve)),
        };
      });
    const sup = await Sup.start();
    void sup.api().startChild(keeper('old', 100));
    await sup.bench.host.advance(100);
    const slot = sup.bench.system.slot('sup_test/keeper');
    slot.send({ type: 'N', n: 0 });
    await sup.bench.host.runUntilIdle();
    const replaced = sup.api().replaceChild(keeper('new', 100));
    for (let n = 1; n <= 20; n += 1) {
      expect(slot.send({ type: 'N', n })).toBe('sent');
      await sup.bench.host.advance(15);
    }
    expect((await replaced).send({ type: 'N', n: 21 })).toBe('sent');
    await sup.bench.host.runUntilIdle();
    expect(seen).toEqual(Array.from({ length: 22 }, (_, n) => [n === 0 ? 'old' : 'new', n]));
    expect(sup.bench.system.deadLetters().count).toBe(0);
  });

  it('comes back as it was, with its state, where the new one cannot start', async () => {
    const sup = await started();
    await expect(replace(sup, counter(2, { fails: true }))).rejects.toThrow('this version cannot start');
    expect(sup.which()).toEqual(['before running', 'counter running', 'after running']);
    expect(sup.api().childSpec('counter').shutdown).toBe(1_000);
    expect(await read(sup)).toEqual({ n: 3 });
    // None of it burns the budget.
    expect(sup.alive).toBe(true);
  });

  it('is refused where its specification is faulty, or where there is none of that id', async () => {
    const sup = await started();
    await expect(replace(sup, { ...counter(2), shutdown: -1 })).rejects.toMatchObject({
      code: 'MAG_CHILD_SPEC_INVALID',
      details: 'shutdown',
    });
    await expect(replace(sup, child('nobody'))).rejects.toMatchObject({ code: 'MAG_ACTOR_NOT_FOUND' });
    expect(await read(sup)).toEqual({ n: 3 });
  });

  it('that was down is started; one that waits for its restart is started at once', async () => {
    const sup = await started();
    await sup.do('terminateChild', 'counter');
    await replace(sup, counter(2));
    expect(sup.api().child('counter').status).toBe('running');
    await replace(sup, { ...counter(2), backoff: { base: 60_000, cap: 60_000, resetAfter: 1 } });
    sup.bench.system.slot('sup_test/counter').send({ type: 'BOOM' });
    await sup.bench.host.runUntilIdle();
    expect(sup.api().child('counter').status).toBe('restarting');
    await replace(sup, counter(2));
    expect(sup.api().child('counter').status).toBe('running');
    await sup.bench.host.advance(120_000);
    expect(sup.api().child('counter').restarts).toBe(3);
  });

  it('brings the group that waits for it back with it', async () => {
    const sup = await started('rest_for_one');
    await replace(sup, { ...counter(2), backoff: { base: 60_000, cap: 60_000, resetAfter: 1 } });
    sup.bench.system.slot('sup_test/counter').send({ type: 'BOOM' });
    await sup.bench.host.runUntilIdle();
    expect(sup.which()).toEqual(['before running', 'counter restarting', 'after restarting']);
    await replace(sup, counter(2));
    expect(sup.which()).toEqual(['before running', 'counter running', 'after running']);
  });

  it('tells so where another replacement comes right behind the restart of its group', async () => {
    let pace = 0;
    const slow = (id: string): ChildSpec =>
      component(id, async ({ host }) => {
        await sleep(host, pace);
        return { stop: () => sleep(host, pace) };
      });
    const { bench } = await Sup.start();
    const { host, system } = bench;
    const children = ['before', 'replaced', 'after'].map(slow);
    const started = system.start(supervisor('all', { strategy: 'one_for_all', children }));
    await host.advance(1);
    await started;
    pace = 50;
    void system.command('all/before', 'crash', 'on purpose');
    const api = system.supervisor('all');
    const outcomes: string[] = [];
    const replace = (when: string): void => {
      const told = (outcome: string) => () => void outcomes.push(`${when} ${outcome}`);
      api.replaceChild(slow('replaced')).then(told('done'), told('refused'));
    };
    while (api.child('replaced').status !== 'restarting') await host.advance(10);
    replace('during');
    while (api.child('after').status !== 'restarting' || api.child('replaced').status !== 'running')
      await host.advance(10);
    replace('behind');
    await host.advance(1_000);
    expect(outcomes).toEqual(['during refused', 'behind done']);
  });

  it('may be a supervisor, whose children are those of its new specification', async () => {
    const sup = await Sup.start({ children: [supervisor('inner', { children: [child('a')] })] });
    await replace(sup, supervisor('inner', { intensity: { max: 9, within: 9 }, children: [child('b')] }));
    expect(sup.which('sup_test/inner')).toEqual(['b running']);
    expect(sup.bench.system.lookup('sup_test/inner/a')).toBeUndefined();
  });

  it('comes back where a restart before it and the replacement itself both fail', async () => {
    let failures = 0;
    let starts = 0;
    const slow = component('slow', async ({ host }) => {
      await sleep(host, 7);
      starts += 1;
      if (failures > 0) {
        failures -= 1;
        throw new Error('not now');
      }
      return { stop: () => sleep(host, 3) };
    });
    const sup = await Sup.start({ intensity: UNLIMITED });
    void sup.api().startChild(slow);
    await sup.bench.host.advance(10);
    const renewed = sup.bench.system.command('sup_test/slow', 'restart', 'by hand');
    const replaced = sup.api().replaceChild(slow);
    failures = 3;
    const outcomes = Promise.allSettled([renewed, replaced]);
    await sup.bench.host.advance(1_000);
    expect((await outcomes).map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    expect([starts, sup.which()]).toEqual([5, ['slow running']]);
  });

  it('has no part in the start that it was stopped in: there is one of it, and not two', async () => {
    const up: number[] = [];
    let made = 0;
    const slow = component('slow', async ({ host }) => {
      made += 1;
      const me = made;
      await sleep(host, 7);
      up.push(me);
      return { stop: async () => void up.splice(up.indexOf(me), 1) };
    });
    const sup = await Sup.start({ intensity: UNLIMITED });
    const started = sup.api().startChild(supervisor('inner', { children: [slow] }));
    for (let turn = 0; turn < 10; turn += 1) await null;
    const renewed = sup.bench.system.command('sup_test/inner', 'restart', 'by hand');
    const outcomes = Promise.allSettled([started, renewed]);
    await sup.bench.host.advance(1_000);
    expect((await outcomes).map(({ status }) => status)).toEqual(['rejected', 'fulfilled']);
    expect(up).toHaveLength(1);
    await sup.bench.settle(sup.bench.system.stop('test'));
    expect(up).toHaveLength(0);
  });
});
