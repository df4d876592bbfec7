import { describe, expect, it } from 'vitest';
import { type Down, light, type Ref, supervisor } from '../../src/index.ts';
import { child, Sup, UNLIMITED } from '../support/runtime/otp.ts';

const NOT_FOUND = { code: 'MAG_ACTOR_NOT_FOUND' };
const RUNNING = { code: 'MAG_CHILD_RUNNING' };
const duplicate = (details: string) => ({ code: 'MAG_ACTOR_DUPLICATE', details });

describe('child_adm', () => {
  it('starts, terminates, restarts, deletes and lists children, and refuses what cannot be', async () => {
    const sup = await Sup.start({ children: [child('child1')] });
    const first = sup.pid('child1');
    expect(sup.counts()).toEqual([1, 1, 0, 1]);
    await expect(sup.startChild(child('child1'))).rejects.toMatchObject(duplicate('already running'));
    // Termination
    await expect(sup.do('terminateChild', 'hej')).rejects.toMatchObject(NOT_FOUND);
    await sup.do('terminateChild', 'child1');
    expect(sup.end(first)).toBe('shutdown');
    expect(sup.which()).toEqual(['child1 stopped']);
    expect(sup.counts()).toEqual([1, 0, 0, 1]);
    await sup.do('terminateChild', 'child1');
    await expect(sup.startChild(child('child1'))).rejects.toMatchObject(duplicate('already present'));
    // Restart
    await sup.do('restartChild', 'child1');
    expect(sup.which()).toEqual(['child1 running']);
    expect(sup.pid('child1').address).not.toBe(first.address);
    await expect(sup.do('restartChild', 'child1')).rejects.toMatchObject(RUNNING);
    await expect(sup.do('restartChild', 'child2')).rejects.toMatchObject(NOT_FOUND);
    // Deletion
    await expect(sup.do('deleteChild', 'child1')).rejects.toMatchObject(RUNNING);
    await expect(sup.do('deleteChild', 'hej')).rejects.toMatchObject(NOT_FOUND);
    await sup.do('terminateChild', 'child1');
    await sup.do('deleteChild', 'child1');
    await expect(sup.do('restartChild', 'child1')).rejects.toMatchObject(NOT_FOUND);
    expect(sup.counts()).toEqual([0, 0, 0, 0]);
    // Start
    await sup.startChild(child('child1'));
    expect(sup.which()).toEqual(['child1 running']);
  });

  it('of a supervisor that is not there is refused', async () => {
    const sup = await Sup.start();
    const api = sup.api();
    expect(() => sup.api('foo')).toThrow(expect.objectContaining(NOT_FOUND));
    await sup.stop();
    await expect(api.startChild(child('child1'))).rejects.toMatchObject(NOT_FOUND);
    await expect(api.terminateChild('child1')).rejects.toMatchObject(NOT_FOUND);
    await expect(api.deleteChild('child1')).rejects.toMatchObject(NOT_FOUND);
    expect(() => api.children()).toThrow(expect.objectContaining(NOT_FOUND));
    expect(() => api.count()).toThrow(expect.objectContaining(NOT_FOUND));
  });
});

describe('child_adm_simple', () => {
  it('a dynamic supervisor forgets a child that is terminated', async () => {
    const sup = await Sup.start({ strategy: 'dynamic' });
    expect(sup.counts()).toEqual([0, 0, 0, 0]);
    const one = await sup.startChild(child('one'));
    const two = await sup.startChild(child('two'));
    expect(sup.counts()).toEqual([2, 2, 0, 2]);
    await sup.do('terminateChild', 'one');
    expect([sup.end(one), sup.end(two)]).toEqual(['shutdown', 'alive']);
    expect(sup.which()).toEqual(['two running']);
    await expect(sup.do('terminateChild', 'one')).rejects.toMatchObject(NOT_FOUND);
    await expect(sup.do('restartChild', 'one')).rejects.toMatchObject(NOT_FOUND);
    await expect(sup.do('deleteChild', 'one')).rejects.toMatchObject(NOT_FOUND);
    await expect(sup.do('deleteChild', 'two')).rejects.toMatchObject(RUNNING);
  });
});

