import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  type ActorSystem,
  createSystem,
  type Down,
  MagError,
  nodeHost,
  remote,
  supervisor,
} from '../../../src/index.ts';
import { find } from '../../support/runtime/probe.ts';

const module = new URL('../../support/runtime/counter-module.ts', import.meta.url);

/** What a thread or process can die of, and what its DOWN says. How long a loop has is in the watchdog's own test. */
const DEATHS = [
  ['worker', 'EXIT', 'MAG_WORKER_EXITED', /code: 7/],
  ['worker', 'THROW', 'MAG_WORKER_EXITED', /nobody catches this/],
  ['worker', 'REJECT', 'MAG_WORKER_EXITED', /nobody awaits this/],
  // Its collector may work for so long, on a busy machine, that it is taken for a loop first.
  ['worker', 'OOM', 'MAG_WORKER_(OUT_OF_MEMORY|HUNG)', /ran out of memory|did not answer/],
  ['worker', 'SPIN', 'MAG_WORKER_HUNG', /did not answer for \d+ ms/],
  ['process', 'EXIT', 'MAG_PROCESS_EXITED', /code 7/],
  ['process', 'THROW', 'MAG_PROCESS_EXITED', /nobody catches this/],
  ['process', 'REJECT', 'MAG_PROCESS_EXITED', /nobody awaits this/],
] as const;

describe('the death of a thread or a process', () => {
  let system: ActorSystem;
  beforeEach(async () => {
    system = createSystem({ node: 'main', host: nodeHost(), pid: process.pid });
    await system.start(
      supervisor('board', {
        children: [
          remote('worker', { where: 'worker', module, input: { from: 1 } }),
          remote('process', { where: 'process', module, input: { from: 1 } }),
          remote('bystander', { where: 'worker', module, input: { from: 2 } }),
        ],
      }),
    );
  });
  afterEach(() => system.stop('test'));

  const watch = (path: string): Down[] => {
    const downs: Down[] = [];
    system.lookup(path)?.monitor((down) => downs.push(down));
    return downs;
  };

  /** Answers that the bystander gives until the mount is back. */
  const answersUntilBack = async (mount: string): Promise<number> => {
    const back = { now: false };
    const stop = system.onLifecycle((event) => {
      if (event.type === 'restarted' && event.path === mount) back.now = true;
    });
    let answers = 0;
    for (; !back.now; await sleep(5)) {
      expect(await system.slot('board/bystander/counter').ask({ type: 'GET' }, { timeout: 1_500 })).toBe(2);
      answers += 1;
    }
    stop();
    return answers;
  };

  it.each(DEATHS)(
    'of a %s by %s is one DOWN, %s, and it is replaced while others answer',
    async (where, death, code, told) => {
      const mount = `board/${where}`;
      const ofMount = watch(mount);
      const ofChild = watch(`${mount}/counter`);
      const answers = answersUntilBack(mount);
      system.slot(`${mount}/mortal`).send({ type: death });
      expect(await answers).toBeGreaterThan(0);
      await sleep(50); // long enough for what would be told twice
      expect(ofMount.map(({ reason }) => reason.kind)).toEqual(['error']);
      const reason = ofMount[0]?.reason;
      const error = reason?.kind === 'error' ? reason.error : null;
      expect(error).toBeInstanceOf(MagError);
      expect(error).toMatchObject({
        code: expect.stringMatching(`^${code}$`),
        message: expect.stringMatching(told),
      });
      expect(ofChild.map((down) => down.reason.kind)).toEqual(['noconnection']);
      expect(await system.slot(`${mount}/counter`).ask({ type: 'GET' })).toBe(1);
      const tree = await system.tree();
      expect(find(tree, mount)).toMatchObject({
        status: 'running',
        restarts: 1,
        lastError: expect.stringMatching(told),
      });
      expect(find(tree, 'board/bystander').restarts).toBe(0);
    },
  );

  it('of a process by kill -9 is one DOWN with the signal', async () => {
    const downs = watch('board/process');
    const answers = answersUntilBack('board/process');
    process.kill(await system.slot('board/process/talker').ask<number>({ type: 'PID' }), 'SIGKILL');
    await answers;
    expect(downs.map((down) => down.reason)).toMatchObject([
      { kind: 'error', error: { code: 'MAG_PROCESS_EXITED', message: expect.stringContaining('SIGKILL') } },
    ]);
  });
});
