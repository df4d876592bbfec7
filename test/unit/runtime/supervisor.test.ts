import { describe, expect, it } from 'vitest';
import { setup } from 'xstate';
import { component, light, machine, supervisor } from '../../../src/index.ts';
import { bench, find, probe } from '../../support/runtime/probe.ts';

const crash = async (b: ReturnType<typeof bench>, id: string): Promise<void> => {
  b.system.slot(`board/${id}`).send({ type: 'BOOM' });
  await b.host.runUntilIdle();
};

describe('a one_for_one supervisor', () => {
  it('starts children in order and stops them in reverse', async () => {
    const b = bench();
    const log: string[] = [];
    await b.start(supervisor('board', { children: [probe('a', log), probe('b', log), probe('c', log)] }));
    await b.settle(b.system.stop('test'));
    expect(log).toEqual(['+a', '+b', '+c', '-c', '-b', '-a']);
  });

  it('restarts only the child that crashed, with fresh state', async () => {
    const b = bench();
    const log: string[] = [];
    await b.start(supervisor('board', { children: [probe('a', log), probe('b', log)] }));
    b.system.slot('board/a').send({ type: 'ADD' });
    await crash(b, 'a');
    expect(log).toEqual(['+a', '+b', '-a', '+a']);
    expect(await b.settle(b.system.slot('board/a').ask({ type: 'GET' }))).toBe(0);
    expect(find(await b.system.tree(), 'board/a')).toMatchObject({ restarts: 1, lastError: 'a broke' });
  });

  it('waits with decorrelated backoff, shows it, and the same seed gives the same trace', async () => {
    const run = async (seed: number): Promise<{ states: string[]; trace: string }> => {
      const b = bench(seed);
      const backoff = { base: 100, cap: 1_000, resetAfter: 10_000 };
      await b.start(supervisor('board', { children: [probe('a', [], { backoff })] }));
      const states: string[] = [];
      for (let round = 0; round < 4; round += 1) {
        await crash(b, 'a');
        const tree = await b.system.tree();
        states.push(`${tree.state} ${find(tree, 'board/a').status}`);
        await b.host.advance(1_000);
        expect((await b.system.tree()).state).toBe('running');
      }
      return { states, trace: JSON.stringify(b.events) };
    };
    const first = await run(7);
    expect(first.states).toEqual(new Array(4).fill('backing_off restarting'));
    expect((await run(7)).trace).toBe(first.trace);
    expect((await run(8)).trace).not.toBe(first.trace);
  });

  it('gives up over its intensity, stops its children and fails with the whole chain', async () => {
    const b = bench();
    const log: string[] = [];
    const inner = supervisor('inner', {
      intensity: { max: 2, within: 1_000 },
      children: [probe('a', log), probe('b', log)],
    });
    const outer = supervisor('board', { intensity: { max: 0, within: 1_000 }, children: [inner] });
    await b.start(outer);
    for (let round = 0; round < 3; round += 1) {
      b.system.slot('board/inner/a').send({ type: 'BOOM' });
      await b.host.runUntilIdle();
    }
    expect(log.slice(-1)).toEqual(['-b']);
    expect(b.rootFailures).toHaveLength(1);
    expect(b.rootFailures[0]).toMatchObject({
      code: 'MAG_RESTART_INTENSITY',
      cause: { code: 'MAG_RESTART_INTENSITY', cause: { message: 'a broke' } },
    });
    expect(b.events.filter((event) => event.type === 'escalated').map((event) => event.path)).toEqual([
      'board/inner',
      'board',
    ]);
  });

  it('burns budget with a failed restart too, and serves its interface in between', async () => {
    const b = bench();
    let starts = 0;
    const shaky = light('shaky', {
      init: () => {
        starts += 1;
        if (starts > 1) throw new Error('cannot start');
        return null;
      },
      receive: () => {
        throw new Error('first crash');
      },
    });
    const backoff = { base: 50, cap: 50, resetAfter: 10_000 };
    await b.start(
      supervisor('board', {
        intensity: { max: 3, within: 60_000 },
        children: [{ ...shaky, backoff }, probe('other')],
      }),
    );
    await crash(b, 'shaky');
    expect(b.rootFailures).toHaveLength(0);
    await expect(b.system.startChild('board', probe('other'))).rejects.toMatchObject({
      code: 'MAG_ACTOR_DUPLICATE',
    });
    await b.host.advance(1_000);
    expect(starts).toBe(4);
    expect(b.rootFailures).toHaveLength(1);
  });

  it('leaves a temporary child away, and a transient one after a clean end', async () => {
    const b = bench();
    const done = setup({}).createMachine({
      initial: 'on',
      states: { on: { on: { END: 'off' } }, off: { type: 'final' } },
    });
    await b.start(
      supervisor('board', {
        children: [
          probe('temp', [], { restart: 'temporary' }),
          machine('trans', done, { restart: 'transient' }),
        ],
      }),
    );
    await crash(b, 'temp');
    b.system.slot('board/trans').send({ type: 'END' });
    await b.host.runUntilIdle();
    const tree = await b.system.tree();
    expect(tree.children.map((child) => `${child.name} ${child.status}`)).toEqual(['trans stopped']);
    expect(b.system.lookup('board/temp')).toBeUndefined();
  });

  it('stops what it started when a later child cannot start', async () => {
    const b = bench();
    const log: string[] = [];
    const broken = component('broken', () => Promise.reject(new Error('no port')));
    const starting = b.start(
      supervisor('board', { children: [probe('a', log), broken, probe('never', log)] }),
    );
    await expect(starting).rejects.toThrow('no port');
    expect(log).toEqual(['+a', '-a']);
    expect(b.system.lookup('board/a')).toBeUndefined();
  });

  it('fails a child that is never ready at its deadline', async () => {
    const b = bench();
    const stuck = component('stuck', () => new Promise<never>(() => {}), { startTimeout: 200 });
    const starting = b.system.start(supervisor('board', { children: [stuck] }));
    starting.catch(() => {});
    await b.host.advance(201);
    await b.host.advance(10_000);
    await expect(starting).rejects.toMatchObject({ code: 'MAG_ACTOR_START_TIMEOUT' });
  });

  it('kills a child that outlives its shutdown limit', async () => {
    const b = bench();
    const slow = component('slow', () => ({ stop: () => new Promise(() => {}) }), { shutdown: 100 });
    await b.start(supervisor('board', { children: [slow] }));
    const stopped = b.system.stop('test');
    await b.host.advance(101);
    await stopped;
    expect(b.events.map((event) => event.type)).toContain('stopped');
  });
});

