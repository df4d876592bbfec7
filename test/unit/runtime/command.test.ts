import { describe, expect, it } from 'vitest';
import { component, supervisor } from '../../../src/index.ts';
import { bench, find, probe } from '../../support/runtime/probe.ts';

const house = (log: string[] = []) =>
  supervisor('board', {
    children: [supervisor('inner', { children: [probe('a', log)] }), component('c', () => ({}))],
  });

describe('a command', () => {
  it('crashes an actor of any kind on purpose, and its supervisor brings it back', async () => {
    const b = bench();
    await b.start(house());
    for (const path of ['board/inner/a', 'board/c', 'board/inner']) {
      await b.settle(b.system.command(path, 'crash', 'drill'));
      expect(find(await b.system.tree(), path)).toMatchObject({
        status: 'running',
        restarts: 1,
        lastError: 'Crashed on purpose: drill',
      });
      expect(b.events).toContainEqual({ type: 'command', path, reason: 'crash: drill', delay: null });
    }
  });

  it('pauses an actor, which keeps its messages, and resumes it', async () => {
    const b = bench();
    await b.start(house());
    const slot = b.system.slot('board/inner/a');
    await b.system.command('board/inner/a', 'pause', 'look');
    slot.send({ type: 'ADD' });
    const answer = slot.ask({ type: 'GET' });
    await b.host.runUntilIdle();
    expect(find(await b.system.tree(), 'board/inner/a')).toMatchObject({
      status: 'paused',
      mailbox: { depth: 2 },
    });
    await b.settle(b.system.command('board/inner/a', 'resume', 'go on'));
    expect(await answer).toBe(1);
  });

  it('stops a child, keeps it listed, and starts it again', async () => {
    const b = bench();
    await b.start(house());
    await b.settle(b.system.command('board/inner', 'stop', 'enough'));
    expect(find(await b.system.tree(), 'board/inner').status).toBe('stopped');
    expect(b.system.lookup('board/inner/a')).toBeUndefined();
    await b.settle(b.system.command('board/inner', 'restart', 'again'));
    expect(find(await b.system.tree(), 'board/inner/a').status).toBe('running');
  });

  it('restarts a child that waits for its next try at once', async () => {
    const b = bench();
    const backoff = { base: 9_000, cap: 9_000, resetAfter: 1 };
    await b.start(supervisor('board', { children: [probe('a', [], { backoff })] }));
    await b.settle(b.system.command('board/a', 'crash', 'drill'));
    await expect(b.system.command('board/a', 'crash', 'again')).rejects.toMatchObject({
      code: 'MAG_COMPONENT_UNAVAILABLE',
    });
    await b.settle(b.system.command('board/a', 'restart', 'now'));
    expect(find(await b.system.tree(), 'board/a').status).toBe('running');
  });

  it('to nobody, and to a root that nobody could restart, is refused', async () => {
    const b = bench();
    await b.start(house());
    await expect(b.system.command('board/none', 'crash', 'x')).rejects.toMatchObject({
      code: 'MAG_ACTOR_NOT_FOUND',
    });
    await expect(b.system.command('board', 'restart', 'x')).rejects.toMatchObject({
      code: 'MAG_BAD_REQUEST',
    });
  });

  it('that crashes the root is told to who made the system', async () => {
    const b = bench();
    await b.start(house());
    await b.settle(b.system.command('board', 'crash', 'the end'));
    expect(b.rootFailures).toMatchObject([{ code: 'MAG_FAULT_INJECTED' }]);
    expect((await b.system.tree()).children).toEqual([]);
  });
});
