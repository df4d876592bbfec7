import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { openAuditLog } from '../../src/actors/audit/audit-log.ts';
import { nodeHost } from '../../src/runtime/host-node.ts';
import { silentLog } from '../../src/runtime/log.ts';
import { testFolder } from '../support/temporary-folder.ts';

const CHILD = new URL('../support/audit-child.ts', import.meta.url).pathname;

const textOf = (folder: string): string =>
  readdirSync(folder)
    .map((name) => readFileSync(join(folder, name), 'utf8'))
    .join('');

describe('the audit trail of a board that is killed while it writes', () => {
  it('holds every acknowledged entry and is unbroken, kill after kill', async () => {
    const folder = testFolder();
    const acknowledged: string[] = [];
    for (let round = 0; round < 4; round += 1) {
      const child = spawn(process.execPath, [CHILD, folder], { stdio: ['ignore', 'pipe', 'inherit'] });
      onTestFinished(() => void child.kill('SIGKILL'));
      let output = '';
      const enough = new Promise<void>((resolve) => {
        child.stdout.on('data', (chunk: Buffer) => {
          output += chunk.toString();
          if (output.length > 200 * (round + 1)) resolve();
        });
      });
      await enough;
      child.kill('SIGKILL');
      await once(child, 'close');
      acknowledged.push(...output.split('\n').slice(0, -1));
    }
    const audit = await openAuditLog(folder, nodeHost(), silentLog);
    expect(await audit.verify()).toMatchObject({ ok: true, problem: null });
    await audit.close();
    const targets = textOf(folder);
    expect(acknowledged.length).toBeGreaterThan(100);
    for (const target of acknowledged) expect(targets).toContain(`"target":"${target}"`);
  });
});

describe('the audit trail on a full disk', () => {
  it('refuses entries with a typed error, and goes on unbroken when there is space again', async ({
    skip,
  }) => {
    if (process.getuid?.() !== 0 || process.platform !== 'linux')
      skip('a small file system needs root on Linux');
    const mount = join(testFolder(), 'small');
    mkdirSync(mount);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', mount]);
    onTestFinished(() => void execFileSync('umount', [mount]));
    const audit = await openAuditLog(mount, nodeHost(), silentLog);
    const append = (target: string): Promise<void> =>
      audit.append({ actor: 'admin', action: 'test', target, reason: 'r'.repeat(900), outcome: 'ok' });
    await append('first');
    writeFileSync(join(mount, 'ballast'), Buffer.alloc(52 * 1024));
    const outcomes = await Promise.allSettled(Array.from({ length: 20 }, (_, index) => append(`n${index}`)));
    expect(outcomes.find((outcome) => outcome.status === 'rejected')).toMatchObject({
      reason: { code: 'MAG_OVERLOADED', message: expect.stringContaining('ENOSPC') },
    });
    rmSync(join(mount, 'ballast'));
    await append('after');
    expect(await audit.verify()).toMatchObject({ ok: true });
    expect(textOf(mount)).toContain('"target":"after"');
    await audit.close();
  });
});