describe('children at run time', () => {
  it('are added, found, refused twice, and removed', async () => {
    const b = bench();
    await b.start(supervisor('board', { strategy: 'dynamic', children: [] }));
    const ref = await b.settle(b.system.startChild('board', probe('x')));
    await expect(b.system.startChild('board', probe('x'))).rejects.toMatchObject({
      code: 'MAG_ACTOR_DUPLICATE',
    });
    await b.settle(b.system.stopChild('board', 'x'));
    expect(ref.send({ type: 'ADD' })).toBe('dead');
    expect((await b.system.tree()).children).toEqual([]);
  });
});

describe('a rest_for_one supervisor', () => {
  it('takes down and brings back the crashed child and those after it', async () => {
    const b = bench();
    const log: string[] = [];
    const children = ['a', 'b', 'c', 'd'].map((id) => probe(id, log));
    await b.start(supervisor('board', { strategy: 'rest_for_one', children }));
    log.length = 0;
    await crash(b, 'b');
    expect(log).toEqual(['-b', '-d', '-c', '+b', '+c', '+d']);
  });

  it('lets an earlier crash take over a restart that waits', async () => {
    const b = bench();
    const log: string[] = [];
    const backoff = { base: 1_000, cap: 1_000, resetAfter: 60_000 };
    const children = ['a', 'b', 'c'].map((id) => probe(id, log, { backoff }));
    await b.start(supervisor('board', { strategy: 'rest_for_one', children }));
    log.length = 0;
    await crash(b, 'c');
    await b.host.advance(500);
    await crash(b, 'a');
    await b.host.advance(999);
    expect(log).toEqual(['-c', '-a', '-b']);
    await b.host.advance(2);
    expect(log).toEqual(['-c', '-a', '-b', '+a', '+b', '+c']);
    expect((await b.system.tree()).state).toBe('running');
  });
});
