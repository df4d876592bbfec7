import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { openSqliteEngine } from '../../src/actors/storage/sqlite/sqlite-engine.ts';
import { LIMITS } from '../../src/limits.ts';
import { compare, insert, select } from '../contract/engine/subject.ts';
import { SqliteBoard } from '../support/sqlite-board.ts';

const WIDE = 'x'.repeat(LIMITS.inlineValueBytes + 1);

describe.skipIf(process.versions.node.startsWith('24.'))('SQLite rows that are wide', () => {
  let board: SqliteBoard;
  let engine: Awaited<ReturnType<typeof openSqliteEngine>>;

  /** Where one query ran. */
  const ran = async (query: Parameters<typeof engine.execute>[0]): Promise<string> => {
    const before = { ...engine.counters };
    await engine.execute(query, board.context());
    if (engine.counters.process > before.process) return 'process';
    return engine.counters.inline > before.inline ? 'inline' : 'nowhere';
  };

  beforeAll(async () => {
    board = new SqliteBoard();
    engine = await board.engine();
    await engine.sql(
      'create table items (id integer primary key, note text, more text)',
      [],
      board.context(),
    );
    await engine.execute(
      insert(Array.from({ length: 40 }, (_, id) => ({ id, note: 'small' }))),
      board.context(),
    );
  });
  afterAll(() => board.close());

  it('leave the edge thread, also a page that it read all at once when its rows were small', async () => {
    const page = select({ table: 'items', limit: 100 });
    expect([await ran(page), await ran(page)]).toEqual(['inline', 'inline']);
    await engine.sql('update items set note = ?', [WIDE], board.context());
    expect(await ran(page)).toBe('process');
    const narrow = select({
      table: 'items',
      select: [{ kind: 'column', column: { name: 'id' } }],
      limit: 100,
    });
    expect(await ran(narrow)).toBe('inline');
  });

  it('are written whole, by themselves and among others', async () => {
    expect(await ran(insert([{ id: 100, note: WIDE }]))).toBe('process');
    expect(
      await ran(
        insert([
          { id: 101, note: 'a' },
          { id: 102, note: WIDE },
        ]),
      ),
    ).toBe('process');
    const half = WIDE.slice(0, WIDE.length / 2);
    const where = compare('id', 'eq', '101');
    const set = { note: half, more: half };
    expect(await ran({ kind: 'update', schema: 'public', table: 'items', set, where })).toBe('process');
    const written = select({ table: 'items', where: compare('id', 'gte', '100') });
    const rows = JSON.parse((await engine.execute(written, board.context())).json);
    expect(rows).toEqual([
      { id: 100, note: WIDE, more: null },
      { id: 101, note: half, more: half },
      { id: 102, note: WIDE, more: null },
    ]);
  });
});
