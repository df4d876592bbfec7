import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const lives = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

it('a child process ends by itself when its parent is killed with -9', async () => {
  const script = fileURLToPath(new URL('../../support/runtime/parent.ts', import.meta.url));
  const parent = spawn(process.execPath, [script], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [line] = await once(parent.stdout.setEncoding('utf8'), 'data');
  const child = Number(line);
  expect(lives(child)).toBe(true);
  parent.kill('SIGKILL');
  await once(parent, 'exit');
  while (lives(child)) await sleep(20); // bounded by the test's own timeout
});
