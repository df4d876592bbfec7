import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  type ActorSystem,
  type ChildSpec,
  createSystem,
  type Down,
  type LifecycleEvent,
  light,
  nodeHost,
  remote,
  supervisor,
} from '../../../src/index.ts';
import { recordingLog } from '../../support/recording-log.ts';
import { BROKE, failingStarts, SOURCES } from '../../support/runtime/failing-module.ts';
import { find } from '../../support/runtime/probe.ts';

const module = new URL('../../support/runtime/failing-module.ts', import.meta.url);

/** Resolves with the n-th event of this type for the path from now on. */
const happens = (system: ActorSystem, type: LifecycleEvent['type'], path: string): Promise<LifecycleEvent> =>
  new Promise((resolve) => {
    const stop = system.onLifecycle((event) => {
      if (event.type !== type || event.path !== path) return;
      stop();
      resolve(event);
    });
  });

/** Long enough for whatever would come twice to have come. */
const lull = (): Promise<void> => sleep(30);

/** Makes the actor at the path fail, and checks all that must follow. */
async function expectFailure(system: ActorSystem, path: string): Promise<void> {
  const ref = system.lookup(path);
  const downs: Down[] = [];
  ref?.monitor((down) => downs.push(down));
  const failed = happens(system, 'failed', path);
  const back = happens(system, 'restarted', path);
  expect(ref?.send({ type: 'FAIL' })).toBe('sent');
  expect((await failed).reason).toContain(BROKE);
  await back;
  expect(await system.slot(path).ask<string>({ type: 'PING' })).toBe('pong');
  await lull();
  expect(downs).toHaveLength(1);
  expect(downs[0]).toMatchObject({ path, address: ref?.address, reason: { kind: 'error' } });
  const reason = downs[0]?.reason;
  expect(reason?.kind === 'error' && reason.error).toBeInstanceOf(Error);
  expect(reason?.kind === 'error' && reason.error.message).toContain(BROKE);
  expect(find(await system.tree(), path)).toMatchObject({
    status: 'running',
    restarts: 1,
    lastError: expect.stringContaining(BROKE),
  });
}

describe('an error in this thread', () => {
  let system: ActorSystem;
  beforeEach(() => {
    system = createSystem({ node: 'main', host: nodeHost() });
  });
  afterEach(() => system.stop('test'));

  const start = (children: readonly ChildSpec[]): Promise<unknown> =>
    system.start(supervisor('board', { intensity: { max: 5, within: 1_000 }, children }));

  it.each(Object.entries(SOURCES))('from %s is one DOWN and one restart', async (id, spec) => {
    await start([spec]);
    await expectFailure(system, `board/${id}`);
  });

  it.each(Object.keys(SOURCES))('from %s leaves what was sent after it in the dead letters', async (id) => {
    await start(Object.values(SOURCES));
    const ref = system.lookup(`board/${id}`);
    const back = happens(system, 'restarted', `board/${id}`);
    ref?.send({ type: 'FAIL' });
    await back;
    const before = system.deadLetters().count;
    expect(ref?.send({ type: 'PING' })).toBe('dead');
    await expect(ref?.ask({ type: 'PING' })).rejects.toMatchObject({ code: 'MAG_ACTOR_NOT_FOUND' });
    expect(system.deadLetters().count).toBe(before + 2);
    expect(system.deadLetters().recent.at(-1)).toMatchObject({ to: `board/${id}`, type: 'PING' });
  });

  it.each(Object.keys(failingStarts()))(
    'from %s at a restart is one DOWN, and is tried again',
    async (id) => {
      const spec = failingStarts()[id];
      await start(spec === undefined ? [] : [spec]);
      const path = `board/${id}`;
      const downs: Down[] = [];
      system.onLifecycle((event) => {
        if (event.type === 'started' && event.path === path)
          system.lookup(path)?.monitor((down) => downs.push(down));
      });
      const back = happens(system, 'restarted', path);
      system.slot(path).send({ type: 'FAIL' });
      await back;
      expect(await system.slot(path).ask<string>({ type: 'PING' })).toBe('pong');
      await lull();
      expect(downs).toHaveLength(1);
      expect(downs[0]?.reason.kind).toBe('error');
      const told = id === 'never_ready' ? /was not ready within 100 ms/ : BROKE;
      expect(find(await system.tree(), path)).toMatchObject({
        status: 'running',
        restarts: 2,
        lastError: expect.stringMatching(told),
      });
    },
  );

  it.each(Object.keys(failingStarts()))('from %s at the first start is told to who starts it', async (id) => {
    await start([]);
    const spec = failingStarts()[id];
    if (spec === undefined) throw new Error(id);
    // The first start of each succeeds.
    await system.startChild('board', spec);
    await system.stopChild('board', id);
    const refused = system.startChild('board', spec);
    if (id === 'never_ready')
      await expect(refused).rejects.toMatchObject({ code: 'MAG_ACTOR_START_TIMEOUT' });
    else await expect(refused).rejects.toThrow(BROKE);
    expect(system.lookup(`board/${id}`)).toBeUndefined();
    expect((await system.tree()).children).toEqual([]);
    await system.startChild('board', spec);
  });
});

