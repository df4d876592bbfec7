import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type ActorSystem,
  createSystem,
  type ExitReason,
  nodeHost,
  remote,
  supervisor,
} from '../../../src/index.ts';
import { find } from '../../support/runtime/probe.ts';

const module = new URL('../../support/runtime/counter-module.ts', import.meta.url);

describe('subtrees in workers and in a process', () => {
  let system: ActorSystem;

  beforeAll(async () => {
    system = createSystem({ node: 'main', host: nodeHost(), pid: process.pid });
    await system.start(
      supervisor('board', {
        children: [
          remote('one', { where: 'worker', module, input: { from: 1 } }),
          remote('two', { where: 'worker', module, input: () => ({ from: 2 }) }),
          remote('proc', { where: 'process', module, input: async () => ({ from: 3 }) }),
        ],
      }),
    );
  });
  afterAll(() => system.stop('test'));

  it('answer under the same paths as if they were here', async () => {
    for (const [mount, from] of [
      ['one', 1],
      ['two', 2],
      ['proc', 3],
    ] as const)
      expect(await system.slot(`board/${mount}/counter`).ask({ type: 'GET' })).toBe(from);
  });

  it('keep the order of messages between a sender and a receiver', async () => {
    const slot = system.slot('board/one/counter');
    const before = await slot.ask<number>({ type: 'GET' });
    for (let n = 0; n < 900; n += 1) expect(slot.send({ type: 'ADD' })).toBe('sent');
    expect(await slot.ask({ type: 'GET' })).toBe(before + 900);
  });

  it('talk to each other, directly between workers and through main otherwise', async () => {
    const ways = [
      ['one', 'two'],
      ['two', 'one'],
      ['proc', 'one'],
      ['one', 'proc'],
    ] as const;
    for (const [from, to] of ways) {
      const answer = system.slot(`board/${from}/talker`).ask({ type: 'ASK', to: `board/${to}/talker` });
      expect(await answer).toEqual({ from: `board/${to}/talker`, text: 'via' });
    }
  });

  it('are all listed as mounts, everywhere', async () => {
    const expected = ['board/one', 'board/proc', 'board/two'];
    expect([...system.mounts()].sort()).toEqual(expected);
    const told = await system.slot('board/two/talker').ask<string[]>({ type: 'MOUNTS' });
    expect([...told].sort()).toEqual(expected);
  });

  it('appear in the tree with thread and process', async () => {
    const tree = await system.tree();
    expect(find(tree, 'board/one')).toMatchObject({
      kind: 'worker',
      placement: { thread: 'one', process: process.pid },
    });
    expect(find(tree, 'board/one/talker')).toMatchObject({ kind: 'component', state: 'healthy' });
    const child = find(tree, 'board/proc').placement.process;
    expect(child).toBe(await system.slot('board/proc/talker').ask({ type: 'PID' }));
    expect(child).not.toBe(process.pid);
  });

  it('refuse at the sender what cannot be cloned, and name the field', async () => {
    const slot = system.slot('board/one/counter');
    const bad = { type: 'ADD', rows: [1, { callback: () => 1 }] };
    expect(() => slot.send(bad)).toThrow(/rows\[1\]\.callback/);
    await expect(slot.ask(bad)).rejects.toMatchObject({ code: 'MAG_MESSAGE_NOT_CLONEABLE' });
  });

  it('give errors back with code, status, details and hint', async () => {
    const answer = system.slot('board/proc/nobody').ask({ type: 'GET' });
    await expect(answer).rejects.toMatchObject({
      name: 'MagError',
      code: 'MAG_ACTOR_NOT_FOUND',
      status: 404,
    });
  });

  it('tell a monitor once when an actor in them ends, also if it never was', async () => {
    const reasons: ExitReason[] = [];
    const down = new Promise<void>((resolve) =>
      system.lookup('board/two/counter')?.monitor(({ reason }) => {
        reasons.push(reason);
        resolve();
      }),
    );
    await system.command('board/two/counter', 'crash', 'for the monitor');
    await down;
    expect(reasons).toMatchObject([{ kind: 'error', error: { code: 'MAG_FAULT_INJECTED' } }]);
    const gone = new Promise((resolve) => system.lookup('board/two/nobody')?.monitor(resolve));
    expect(await gone).toMatchObject({ reason: { kind: 'noproc' } });
  });

  it('pass commands on, and tell the life below them here', async () => {
    const seen: string[] = [];
    const back = new Promise<void>((resolve) =>
      system.onLifecycle((event) => {
        seen.push(`${event.type} ${event.path}`);
        if (event.type === 'restarted') resolve();
      }),
    );
    await system.command('board/one/counter', 'crash', 'try');
    await back;
    expect(seen).toContain('failed board/one/counter');
    expect(seen).toContain('restarted board/one/counter');
  });

  it('are stopped and started again on request without burning the budget', async () => {
    for (let round = 0; round < 7; round += 1) await system.command('board/two', 'restart', 'planned');
    expect(await system.slot('board/two/counter').ask({ type: 'GET' })).toBe(2);
    expect(find(await system.tree(), 'board/two').restarts).toBe(7);
  });
});

describe('a mount that cannot start', () => {
  it('fails its supervisor with what the module said', async () => {
    const system = createSystem({ node: 'main', host: nodeHost() });
    const broken = remote('bad', { where: 'worker', module, input: { failToStart: true } });
    await expect(system.start(supervisor('board', { children: [broken] }))).rejects.toThrow(
      'the module refuses',
    );
    await system.stop('test');
  });

  it('names a module that is not there', async () => {
    const system = createSystem({ node: 'main', host: nodeHost() });
    const broken = remote('bad', { where: 'process', module: new URL('./none.ts', import.meta.url) });
    await expect(system.start(supervisor('board', { children: [broken] }))).rejects.toThrow('none.ts');
    await system.stop('test');
  });
});
