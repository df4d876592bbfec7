import { describe, expect, it } from 'vitest';
import { type ChildSpec, component, light, supervisor } from '../../../src/index.ts';
import { bench, probe } from '../../support/runtime/probe.ts';

const board = (children: readonly ChildSpec[], options = {}) => supervisor('board', { children, ...options });
const session = (id: string, children: readonly ChildSpec[]) => supervisor(id, { children });
const sessions = () => supervisor('board', { strategy: 'dynamic', children: [] });
const kept = (id: string) => probe(id, [], { state: { keep: 'last', version: 1 } });

describe('a name', () => {
  it('is free again when the supervisor above its holder is gone', async () => {
    const b = bench();
    await b.start(sessions());
    await b.settle(b.system.startChild('board', session('s1', [probe('a', [], { name: 'user' })])));
    await b.settle(b.system.stopChild('board', 's1'));
    await b.settle(b.system.startChild('board', session('s2', [probe('a', [], { name: 'user' })])));
    expect(await b.settle(b.system.named('user').ask({ type: 'GET' }))).toBe(0);
  });

  it('is free again when its holder was replaced by one of another name', async () => {
    const b = bench();
    await b.start(board([probe('a', [], { name: 'first' })]));
    await b.settle(b.system.supervisor('board').replaceChild(probe('a', [], { name: 'second' })));
    await b.settle(b.system.startChild('board', probe('b', [], { name: 'first' })));
    expect(await b.settle(b.system.named('first').ask({ type: 'GET' }))).toBe(0);
    expect(await b.settle(b.system.named('second').ask({ type: 'GET' }))).toBe(0);
  });

  it('stays its holder’s while the supervisor above it restarts', async () => {
    const b = bench();
    const backoff = { base: 100, cap: 100, resetAfter: 1_000 };
    const inner = { ...session('s', [probe('a', [], { name: 'user' })]), backoff };
    await b.start(board([inner]));
    await b.system.command('board/s', 'crash', 'test');
    await b.host.runUntilIdle();
    await expect(
      b.settle(b.system.startChild('board', probe('thief', [], { name: 'user' }))),
    ).rejects.toMatchObject({ code: 'MAG_NAME_TAKEN' });
    await b.host.advance(101);
    expect(await b.settle(b.system.named('user').ask({ type: 'GET' }))).toBe(0);
  });

  it('that nobody has is not the path of somebody', async () => {
    const b = bench();
    await b.start(probe('root'));
    expect(b.system.named('root').send({ type: 'ADD' })).toBe('dead');
  });

  it('costs nothing when its holders are gone for good', async () => {
    const b = bench();
    await b.start(sessions());
    for (let n = 0; n < 1_000; n += 1) {
      await b.system.startChild('board', probe(`a${n}`, [], { name: `user ${n}` }));
      await b.system.stopChild('board', `a${n}`);
    }
    expect(b.runtime.names.size).toBeLessThan(200);
  });

  it('costs little when the supervisors above its holders are gone for good', async () => {
    const b = bench();
    await b.start(sessions());
    for (let n = 0; n < 300; n += 1) {
      await b.settle(b.system.startChild('board', session(`s${n}`, [probe('a', [], { name: `user ${n}` })])));
      await b.settle(b.system.stopChild('board', `s${n}`));
    }
    expect(b.runtime.names.size).toBeLessThan(200);
  });
});

describe('a group', () => {
  it('leaves out a member that is stopping', async () => {
    const b = bench();
    const slow = component('slow', () => ({ stop: () => new Promise<void>(() => {}) }), { groups: ['g'] });
    await b.start(board([slow, probe('a', [], { groups: ['g'] })]));
    const stopping = b.system.lookup('board/slow')?.stop();
    expect(b.system.group('g').members()).toHaveLength(1);
    expect([1, 2].map(() => b.system.group('g').pick()?.path)).toEqual(['board/a', 'board/a']);
    expect(b.system.group('g').broadcast({ type: 'ADD' })).toBe(1);
    await b.host.advance(5_001);
    await stopping;
  });
});

