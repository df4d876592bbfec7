import { describe, expect, it } from 'vitest';
import { isPublicError } from '../../../src/errors.ts';
import { column, compare, insert, type Subject, select } from './subject.ts';

/** Native SQL, and the schema that follows it. */
export function nativeSql(subject: () => Subject): void {
  describe('native SQL', () => {
    it('gives rows, fields, a count and the command', async () => {
      const { json, rowCount, command } = await subject().sql(`select 1 as one, 'two' as two`);
      const result = JSON.parse(json);
      expect(result).toMatchObject({ rows: [{ one: 1, two: 'two' }], rowCount: 1, command: 'SELECT' });
      expect(result.fields.map((field: { name: string }) => field.name)).toEqual(['one', 'two']);
      expect(result.fields.every((field: { type: unknown }) => typeof field.type === 'string')).toBe(true);
      expect([rowCount, command]).toEqual([1, 'SELECT']);
    });

    it('binds parameters', async () => {
      const { placeholder } = subject().under.words;
      const statement = `insert into items (name, qty) values (${placeholder(1)}, ${placeholder(2)})`;
      expect(await subject().sql(statement, ["o'clock", 5])).toMatchObject({
        rowCount: 1,
        command: 'INSERT',
      });
      expect(await subject().pluck('name', {})).toEqual(["o'clock"]);
    });

    it('refuses parameters that are not as many as the statement takes', async () => {
      const { placeholder } = subject().under.words;
      const statement = `select name from items where name = ${placeholder(1)}`;
      for (const params of [[], ['a', 'b']])
        await expect(subject().sql(statement, params)).rejects.toMatchObject({ code: '42P02', status: 400 });
    });

    it('gives what RETURNING asks for', async () => {
      const rows = await subject().sqlRows(`insert into items (name) values ('a') returning name, qty`);
      expect(rows).toEqual([{ name: 'a', qty: 7 }]);
    });

    it('runs several statements as one, and gives the last result', async () => {
      const rows = await subject().sqlRows(
        `insert into items (name) values ('semi;colon'); -- a comment; with one
         insert into items (name) values ('b'); select name from items order by name;`,
      );
      expect(rows).toEqual([{ name: 'b' }, { name: 'semi;colon' }]);
      await expect(
        subject().sql(`insert into items (name) values ('c'); insert into items (name) values (null)`),
      ).rejects.toMatchObject({ code: '23502' });
      expect(await subject().rows(select())).toHaveLength(2);
    });

    it('big integers in a result stay exact', async () => {
      await subject().execute(insert([{ name: 'x', big: '9007199254740993' }]));
      const { json } = await subject().sql('select big from items');
      expect(json).toContain('9007199254740993');
    });

    it('leaves nothing of a session to the next statement', async () => {
      await subject().sql('create temporary table scratch (a integer)');
      await expect(subject().sql('select * from scratch')).rejects.toMatchObject({ code: '42P01' });
    });
  });

  describe('the schema', () => {
    it('describes tables, views, keys and nullability', async () => {
      const { engine, context } = subject().under;
      const snapshot = await engine.schema(context());
      const items = [...snapshot.tables.values()].find((table) => table.name === 'items');
      expect(items).toMatchObject({ schema: 'public', kind: 'table' });
      const info = (name: string) => items?.columns.find((each) => each.name === name);
      expect(info('id')).toMatchObject({ primaryKey: 1, nullable: false, hasDefault: true });
      expect(info('name')).toMatchObject({ primaryKey: 0, nullable: false, hasDefault: false });
      expect(info('qty')).toMatchObject({ nullable: true, hasDefault: true });
      expect(items?.unique).toEqual(expect.arrayContaining([['id'], ['name']]));
      const cheap = [...snapshot.tables.values()].find((table) => table.name === 'cheap');
      expect(cheap?.kind).toBe('view');
    });

    it('follows DDL: a new table, a new column, a dropped one', async () => {
      const { engine, context } = subject().under;
      const before = await engine.schema(context());
      await subject().sql('create table later (id integer primary key, a text)');
      const later = (rows: Parameters<typeof insert>[0]) => insert(rows, { table: 'later' });
      expect(await subject().rows(later([{ id: 1, a: 'x' }]))).toEqual([{ id: 1, a: 'x' }]);
      expect((await engine.schema(context())).version).not.toBe(before.version);
      await subject().sql('alter table later add column b integer default 3');
      expect(await subject().rows(select({ table: 'later' }))).toEqual([{ id: 1, a: 'x', b: 3 }]);
      expect(await subject().rows(later([{ id: 2, b: 9 }]))).toEqual([{ id: 2, a: null, b: 9 }]);
      await subject().sql('alter table later drop column a');
      expect(await subject().rows(select({ table: 'later', where: compare('id', 'eq', '2') }))).toEqual([
        { id: 2, b: 9 },
      ]);
      await expect(
        subject().execute(select({ table: 'later', select: [column('a')] })),
      ).rejects.toMatchObject({ code: '42703' });
      await subject().sql('drop table later');
      await expect(subject().execute(select({ table: 'later' }))).rejects.toMatchObject({ code: 'PGRST205' });
    });
  });

  describe('closing', () => {
    it('ends what is running', async () => {
      const { another, context, words } = subject().under;
      const other = await another();
      const running = other.sql(words.slow, [], context());
      const ended = expect(running).rejects.toSatisfy(isPublicError);
      await new Promise((resolve) => setTimeout(resolve, 200));
      await other.close();
      await ended;
    });

    it('can be asked for twice, and refuses use afterwards', async () => {
      const other = await subject().under.another();
      expect(await other.execute(select({ limit: 1 }), subject().under.context())).toMatchObject({
        json: '[]',
      });
      await other.close();
      await other.close();
      await expect(other.execute(select(), subject().under.context())).rejects.toSatisfy(isPublicError);
    });
  });
}
