/** Boots the `mag` given as the first argument on a free port in a temporary folder, asks /readyz, and stops it. */
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const mag = process.argv[2];
if (mag === undefined) throw new Error('usage: smoke.ts PATH-OF-MAG');
const folder = mkdtempSync(join(tmpdir(), 'mag-smoke-'));
const board = spawn(process.execPath, [mag, 'start'], {
  env: { ...process.env, MAG_DATA_DIR: folder, MAG_PORT: '0' },
  stdio: ['ignore', 'ignore', 'inherit'],
});
try {
  const file = join(folder, 'run/board.json');
  for (let tries = 0; tries < 300 && !existsSync(file) && board.exitCode === null; tries += 1)
    await sleep(100);
  const { url } = JSON.parse(readFileSync(file, 'utf8')) as { url: string }; // contracts.md: run/board.json
  const reply = await fetch(`${url}/readyz`);
  if (reply.status !== 200) throw new Error(`/readyz answered ${reply.status}: ${await reply.text()}`);
} finally {
  const ended = new Promise((resolve) => board.once('exit', resolve));
  if (board.exitCode === null) {
    board.kill('SIGTERM');
    await ended;
  }
  rmSync(folder, { recursive: true, force: true });
}
if (board.exitCode !== 0) throw new Error(`mag start ended with ${board.exitCode}`);