it('a throw while an actor is stopped is in the log, and does not keep it from ending', async () => {
  const { log, lines } = recordingLog();
  const system = createSystem({ node: 'main', host: nodeHost(), log });
  const careless = light('careless', {
    init: () => null,
    receive: () => null,
    stop: () => {
      throw new Error(BROKE);
    },
  });
  await system.start(supervisor('board', { children: [careless] }));
  const downs: Down[] = [];
  system.lookup('board/careless')?.monitor((down) => downs.push(down));
  await system.stop('test');
  expect(downs.map(({ reason }) => reason.kind)).toEqual(['shutdown']);
  expect(JSON.stringify(lines)).toContain(BROKE);
});

describe('an error in a worker thread', () => {
  let system: ActorSystem;
  beforeAll(async () => {
    system = createSystem({ node: 'main', host: nodeHost(), pid: process.pid });
    await system.start(
      supervisor('board', { children: [remote('w', { where: 'worker', module, input: {} })] }),
    );
  });
  afterAll(() => system.stop('test'));

  it.each(Object.keys(SOURCES))('from %s is one DOWN and one restart', async (id) => {
    await expectFailure(system, `board/w/${id}`);
  });

  it.each(Object.keys(failingStarts()))('from %s at a restart is tried again', async (id) => {
    const path = `board/w/${id}`;
    const back = happens(system, 'restarted', path);
    system.slot(path).send({ type: 'FAIL' });
    await back;
    expect(await system.slot(path).ask<string>({ type: 'PING' })).toBe('pong');
    expect(find(await system.tree(), path)).toMatchObject({ status: 'running', restarts: 2 });
  });

  it('is no failure of the thread', async () => {
    expect(find(await system.tree(), 'board/w').restarts).toBe(0);
  });
});

describe.each(['worker', 'process'] as const)('a %s that does not come up', (where) => {
  let system: ActorSystem;
  beforeEach(() => {
    system = createSystem({ node: 'main', host: nodeHost(), pid: process.pid });
  });
  afterEach(() => system.stop('test'));

  it('because its module throws is tried again', async () => {
    let starts = 0;
    const input = (): object => {
      starts += 1;
      return starts === 2 ? { how: 'throws' } : {};
    };
    await system.start(supervisor('board', { children: [remote('m', { where, module, input })] }));
    const failures: string[] = [];
    system.onLifecycle((event) => {
      if (event.type === 'failed' && event.path === 'board/m') failures.push(event.reason ?? '');
    });
    const back = happens(system, 'restarted', 'board/m');
    await system.command('board/m', 'crash', 'drill');
    await back;
    expect(failures).toEqual([expect.stringContaining('drill'), expect.stringContaining(BROKE)]);
    expect(await system.slot('board/m/receive').ask<string>({ type: 'PING' })).toBe('pong');
  });

  it('because its module hangs is given up when its time is over, and leaves nothing', async () => {
    await system.start(supervisor('board', { children: [] }));
    const hanging = remote('m', { where, module, input: { how: 'hangs' }, startTimeout: 500 });
    const refused = system.startChild('board', hanging);
    await expect(refused).rejects.toMatchObject({
      code: 'MAG_ACTOR_START_TIMEOUT',
      message: expect.stringContaining('500 ms'),
    });
    expect((await system.tree()).children).toEqual([]);
    expect(system.lookup('board/m')).toBeUndefined();
  });
});
