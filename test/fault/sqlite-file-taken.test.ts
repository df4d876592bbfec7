import { DatabaseSync } from 'node:sqlite';
import { Worker } from 'node:worker_threads';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openSqliteEngine } from '../../src/actors/storage/sqlite/sqlite-engine.ts';
import { StorageService } from '../../src/actors/storage/storage-process/storage-service.ts';
import { silentLog } from '../../src/runtime/log.ts';
import { insert } from '../contract/engine/subject.ts';
import { SqliteBoard } from '../support/sqlite-board.ts';

/** As whoever opens a file first after a crash does, or closes it last, but until told otherwise. */
function takeWhole(file: string): DatabaseSync {
  const holder = new DatabaseSync(file);
  holder.exec('PRAGMA locking_mode = EXCLUSIVE; BEGIN IMMEDIATE; COMMIT');
  return holder;
}

/** The same in another thread, for so long as this one is held up by it. */
async function takeElsewhere(file: string, ms: number): Promise<Worker> {
  const code = `
    const { workerData: { file, ms }, parentPort } = require('node:worker_threads');
    const holder = new (require('node:sqlite').DatabaseSync)(file);
    holder.exec('PRAGMA locking_mode = EXCLUSIVE; BEGIN IMMEDIATE; COMMIT');
    parentPort.postMessage('held');
    setTimeout(() => holder.close(), ms);`;
  const worker = new Worker(code, { eval: true, workerData: { file, ms } });
  await new Promise((resolve) => worker.once('message', resolve));
  return worker;
}

const BUSY_MS = 10_000;

describe('a database file that somebody has for himself for a moment', () => {
  let board: SqliteBoard;
  beforeAll(() => {
    board = new SqliteBoard();
  });
  afterAll(() => board.close());

  it('is opened by an edge thread once it is free, without a refusal', async () => {
    const file = await board.file('edge');
    const holder = takeWhole(file);
    let opened = false;
    const parts = { file, host: board.host, log: silentLog, storage: board.storage };
    const opening = openSqliteEngine(parts).then((engine) => {
      opened = true;
      return engine;
    });
    await new Promise<void>((resolve) => void board.host.setTimer(20, resolve));
    expect(opened).toBe(false);
    holder.close();
    const engine = await opening;
    await engine.sql(
      'create table items (id integer primary key, name text)',
      [],
      board.context({ ref: 'edge' }),
    );
    expect((await engine.execute(insert([{ name: 'a' }]), board.context({ ref: 'edge' }))).rowCount).toBe(1);
    await engine.close();
  });

  it.each([
    ['a transaction', { op: 'begin' as const, busyMs: BUSY_MS }],
    ['the schema', { op: 'schema' as const, busyMs: BUSY_MS }],
    ['a transaction of native SQL', { op: 'begin' as const, apart: true as const, busyMs: BUSY_MS }],
    ['native SQL', { op: 'sql' as const, statement: 'select 1', params: [], busyMs: BUSY_MS }],
  ])('holds up %s in a storage process, which waits for it', async (_what, request) => {
    const file = await board.file('process');
    const holder = await takeElsewhere(file, 100);
    const service = new StorageService();
    expect(service.handle({ ...request, file }).header).toMatchObject({ ok: true });
    service.close();
    await holder.terminate();
  });
});
