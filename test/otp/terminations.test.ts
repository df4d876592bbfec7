import { describe, expect, it } from 'vitest';
import { component, type RestartType, supervisor } from '../../src/index.ts';
import { child, type How, Sup, TWICE } from '../support/runtime/otp.ts';
import { bench } from '../support/runtime/probe.ts';

const DOWN = ['child1 stopped'];
const UP = ['child1 running'];

/** What is left of a child after it ended so. */
const ENDS: readonly (readonly [name: string, RestartType, How, readonly string[]])[] = [
  ['permanent_normal', 'permanent', 'normal', UP],
  ['transient_normal', 'transient', 'normal', DOWN],
  ['temporary_normal', 'temporary', 'normal', []],
  ['permanent_shutdown', 'permanent', 'shutdown', UP],
  ['transient_shutdown', 'transient', 'shutdown', DOWN],
  ['temporary_shutdown', 'temporary', 'shutdown', []],
  ['permanent_abnormal', 'permanent', 'abnormal', UP],
  ['transient_abnormal', 'transient', 'abnormal', UP],
  ['temporary_abnormal', 'temporary', 'abnormal', []],
  ['permanent, killed', 'permanent', 'kill', UP],
  ['transient, killed', 'transient', 'kill', UP],
  ['temporary, killed', 'temporary', 'kill', []],
];

describe('groups normal_termination, shutdown_termination and abnormal_termination', () => {
  it.each(ENDS)('%s: of a %s child that ends by %s is left %o', async (_name, restart, how, left) => {
    const sup = await Sup.start();
    const first = await sup.startChild(child('child1', { restart }));
    await sup.terminate('child1', how);
    expect(sup.end(first)).not.toBe('alive');
    expect(sup.which()).toEqual(left);
    expect(sup.counts()).toEqual([left.length, left === UP ? 1 : 0, 0, left.length]);
    if (left === UP) expect(sup.pid('child1').address).not.toBe(first.address);
    expect(sup.alive).toBe(true);
  });

  it.each(ENDS)(
    '%s: the same (%s, %s) with a backoff, which the chart judges',
    async (_n, restart, how, left) => {
      const sup = await Sup.start();
      await sup.startChild(child('child1', { restart, backoff: { base: 10, cap: 20, resetAfter: 100 } }));
      await sup.terminate('child1', how);
      await sup.bench.host.advance(100);
      expect(sup.which()).toEqual(left);
    },
  );

  it('a transient child that ended can be started again, and ends again', async () => {
    const sup = await Sup.start();
    await sup.startChild(child('child1', { restart: 'transient' }));
    await sup.terminate('child1', 'shutdown');
    await sup.do('restartChild', 'child1');
    expect(sup.which()).toEqual(UP);
    await sup.terminate('child1', 'shutdown');
    expect(sup.which()).toEqual(DOWN);
  });

  it('faulty_application_shutdown: what a grandchild could not start by reaches who starts the root', async () => {
    const b = bench();
    const faulty = component('app_faulty', () => {
      throw new Error('an_undefined_function');
    });
    const root = supervisor('app', {
      children: [child('before'), supervisor('inner', { children: [faulty] })],
    });
    await expect(b.settle(b.system.start(root))).rejects.toThrow('an_undefined_function');
    expect(b.system.lookup('app/before')).toBeUndefined();
    expect(b.rootFailures).toEqual([]);
  });
});

describe('temporary_bystander', () => {
  it.each(['one_for_all', 'rest_for_one'] as const)(
    '%s takes a temporary child down with its group and does not bring it back',
    async (strategy) => {
      const sup = await Sup.start({ strategy });
      await sup.startChild(child('child1', { shutdown: 100 }));
      const bystander = await sup.startChild(child('child2', { restart: 'temporary', shutdown: 100 }));
      await sup.terminate('child1', 'normal');
      await sup.bench.host.advance(350);
      expect(sup.alive).toBe(true);
      expect(sup.end(bystander)).toBe('shutdown');
      expect(sup.which()).toEqual(UP);
    },
  );
});

describe('do_not_save_child_specs_for_temporary_children', () => {
  const STRATEGIES = ['one_for_all', 'one_for_one', 'rest_for_one'] as const;
  const HOWS = ['kill', 'normal', 'abnormal', 'supervisor'] as const;
  it.each(STRATEGIES.flatMap((strategy) => HOWS.map((how) => [strategy, how] as const)))(
    '%s, ended by %s',
    async (strategy, how) => {
      const sup = await Sup.start({ strategy, intensity: { ...TWICE, max: 10 } });
      const end = (id: string): Promise<void> =>
        how === 'supervisor' ? sup.do('terminateChild', id) : sup.terminate(id, how);
      const again = (id: string, restart: RestartType) => sup.startChild(child(id, { restart }));
      await again('child1', 'permanent');
      await end('child1');
      const left = how === 'supervisor' ? 'already present' : 'already running';
      await expect(again('child1', 'permanent')).rejects.toMatchObject({ details: left });
      await again('child2', 'transient');
      await end('child2');
      const kept = how === 'supervisor' || how === 'normal' ? 'already present' : 'already running';
      await expect(again('child2', 'transient')).rejects.toMatchObject({ details: kept });
      await again('child3', 'temporary');
      await end('child3');
      await again('child3', 'temporary');
    },
  );

  it('simple_one_for_one_corruption: a dynamic supervisor keeps nothing of them either', async () => {
    const sup = await Sup.start({ strategy: 'dynamic' });
    for (const how of ['abnormal', 'normal', 'kill'] as const) {
      await sup.startChild(child('child', { restart: 'temporary' }));
      await sup.terminate('child', how);
      expect(sup.counts()).toEqual([0, 0, 0, 0]);
    }
  });
});
