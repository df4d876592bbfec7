import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { openSqliteEngine } from '../../src/actors/storage/sqlite/sqlite-engine.ts';
import { SqliteProvider } from '../../src/actors/storage/sqlite/sqlite-provider.ts';
import { isPublicError } from '../../src/errors.ts';
import { silentLog } from '../../src/runtime/log.ts';
import { compare, insert, select } from '../contract/engine/subject.ts';
import { SqliteBoard } from '../support/sqlite-board.ts';

/** A file system of two megabytes; null where this user may not mount one. */
function smallDisk(): string | null {
  const folder = mkdtempSync(join(tmpdir(), 'mag-disk-'));
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'tmpfs', folder], { stdio: 'pipe' });
    return folder;
  } catch {
    rmSync(folder, { recursive: true });
    return null;
  }
}

const disk = smallDisk();
if (disk === null) console.warn('SKIPPED: a full and a read-only disk under SQLite (mounting needs root)');

describe.skipIf(disk === null)('a disk that is full or read-only', () => {
  let board: SqliteBoard;
  let file: string;
  const folder = disk ?? '';
  const filler = join(folder, 'filler');

  const open = () => openSqliteEngine({ file, host: board.host, log: silentLog, storage: board.storage });

  beforeAll(() => {
    board = new SqliteBoard();
  });

  /** An open file would keep the space of a deleted one, and the disk from being remounted. */
  const killProcesses = async (): Promise<void> => {
    for (const { pid } of board.processes.list()) process.kill(pid, 'SIGKILL');
    while (board.processes.list().length > 0) await new Promise((resolve) => setTimeout(resolve, 5));
  };

  beforeEach(async () => {
    await killProcesses();
    const provider = new SqliteProvider(folder);
    await provider.drop('demo');
    const connection = await provider.provision('demo');
    file = connection.engine === 'sqlite' ? connection.file : '';
    const database = new DatabaseSync(file);
    database.exec('create table items (id integer primary key, name text)');
    database.close();
  });

  afterAll(async () => {
    await board.close();
    if (disk === null) return;
    execFileSync('umount', ['-l', folder]);
    rmSync(folder, { recursive: true });
  });

  it('a full disk is 53100, loses nothing acknowledged, and writes go on when there is room again', async () => {
    const engine = await open();
    writeFileSync(filler, Buffer.alloc(1024 * 1024));
    let written = 0;
    const fill = async (): Promise<void> => {
      for (;;) {
        await engine.execute(insert([{ name: 'x'.repeat(20_000) }]), board.context());
        written += 1;
      }
    };
    await expect(fill()).rejects.toMatchObject({ code: '53100', status: 503 });
    expect(written).toBeGreaterThan(5);
    const all = await engine.execute(
      select({ select: [{ kind: 'column', column: { name: 'id' } }], limit: 500 }),
      board.context(),
    );
    expect(all.rowCount).toBe(written);
    rmSync(filler);
    expect(await engine.execute(insert([{ name: 'more' }]), board.context())).toMatchObject({ rowCount: 1 });
    await engine.close();
  });

  it('a full disk under a bulk insert or native SQL leaves no row of it', async () => {
    const engine = await open();
    const rows = Array.from({ length: 300 }, () => ({ name: 'x'.repeat(20_000) }));
    await expect(engine.execute(insert(rows), board.context())).rejects.toMatchObject({ code: '53100' });
    const script = `insert into items (name) with recursive n(i) as (select 1 union all select i + 1 from n limit 300)
      select hex(zeroblob(10000)) from n`;
    await expect(engine.sql(script, [], board.context())).rejects.toMatchObject({ code: '53100' });
    expect(await engine.execute(select({ count: 'exact' }), board.context())).toMatchObject({ total: 0 });
    await engine.close();
  });

  it('a read-only disk is an error with a code, and no 500', async () => {
    const engine = await open();
    await engine.execute(insert([{ name: 'a' }]), board.context());
    await engine.close();
    await killProcesses();
    execFileSync('mount', ['-o', 'remount,ro', folder]);
    try {
      const attempt = async (): Promise<unknown> => {
        const again = await open();
        try {
          return await again.execute(insert([{ name: 'b' }]), board.context());
        } finally {
          await again.close();
        }
      };
      await expect(attempt()).rejects.toSatisfy(
        (error) => isPublicError(error) && error.status !== 500 && /25006|58030/.test(error.code),
      );
      await expect(new SqliteProvider(folder).provision('fresh')).rejects.toMatchObject({
        code: 'MAG_ENGINE_UNAVAILABLE',
        status: 503,
      });
    } finally {
      execFileSync('mount', ['-o', 'remount,rw', folder]);
    }
    const recovered = await open();
    const found = await recovered.execute(
      select({ where: compare('name', 'eq', 'a'), order: [] }),
      board.context(),
    );
    expect(found.rowCount).toBe(1);
    await recovered.close();
  });
});
