import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { MysqlEngine } from '../../src/actors/storage/mysql/engine.ts';
import { resolveEmbeds } from '../../src/actors/storage/relationships.ts';
import { LIMITS } from '../../src/limits.ts';
import type { Query, Row, SelectItem } from '../../src/protocol/query.ts';
import { embed } from '../contract/engine/embeds.ts';
import { all, column, compare, insert, select } from '../contract/engine/subject.ts';
import { externalMysql, type MysqlRig } from '../support/mysql.ts';
import { service } from '../support/services/index.ts';

describe.skipIf(!service('mariadb').available)('what MySQL does otherwise than PostgreSQL', () => {
  const REF = 'engine';
  let mysql: MysqlRig;
  let engine: MysqlEngine;

  beforeAll(async () => {
    mysql = externalMysql();
    engine = await mysql.engine(REF);
    await sql(`create table users (id int auto_increment primary key, name varchar(50) unique, mail varchar(50) unique, n int);
      create table pairs (a int, b int, v text, primary key (a, b));
      create table keyless (v int);
      create table parents (id int primary key);
      create table children (id int auto_increment primary key, parent_id int, body longtext,
        foreign key (parent_id) references parents (id))`);
  });
  afterAll(() => mysql.stop());

  const sql = (text: string) => engine.sql(text, [], mysql.context(REF));
  const run = async (query: Query) =>
    engine.execute(resolveEmbeds(query, await engine.schema(mysql.context(REF))), mysql.context(REF));
  const rows = async (query: Query): Promise<Row[]> => JSON.parse((await run(query)).json);
  const users = () => rows(select({ table: 'users' }));

  it('an upsert never merges into a row that another unique key found', async () => {
    await sql(`delete from users; insert into users values (1, 'ann', 'a@x', 1), (2, 'bob', 'b@x', 2)`);
    const before = await users();
    for (const resolution of ['merge', 'ignore'] as const) {
      const other = insert([{ id: 3, name: 'cid', mail: 'a@x' }], {
        table: 'users',
        onConflict: { resolution, columns: ['name'] },
      });
      await expect(run(other)).rejects.toMatchObject({ code: '23505', status: 409 });
    }
    expect(await users()).toEqual(before);
    const both = insert(
      [
        { id: 9, name: 'bob', mail: 'new@x' },
        { id: 4, name: 'dan', mail: 'd@x' },
      ],
      { table: 'users', onConflict: { resolution: 'ignore', columns: ['name'] } },
    );
    const result = await run(both);
    expect([JSON.parse(result.json), result.inserted]).toEqual([
      [{ id: 4, name: 'dan', mail: 'd@x', n: null }],
      1,
    ]);
    const merged = insert([{ name: 'bob', mail: 'c@x', n: 7 }], {
      table: 'users',
      onConflict: { resolution: 'merge', columns: ['name'] },
    });
    expect(await rows(merged)).toEqual([{ id: 2, name: 'bob', mail: 'c@x', n: 7 }]);
  });

  it('an update gives back rows with keys of several columns, and rows whose keys it changes', async () => {
    await sql(`delete from pairs; insert into pairs values (1, 1, 'x'), (1, 2, 'y'), (2, 1, 'z')`);
    const update = { kind: 'update', schema: 'public', table: 'pairs', returning: all } as const;
    const where = compare('a', 'eq', '1');
    expect(await rows({ ...update, set: { v: 'new' }, where })).toEqual([
      { a: 1, b: 1, v: 'new' },
      { a: 1, b: 2, v: 'new' },
    ]);
    expect(await rows({ ...update, set: { a: 5 }, where })).toEqual([
      { a: 5, b: 1, v: 'new' },
      { a: 5, b: 2, v: 'new' },
    ]);
    await expect(run({ ...update, set: { b: 1 }, where: compare('a', 'eq', '5') })).rejects.toMatchObject({
      code: '23505',
    });
  });

  it('gives back many rows that it updates, in several steps of one transaction', async () => {
    const many = Array.from({ length: 1_300 }, (_, a) => ({ a: a + 100, b: 0, v: 'm' }));
    await run(insert(many, { table: 'pairs' }));
    const update = {
      kind: 'update',
      schema: 'public',
      table: 'pairs',
      where: compare('v', 'eq', 'm'),
    } as const;
    const given = await rows({ ...update, set: { v: 'n' }, returning: [column('a')] });
    expect(new Set(given.map((row) => row['a'])).size).toBe(1_300);
    const check = compare('a', 'lt', '1399');
    const whole = { ...update, where: compare('v', 'eq', 'n'), set: { v: 'o' }, check } as const;
    await expect(run(whole)).rejects.toMatchObject({ code: 'MAG_FORBIDDEN' });
    expect((await run(select({ table: 'pairs', order: [], where: compare('v', 'eq', 'n') }))).rowCount).toBe(
      1_300,
    );
  });

  it('refuses to give back what it updates in a table without a key, and updates it quietly', async () => {
    await run(insert([{ v: 1 }], { table: 'keyless' }));
    const update = { kind: 'update', schema: 'public', table: 'keyless', set: { v: 2 } } as const;
    await expect(run({ ...update, returning: all })).rejects.toMatchObject({
      code: 'MAG_ENGINE_UNSUPPORTED',
    });
    expect((await run(update)).rowCount).toBe(1);
    expect(await rows({ kind: 'delete', schema: 'public', table: 'keyless', returning: all })).toEqual([
      { v: 2 },
    ]);
  });

  it('never cuts related rows: what the server would cut is refused', async () => {
    await run(insert([{ id: 1 }, { id: 2 }], { table: 'parents' }));
    const piece = 'é'.repeat(LIMITS.mysqlGroupBytes / 8);
    for (let n = 0; n < 5; n += 1) await run(insert([{ parent_id: 1, body: piece }], { table: 'children' }));
    const children = (items: readonly SelectItem[]) =>
      select({ table: 'parents', select: [column('id'), embed('children', { select: items })] });
    await expect(run(children([column('body')]))).rejects.toMatchObject({
      code: 'MAG_RESULT_TOO_LARGE',
      status: 413,
    });
    const found = (await rows(children([column('id')]))).map((row) => row['children']);
    expect(found).toEqual([Array.from({ length: 5 }, () => ({ id: expect.any(Number) })), []]);
  });

  it('aggregates related rows, and refuses to group them', async () => {
    const count: SelectItem = { kind: 'count' };
    const counted = (items: readonly SelectItem[]) =>
      rows(select({ table: 'parents', select: [column('id'), embed('children', { select: items })] }));
    expect(await counted([count])).toEqual([
      { id: 1, children: [{ count: 5 }] },
      { id: 2, children: [{ count: 0 }] },
    ]);
    await expect(counted([column('body'), count])).rejects.toMatchObject({ code: 'MAG_ENGINE_UNSUPPORTED' });
  });

  it('gives back what it wrote in order, by keys of several columns as well; without a key it refuses, and by its bound', async () => {
    await sql('delete from pairs; delete from keyless');
    const order = [{ column: { name: 'v' }, direction: 'desc' }] as const;
    const pairs = (count: number) =>
      Array.from({ length: count }, (_, at) => ({ a: at, b: at % 7, v: `v${1000 + ((at * 37) % count)}` }));
    const asked = { returning: [column('v')], order };
    const descending = Array.from({ length: 70 }, (_, at) => ({ v: `v${1069 - at}` }));
    expect(await rows({ ...insert(pairs(70), { table: 'pairs' }), ...asked })).toEqual(descending);
    const table = { schema: 'public', table: 'pairs', ...asked } as const;
    const moved = { kind: 'update', set: { b: 9 }, where: compare('a', 'gte', '0'), ...table } as const;
    expect(await rows(moved)).toEqual(descending);
    expect(await rows({ kind: 'delete', ...table })).toEqual(descending);
    const many = { ...insert(pairs(1_025), { table: 'pairs' }), ...asked };
    await expect(run(many)).rejects.toMatchObject({ code: 'MAG_ENGINE_UNSUPPORTED' });
    const keyless = { ...insert([{ v: 1 }], { table: 'keyless' }), ...asked };
    await expect(run(keyless)).rejects.toMatchObject({ code: 'MAG_ENGINE_UNSUPPORTED' });
    const left = 'select (select count(*) from pairs) + (select count(*) from keyless) as n';
    expect(JSON.parse((await sql(left)).json)).toMatchObject({ rows: [{ n: 0 }] });
  });

  it('notices what another session does to the schema', async () => {
    const other = await mysql.engine(REF);
    await other.sql('create table later (id int primary key)', [], mysql.context(REF));
    expect(await rows(select({ table: 'later' }))).toEqual([]);
    await other.sql('alter table later add column extra int', [], mysql.context(REF));
    expect(await rows(insert([{ id: 1, extra: 2 }], { table: 'later' }))).toMatchObject([
      { id: 1, extra: 2 },
    ]);
    await other.sql('alter table later drop column extra', [], mysql.context(REF));
    await expect(run(select({ table: 'later', select: [column('extra')] }))).rejects.toMatchObject({
      code: '42703',
    });
  });
});
