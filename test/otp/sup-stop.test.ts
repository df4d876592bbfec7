import { describe, expect, it } from 'vitest';
import { type ChildSpec, component, type Ref, supervisor } from '../../src/index.ts';
import { child, type How, Sup, TWICE } from '../support/runtime/otp.ts';

/** supervisor_2.erl: takes so many milliseconds to stop. */
const slow = (id: string, ms: number, options: Partial<ChildSpec> = {}): ChildSpec => ({
  ...component(id, ({ host }) => ({
    stop: () => new Promise((resolve) => void host.setTimer(ms, resolve)),
  })),
  ...options,
});

/** Stops the supervisor and tells how long that took, milliseconds. */
async function stopTime(sup: Sup): Promise<number> {
  const { host } = sup.bench;
  const began = host.now();
  void sup.ref.stop('shutdown');
  await host.runUntilIdle();
  while (sup.alive && host.now() - began < 600_000) await host.advance(100);
  return host.now() - began;
}

describe('group sup_stop', () => {
  it('sup_stop_infinity: waits for children of any kind as long as they take', async () => {
    const sup = await Sup.start();
    const one = await sup.startChild(
      supervisor('child1', { children: [slow('grandchild', 90_000, { shutdown: 'infinity' })] }),
    );
    const two = await sup.startChild(slow('child2', 100_000, { shutdown: 'infinity' }));
    expect(await stopTime(sup)).toBeGreaterThanOrEqual(190_000);
    expect([one, two].map((ref) => sup.end(ref))).toEqual(['shutdown', 'shutdown']);
  });

  it.each(['one_for_one', 'dynamic'] as const)(
    'sup_stop_timeout and sup_stop_timeout_dynamic: %s kills the child that outlives its limit, and that alone',
    async (strategy) => {
      const sup = await Sup.start({ strategy });
      const one = await sup.startChild(child('child1', { restart: 'temporary', shutdown: 1_000 }));
      const two = await sup.startChild(slow('child2', 200_000, { restart: 'temporary', shutdown: 1_000 }));
      const took = await stopTime(sup);
      expect(took).toBeGreaterThanOrEqual(1_000);
      expect(took).toBeLessThan(2_000);
      expect([sup.end(sup.ref), sup.end(one), sup.end(two)]).toEqual(['shutdown', 'shutdown', 'killed']);
    },
  );

  it('sup_stop_brutal_kill: a child is killed without being asked', async () => {
    const sup = await Sup.start();
    const one = await sup.startChild(child('child1', { shutdown: 1_000 }));
    const two = await sup.startChild(child('child2', { shutdown: 'brutal' }));
    await sup.stop();
    expect([sup.end(one), sup.end(two)]).toEqual(['shutdown', 'killed']);
  });

  it('sup_stop_brutal_kill_dynamic: all of a dynamic supervisor are', async () => {
    const sup = await Sup.start({ strategy: 'dynamic' });
    const refs: Ref[] = [];
    for (let index = 0; index < 10; index += 1)
      refs.push(await sup.startChild(child(`child${index}`, { restart: 'temporary', shutdown: 'brutal' })));
    await sup.stop();
    expect(sup.end(sup.ref)).toBe('shutdown');
    expect(new Set(refs.map((ref) => sup.end(ref)))).toEqual(new Set(['killed']));
  });

  const RESTARTS = ['temporary', 'transient', 'permanent'] as const;
  const EXITS: readonly (readonly [How, string])[] = [
    ['normal', 'normal'],
    ['shutdown', 'shutdown'],
    ['abnormal', 'error'],
  ];
  it('sup_stop_race: children that end by themselves meanwhile are neither waited for nor brought back', async () => {
    const sup = await Sup.start();
    const first = await sup.startChild(child('child_a', { restart: 'temporary', shutdown: 1_000 }));
    const racing: (readonly [Ref, How, string])[] = [];
    for (const restart of RESTARTS)
      for (const [how, end] of EXITS)
        racing.push([await sup.startChild(child(`${restart}_${how}`, { restart })), how, end]);
    const last = await sup.startChild(slow('child_z', 1_000, { restart: 'temporary', shutdown: 2_000 }));
    const stopped = sup.ref.stop('shutdown');
    // The last one is stopped first and takes a second; meanwhile the others end.
    await sup.bench.host.advance(200);
    for (const [ref, how] of racing) await sup.terminate(ref, how);
    await sup.bench.host.advance(2_000);
    await stopped;
    for (const [ref, , end] of racing) expect(sup.end(ref)).toBe(end);
    expect([sup.end(sup.ref), sup.end(first), sup.end(last)]).toEqual(['shutdown', 'shutdown', 'shutdown']);
  });

  it('sup_stop_non_shutdown_exit_dynamic: children may end in any way while they are stopped', async () => {
    for (const restart of RESTARTS) {
      const sup = await Sup.start({ strategy: 'dynamic' });
      const failing = component('failing', (context) => ({
        stop: async () => context.fail(new Error('while it stops')),
      }));
      const fails = await sup.startChild({ ...failing, restart });
      const stops = await sup.startChild(child('stops', { restart }));
      await sup.stop();
      expect(sup.end(sup.ref)).toBe('shutdown');
      expect(sup.end(stops)).toBe('shutdown');
      expect(sup.end(fails)).not.toBe('alive');
    }
  });
});

