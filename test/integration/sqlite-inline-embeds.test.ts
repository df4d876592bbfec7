import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { resolveEmbeds } from '../../src/actors/storage/relationships.ts';
import { INLINE_LIMITS } from '../../src/limits-inline.ts';
import type { Embed, Query } from '../../src/protocol/query.ts';
import { compare, insert, select } from '../contract/engine/subject.ts';
import { SqliteBoard } from '../support/sqlite-board.ts';

const column = (name: string) => ({ kind: 'column' as const, column: { name } });
const by = (name: string) => [{ column: { name }, direction: 'asc' as const }];

describe('related rows on an edge thread', () => {
  let board: SqliteBoard;
  let engine: Awaited<ReturnType<SqliteBoard['engine']>>;

  beforeAll(async () => {
    board = new SqliteBoard();
    engine = await board.engine();
    await engine.sql(
      `create table owners (id integer primary key, name text);
       create table parts (id integer primary key, owner integer references owners (id), label text);
       create index parts_owner on parts (owner)`,
      [],
      board.context(),
    );
  });
  afterAll(() => board.close());

  const sql = (statement: string) => engine.sql(statement, [], board.context());
  const parts = (count: number, label = `'part ' || i`) =>
    sql(
      `insert into parts with recursive n(i) as (select 1 union all select i + 1 from n where i < ${count})
       select i, 1 + i % 2, ${label} from n`,
    );
  const page = async (embed: Partial<Embed> = {}): Promise<Query> => {
    const query = select({
      table: 'owners',
      select: [
        column('name'),
        {
          kind: 'embed',
          embed: {
            ...{ relation: 'parts', inner: false, spread: false, order: by('id') },
            ...{ select: [column('id'), column('label')], ...embed },
          },
        },
      ],
      order: by('id'),
      limit: 50,
    });
    return resolveEmbeds(query, await engine.schema(board.context()), ['public']);
  };
  /** Where it ran, and what it gave. */
  const run = async (query: Query): Promise<{ where: string; rows: { parts: object[] }[] }> => {
    const before = engine.counters.inline;
    const { json } = await engine.execute(query, board.context());
    return { where: engine.counters.inline > before ? 'here' : 'in a process', rows: JSON.parse(json) };
  };

  beforeEach(async () => {
    await sql(
      `drop table parts; create table parts (id integer primary key, owner integer references owners (id), label text);
       create index parts_owner on parts (owner); delete from owners; insert into owners values (1, 'a'), (2, 'b'), (4, 'none')`,
    );
  });

  it('are read where they are few, in their order and window', async () => {
    await parts(6);
    const { where, rows } = await run(await page({ order: by('label'), offset: 1, limit: 5 }));
    expect(where).toBe('here');
    expect(rows).toEqual([
      { name: 'a', parts: [4, 6].map((id) => ({ id, label: `part ${id}` })) },
      { name: 'b', parts: [3, 5].map((id) => ({ id, label: `part ${id}` })) },
      { name: 'none', parts: [] },
    ]);
  });

  it('are left to a process where they are many, even if the query leaves most of them out', async () => {
    await parts(INLINE_LIMITS.relatedRows * 2);
    const { where, rows } = await run(await page({ where: compare('id', 'lt', '4') }));
    expect(where).toBe('in a process');
    expect(rows.map((row) => row.parts.length)).toEqual([1, 2, 0]);
  });

  it('are left to a process where they are long', async () => {
    await parts(12, `hex(zeroblob(${INLINE_LIMITS.relatedBytes / 16}))`);
    expect((await run(await page())).where).toBe('in a process');
  });

  it('are counted again after some reads in processes', async () => {
    await parts(INLINE_LIMITS.relatedRows * 2);
    const query = await page();
    expect((await run(query)).where).toBe('in a process');
    await sql('delete from parts where id > 10');
    const places: string[] = [];
    for (let at = 0; at <= INLINE_LIMITS.probePasses; at += 1) places.push((await run(query)).where);
    const passed = Array.from({ length: INLINE_LIMITS.probePasses }, () => 'in a process');
    expect(places).toEqual([...passed, 'here']);
  });

  it('are counted again after somebody wrote, in a process or here', async () => {
    await parts(10);
    const query = await page();
    expect((await run(query)).where).toBe('here');
    await sql(`insert into parts values (101, 1, '')`);
    expect((await run(query)).rows[0]?.parts).toHaveLength(6);
    await sql('delete from parts');
    // To the last one that is allowed.
    await parts(INLINE_LIMITS.relatedRows);
    await sql('update parts set owner = 1');
    expect((await run(query)).where).toBe('here');
    const row = insert([{ id: INLINE_LIMITS.relatedRows + 1, owner: 1, label: 'one too many' }], {
      table: 'parts',
    });
    await engine.execute(row, board.context());
    const after = await run(query);
    expect(after.where).toBe('in a process');
    expect(after.rows[0]?.parts).toHaveLength(INLINE_LIMITS.relatedRows + 1);
  });

  it('leave no transaction open', async () => {
    await parts(3);
    await run(await page());
    const row = insert([{ id: 50, name: 'late' }], { table: 'owners' });
    await engine.execute(row, board.context());
    expect(JSON.parse((await sql('select count(*) as n from owners')).json).rows).toEqual([{ n: 4 }]);
  });
});
