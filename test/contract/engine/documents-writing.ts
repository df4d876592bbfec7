import { describe, expect, it } from 'vitest';
import type { DocumentSubject } from './documents.ts';
import { all, and, column, compare, is, or } from './subject.ts';

/** Inserts, upserts, updates, deletes, what they give back, and checks on what they write. */
export function documentWriting(subject: () => DocumentSubject): void {
  const items = () => subject().rows(subject().select());
  const change = (set: Record<string, string | number | null>, more = {}) =>
    ({ kind: 'update', schema: 'public', table: subject().table, set, ...more }) as const;
  const remove = (more = {}) =>
    ({ kind: 'delete', schema: 'public', table: subject().table, ...more }) as const;

  describe('inserts', () => {
    it('make the collection, and give back the document with its generated key', async () => {
      const result = await subject().execute(subject().insert([{ name: 'a', qty: 1 }]));
      expect(result.rowCount).toBe(1);
      const [row] = JSON.parse(result.json);
      expect(row).toMatchObject({ name: 'a', qty: 1 });
      expect(row.id).toBeTypeOf('string');
      expect(await items()).toEqual([row]);
    });

    it('keep the key that is given, number or text, and show it first', async () => {
      const rows = await subject().add({ name: 'a', id: 7 }, { name: 'b', id: 'seven' });
      expect(rows.map((row) => row.id)).toEqual([7, 'seven']);
      expect(Object.keys((await items())[0] ?? {})).toEqual(['id', 'name']);
    });

    it('a key that is null is generated', async () => {
      const [row] = await subject().add({ id: null, name: 'a' });
      expect(row?.id).toBeTypeOf('string');
    });

    it('give back only what was asked for, or nothing', async () => {
      const some = subject().insert([{ name: 'a', qty: 1 }], { returning: [column('qty', 'n')] });
      expect(await subject().rows(some)).toEqual([{ n: 1 }]);
      const { returning: _, ...quiet } = subject().insert([{ name: 'b' }, { name: 'c' }]);
      expect(await subject().execute(quiet)).toMatchObject({ json: '[]', rowCount: 2 });
    });

    it('write only the named columns', async () => {
      const query = subject().insert([{ id: 1, name: 'a', note: 'ignored' }], { columns: ['id', 'name'] });
      expect(await subject().rows(query)).toEqual([{ id: 1, name: 'a' }]);
    });

    it('many rows are one write: all of them, or none', async () => {
      const rows = Array.from({ length: 300 }, (_, index) => ({ id: index, qty: index }));
      expect(await subject().execute(subject().insert(rows))).toMatchObject({ rowCount: 300 });
      await expect(subject().add({ id: 'fresh' }, { id: 7 })).rejects.toMatchObject({ code: '23505' });
      expect((await items()).length).toBe(300);
    });
  });

  it('a write that is to be rolled back is answered, and leaves nothing', async () => {
    await subject().add({ id: 1, qty: 1 });
    const dry = () => subject().under.context({ rollback: true });
    const made = await subject().execute(subject().insert([{ id: 2, qty: 2 }]), dry());
    expect(JSON.parse(made.json)).toEqual([{ id: 2, qty: 2 }]);
    const where = compare('id', 'eq', '1');
    expect(await subject().execute(change({ qty: 9 }, { where }), dry())).toMatchObject({ rowCount: 1 });
    expect(await subject().execute(remove(), dry())).toMatchObject({ rowCount: 1 });
    expect(await items()).toEqual([{ id: 1, qty: 1 }]);
  });

  describe('upserts', () => {
    it('merge into the document that has the key', async () => {
      await subject().add({ id: 1, name: 'a', qty: 1 });
      const query = subject().insert(
        [
          { id: 1, name: 'b' },
          { id: 2, name: 'c' },
        ],
        { onConflict: { resolution: 'merge' } },
      );
      expect(await subject().rows(query)).toEqual([
        { id: 1, name: 'b', qty: 1 },
        { id: 2, name: 'c' },
      ]);
      expect(await items()).toHaveLength(2);
    });

    it('ignore a document that is there, and do not give it back', async () => {
      await subject().add({ id: 1, name: 'a' });
      const query = subject().insert(
        [
          { id: 1, name: 'z' },
          { id: 2, name: 'c' },
        ],
        { onConflict: { resolution: 'ignore' } },
      );
      expect((await subject().rows(query)).map((row) => row.id)).toEqual([2]);
      expect(await items()).toMatchObject([{ name: 'a' }, { name: 'c' }]);
    });

    it('take a unique field as the target', async () => {
      await subject().under.unique(subject().table, 'name');
      await subject().add({ id: 1, name: 'a', qty: 1 });
      const onConflict = { resolution: 'merge', columns: ['name'] } as const;
      await subject().execute(subject().insert([{ name: 'a', qty: 5 }], { onConflict }));
      expect(await items()).toEqual([{ id: 1, name: 'a', qty: 5 }]);
      await subject().execute(subject().insert([{ id: 2, name: 'b' }], { onConflict }));
      expect(await items()).toHaveLength(2);
      expect(await subject().ids({ where: compare('name', 'eq', 'b') })).toEqual([2]);
    });

    it('refuse a target that nothing keeps unique', async () => {
      const onConflict = { resolution: 'merge', columns: ['qty'] } as const;
      await expect(subject().execute(subject().insert([{ qty: 1 }], { onConflict }))).rejects.toMatchObject({
        code: '42P10',
        status: 400,
      });
    });

    it('are one write: all of them, or none', async () => {
      await subject().under.unique(subject().table, 'name');
      await subject().add({ id: 1, name: 'a' }, { id: 2, name: 'b' });
      const rows = [
        { id: 3, name: 'c' },
        { id: 2, name: 'a' },
      ];
      const query = subject().insert(rows, { onConflict: { resolution: 'merge' } });
      await expect(subject().execute(query)).rejects.toMatchObject({ code: '23505' });
      expect(await items()).toEqual([
        { id: 1, name: 'a' },
        { id: 2, name: 'b' },
      ]);
    });
  });

  describe('updates and deletes', () => {
    const seed = () => subject().add(...[1, 2, 3].map((id) => ({ id, name: `n${id}`, qty: id })));

    it('update what matches and give it back', async () => {
      await seed();
      const where = compare('id', 'eq', '2');
      const returning = [column('id'), column('qty'), column('name')];
      expect(await subject().rows(change({ qty: 9, name: null }, { where, returning }))).toEqual([
        { id: 2, qty: 9, name: null },
      ]);
      expect((await items()).map((row) => row.qty)).toEqual([1, 9, 3]);
    });

    it('update many documents, and all of them without a filter', async () => {
      await seed();
      const where = compare('qty', 'gte', '2');
      expect(await subject().execute(change({ qty: 0 }, { where }))).toMatchObject({
        rowCount: 2,
        json: '[]',
      });
      expect(await subject().execute(change({ seen: 1 }))).toMatchObject({ rowCount: 3 });
      expect((await items()).map((row) => [row.qty, row.seen])).toEqual([
        [1, 1],
        [0, 1],
        [0, 1],
      ]);
    });

    it('an update of several documents of which one fails changes none', async () => {
      await subject().under.unique(subject().table, 'code');
      await seed();
      await expect(subject().execute(change({ code: 'x' }))).rejects.toMatchObject({ code: '23505' });
      expect((await items()).every((row) => row.code === undefined)).toBe(true);
    });

    it('delete what matches and give it back', async () => {
      await seed();
      const where = or(compare('id', 'eq', '1'), compare('qty', 'eq', '3'));
      const rows = await subject().rows(remove({ where, returning: [column('id')] }));
      expect(rows.map((row) => row.id).sort()).toEqual([1, 3]);
      expect(await items()).toMatchObject([{ id: 2 }]);
      expect(await subject().execute(remove())).toMatchObject({ rowCount: 1 });
      expect(await items()).toEqual([]);
    });

    it.each([
      ['an update', { kind: 'update', set: { qty: 99 } }],
      ['a checked update', { kind: 'update', set: { qty: 99 }, check: is('id', 'not_null') }],
      ['a deletion', { kind: 'delete' }],
    ] as const)('%s of one document that meets two is undone', async (_what, query) => {
      await subject().add({ id: 1, qty: 7 }, { id: 2, qty: 7 });
      const quiet = { schema: 'public', table: subject().table, single: true } as const;
      const one = { ...quiet, returning: [column('id')] } as const;
      for (const base of [one, quiet]) {
        await expect(subject().execute({ ...base, ...query })).rejects.toMatchObject({
          code: 'PGRST116',
          details: 'The result contains 2 rows',
        });
      }
      expect(await items()).toMatchObject([{ qty: 7 }, { qty: 7 }]);
      const where = compare('id', 'eq', '2');
      expect(await subject().rows({ ...one, ...query, where })).toEqual([{ id: 2 }]);
    });

    it('a write that matches nothing is no error', async () => {
      const where = compare('id', 'eq', '77');
      const nothing = { json: '[]', rowCount: 0 };
      expect(await subject().execute(remove({ where, returning: all }))).toMatchObject(nothing);
      expect(await subject().execute(change({ a: 1 }, { where, returning: all }))).toMatchObject(nothing);
    });

    it('an id cannot be changed, and stating it changes nothing', async () => {
      await seed();
      const where = compare('id', 'eq', '2');
      expect(await subject().rows(change({ id: 2, qty: 5 }, { where, returning: all }))).toEqual([
        { id: 2, name: 'n2', qty: 5 },
      ]);
      await expect(subject().execute(change({ id: 9 }, { where }))).rejects.toMatchObject({
        code: 'MAG_ENGINE_UNSUPPORTED',
      });
    });
  });

  describe('what no documents can', () => {
    const order = [{ column: { name: 'qty' }, direction: 'desc' }] as const;
    const refused = { code: 'MAG_ENGINE_UNSUPPORTED', status: 400 };

    it('defaults of fields are refused before anything is written', async () => {
      await subject().add({ id: 2, qty: 2 });
      const query = change({ qty: 99 }, { where: compare('id', 'eq', '2'), defaults: ['name'] });
      await expect(subject().execute(query)).rejects.toMatchObject(refused);
      expect(await items()).toEqual([{ id: 2, qty: 2 }]);
    });

    it('what is written is given back in the order asked for', async () => {
      await subject().add({ id: 1, qty: 1 }, { id: 2, qty: 2 }, { id: 3 });
      const asked = { returning: [column('id')], order };
      const queries = [
        change({ name: 'n' }, { where: compare('id', 'lte', '3'), ...asked }),
        subject().insert([{ id: 4 }, { id: 5, qty: 5 }, { id: 6, qty: 6 }], asked),
        remove(asked),
      ];
      const given: unknown[] = [];
      for (const query of queries) given.push((await subject().rows(query)).map(({ id }) => id));
      expect(given).toEqual([
        [3, 2, 1],
        [4, 6, 5],
        [3, 4, 6, 5, 2, 1],
      ]);
      const rows = [{ id: 1, name: 'b' }, { id: 2, name: 'a', qty: 1 }, { id: 3, qty: 1 }, { id: 4 }];
      const terms = [
        { column: { name: 'qty' }, direction: 'asc', nulls: 'first' },
        { column: { name: 'name' }, direction: 'desc', nulls: 'last' },
        { column: { name: 'id' }, direction: 'desc' },
      ] as const;
      const mixed = await subject().rows(subject().insert(rows, { ...asked, order: terms }));
      expect(mixed.map(({ id }) => id)).toEqual([1, 4, 2, 3]);
    });
  });

  describe('checks', () => {
    it('let through what satisfies them', async () => {
      const check = and(compare('qty', 'lt', '10'), is('note', 'null'));
      expect(await subject().rows(subject().insert([{ name: 'a', qty: 1 }], { check }))).toHaveLength(1);
    });

    it('undo the whole statement when one document breaks it', async () => {
      const check = compare('qty', 'lt', '10');
      const rows = [{ qty: 1 }, { qty: 11 }];
      await expect(subject().execute(subject().insert(rows, { check }))).rejects.toMatchObject({
        code: 'MAG_FORBIDDEN',
        status: 403,
      });
      expect(await items()).toEqual([]);
    });

    it('refuse a document for which they are unknown', async () => {
      const query = subject().insert([{ name: 'a' }], { check: compare('qty', 'lt', '10') });
      await expect(subject().execute(query)).rejects.toMatchObject({ code: 'MAG_FORBIDDEN' });
      expect(await items()).toEqual([]);
    });

    it('look at the document as updated, also where nothing is returned', async () => {
      await subject().add({ id: 1, qty: 1 });
      const where = compare('id', 'eq', '1');
      const check = compare('qty', 'lt', '10');
      await expect(subject().execute(change({ qty: 50 }, { where, check }))).rejects.toMatchObject({
        code: 'MAG_FORBIDDEN',
      });
      expect(await items()).toMatchObject([{ qty: 1 }]);
      expect(await subject().execute(change({ qty: 2 }, { where, check }))).toMatchObject({ rowCount: 1 });
    });
  });
}
