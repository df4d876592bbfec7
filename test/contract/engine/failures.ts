import { describe, expect, it } from 'vitest';
import { isPublicError } from '../../../src/errors.ts';
import { column, compare, insert, type Subject, select } from './subject.ts';

/** Every failure has a code that a client knows and is no 500; and nothing stays behind. */
export function failures(subject: () => Subject): void {
  describe('failures', () => {
    it('a second row with a unique value is 23505', async () => {
      await subject().execute(insert([{ name: 'a' }]));
      await expect(subject().execute(insert([{ name: 'a' }]))).rejects.toMatchObject({
        code: '23505',
        status: 409,
      });
    });

    it('tells the key and the column in the words of PostgreSQL, where the server does not tell in its own', async () => {
      await subject().execute(insert([{ name: 'a' }]));
      if (subject().under.engine.kind === 'mysql') return;
      const message = 'duplicate key value violates unique constraint "items_name_key"';
      for (const rows of [[{ name: 'a' }], [{ name: 'b' }, { name: 'a' }]])
        await expect(subject().execute(insert(rows))).rejects.toMatchObject({ code: '23505', message });
      await expect(subject().execute(insert([{ qty: 1 }]))).rejects.toMatchObject({
        message: 'null value in column "name" of relation "items" violates not-null constraint',
      });
    });

    it('a null where none may be is 23502', async () => {
      await expect(subject().execute(insert([{ qty: 1 }]))).rejects.toMatchObject({
        code: '23502',
        status: 400,
      });
    });

    it('a reference to nothing, or a referenced row deleted, is 23503', async () => {
      const orphan = insert([{ item_id: 999, label: 'x' }], { table: 'parts' });
      await expect(subject().execute(orphan)).rejects.toMatchObject({ code: '23503', status: 409 });
      await subject().execute(insert([{ id: 1, name: 'a' }]));
      await subject().execute(insert([{ item_id: 1 }], { table: 'parts' }));
      const where = compare('id', 'eq', '1');
      await expect(
        subject().execute({ kind: 'delete', schema: 'public', table: 'items', where }),
      ).rejects.toMatchObject({ code: '23503' });
    });

    it('an unknown table is PGRST205', async () => {
      await expect(subject().execute(select({ table: 'nope' }))).rejects.toMatchObject({
        code: 'PGRST205',
        status: 404,
      });
      await expect(subject().execute(insert([{ a: 1 }], { table: 'nope' }))).rejects.toMatchObject({
        code: 'PGRST205',
      });
    });

    it.each([
      ['select', select({ select: [column('nope')] })],
      ['filter', select({ where: compare('nope', 'eq', '1') })],
      ['order', select({ order: [{ column: { name: 'nope' }, direction: 'asc' }] })],
      ['injection', select({ select: [column('id" from items; drop table items; --')] })],
    ])('an unknown column in %s is 42703', async (_what, query) => {
      await expect(subject().execute(query)).rejects.toMatchObject({ code: '42703', status: 400 });
    });

    it('an unknown column that is to be written is PGRST204', async () => {
      const unknown = { code: 'PGRST204', status: 400 };
      await expect(subject().execute(insert([{ nope: 1 }]))).rejects.toMatchObject(unknown);
    });

    it('a value that is none of the column’s type is 22P02', async () => {
      await expect(subject().execute(select({ where: compare('qty', 'eq', 'many') }))).rejects.toMatchObject({
        code: '22P02',
        status: 400,
      });
      await expect(
        subject().execute(select({ where: compare('done', 'eq', 'maybe') })),
      ).rejects.toMatchObject({ code: '22P02' });
    });

    it('a value cannot become SQL', async () => {
      const evil = "x'; delete from items; --";
      await subject().execute(insert([{ name: evil }]));
      expect(await subject().pluck('name', { where: compare('name', 'eq', evil) })).toEqual([evil]);
    });

    it('native SQL with an error says which', async () => {
      await expect(subject().sql('selec 1')).rejects.toMatchObject({ code: '42601', status: 400 });
      await expect(subject().sql('select * from nope')).rejects.toMatchObject({ code: '42P01' });
      await expect(subject().sql('select nope from items')).rejects.toMatchObject({ code: '42703' });
      await expect(subject().sql('select nope()')).rejects.toMatchObject({ code: '42883' });
      await expect(subject().sql('insert into items (name) values (null)')).rejects.toMatchObject({
        code: '23502',
      });
    });

    it('a statement is cancelled at its deadline, and the engine works on', async () => {
      const { engine, context, words } = subject().under;
      await expect(engine.sql(words.slow, [], context({ ms: 400 }))).rejects.toMatchObject({
        code: '57014',
        status: 504,
      });
      expect(await subject().sqlRows('select 1 as one')).toEqual([{ one: 1 }]);
    });

    it('a statement whose client went away is cancelled', async () => {
      const { engine, context, words } = subject().under;
      const client = new AbortController();
      const running = engine.sql(words.slow, [], context({ signal: client.signal }));
      setTimeout(() => client.abort(), 200);
      await expect(running).rejects.toMatchObject({ code: '57014' });
      expect(await subject().sqlRows('select 1 as one')).toEqual([{ one: 1 }]);
    });

    it('a client that went away before, or a deadline that passed, runs nothing', async () => {
      const { engine, context } = subject().under;
      const write = insert([{ name: 'never' }]);
      await expect(engine.execute(write, context({ signal: AbortSignal.abort() }))).rejects.toSatisfy(
        isPublicError,
      );
      await expect(engine.execute(write, context({ ms: -1 }))).rejects.toMatchObject({ code: '57014' });
      expect(await subject().rows(select())).toEqual([]);
    });

    it('a result over the bound is refused, never cut', async () => {
      const { words } = subject().under;
      await expect(subject().sql(words.series(100_001))).rejects.toMatchObject({
        code: 'MAG_RESULT_TOO_LARGE',
        status: 413,
      });
      const result = await subject().sql(words.series(1_000));
      expect(result.rowCount).toBe(1_000);
    });
  });
}
