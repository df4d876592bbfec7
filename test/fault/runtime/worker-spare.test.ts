import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { createSystem, nodeHost, remote, supervisor } from '../../../src/index.ts';
import { LIMITS } from '../../../src/limits.ts';

const module = new URL('../../support/runtime/counter-module.ts', import.meta.url);

it('a crashed worker is replaced by the spare that had loaded its module before', async () => {
  const system = createSystem({ node: 'main', host: nodeHost(), pid: process.pid });
  const worker = remote('w', { where: 'worker', module, input: {}, spare: true });
  await system.start(supervisor('board', { children: [worker] }));
  const loadedAt = (): Promise<number> => system.slot('board/w/talker').ask({ type: 'LOADED_AT' });
  const first = await loadedAt();
  await sleep(LIMITS.spareDelayMs + 4_000); // until the spare is surely there, on a busy machine too
  const crashedAt = Date.now();
  await system.command('board/w', 'crash', 'drill');
  const second = await loadedAt();
  expect(second).toBeGreaterThan(first);
  expect(second).toBeLessThan(crashedAt);
  await system.stop('test');
});

it('a process-placed child does not fall to a signal that was meant for the whole group', async () => {
  const system = createSystem({ node: 'main', host: nodeHost(), pid: process.pid });
  await system.start(
    supervisor('board', { children: [remote('p', { where: 'process', module, input: { from: 4 } })] }),
  );
  const pid = await system.slot('board/p/talker').ask<number>({ type: 'PID' });
  process.kill(pid, 'SIGINT');
  process.kill(pid, 'SIGTERM');
  await sleep(100);
  expect(await system.slot('board/p/talker').ask({ type: 'PID' })).toBe(pid);
  await system.stop('test');
});
