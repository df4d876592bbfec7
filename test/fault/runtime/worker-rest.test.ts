import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type ActorSystem, createSystem, remote, supervisor } from '../../../src/index.ts';
import { LIMITS } from '../../../src/limits.ts';
import type { Traces } from '../../support/runtime/lingering-module.ts';

const module = new URL('../../support/runtime/lingering-module.ts', import.meta.url);

describe('a thread that gives way to its replacement', () => {
  let system: ActorSystem;
  let traces: Int32Array;
  beforeEach(async () => {
    traces = new Int32Array(new SharedArrayBuffer(12));
    const input: Traces = { traces };
    system = createSystem();
    await system.start(supervisor('board', { children: [remote('w', { where: 'worker', module, input })] }));
  });
  afterEach(() => system.stop('test'));

  it('runs the exit handlers of its module when it ends by itself', async () => {
    system.slot('board/w').send({ type: 'EXIT' });
    await vi.waitFor(() => expect(Atomics.load(traces, 0)).toBe(2), 20_000);
    await vi.waitFor(() => expect(Atomics.load(traces, 1)).toBe(1), 20_000);
    expect(await system.slot('board/w').ask({ type: 'GET' })).toBe(0);
  });

  it('does nothing more once its mount has failed', async () => {
    await vi.waitFor(() => expect(Atomics.load(traces, 2)).toBeGreaterThan(3), 20_000);
    const down = new Promise((resolve) => system.lookup('board/w')?.monitor(resolve));
    system.slot('board/w').send({ type: 'FAIL' });
    await down;
    const ticks = Atomics.load(traces, 2);
    await sleep(3 * LIMITS.restMs); // what ran on would have left traces, until well after it is taken down
    expect(Atomics.load(traces, 2)).toBe(ticks);
    expect(await system.slot('board/w').ask({ type: 'GET' })).toBe(0);
  });
});
