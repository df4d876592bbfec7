import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, describe, expect, it } from 'vitest';
import type { StorageProcessInfo } from '../../src/actors/storage/storage-process/storage-processes.ts';
import { insert, select } from '../contract/engine/subject.ts';
import { SqliteBoard } from '../support/sqlite-board.ts';

const SLOW = 'with recursive n(i) as (select 1 union all select i + 1 from n) select count(*) from n';
/** Writes for a long time before it commits. */
const SLOW_WRITE = `insert into items (name)
  with recursive n(i) as (select 1 union all select i + 1 from n) select 'row ' || i from n`;

const boards: SqliteBoard[] = [];
const make = (options: ConstructorParameters<typeof SqliteBoard>[0] = {}): SqliteBoard => {
  const board = new SqliteBoard(options);
  boards.push(board);
  return board;
};

const until = async (holds: () => boolean): Promise<void> => {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 5));
};

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

afterEach(async () => {
  for (const board of boards.splice(0)) await board.close();
});

describe('storage processes', () => {
  it('start when they are needed, are used again, and end when they are idle', async () => {
    const exits: (string | null)[] = [];
    const board = make({ limits: { idleMs: 150 }, onExit: (_info, reason) => exits.push(reason) });
    const engine = await board.engine();
    expect(board.processes.list()).toEqual([]);
    for (let turn = 0; turn < 3; turn += 1) await engine.sql('select 1', [], board.context());
    expect(board.processes.list()).toMatchObject([{ state: 'idle', statements: 3, ref: null }]);
    await until(() => board.processes.list().length === 0);
    expect(exits).toEqual([null]);
    await expect(engine.sql('select 1', [], board.context())).resolves.toMatchObject({ rowCount: 1 });
  });

  it('a killed statement frees its lock and leaves no half write, and others did not notice', async () => {
    const board = make();
    const engine = await board.engine();
    const other = await board.engine('other');
    await engine.sql('create table items (id integer primary key, name text)', [], board.context());
    await other.sql(
      'create table items (id integer primary key, name text)',
      [],
      board.context({ ref: 'other' }),
    );
    const doomed = engine.sql(SLOW_WRITE, [], board.context({ ms: 700 }));
    const refused = expect(doomed).rejects.toMatchObject({ code: '57014', status: 504 });
    await until(() => board.processes.list().some(({ state }) => state === 'busy'));
    for (let row = 0; row < 20; row += 1) {
      await other.execute(insert([{ name: 'x' }]), board.context({ ref: 'other' }));
      await other.sql('select count(*) from items', [], board.context({ ref: 'other' }));
    }
    await refused;
    expect(board.processes.killed).toBe(1);
    expect(await engine.execute(insert([{ name: 'after' }]), board.context())).toMatchObject({ rowCount: 1 });
    const database = new DatabaseSync(await board.file());
    expect(database.prepare('select name from items').all()).toMatchObject([{ name: 'after' }]);
    expect(database.prepare('pragma integrity_check').get()).toMatchObject({ integrity_check: 'ok' });
    database.close();
  });

  it('one that dies by itself fails its statement with a code, and the next gets another', async () => {
    const board = make();
    const engine = await board.engine();
    const running = engine.sql(SLOW, [], board.context());
    const refused = expect(running).rejects.toMatchObject({
      code: 'MAG_PROCESS_EXITED',
      status: 503,
      retryAfter: 1,
    });
    await until(() => board.processes.list().some(({ state }) => state === 'busy'));
    process.kill(board.processes.list()[0]?.pid ?? 0, 'SIGKILL');
    await refused;
    await expect(engine.sql('select 1', [], board.context())).resolves.toMatchObject({ rowCount: 1 });
  });

  it('one project has one writer at a time, and readers beside it', async () => {
    const board = make();
    const owner = board.processes;
    const ask = (lane: 'read' | 'write', ref = 'a') =>
      owner.lease('edge-1', { ref, lane, timeoutMs: 20_000 });
    const first = await ask('write');
    let secondWriter = false;
    const second = ask('write').then((lease) => {
      secondWriter = true;
      return lease;
    });
    const reader = await ask('read');
    const foreign = await ask('write', 'b');
    expect(secondWriter).toBe(false);
    owner.release(reader.id);
    owner.release(first.id);
    owner.release((await second).id);
    owner.release(foreign.id);
    expect(secondWriter).toBe(true);
  });

  it('one project cannot hold them all', async () => {
    const board = make({ limits: { processes: 4, perProject: 2 } });
    const ask = (ref: string) => board.processes.lease('edge-1', { ref, lane: 'read', timeoutMs: 20_000 });
    await ask('greedy');
    await ask('greedy');
    let third = false;
    void ask('greedy').then(
      () => {
        third = true;
      },
      () => {},
    );
    await ask('modest');
    expect(third).toBe(false);
  });

  it('the queue is bounded, and a wait ends at its deadline', async () => {
    const board = make({ limits: { processes: 1, queue: 1 } });
    const ask = (timeoutMs: number) => board.processes.lease('edge-1', { ref: 'a', lane: 'read', timeoutMs });
    const held = await ask(20_000);
    const waiting = expect(ask(50)).rejects.toMatchObject({ code: 'MAG_POOL_TIMEOUT', status: 503 });
    await expect(ask(20_000)).rejects.toMatchObject({ code: 'MAG_OVERLOADED', status: 503 });
    expect(board.processes.refused).toBe(1);
    await waiting;
    board.processes.release(held.id);
  });

  it('a dead edge worker’s leases and waits come back', async () => {
    const board = make({ limits: { processes: 1 } });
    const ask = (owner: string) =>
      board.processes.lease(owner, { ref: 'a', lane: 'write', timeoutMs: 20_000 });
    await ask('edge-1');
    const waiting = expect(ask('edge-1')).rejects.toMatchObject({ code: 'MAG_WORKER_EXITED' });
    const other = ask('edge-2');
    board.processes.releaseOwner('edge-1');
    await waiting;
    await expect(other).resolves.toMatchObject({ id: expect.any(Number) });
  });

  it('one that cannot start is an error, not a loop', async () => {
    const board: SqliteBoard = make({
      spawn: () =>
        board.host.spawnProcess({ command: process.execPath, args: ['-e', 'process.exit(7)'], ipc: true }),
    });
    const engine = await board.engine();
    await expect(engine.sql('select 1', [], board.context())).rejects.toMatchObject({
      code: 'MAG_PROCESS_EXITED',
      message: expect.stringContaining('code 7'),
    });
  });

  it('one whose statement takes too much memory is killed, and the board is not', async () => {
    const board = make({ limits: { bytes: 200 * 1024 * 1024 } });
    const engine = await board.engine();
    const hungry = `select ${Array.from({ length: 60 }, () => 'randomblob(16000000)').join(', ')}`;
    await expect(engine.sql(hungry, [], board.context())).rejects.toMatchObject({
      code: expect.stringMatching(/MAG_PROCESS_EXITED|MAG_RESULT_TOO_LARGE/),
    });
    expect(board.processes.killed).toBe(1);
    await expect(engine.sql('select 1', [], board.context())).resolves.toMatchObject({ rowCount: 1 });
  });

  it('it knows nothing of the board’s environment', async () => {
    process.env.MAG_TEST_SECRET = 'hidden';
    const board = make();
    const lease = await board.processes.lease('edge-1', { ref: 'a', lane: 'read', timeoutMs: 20_000 });
    delete process.env.MAG_TEST_SECRET;
    const [child] = board.processes.list();
    expect(readFileSync(`/proc/${child?.pid}/environ`, 'utf8')).not.toContain('MAG_TEST_SECRET');
    board.processes.release(lease.id);
  });

  it('its children end with it, and are told of', async () => {
    const spawned: StorageProcessInfo[] = [];
    const board = make({ onSpawn: (info) => spawned.push(info) });
    const engine = await board.engine();
    const running = engine.sql(SLOW, [], board.context()).catch((error: { code: string }) => error.code);
    await until(() => board.processes.list().some(({ state }) => state === 'busy'));
    await board.processes.stop();
    expect(await running).toBe('MAG_PROCESS_EXITED');
    expect(spawned.map(({ pid }) => isAlive(pid))).toEqual([false]);
    await expect(engine.sql('select 1', [], board.context())).rejects.toMatchObject({ code: 'MAG_DRAINING' });
  });

  it('a data folder whose name is too long for a socket still works, in a private folder', async () => {
    const before = new Set(readdirSync(tmpdir()));
    const board = make({ runFolder: join(tmpdir(), 'x'.repeat(120), 'run') });
    const lease = await board.processes.lease('edge-1', { ref: 'a', lane: 'read', timeoutMs: 20_000 });
    expect(Buffer.byteLength(lease.socket)).toBeLessThan(104);
    expect(existsSync(lease.socket)).toBe(true);
    await board.processes.stop();
    const left = readdirSync(tmpdir()).filter((name) => name.startsWith('mag-') && !before.has(name));
    expect(left.filter((name) => lease.socket.includes(name))).toEqual([]);
  });

  it('a dropped project that is made again is not read from the old file', async () => {
    const board = make();
    const engine = await board.engine();
    await engine.sql('create table items (id integer primary key)', [], board.context());
    await engine.execute(select({ count: 'exact' }), board.context());
    await engine.close();
    await board.provider.drop('demo');
    const again = await board.engine();
    await expect(again.execute(select({ count: 'exact' }), board.context())).rejects.toMatchObject({
      code: 'PGRST205',
    });
  });
});
