import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { activateCapture } from '../../src/actors/feed/sqlite/capture.ts';
import type { Engine } from '../../src/actors/storage/engine.ts';
import { compare, insert, select } from '../contract/engine/subject.ts';
import { SqliteBoard } from '../support/sqlite-board.ts';

const BIG = '9007199254740993';

describe('SQLite rows whose id is beyond 2^53', () => {
  let board: SqliteBoard;
  let engine: Engine;

  beforeAll(async () => {
    board = new SqliteBoard();
    engine = await board.engine();
    await engine.sql('create table items (id integer primary key, name text)', [], board.context());
  });
  afterAll(() => board.close());

  it('are written without asking for them back, and so is everything after them', async () => {
    const context = board.context();
    expect((await engine.execute(insert([{ id: BIG, name: 'a' }]), context)).rowCount).toBe(1);
    const where = compare('name', 'eq', 'a');
    const update = { kind: 'update', schema: 'public', table: 'items', set: { name: 'b' }, where } as const;
    expect((await engine.execute(update, context)).rowCount).toBe(1);
    const byKey = { ...update, set: { name: 'c' }, where: compare('id', 'eq', BIG) };
    expect((await engine.execute(byKey, context)).rowCount).toBe(1);
    const { json } = await engine.execute(select({ table: 'items' }), context);
    expect(json).toBe(`[{"id":${BIG},"name":"c"}]`);
  });

  it('may come before DDL in a script of a project that is followed', async () => {
    const database = new DatabaseSync(await board.file());
    activateCapture(database, 'epoch');
    database.close();
    const script = `insert into items (id) values (${BIG}0); alter table items add column more text;
      create table others (id integer primary key); alter table items drop column more`;
    expect(await engine.sql(script, [], board.context())).toMatchObject({ command: 'ALTER' });
  });

  it('are no reason to lose what a script says after a NUL', async () => {
    const statement = 'select 1\0; drop table items';
    await expect(engine.sql(statement, [], board.context())).rejects.toMatchObject({
      code: '22021',
      status: 400,
    });
  });
});