describe('simple_one_for_one_shutdown', () => {
  it('stops all at the same time, each within its own limit', async () => {
    const sup = await Sup.start({ strategy: 'dynamic' });
    const one = await sup.startChild(slow('one', 1_000, { shutdown: 2_000 }));
    const two = await sup.startChild(slow('two', 1_000, { shutdown: 2_000 }));
    const killed = await sup.startChild(slow('three', 5_000, { shutdown: 2_000 }));
    const patient = await sup.startChild(slow('four', 3_000, { shutdown: 4_000 }));
    const took = await stopTime(sup);
    expect(took).toBeGreaterThanOrEqual(3_000);
    expect(took).toBeLessThan(4_000);
    expect([one, two, killed, patient].map((ref) => sup.end(ref))).toEqual([
      'shutdown',
      'shutdown',
      'killed',
      'shutdown',
    ]);
  });
});

describe('order_of_children', () => {
  it('starts them in the order given, and stops them in the opposite one', async () => {
    const ids = ['ch7', 'ch3', 'ch10', 'ch2', 'ch5'];
    const log: string[] = [];
    const children = ids.map((id) =>
      component(id, () => {
        log.push(`+${id}`);
        return { stop: async () => void log.push(`-${id}`) };
      }),
    );
    const sup = await Sup.start({ strategy: 'rest_for_one', intensity: TWICE, children });
    expect(log.splice(0)).toEqual(ids.map((id) => `+${id}`));
    await sup.bench.settle(sup.bench.system.command('sup_test/ch10', 'crash', 'test'));
    expect(log.splice(0)).toEqual(['-ch10', '-ch5', '-ch2', '+ch10', '+ch2', '+ch5']);
    await sup.stop();
    expect(log).toEqual([...ids].reverse().map((id) => `-${id}`));
  });
});

describe('a child that leaves by itself', () => {
  it.each(['finish', 'stop'] as const)('by %s is held to its shutdown limit too', async (how) => {
    const sup = await Sup.start();
    let starts = 0;
    const hanging = component(
      'child1',
      (context) => {
        starts += 1;
        if (how === 'finish' && starts === 1) context.host.setTimer(10, () => context.finish());
        return { stop: () => new Promise(() => {}) };
      },
      { shutdown: 500 },
    );
    const ref = await sup.startChild(hanging);
    if (how === 'stop') void ref.stop('some_info');
    await sup.bench.host.advance(400);
    expect(sup.end(ref)).toBe('alive');
    await sup.bench.host.advance(200);
    expect(sup.end(ref)).toBe(how === 'finish' ? 'normal' : 'shutdown');
    expect(sup.which()).toEqual(['child1 running']);
  });
});
