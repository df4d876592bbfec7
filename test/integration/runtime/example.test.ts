import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

it('the supervised counter of examples/ counts, falls, and comes back', async () => {
  const script = fileURLToPath(new URL('../../../examples/supervised-counter.ts', import.meta.url));
  const { stdout } = await promisify(execFile)(process.execPath, [script]);
  expect(stdout.trim().split('\n')).toEqual([
    'count: 1',
    'count: 2',
    'failed: app/counter (three is too many)',
    'restarted: app/counter',
    'count: The actor app/counter crashed: three is too many',
    'count after the restart: 0',
  ]);
});
