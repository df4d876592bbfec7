import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';

const CHILD = new URL('../support/log-child.ts', import.meta.url).pathname;

describe('the log on a pipe', () => {
  const { stdout } = spawnSync(process.execPath, [CHILD], { encoding: 'utf8' });
  const lines: Record<string, unknown>[] = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));

  it('is JSON lines from the chosen level on, complete when the process exits at once', () => {
    expect(lines).toMatchObject([
      { level: 'info', msg: 'started', port: 1 },
      { level: 'warn', msg: 'slow', component: 'gate' },
    ]);
    expect(lines[0]?.time).toMatch(/^\d{4}-\d\d-\d\dT.*Z$/);
  });

  it('holds no secrets', () => {
    expect(stdout).not.toContain('hunter2');
  });
});
