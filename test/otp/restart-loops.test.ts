import { describe, expect, it } from 'vitest';
import type { ChildSpec, SupervisorOptions } from '../../src/index.ts';
import { child, Sup } from '../support/runtime/otp.ts';

const RESTARTING = { code: 'MAG_CHILD_RESTARTING' };
const PRESENT = { code: 'MAG_ACTOR_DUPLICATE', details: 'already present' };
/** supervisor_deadlock.erl fails its start after two seconds; here a try comes every two seconds. */
const backoff = { base: 2_000, cap: 2_000, resetAfter: 1 };

/** A child whose starts fail while it is told so. */
class Shaky {
  failing = false;
  readonly spec: ChildSpec;

  constructor(id: string) {
    this.spec = child(id, { shutdown: 'brutal', backoff, start: () => (this.failing ? 'error' : 'ok') });
  }
}

async function hanging(strategy: SupervisorOptions['strategy'], intensity = { max: 8, within: 10_000 }) {
  const sup = await Sup.start(strategy === undefined ? { intensity } : { strategy, intensity });
  const looping = new Shaky('child2');
  await sup.startChild(child('child1', { shutdown: 'brutal' }));
  const ref = await sup.startChild(looping.spec);
  await sup.startChild(child('child3', { shutdown: 'brutal' }));
  looping.failing = true;
  await sup.terminate('child2', 'abnormal');
  await sup.bench.host.advance(4_500);
  return { sup, looping, ref };
}

describe('hanging_restart_loop', () => {
  it('the interface is served between the tries, and a terminated child is tried no more', async () => {
    const { sup, looping, ref } = await hanging('one_for_one');
    await expect(sup.startChild(looping.spec)).rejects.toMatchObject(PRESENT);
    await expect(sup.do('restartChild', 'child2')).rejects.toMatchObject(RESTARTING);
    await expect(sup.do('deleteChild', 'child2')).rejects.toMatchObject(RESTARTING);
    expect(sup.which()).toEqual(['child1 running', 'child2 restarting', 'child3 running']);
    expect(sup.counts()).toEqual([3, 2, 0, 3]);
    await sup.do('terminateChild', 'child2');
    expect(sup.end(ref)).toBe('error');
    await sup.bench.host.advance(10_000);
    expect(sup.which()).toEqual(['child1 running', 'child2 stopped', 'child3 running']);
    looping.failing = false;
    await sup.do('restartChild', 'child2');
    expect(sup.which()[1]).toBe('child2 running');
    looping.failing = true;
    await sup.terminate('child2', 'abnormal');
    await sup.bench.host.advance(2_500);
    await sup.stop();
    expect(sup.end(sup.ref)).toBe('shutdown');
  });

  it('a start that hangs does not keep the interface, or the end, waiting', async () => {
    const sup = await Sup.start();
    let starts = 0;
    const spec: ChildSpec = {
      id: 'child1',
      // A start under way is waited for within the shutdown limit: what it has opened is freed when it comes up.
      shutdown: 'brutal',
      behaviour: {
        kind: 'component',
        start: (context) => {
          starts += 1;
          if (starts > 1) return new Promise(() => {});
          context.host.setTimer(100, () => context.fail(new Error('abnormal')));
          return {};
        },
      },
    };
    await sup.startChild(spec);
    await sup.bench.host.advance(200);
    expect(starts).toBe(2);
    expect(sup.which()).toEqual(['child1 restarting']);
    await expect(sup.do('restartChild', 'child1')).rejects.toMatchObject(RESTARTING);
    await sup.do('terminateChild', 'child1');
    expect(sup.counts()).toEqual([1, 0, 0, 1]);
    const restarted = sup.api().restartChild('child1');
    restarted.catch(() => {});
    await sup.bench.host.runUntilIdle();
    expect(starts).toBe(3);
    await sup.stop();
    expect(sup.end(sup.ref)).toBe('shutdown');
    await expect(restarted).rejects.toThrow();
  });
});

describe('hanging_restart_loop_rest_for_one', () => {
  it('those after it wait with it, and come back without it when it is terminated', async () => {
    const { sup, looping } = await hanging('rest_for_one');
    const first = sup.pid('child1').address;
    await expect(sup.startChild(looping.spec)).rejects.toMatchObject(PRESENT);
    await expect(sup.do('restartChild', 'child2')).rejects.toMatchObject(RESTARTING);
    await expect(sup.do('deleteChild', 'child2')).rejects.toMatchObject(RESTARTING);
    expect(sup.which()).toEqual(['child1 running', 'child2 restarting', 'child3 restarting']);
    expect(sup.counts()).toEqual([3, 1, 0, 3]);
    await sup.do('terminateChild', 'child2');
    expect(sup.counts()).toEqual([3, 1, 0, 3]);
    // OTP forgets those that waited with it; here they come back without it.
    await sup.bench.host.advance(2_500);
    expect(sup.which()).toEqual(['child1 running', 'child2 stopped', 'child3 running']);
    expect(sup.pid('child1').address).toBe(first);
    looping.failing = false;
    await sup.do('restartChild', 'child2');
    await sup.terminate('child2', 'abnormal');
    await sup.bench.host.advance(2_500);
    expect(sup.which()).toEqual(['child1 running', 'child2 running', 'child3 running']);
    looping.failing = true;
    await sup.terminate('child2', 'abnormal');
    await sup.bench.host.advance(2_500);
    await sup.stop();
    expect(sup.end(sup.ref)).toBe('shutdown');
  });
});

describe('hanging_restart_loop_simple', () => {
  it('a dynamic supervisor forgets the child that is terminated between its tries', async () => {
    const { sup, looping } = await hanging('dynamic');
    await expect(sup.do('restartChild', 'child2')).rejects.toMatchObject(RESTARTING);
    await expect(sup.do('deleteChild', 'child2')).rejects.toMatchObject(RESTARTING);
    expect(sup.which()).toEqual(['child1 running', 'child2 restarting', 'child3 running']);
    await sup.do('terminateChild', 'child2');
    expect(sup.ids()).toEqual(['child1', 'child3']);
    looping.failing = false;
    await sup.startChild(looping.spec);
    looping.failing = true;
    await sup.terminate('child2', 'abnormal');
    await sup.bench.host.advance(2_500);
    await sup.stop();
    expect(sup.end(sup.ref)).toBe('shutdown');
  });
});

describe('count_restarting_children', () => {
  it('those that are being restarted are listed, and not active', async () => {
    const sup = await Sup.start({ strategy: 'dynamic', intensity: { max: 20, within: 10_000 } });
    const looping = ['a', 'b', 'c'].map((id) => new Shaky(id));
    for (const one of looping) await sup.startChild(one.spec);
    expect(sup.counts()).toEqual([3, 3, 0, 3]);
    for (const id of ['a', 'b', 'c']) await sup.terminate(id, 'abnormal');
    await sup.bench.host.advance(2_500);
    expect(sup.counts()).toEqual([3, 3, 0, 3]);
    for (const one of looping) one.failing = true;
    await sup.terminate('a', 'abnormal');
    await sup.terminate('b', 'abnormal');
    await sup.bench.host.advance(4_000);
    expect(sup.counts()).toEqual([3, 1, 0, 3]);
    for (const one of looping) one.failing = false;
    await sup.bench.host.advance(4_000);
    expect(sup.counts()).toEqual([3, 3, 0, 3]);
    for (const [index, id] of ['c', 'a', 'b'].entries()) {
      await sup.do('terminateChild', id);
      expect(sup.counts()).toEqual([2 - index, 2 - index, 0, 2 - index]);
    }
  });
});
