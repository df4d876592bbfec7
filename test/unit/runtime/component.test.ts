import { describe, expect, it } from 'vitest';
import { type ComponentContext, type ComponentService, component, supervisor } from '../../../src/index.ts';
import { bench, find } from '../../support/runtime/probe.ts';

/** A component whose steps are written down, and whose context the test holds. */
function recorded(log: string[], service: Partial<ComponentService> = {}) {
  const held: { context?: ComponentContext } = {};
  const spec = component('db', (context) => {
    held.context = context;
    log.push('start');
    return {
      api: { query: () => 42 },
      drain: async () => void log.push('drain'),
      stop: async () => void log.push('stop'),
      ...service,
    };
  });
  return { spec, held };
}

describe('a component', () => {
  it('is started, offered to its thread, drained and freed', async () => {
    const b = bench();
    const log: string[] = [];
    await b.start(supervisor('board', { children: [recorded(log).spec] }));
    expect(b.system.service<{ query(): number }>('db').query()).toBe(42);
    expect(find(await b.system.tree(), 'board/db')).toMatchObject({ kind: 'component', state: 'healthy' });
    await b.settle(b.system.stop('test'));
    expect(log).toEqual(['start', 'drain', 'stop']);
    expect(() => b.system.service('db')).toThrow(
      expect.objectContaining({ code: 'MAG_COMPONENT_UNAVAILABLE' }),
    );
  });

  it('shows that it is degraded, and why, and that it is healthy again', async () => {
    const b = bench();
    const { spec, held } = recorded([]);
    await b.start(supervisor('board', { children: [spec] }));
    held.context?.degraded('the disk is slow');
    expect(find(await b.system.tree(), 'board/db')).toMatchObject({
      state: 'degraded',
      lastError: 'the disk is slow',
    });
    expect(b.runtime.components()).toEqual([
      { name: 'db', path: 'board/db', state: 'degraded', detail: 'the disk is slow' },
    ]);
    expect(b.system.service('db')).toBeDefined();
    held.context?.degraded(null);
    expect(find(await b.system.tree(), 'board/db')).toMatchObject({ state: 'healthy', lastError: null });
  });

  it('is freed once after a crash, before its replacement starts, and not offered in between', async () => {
    const b = bench();
    const log: string[] = [];
    let freed = (): void => {};
    const stop = () =>
      new Promise<void>((resolve) => {
        freed = () => {
          log.push('stop');
          resolve();
        };
      });
    const { spec, held } = recorded(log, { stop });
    await b.start(supervisor('board', { children: [spec] }));
    const signal = held.context?.signal;
    held.context?.fail(new Error('socket lost'));
    await b.host.runUntilIdle();
    expect(signal?.aborted).toBe(true);
    expect(log).toEqual(['start']);
    expect(() => b.system.service('db')).toThrow();
    freed();
    await b.host.runUntilIdle();
    expect(log).toEqual(['start', 'stop', 'start']);
  });

  it('is freed once where it is killed in the step in which it crashed', async () => {
    const b = bench();
    const log: string[] = [];
    const { spec, held } = recorded(log);
    await b.start(supervisor('board', { children: [{ ...spec, shutdown: 'brutal' }] }));
    held.context?.fail(new Error('its socket died'));
    await b.settle(b.system.supervisor('board').terminateChild('db'));
    expect(log).toEqual(['start', 'stop']);
  });

  it('is replaced even if freeing it hangs', async () => {
    const b = bench();
    const log: string[] = [];
    const { spec, held } = recorded(log, { stop: () => new Promise(() => {}) });
    await b.start(supervisor('board', { children: [spec] }));
    held.context?.fail(new Error('socket lost'));
    await b.host.advance(60_000);
    expect(log).toEqual(['start', 'start']);
  });

  it('answers asks with what its handler gives or throws, and does not crash by the latter', async () => {
    const b = bench();
    const handle: ComponentService['handle'] = async (message) => {
      if (message.type === 'BAD') throw new Error('bad request');
      return message.type;
    };
    await b.start(supervisor('board', { children: [recorded([], { handle }).spec] }));
    const slot = b.system.slot('board/db');
    expect(await b.settle(slot.ask({ type: 'HELLO' }))).toBe('HELLO');
    await expect(b.settle(slot.ask({ type: 'BAD' }))).rejects.toThrow('bad request');
    expect(find(await b.system.tree(), 'board/db').restarts).toBe(0);
  });

  it('crashes when its health failed twice, by an error or by silence', async () => {
    for (const health of [
      () => Promise.reject(new Error('ping failed')),
      () => new Promise<void>(() => {}),
    ]) {
      const b = bench();
      const log: string[] = [];
      await b.start(supervisor('board', { children: [recorded(log, { health }).spec] }));
      await b.host.advance(25_000);
      expect(log.filter((entry) => entry === 'start').length).toBeGreaterThan(1);
    }
  });

  it('that is stopped while it starts has freed what it opened before another one starts', async () => {
    const b = bench();
    const log: string[] = [];
    let come = (): void => {};
    const slow = component('slow', ({ signal }) => {
      log.push('start');
      return new Promise<ComponentService>((resolve) => {
        come = () => {
          log.push(signal.aborted ? 'up, though it should end' : 'up');
          resolve({ stop: async () => void log.push('freed') });
        };
      });
    });
    await b.start(supervisor('board', { children: [] }));
    b.system.startChild('board', slow).catch(() => {});
    await b.host.runUntilIdle();
    const stopped = b.system.stopChild('board', 'slow').then(() => log.push('stopped'));
    await b.host.runUntilIdle();
    expect(log).toEqual(['start']);
    come();
    await b.settle(stopped);
    expect(log).toEqual(['start', 'up, though it should end', 'freed', 'stopped']);
  });

  it('whose start outlives its deadline is freed as soon as it comes', async () => {
    const b = bench();
    const log: string[] = [];
    let come = (): void => {};
    const late = component(
      'late',
      () =>
        new Promise<ComponentService>((resolve) => {
          come = () => resolve({ stop: async () => void log.push('freed') });
        }),
      { startTimeout: 100 },
    );
    const starting = b.system.start(supervisor('board', { children: [late] }));
    starting.catch(() => {});
    await b.host.advance(101);
    await expect(starting).rejects.toMatchObject({ code: 'MAG_ACTOR_START_TIMEOUT' });
    come();
    await b.host.runUntilIdle();
    expect(log).toEqual(['freed']);
  });
});
