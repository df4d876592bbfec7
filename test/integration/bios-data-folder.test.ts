import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import {
  boardUrl,
  readBoardFile,
  removeBoardFile,
  writeBoardFile,
} from '../../src/actors/bios/board-file.ts';
import { openDataFolder, probeDisk } from '../../src/actors/bios/data-folder.ts';
import { lockDataFolder } from '../../src/actors/bios/data-lock.ts';
import { checkClock, checkRuntime, choosePort } from '../../src/actors/bios/self-test.ts';
import { nodeHost } from '../../src/runtime/host-node.ts';
import { testFolder } from '../support/temporary-folder.ts';

const AT = '2026-11-23T00:00:00.000Z';
const mode = (path: string): number => statSync(path).mode & 0o777;

describe('the data folder', () => {
  it('may be passed through by others, its rooms may not', () => {
    const folder = openDataFolder(join(testFolder(), 'deep/data'));
    expect(mode(folder.root)).toBe(0o711);
    expect([folder.run, folder.secrets, folder.audit].map(mode)).toEqual([0o700, 0o700, 0o700]);
  });

  it('that was closed to others is opened for passing through, nothing more', () => {
    const root = testFolder();
    chmodSync(root, 0o700);
    openDataFolder(root);
    expect(mode(root)).toBe(0o711);
  });

  it('that is a file, or lies below one, cannot be used', () => {
    const file = join(testFolder(), 'file');
    writeFileSync(file, '');
    for (const root of [file, join(file, 'below')]) {
      expect(() => openDataFolder(root)).toThrow(expect.objectContaining({ code: 'MAG_DATA_UNUSABLE' }));
    }
  });

  it.runIf(existsSync('/proc/self'))('in a file system that takes no folders cannot be used', () => {
    for (const root of ['/proc', '/proc/nowhere/deep'])
      expect(() => openDataFolder(root)).toThrow(expect.objectContaining({ code: 'MAG_DATA_UNUSABLE' }));
  });

  it('with too little space left cannot be used, with enough it can', async () => {
    const folder = openDataFolder(testFolder());
    await expect(probeDisk(folder, Number.MAX_SAFE_INTEGER)).rejects.toMatchObject({
      code: 'MAG_DATA_UNUSABLE',
      hint: 'Free some space.',
    });
    await probeDisk(folder, 1);
    expect(existsSync(join(folder.run, 'probe'))).toBe(false);
  });
});

describe('the lock on the data folder', () => {
  it('keeps a second board out, and names the first', () => {
    const folder = openDataFolder(testFolder());
    const lock = lockDataFolder(folder, AT);
    expect(() => lockDataFolder(folder, AT)).toThrow(
      expect.objectContaining({
        code: 'MAG_DATA_LOCKED',
        message: expect.stringContaining(`pid ${process.pid}`),
      }),
    );
    lock.release();
    lock.release();
    lockDataFolder(folder, AT).release();
  });

  it('is freed by the kernel when its holder is killed', async () => {
    const folder = openDataFolder(testFolder());
    const source = (name: string): string => new URL(`../../src/actors/bios/${name}`, import.meta.url).href;
    const program = `
      const { openDataFolder } = await import(${JSON.stringify(source('data-folder.ts'))});
      const { lockDataFolder } = await import(${JSON.stringify(source('data-lock.ts'))});
      globalThis.lock = lockDataFolder(openDataFolder(${JSON.stringify(folder.root)}), 'now');
      console.log('locked');
      setInterval(() => {}, 1000);`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    onTestFinished(() => void child.kill('SIGKILL'));
    await once(child.stdout, 'data');
    expect(() => lockDataFolder(folder, AT)).toThrow(
      expect.objectContaining({ message: expect.stringContaining(`pid ${child.pid}`) }),
    );
    child.kill('SIGKILL');
    await once(child, 'exit');
    lockDataFolder(folder, AT).release();
    expect(JSON.parse(readFileSync(join(folder.run, 'holder.json'), 'utf8'))).toEqual({
      pid: process.pid,
      startedAt: AT,
    });
  });
});

describe('the self test', () => {
  it('refuses an old Node and a clock that was never set', () => {
    const host = nodeHost();
    checkRuntime();
    checkRuntime('24.0.0');
    expect(() => checkRuntime('22.11.0')).toThrow(/Node 22.11.0 is too old/);
    checkClock(host);
    expect(() => checkClock({ ...host, wallTime: () => 0 })).toThrow(/the system clock says 1970/);
  });

  it('settles port 0 to a free one, and says who holds one that is in use', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    onTestFinished(() => void server.close());
    await once(server, 'listening');
    const address = server.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    await expect(choosePort('127.0.0.1', port)).rejects.toMatchObject({
      code: 'MAG_PORT_IN_USE',
      hint: expect.stringContaining(process.platform === 'linux' ? `pid ${process.pid} ` : 'MAG_PORT'),
    });
    const free = await choosePort('127.0.0.1', 0);
    expect(await choosePort('127.0.0.1', free)).toBe(free);
  });

  it("names MAG_HOST where the address is not this machine's", async () => {
    await expect(choosePort('192.0.2.1', 0)).rejects.toMatchObject({
      code: 'MAG_CONFIG_INVALID',
      message: expect.stringContaining('MAG_HOST'),
    });
  });
});

describe('run/board.json', () => {
  const board = { url: 'http://127.0.0.1:4600', host: '127.0.0.1', port: 4600, pid: 1, startedAt: AT };

  it('is there from when it is written until it is removed', () => {
    const { root } = openDataFolder(testFolder());
    expect(readBoardFile(root)).toBeNull();
    writeBoardFile(root, board);
    writeBoardFile(root, { ...board, pid: 2 });
    expect(readBoardFile(root)).toEqual({ ...board, pid: 2 });
    removeBoardFile(root);
    removeBoardFile(root);
    expect(readBoardFile(root)).toBeNull();
  });

  it.each(['', '{', '[]', '{"url": 1, "pid": 2}'])('that holds %j names no board', (text) => {
    const { root, run } = openDataFolder(testFolder());
    writeFileSync(join(run, 'board.json'), text);
    expect(readBoardFile(root)).toBeNull();
  });

  it('has a URL that a client can connect to', () => {
    expect(boardUrl('127.0.0.1', 1)).toBe('http://127.0.0.1:1');
    expect(boardUrl('0.0.0.0', 1)).toBe('http://127.0.0.1:1');
    expect(boardUrl('::', 1)).toBe('http://[::1]:1');
  });
});
