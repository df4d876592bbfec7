import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  type ActorSystem,
  createSystem,
  type LifecycleEvent,
  nodeHost,
  remote,
  supervisor,
} from '../../../src/index.ts';
import { LIMITS } from '../../../src/limits.ts';
import { find } from '../../support/runtime/probe.ts';

const module = new URL('../../support/runtime/counter-module.ts', import.meta.url);

describe('a mount that dies', () => {
  let system: ActorSystem;
  let events: LifecycleEvent[];

  beforeEach(async () => {
    system = createSystem({ node: 'main', host: nodeHost(), pid: process.pid });
    events = [];
    system.onLifecycle((event) => events.push(event));
    await system.start(
      supervisor('board', {
        children: [
          remote('worker', { where: 'worker', module, input: { from: 1 } }),
          remote('proc', { where: 'process', module, input: { from: 2 } }),
        ],
      }),
    );
  });
  afterEach(() => system.stop('test'));

  /** Resolves with why the mount failed, once it is back. */
  const revived = (mount: string): Promise<string> =>
    new Promise((resolve) => {
      const stop = system.onLifecycle((event) => {
        if (event.type !== 'restarted' || event.path !== mount) return;
        stop();
        resolve(events.findLast((past) => past.type === 'failed' && past.path === mount)?.reason ?? '');
      });
    });

  it('by a loop that starves its thread is found and comes back, while others answer', async () => {
    const back = revived('board/worker');
    system.slot('board/worker/mortal').send({ type: 'SPIN' });
    expect(await system.slot('board/proc/counter').ask({ type: 'GET' })).toBe(2);
    expect(find(await system.tree(), 'board/worker')).toMatchObject({ state: 'not_answering', children: [] });
    expect(await back).toMatch(/^The worker worker did not answer for \d+ ms and was stopped$/);
    expect(await system.slot('board/worker/counter').ask({ type: 'GET' })).toBe(1);
  });

  it('by a loop takes only a bounded number of messages meanwhile', async () => {
    const back = revived('board/worker');
    const slot = system.slot('board/worker/mortal');
    slot.send({ type: 'SPIN' });
    const results = Array.from({ length: LIMITS.linkWindow + 10 }, () => slot.send({ type: 'MORE' }));
    expect(results.at(0)).toBe('sent');
    expect(results.at(-1)).toBe('rejected');
    await back;
    expect(slot.send({ type: 'MORE' })).toBe('sent');
  });

  it('by kill -9 of the child process comes back', async () => {
    const back = revived('board/proc');
    const pid = await system.slot('board/proc/talker').ask<number>({ type: 'PID' });
    process.kill(pid, 'SIGKILL');
    expect(await back).toBe('The process proc exited with signal SIGKILL');
    expect(await system.slot('board/proc/talker').ask<number>({ type: 'PID' })).not.toBe(pid);
  });

  it('fails the asks that it had not answered, and tells monitors', async () => {
    const down = new Promise((resolve) => system.lookup('board/worker/counter')?.monitor(resolve));
    const answer = system.slot('board/worker/mortal').ask({ type: 'EXIT' });
    await expect(answer).rejects.toMatchObject({ code: 'MAG_ACTOR_CRASHED' });
    expect(await down).toMatchObject({ reason: { kind: 'noconnection' } });
  });

  it.each(['worker', 'proc'])(
    'keeps what is sent to a %s that is gone before it is known of what',
    async (id) => {
      const mount = `board/${id}`;
      const answers: Promise<unknown>[] = [];
      const lost = new Promise<void>((resolve) => {
        system.lookup(`${mount}/counter`)?.monitor(() => {
          answers.push(system.slot(`${mount}/counter`).ask({ type: 'GET' }));
          resolve();
        });
      });
      const pid = await system.slot('board/proc/talker').ask<number>({ type: 'PID' });
      if (id === 'worker') system.slot('board/worker/mortal').send({ type: 'OOM' });
      else process.kill(pid, 'SIGKILL');
      await lost;
      answers.push(system.slot(`${mount}/counter`).ask({ type: 'GET' }));
      const from = id === 'worker' ? 1 : 2;
      expect(await Promise.all(answers)).toEqual([from, from]);
    },
  );

  it('on purpose: a crash command ends the thread, and the process', async () => {
    const pid = await system.slot('board/proc/talker').ask<number>({ type: 'PID' });
    for (const mount of ['board/worker', 'board/proc']) {
      const back = revived(mount);
      await system.command(mount, 'crash', 'drill');
      // What is asked meanwhile waits for the next incarnation.
      expect(await system.slot(`${mount}/counter`).ask({ type: 'GET' })).toBeTypeOf('number');
      expect(await back).toBe('Crashed on purpose: drill');
    }
    expect(() => process.kill(pid, 0)).toThrow('ESRCH');
  });
});