describe('a state that is kept', () => {
  it('goes when the supervisor above its actor is gone for good', async () => {
    const b = bench();
    await b.start(sessions());
    await b.settle(b.system.startChild('board', session('s', [kept('a')])));
    b.system.slot('board/s/a').send({ type: 'ADD' });
    await b.host.runUntilIdle();
    await b.settle(b.system.stopChild('board', 's'));
    expect([...b.runtime.carried.within('board')]).toEqual([]);
    await b.settle(b.system.startChild('board', session('s', [kept('a')])));
    expect(await b.settle(b.system.slot('board/s/a').ask({ type: 'GET' }))).toBe(0);
  });

  it('is given up when its actor could not live with it: escalation starts it fresh', async () => {
    const b = bench();
    const poisoned = light(
      'a',
      {
        init: () => 'well',
        receive: (state: string, message: { type: string; reply?: (value: string) => void }) => {
          if (state === 'ill') throw new Error('ill');
          message.reply?.(state);
          return message.type === 'POISON' ? 'ill' : state;
        },
      },
      { state: { keep: 'last', version: 1 } },
    );
    const inner = supervisor('s', { intensity: { max: 2, within: 1_000 }, children: [poisoned] });
    await b.start(board([inner]));
    for (let n = 0; n < 4; n += 1) {
      b.system.slot('board/s/a').send({ type: n === 0 ? 'POISON' : 'NEXT' });
      await b.host.runUntilIdle();
    }
    expect(await b.settle(b.system.slot('board/s/a').ask({ type: 'GET' }))).toBe('well');
  });
});

describe('a state of a child that was added', () => {
  it('goes with the incarnation of the supervisor that it was added to', async () => {
    const b = bench();
    await b.start(board([supervisor('s', { children: [kept('own')] })]));
    await b.settle(b.system.startChild('board/s', kept('added')));
    for (const id of ['own', 'added']) b.system.slot(`board/s/${id}`).send({ type: 'ADD' });
    await b.host.runUntilIdle();
    await b.system.command('board/s', 'crash', 'test');
    await b.host.runUntilIdle();
    expect(await b.settle(b.system.slot('board/s/own').ask({ type: 'GET' }))).toBe(1);
    expect([...b.runtime.carried.within('board')]).toEqual([]);
  });
});

describe('what waits for an actor', () => {
  it('goes in before what a listener sends when it is ready', async () => {
    const b = bench();
    const seen: unknown[] = [];
    const noting = light('a', {
      init: () => null,
      receive: (_state, message: { type: string; n?: number }) => {
        if (message.type === 'BOOM') throw new Error('a broke');
        seen.push(message.n);
        return null;
      },
    });
    await b.start(board([{ ...noting, backoff: { base: 100, cap: 100, resetAfter: 1_000 } }]));
    const slot = b.system.slot('board/a');
    b.system.onLifecycle((event) => {
      if (event.type === 'ready' && event.path === 'board/a') slot.send({ type: 'N', n: 2 });
    });
    slot.send({ type: 'BOOM' });
    await b.host.runUntilIdle();
    slot.send({ type: 'N', n: 1 });
    await b.host.advance(101);
    expect(seen).toEqual([1, 2]);
  });

  it('reaches the dead letters where its mailbox has no room for it', async () => {
    const b = bench();
    const backoff = { base: 100, cap: 100, resetAfter: 1_000 };
    const mailbox = { capacity: 2, overflow: 'reject' as const };
    await b.start(board([probe('a', [], { backoff, mailbox })]));
    const slot = b.system.slot('board/a');
    slot.send({ type: 'BOOM' });
    await b.host.runUntilIdle();
    for (let n = 0; n < 5; n += 1) expect(slot.send({ type: 'ADD' })).toBe('sent');
    await b.host.advance(101);
    expect(b.system.deadLetters().count).toBe(3);
  });

  it('waits while its supervisor gives up, and is handled when that is back', async () => {
    const b = bench();
    const slow = component('slow', () => ({
      stop: () => new Promise((resolve) => b.host.setTimer(50, resolve)),
    }));
    const inner = supervisor('s', { intensity: { max: 0, within: 1_000 }, children: [slow, probe('a')] });
    await b.start(board([inner]));
    const slot = b.system.slot('board/s/a');
    slot.send({ type: 'BOOM' });
    await b.host.runUntilIdle();
    expect(slot.send({ type: 'ADD' })).toBe('sent');
    await b.host.advance(51);
    expect(await b.settle(slot.ask({ type: 'GET' }))).toBe(1);
    expect(b.runtime.registry.parked).toBe(0);
  });
});

describe('deleteChild', () => {
  it('refuses a child that is still stopping', async () => {
    const b = bench();
    const slow = component('slow', () => ({
      stop: () => new Promise((resolve) => b.host.setTimer(50, resolve)),
    }));
    await b.start(board([slow]));
    const api = b.system.supervisor('board');
    const terminated = api.terminateChild('slow');
    await expect(api.deleteChild('slow')).rejects.toMatchObject({ code: 'MAG_CHILD_RUNNING' });
    await b.host.advance(51);
    await terminated;
    await api.deleteChild('slow');
    expect(api.children()).toEqual([]);
  });
});
