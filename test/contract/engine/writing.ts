import { describe, expect, it } from 'vitest';
import { all, and, column, compare, insert, is, or, type Subject, select } from './subject.ts';

/** Inserts, upserts, updates, deletes, what they give back, and checks on what they write. */
export function writing(subject: () => Subject): void {
  const items = () => subject().rows(select({ select: [column('id'), column('name'), column('qty')] }));

  describe('inserts', () => {
    it('gives back the row as stored, with its generated key', async () => {
      const result = await subject().execute(insert([{ name: 'a', qty: 1 }]));
      expect(result.rowCount).toBe(1);
      const [row] = JSON.parse(result.json);
      expect(row).toMatchObject({ name: 'a', qty: 1, note: null });
      expect(row.id).toBeTypeOf('number');
    });

    it('gives back only what was asked for, or nothing', async () => {
      const some = await subject().rows(insert([{ name: 'a', qty: 1 }], { returning: [column('qty', 'n')] }));
      expect(some).toEqual([{ n: 1 }]);
      const { returning: _, ...quiet } = insert([{ name: 'b' }, { name: 'c' }]);
      expect(await subject().execute(quiet)).toMatchObject({ json: '[]', rowCount: 2 });
    });

    it('a missing column is null by default, and its default where that is wanted', async () => {
      const rows = [{ name: 'a', qty: 1 }, { name: 'b' }];
      expect((await subject().rows(insert(rows))).map((row) => row.qty)).toEqual([1, null]);
      const more = [{ name: 'c', qty: 2 }, { name: 'd' }];
      const stored = await subject().rows(insert(more, { missing: 'default' }));
      expect(stored.map((row) => [row.qty, row.done])).toEqual([
        [2, false],
        [7, false],
      ]);
    });

    it('a column that no row names keeps its default either way', async () => {
      const [row] = await subject().rows(insert([{ name: 'a' }]));
      expect(row).toMatchObject({ qty: 7, done: false });
    });

    it('writes only the named columns', async () => {
      const query = insert([{ name: 'a', qty: 1, note: 'ignored' }], { columns: ['name', 'qty'] });
      expect(await subject().rows(query)).toMatchObject([{ name: 'a', qty: 1, note: null }]);
    });

    it('an empty object makes a row of defaults', async () => {
      await subject().sql('create table defaults (n integer default 5, t text)');
      expect(await subject().rows(insert([{}], { table: 'defaults' }))).toEqual([{ n: 5, t: null }]);
      await subject().sql('drop table defaults');
    });

    it('many rows are one write: all of them, or none', async () => {
      const rows = Array.from({ length: 500 }, (_, index) => ({ name: `n${index}`, qty: index }));
      expect(await subject().execute(insert(rows))).toMatchObject({ rowCount: 500 });
      expect((await items()).length).toBe(500);
      const broken = [{ name: 'fresh' }, { name: 'n7' }];
      await expect(subject().execute(insert(broken))).rejects.toMatchObject({ code: '23505' });
      expect((await items()).length).toBe(500);
    });

    it('no rows are no write', async () => {
      expect(await subject().execute(insert([]))).toMatchObject({ json: '[]', rowCount: 0 });
    });
  });

  describe('upserts', () => {
    it('merges into the row that has the key', async () => {
      await subject().execute(insert([{ id: 1, name: 'a', qty: 1 }]));
      const merged = await subject().rows(
        insert(
          [
            { id: 1, name: 'b' },
            { id: 2, name: 'c' },
          ],
          { onConflict: { resolution: 'merge' } },
        ),
      );
      expect(merged.map((row) => [row.id, row.name, row.qty])).toEqual([
        [1, 'b', 1],
        [2, 'c', 7],
      ]);
    });

    it('ignores a row that is there, and does not give it back', async () => {
      await subject().execute(insert([{ id: 1, name: 'a', qty: 1 }]));
      const stored = await subject().rows(
        insert(
          [
            { id: 1, name: 'z' },
            { id: 2, name: 'c' },
          ],
          { onConflict: { resolution: 'ignore' } },
        ),
      );
      expect(stored.map((row) => row.id)).toEqual([2]);
      expect(await items()).toMatchObject([{ name: 'a' }, { name: 'c' }]);
    });

    it('takes another unique column, or several, as the target', async () => {
      await subject().execute(insert([{ id: 1, name: 'a', qty: 1 }]));
      const onConflict = { resolution: 'merge', columns: ['name'] } as const;
      await subject().execute(insert([{ name: 'a', qty: 5 }], { onConflict }));
      expect(await items()).toEqual([{ id: 1, name: 'a', qty: 5 }]);
      const pair = (v: string) =>
        insert([{ a: 1, b: 2, v }], {
          table: 'pairs',
          onConflict: { resolution: 'merge', columns: ['a', 'b'] },
        });
      await subject().execute(pair('x'));
      expect(await subject().rows(pair('y'))).toEqual([{ a: 1, b: 2, v: 'y' }]);
    });

    it('a row of nothing but its key is given back', async () => {
      const key = insert([{ a: 1, b: 2 }], { table: 'pairs', onConflict: { resolution: 'merge' } });
      await subject().execute(key);
      expect(await subject().rows(key)).toEqual([{ a: 1, b: 2, v: null }]);
    });

    it('into a table without a key is a plain insert, whichever way conflicts were to be resolved', async () => {
      await subject().sql('create table keyless (code text unique)');
      for (const resolution of ['merge', 'ignore'] as const) {
        const query = insert([{ code: resolution }], { table: 'keyless', onConflict: { resolution } });
        expect((await subject().execute(query)).rowCount).toBe(1);
        await expect(subject().execute(query)).rejects.toMatchObject({ code: '23505', status: 409 });
      }
    });

    it('refuses a target that no unique constraint backs', async () => {
      const query = insert([{ name: 'a' }], { onConflict: { resolution: 'merge', columns: ['qty'] } });
      await expect(subject().execute(query)).rejects.toMatchObject({ code: '42P10', status: 400 });
    });
  });

  describe('updates and deletes', () => {
    const seed = () =>
      subject().execute(insert([1, 2, 3].map((id) => ({ id, name: `n${id}`, qty: id, note: 'x' }))));

    it('updates what matches and gives it back', async () => {
      await seed();
      const query = {
        kind: 'update',
        schema: 'public',
        table: 'items',
        set: { qty: 9, note: null },
        where: compare('id', 'eq', '2'),
        returning: [column('id'), column('qty'), column('note')],
      } as const;
      expect(await subject().rows(query)).toEqual([{ id: 2, qty: 9, note: null }]);
      expect((await items()).map((row) => row.qty)).toEqual([1, 9, 3]);
    });

    it('updates many rows, and all of them without a filter', async () => {
      await seed();
      const base = { kind: 'update', schema: 'public', table: 'items' } as const;
      const some = { ...base, set: { qty: 0 }, where: compare('qty', 'gte', '2') };
      expect(await subject().execute(some)).toMatchObject({ rowCount: 2, json: '[]' });
      expect(await subject().execute({ ...base, set: { done: true } })).toMatchObject({ rowCount: 3 });
    });

    it('deletes what matches and gives it back', async () => {
      await seed();
      const where = or(compare('id', 'eq', '1'), compare('qty', 'eq', '3'));
      const query = {
        kind: 'delete',
        schema: 'public',
        table: 'items',
        where,
        returning: [column('id')],
      } as const;
      expect((await subject().rows(query)).map((row) => row.id).sort()).toEqual([1, 3]);
      expect(await items()).toMatchObject([{ id: 2 }]);
    });

    it.each([
      ['an update', { kind: 'update', set: { qty: 99 } }],
      ['a checked update', { kind: 'update', set: { qty: 99 }, check: is('id', 'not_null') }],
      ['a deletion', { kind: 'delete' }],
    ] as const)('%s of one row that meets two is undone', async (_what, query) => {
      await subject().execute(
        insert([
          { id: 1, name: 'a' },
          { id: 2, name: 'b' },
        ]),
      );
      const quiet = { schema: 'public', table: 'items', single: true } as const;
      const one = { ...quiet, returning: [column('id')] } as const;
      for (const base of [one, quiet]) {
        await expect(subject().execute({ ...base, ...query })).rejects.toMatchObject({
          code: 'PGRST116',
          status: 406,
          details: 'The result contains 2 rows',
        });
      }
      expect(await items()).toMatchObject([
        { id: 1, qty: 7 },
        { id: 2, qty: 7 },
      ]);
      const where = compare('id', 'eq', '2');
      expect(await subject().rows({ ...one, ...query, where })).toEqual([{ id: 2 }]);
      const first = compare('id', 'eq', '1');
      expect(await subject().execute({ ...quiet, ...query, where: first })).toMatchObject({ rowCount: 1 });
    });

    it('a write that matches nothing is no error', async () => {
      const where = compare('id', 'eq', '77');
      const gone = { kind: 'delete', schema: 'public', table: 'items', where, returning: all } as const;
      expect(await subject().execute(gone)).toMatchObject({ json: '[]', rowCount: 0 });
    });
  });

  describe('checks', () => {
    it('lets through what satisfies it', async () => {
      const check = and(compare('qty', 'lt', '10'), is('note', 'null'));
      expect(await subject().rows(insert([{ name: 'a', qty: 1 }], { check }))).toHaveLength(1);
    });

    it('undoes the whole statement when one row breaks it', async () => {
      const check = compare('qty', 'lt', '10');
      const rows = [
        { name: 'a', qty: 1 },
        { name: 'b', qty: 11 },
      ];
      await expect(subject().execute(insert(rows, { check }))).rejects.toMatchObject({
        code: 'MAG_FORBIDDEN',
      });
      expect(await items()).toEqual([]);
    });

    it('refuses a row for which it is unknown', async () => {
      const query = insert([{ name: 'a', qty: null }], { check: compare('qty', 'lt', '10') });
      await expect(subject().execute(query)).rejects.toMatchObject({ code: 'MAG_FORBIDDEN', status: 403 });
      expect(await items()).toEqual([]);
    });

    it('looks at the row as updated, also where nothing is returned', async () => {
      await subject().execute(insert([{ id: 1, name: 'a', qty: 1 }]));
      const update = {
        kind: 'update',
        schema: 'public',
        table: 'items',
        where: compare('id', 'eq', '1'),
        check: compare('qty', 'lt', '10'),
      } as const;
      await expect(subject().execute({ ...update, set: { qty: 50 } })).rejects.toMatchObject({
        code: 'MAG_FORBIDDEN',
      });
      expect(await items()).toMatchObject([{ qty: 1 }]);
      expect(await subject().execute({ ...update, set: { qty: 2 } })).toMatchObject({
        json: '[]',
        rowCount: 1,
      });
    });
  });
}
