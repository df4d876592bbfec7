import { describe, expect, it, onTestFinished } from 'vitest';
import { type Booted, boot } from '../../src/actors/bios/boot.ts';
import type { BootComponent } from '../../src/actors/bios/boot-plan.ts';
import { terminalProgress } from '../../src/actors/bios/boot-progress.ts';
import type { BoardState } from '../../src/actors/bios/boot-status.ts';
import { MagError } from '../../src/errors.ts';
import { nodeHost } from '../../src/runtime/host-node.ts';
import { recordingLog } from '../support/recording-log.ts';

const component = (name: string, rest: Partial<BootComponent> = {}): BootComponent => ({
  name,
  stage: 'storage',
  requires: [],
  optional: false,
  deadlineMs: 5_000,
  start: async () => {},
  ...rest,
});

interface Run {
  readonly booted: Promise<Booted>;
  readonly told: () => string;
  readonly state: () => BoardState;
}

function start(components: readonly BootComponent[], signal?: AbortSignal): Run {
  let told = '';
  let state: BoardState | undefined;
  const { log } = recordingLog();
  const progress = terminalProgress((text) => {
    told += text;
  });
  const onState = (given: BoardState): void => {
    state = given;
  };
  const host = nodeHost();
  const booted = boot(components, {
    host,
    log,
    progress,
    onState,
    ...(signal === undefined ? {} : { signal }),
  });
  return { booted, told: () => told, state: () => state! };
}

describe('a boot', () => {
  it('tells one line per stage, and is booting until the last one is through', async () => {
    const seen: string[] = [];
    const look: BootComponent = component('look', {
      start: async () => void seen.push(`${run.state().status().status} ${run.state().status().stage}`),
    });
    const run = start([look]);
    const booted = await run.booted;
    expect(seen).toEqual(['booting storage']);
    expect(run.told().match(/✓ /g)).toHaveLength(8);
    expect(run.told()).toMatch(/✓ storage +\d+ ms +look/);
    expect(booted.state.status().status).toBe('ready');
  });

  it('fails with stage, component, cause chain and the hint of the cause, after stopping what was started', async () => {
    const stopped: string[] = [];
    const cause = new MagError(
      'MAG_DATA_UNUSABLE',
      { folder: '/x', problem: 'EROFS' },
      { cause: new Error('root') },
    );
    const run = start([
      component('early', { stage: 'security', stop: async () => void stopped.push('early') }),
      component('broken', { start: () => Promise.reject(cause) }),
    ]);
    await expect(run.booted).rejects.toMatchObject({
      code: 'MAG_BOOT_FAILED',
      message:
        'Boot failed in stage storage, component broken: The data folder /x cannot be used: EROFS ← root',
      hint: 'Choose a folder this user can write, with MAG_DATA_DIR.',
    });
    expect(stopped).toEqual(['early']);
    expect(run.told()).toContain('✗ storage');
  });

  it('gives up a component that is not up at its deadline, and tells it so', async () => {
    let told: unknown;
    const hang = (signal: AbortSignal): Promise<void> =>
      new Promise(() => signal.addEventListener('abort', () => (told = signal.reason)));
    const run = start([component('slow', { deadlineMs: 20, start: hang })]);
    await expect(run.booted).rejects.toThrow('component slow: The actor slow was not ready within 20 ms');
    expect(told).toMatchObject({ code: 'MAG_ACTOR_START_TIMEOUT' });
  });

  it('counts a failed health check as a failed start', async () => {
    const run = start([component('sick', { health: () => Promise.reject(new Error('no pulse')) })]);
    await expect(run.booted).rejects.toThrow('component sick: no pulse');
  });

  it('is given up when its signal aborts, with what was started stopped again', async () => {
    const stopped: string[] = [];
    const abort = new AbortController();
    const run = start(
      [
        component('early', { stage: 'security', stop: async () => void stopped.push('early') }),
        component('waiting', { start: () => new Promise(() => abort.abort(new Error('changed my mind'))) }),
      ],
      abort.signal,
    );
    await expect(run.booted).rejects.toThrow('changed my mind');
    expect(stopped).toEqual(['early']);
  });
});

describe('an optional component', () => {
  it('that fails degrades the board and its optional dependants, and says why', async () => {
    const run = start([
      component('engine', { optional: true, start: () => Promise.reject(new Error('not installed')) }),
      component('user', { optional: true, requires: ['engine'] }),
      component('core'),
    ]);
    const { state, stop } = await run.booted.then((booted) => ({
      state: booted.state,
      stop: () => booted.stop(),
    }));
    onTestFinished(stop);
    expect(state.status().status).toBe('degraded');
    expect(state.status().components).toEqual([
      expect.objectContaining({ name: 'engine', status: 'degraded', detail: 'not installed' }),
      expect.objectContaining({
        name: 'user',
        status: 'degraded',
        detail: 'The component engine is not available right now',
      }),
      expect.objectContaining({ name: 'core', status: 'healthy', detail: null }),
    ]);
    expect(run.told()).toContain('engine: not installed');
  });

  it('is tried again, and with its dependants makes the board ready', async () => {
    let tries = 0;
    const run = start([
      component('engine', {
        optional: true,
        start: async () => {
          tries += 1;
          if (tries === 1) throw new Error('not yet');
        },
      }),
      component('user', { optional: true, requires: ['engine'] }),
    ]);
    const booted = await run.booted;
    onTestFinished(() => booted.stop());
    await new Promise<void>((resolve) => {
      booted.state.subscribe(({ status }) => status === 'ready' && resolve());
    });
    expect(tries).toBe(2);
  });
});

describe('the board status', () => {
  it('follows what is reported after boot, and tells only changes', async () => {
    const { booted } = start([component('gate')]);
    const { state } = await booted;
    const seen: string[] = [];
    const unsubscribe = state.subscribe((status) => seen.push(status.status));
    state.report('gate', 'restarting', 'it crashed');
    state.report('gate', 'restarting', 'it crashed');
    expect(state.status().components[0]).toMatchObject({ status: 'restarting', detail: 'it crashed' });
    state.report('gate', 'healthy', null);
    state.report('unknown', 'failed', null);
    unsubscribe();
    state.report('gate', 'failed', null);
    expect(seen).toEqual(['degraded', 'ready']);
  });

  it('says draining from the drain on, also while components stop', async () => {
    const seen: string[] = [];
    const { booted, state } = start([
      component('gate', { stop: async () => void seen.push(state().status().status) }),
    ]);
    const board = await booted;
    board.drain();
    expect(board.state.status().status).toBe('draining');
    await Promise.all([board.stop(), board.stop()]);
    expect(seen).toEqual(['draining']);
  });

  it('goes on stopping when one component throws and another hangs', async () => {
    const stopped: string[] = [];
    const { booted } = start([
      component('first', { stop: async () => void stopped.push('first') }),
      component('throws', { requires: ['first'], stop: () => Promise.reject(new Error('no')) }),
      component('hangs', { requires: ['throws'], stop: () => new Promise(() => {}), stopMs: 10 }),
    ]);
    await (await booted).stop();
    expect(stopped).toEqual(['first']);
  });

  it('survives a listener that throws', async () => {
    const { booted } = start([component('gate')]);
    const { state } = await booted;
    const seen: string[] = [];
    state.subscribe(() => {
      throw new Error('bad listener');
    });
    state.subscribe(({ status }) => seen.push(status));
    state.report('gate', 'failed', null);
    expect(seen).toEqual(['degraded']);
  });
});
