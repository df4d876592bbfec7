import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { Log } from '../../src/streams/log/log.ts';
import { openFileLog } from '../../src/streams/log/log-file.ts';
import { openSqliteLog } from '../../src/streams/log/log-sqlite.ts';
import { bytesOf, clockedHost, textOf } from '../support/log-host.ts';
import { SimulatedDisk } from '../support/simulated-disk.ts';
import { testFolder } from '../support/temporary-folder.ts';

async function contents(log: Log): Promise<readonly string[]> {
  const texts: string[] = [];
  for (let from = log.first; from < log.next; ) {
    const records = await log.read(from, 100_000);
    texts.push(...records.map((record) => textOf(record.data).trim()));
    from = (records.at(-1)?.offset ?? 0) + 1;
  }
  return texts;
}

const stores = {
  file: (folder: string) => openFileLog({ folder, host: clockedHost() }),
  sqlite: async (folder: string) => openSqliteLog({ path: join(folder, 'log.db'), host: clockedHost() }),
};

describe.each(Object.entries(stores))('a log on a full disk: %s', (_, open) => {
  it('refuses what has no room, loses nothing it took, and goes on when there is room', async ({ skip }) => {
    if (process.getuid?.() !== 0 || process.platform !== 'linux')
      skip('a small file system needs root on Linux');
    const mount = join(testFolder(), 'small');
    mkdirSync(mount);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', mount]);
    onTestFinished(() => void execFileSync('umount', [mount]));
    const log = await open(join(mount, 'log'));
    const append = (n: number): Promise<number> => log.append([bytesOf(`${n}`.padEnd(5_000))]);
    await append(0);
    const ballast = join(mount, 'ballast');
    writeFileSync(ballast, Buffer.alloc(600 * 1024));
    const taken = [0];
    let refused = 0;
    for (let n = 1; refused < 5 && n < 200; n += 1) {
      try {
        await append(n);
        taken.push(n);
      } catch (error) {
        expect(error).toMatchObject({ code: 'MAG_LOG_FULL' });
        refused += 1;
      }
    }
    expect(refused).toBe(5);
    expect((await contents(log)).map(Number)).toEqual(taken);
    rmSync(ballast);
    await append(999);
    await log.close();
    const again = await open(join(mount, 'log'));
    expect((await contents(again)).map(Number)).toEqual([...taken, 999]);
    await again.close();
  });
});

describe.each(Object.entries(stores))('a log where no folder can be made: %s', (_, open) => {
  it('says so', async ({ skip }) => {
    if (process.platform !== 'linux') skip('only Linux has a /proc');
    await expect(open('/proc/none/here')).rejects.toThrow('ENOENT');
  });
});

describe('a log whose disk fails', () => {
  const open = (disk: SimulatedDisk, failures: Error[]): Promise<Log> =>
    openFileLog({
      folder: '/log',
      host: clockedHost(),
      files: disk,
      onFailed: (error) => failures.push(error),
    });

  it('ends: it says so to all who wait and to its owner, and what it took is there when it is opened anew', async () => {
    const disk = new SimulatedDisk();
    const failures: Error[] = [];
    disk.restart((write) => (write === 3 ? { code: 'EIO' } : 'done'));
    const log = await open(disk, failures);
    await log.append([bytesOf('a')]);
    await log.append([bytesOf('b')]);
    const lost = await Promise.allSettled([log.append([bytesOf('c')]), log.append([bytesOf('d')])]);
    for (const outcome of lost)
      expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'MAG_LOG_FAILED' } });
    await expect(log.append([bytesOf('e')])).rejects.toMatchObject({ code: 'MAG_LOG_FAILED' });
    expect(failures).toMatchObject([{ code: 'MAG_LOG_FAILED', message: expect.stringContaining('EIO') }]);
    await log.close();
    disk.restart();
    const again = await open(disk, failures);
    expect((await contents(again)).slice(0, 2)).toEqual(['a', 'b']);
    await again.close();
  });

  it('takes back what a full disk stopped half-way, so that it never comes up again', async () => {
    const disk = new SimulatedDisk();
    disk.restart((write) => (write === 2 ? { code: 'ENOSPC' } : 'done'));
    const log = await open(disk, []);
    await log.append([bytesOf('a')]);
    await expect(log.append([bytesOf('refused'.repeat(100))])).rejects.toMatchObject({
      code: 'MAG_LOG_FULL',
    });
    const killed = disk.copy();
    const again = await open(killed, []);
    expect(await contents(again)).toEqual(['a']);
    expect(again.counters().tornBytes).toBe(0);
    await log.append([bytesOf('b')]);
    expect(await contents(log)).toEqual(['a', 'b']);
  });
});
