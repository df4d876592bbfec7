import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { statSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { LIMITS } from '../../src/limits.ts';
import { compare, insert, select } from '../contract/engine/subject.ts';
import { SqliteBoard } from '../support/sqlite-board.ts';

describe('a SQLite database that somebody else writes to', () => {
  let board: SqliteBoard;
  let engine: Awaited<ReturnType<SqliteBoard['engine']>>;
  let foreign: DatabaseSync;

  beforeEach(async () => {
    board = new SqliteBoard();
    engine = await board.engine();
    await engine.sql('create table items (id integer primary key, name text)', [], board.context());
    foreign = new DatabaseSync(await board.file());
  });

  afterEach(async () => {
    foreign.close();
    await board.close();
  });

  const count = () => foreign.prepare('select count(*) as n from items').get()?.n;
  const later = (ms: number, work: () => void) => setTimeout(work, ms);

  it('a short lock delays a write, and only that write', async () => {
    foreign.exec('begin immediate');
    const write = engine.execute(insert([{ name: 'a' }]), board.context());
    const read = await engine.execute(select({ limit: 5 }), board.context());
    expect(read.json).toBe('[]');
    later(LIMITS.busyRetryMs / 4, () => foreign.exec('commit'));
    expect(await write).toMatchObject({ rowCount: 1 });
    expect(engine.counters.busy).toBe(1);
    expect(count()).toBe(1);
  });

  it('a longer lock sends it to the writer’s queue, while this thread goes on', async () => {
    foreign.exec('begin immediate');
    const writes = Array.from({ length: 5 }, () => engine.execute(insert([{ name: 'a' }]), board.context()));
    let turns = 0;
    const ticking = setInterval(() => {
      turns += 1;
    }, 5);
    later(LIMITS.busyRetryMs * 15, () => foreign.exec('commit'));
    await Promise.all(writes);
    clearInterval(ticking);
    expect(turns).toBeGreaterThan(10);
    expect(engine.counters.process).toBeGreaterThan(1);
    expect(count()).toBe(5);
  });

  it('a lock that outlasts the deadline ends the write, and nothing of it is left', async () => {
    foreign.exec('begin immediate');
    const write = engine.execute(insert([{ name: 'a' }]), board.context({ ms: 400 }));
    await expect(write).rejects.toMatchObject({ code: expect.stringMatching(/57014|MAG_OVERLOADED/) });
    foreign.exec('commit');
    expect(count()).toBe(0);
  });

  it('a foreign change of schema is seen by the next statement', async () => {
    await engine.execute(insert([{ id: 1, name: 'a' }]), board.context());
    const byId = select({ where: compare('id', 'eq', '1') });
    expect((await engine.execute(byId, board.context())).json).toBe('[{"id":1,"name":"a"}]');
    foreign.exec(`alter table items add column extra text default 'x'`);
    await new Promise((resolve) => setImmediate(resolve));
    expect((await engine.execute(byId, board.context())).json).toBe('[{"id":1,"name":"a","extra":"x"}]');
    foreign.exec('alter table items rename to renamed');
    await new Promise((resolve) => setImmediate(resolve));
    await expect(engine.execute(byId, board.context())).rejects.toMatchObject({ code: 'PGRST205' });
  });

  it('a lost index sends a plan that used it to a storage process', async () => {
    foreign.exec('create index items_name on items (name)');
    await new Promise((resolve) => setImmediate(resolve));
    const byName = select({ where: compare('name', 'eq', 'a'), order: [], limit: 5 });
    await engine.execute(byName, board.context());
    const before = engine.counters.process;
    foreign.exec('drop index items_name');
    await new Promise((resolve) => setImmediate(resolve));
    await engine.execute(byName, board.context());
    expect(engine.counters.process).toBe(before + 1);
  });

  it('a storage process checkpoints the WAL, edge threads never do', async () => {
    const text = 'x'.repeat(4_000);
    for (let row = 0; row < 4 * LIMITS.checkpointPages; row += 1) {
      await engine.execute(insert([{ name: text }], { returning: [] }), board.context());
      if (row % 64 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    expect(engine.counters.checkpoints).toBeGreaterThan(0);
    const pages = statSync(await board.file()).size / 4096;
    expect(pages).toBeGreaterThan(LIMITS.checkpointPages / 2);
    expect(count()).toBe(4 * LIMITS.checkpointPages);
  });

  it('rows that outgrow an edge thread’s bytes come from a storage process, all of them', async () => {
    const text = 'x'.repeat(300_000);
    for (let row = 0; row < 8; row += 1) await engine.execute(insert([{ name: text }]), board.context());
    const before = engine.counters.process;
    const page = await engine.execute(select({ limit: 20 }), board.context());
    expect(page.rowCount).toBe(8);
    expect(engine.counters.process).toBe(before + 1);
  });

  it('acknowledged writes survive kill -9 of whoever wrote them', async () => {
    const script = `
      import { DatabaseSync } from 'node:sqlite';
      const database = new DatabaseSync(process.argv[1]);
      database.exec('pragma synchronous = normal; pragma wal_autocheckpoint = 0');
      const insert = database.prepare('insert into items (name) values (?)');
      for (let row = 1; ; row += 1) { insert.run('row'); if (row % 50 === 0) process.stdout.write(row + '\\n'); }`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', script, await board.file()]);
    let acknowledged = 0;
    child.stdout.on('data', (chunk: Buffer) => {
      acknowledged = Number(chunk.toString().trim().split('\n').at(-1));
    });
    while (acknowledged < 500) await new Promise((resolve) => setTimeout(resolve, 5));
    child.kill('SIGKILL');
    await once(child, 'exit');
    await engine.execute(insert([{ name: 'after' }]), board.context());
    expect(Number(count())).toBeGreaterThan(acknowledged);
    expect(foreign.prepare('pragma integrity_check').get()).toMatchObject({ integrity_check: 'ok' });
  });
});
