import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { eventually, launch, startTestBoard, type TestBoard, temporaryFolder } from '../support/board.ts';
import { childrenOf, isRunning } from '../support/child-processes.ts';

let board: TestBoard | undefined;
afterEach(async () => {
  await board?.stop();
  board = undefined;
});

/** Loaded into the board's main thread before anything else. */
const preload = (code: string): Readonly<Record<string, string>> => ({
  NODE_OPTIONS: `--import data:text/javascript,${encodeURIComponent(
    `import { isMainThread } from 'node:worker_threads'; if (isMainThread && process.argv.includes('start')) { ${code} }`,
  )}`,
});

const BROKEN: Readonly<Record<string, string>> = {
  'an exception': `throw new Error('nobody is here', { cause: new Error('the root of it') });`,
  'a rejection': `Promise.reject(new Error('nobody is here', { cause: new Error('the root of it') }));`,
};

describe.each(Object.entries(BROKEN))('%s that nobody caught on the main thread', (_what, code) => {
  it('is in the log with its causes, and the board stops in order, with 3', async () => {
    board = await startTestBoard({
      env: preload(`process.on('SIGUSR2', () => setTimeout(() => { ${code} }));`),
    });
    const project = await board.createProject('p', 'postgres');
    expect((await board.sql(project, 'select 1 as one')).status).toBe(200);
    const children = childrenOf(board.pid);
    expect(children.length).toBeGreaterThan(0);
    board.kill('SIGUSR2');
    expect(await board.exited).toEqual({ code: 3, signal: null });
    expect(board.output()).toMatch(/"error":"nobody is here ← the root of it"/);
    expect(board.output()).toContain('the board has stopped');
    await eventually(async () => !children.some(isRunning), 'the end of its children');
    expect(JSON.parse(readFileSync(join(board.folder, 'run/children.json'), 'utf8'))).toEqual([]);
    expect(existsSync(join(board.folder, 'run/board.json'))).toBe(false);
  });
});

describe('the root of the board', () => {
  it('that crashes ends the board, in order and with 3: nobody is above it', async () => {
    board = await startTestBoard();
    const project = await board.createProject('p', 'postgres');
    expect((await board.sql(project, 'select 1 as one')).status).toBe(200);
    const children = childrenOf(board.pid);
    const crash = await board.admin('POST', '/admin/v1/actors/board/crash', { reason: 'the root of it' });
    expect(crash.status).toBe(202);
    expect(await board.exited).toEqual({ code: 3, signal: null });
    expect(board.output()).toMatch(/the board gave up: .*the root of it/);
    await eventually(async () => !children.some(isRunning), 'the end of its children');
    expect(existsSync(join(board.folder, 'run/board.json'))).toBe(false);
  });
});

describe('an error that nobody caught while the board boots', () => {
  it('ends the boot: what was started is stopped, and the exit code is 3', async () => {
    const folder = temporaryFolder();
    const env = preload(`setTimeout(() => { throw new Error('too early'); }, 700);`);
    const { exited, output } = launch(folder, { env });
    expect(await exited, output()).toEqual({ code: 3, signal: null });
    expect(output()).toContain('too early');
    expect(existsSync(join(folder, 'run/board.json'))).toBe(false);
    rmSync(folder, { recursive: true });
  });
});