describe('extra_return', () => {
  it('every start gives the reference that speaks to the child', async () => {
    const sup = await Sup.start();
    const echo = light('child1', {
      init: () => 'extra',
      receive: (state: string, message: { type: 'READ'; reply?: (value: string) => void }) => {
        message.reply?.(state);
        return state;
      },
    });
    const ask = (ref: Ref): Promise<unknown> => sup.bench.settle(ref.ask({ type: 'READ' }));
    expect(await ask(await sup.startChild(echo))).toBe('extra');
    await sup.do('terminateChild', 'child1');
    expect(await ask(await sup.bench.settle(sup.api().restartChild('child1')))).toBe('extra');
  });
});

describe('which_children and which_children_simple', () => {
  it.each(['one_for_one', 'dynamic'] as const)('%s lists all and finds one', async (strategy) => {
    const sup = await Sup.start({ strategy });
    expect(sup.which()).toEqual([]);
    expect(() => sup.api().child('childx')).toThrow(expect.objectContaining(NOT_FOUND));
    const one = await sup.startChild(child('child1'));
    expect(sup.api().child('child1')).toMatchObject({ id: 'child1', status: 'running', kind: 'actor' });
    expect(sup.api().child('child1').ref?.address).toBe(one.address);
    await sup.startChild(child('child2'));
    expect(sup.which()).toEqual(['child1 running', 'child2 running']);
    await sup.do('terminateChild', 'child1');
    const kept = strategy === 'dynamic' ? [] : ['child1 stopped'];
    expect(sup.which()).toEqual([...kept, 'child2 running']);
  });
});

describe('count_children and count_children_supervisor', () => {
  it.each(['worker', 'supervisor'] as const)('counts %ss by the thousand', async (kind) => {
    const sup = await Sup.start({ strategy: 'dynamic', intensity: UNLIMITED });
    const made = (id: string) =>
      kind === 'worker'
        ? child(id, { restart: 'temporary' })
        : supervisor(id, { children: [], restart: 'temporary' });
    const add = (from: number, to: number): Promise<unknown> =>
      sup.bench.settle(
        Promise.all(
          Array.from({ length: to - from }, (_, index) => sup.api().startChild(made(`child${from + index}`))),
        ),
      );
    const counted = (all: number): readonly number[] =>
      kind === 'worker' ? [all, all, 0, all] : [all, all, all, 0];
    await add(0, 1_000);
    expect(sup.counts()).toEqual(counted(1_000));
    await add(1_000, 2_000);
    expect(sup.counts()).toEqual(counted(2_000));
    expect(sup.ids()).toHaveLength(2_000);
    for (const { ref } of sup.api().children()) sup.bench.runtime.registry.find(ref?.path ?? '')?.kill();
    await sup.bench.host.runUntilIdle();
    expect(sup.counts()).toEqual([0, 0, 0, 0]);
  });
});

describe('already_started_outside_supervisor', () => {
  it('a child whose name is held by somebody else is refused', async () => {
    const sup = await Sup.start();
    const holder = { ...child('holder'), name: 'registered_name' };
    await sup.bench.settle(sup.bench.system.start(holder));
    await expect(sup.startChild({ ...child('child'), name: 'registered_name' })).rejects.toMatchObject({
      code: 'MAG_NAME_TAKEN',
    });
    expect(sup.which()).toEqual([]);
  });
});

describe('child_unlink', () => {
  it('a child that nobody watches any more is terminated all the same', async () => {
    const sup = await Sup.start();
    const ref = await sup.startChild(child('naughty_child', { shutdown: 1_000 }));
    const downs: Down[] = [];
    ref.monitor((down) => downs.push(down))();
    await sup.do('terminateChild', 'naughty_child');
    expect(sup.end(ref)).toBe('shutdown');
    expect(downs).toEqual([]);
    expect(sup.which()).toEqual(['naughty_child stopped']);
  });
});
