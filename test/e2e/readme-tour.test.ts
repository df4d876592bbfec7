import { execFileSync } from 'node:child_process';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ADMIN_KEY, startTestBoard, type TestBoard } from '../support/board.ts';

const ROOT = resolve(import.meta.dirname, '../..');

let board: TestBoard;
beforeAll(async () => {
  board = await startTestBoard();
});
afterAll(async () => {
  await board.stop();
});

describe('the tour in README.md', () => {
  it('runs as printed, and prints what it says', () => {
    const readme = readFileSync(join(ROOT, 'README.md'), 'utf8');
    const steps = [...readme.matchAll(/```js tour\n([\s\S]*?)```/g)].map((match) => match[1]);
    expect(steps.length).toBeGreaterThanOrEqual(5);
    // Beside node_modules, so that the client resolves as it does for a reader.
    const file = join(ROOT, `tour-${process.pid}.log.mjs`);
    writeFileSync(file, `${steps.join('\n')}`);
    try {
      const output = execFileSync(process.execPath, [file], {
        env: { ...process.env, MAG_URL: board.url, MAG_ADMIN_KEY: ADMIN_KEY },
        encoding: 'utf8',
        timeout: 25_000,
      });
      expect(output).toContain('read the tour');
      expect(output).toContain('false → true');
      expect(output).toContain('MAG_FORBIDDEN');
    } finally {
      rmSync(file, { force: true });
    }
  });
});
