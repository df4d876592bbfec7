import { beforeEach, describe, expect, it } from 'vitest';
import type { SelectQuery } from '../../../src/protocol/query.ts';
import { and, column, compare, insert, is, not, or, type Subject, select, within } from './subject.ts';

const SEED = [
  { id: 1, name: 'apple', qty: 3, price: 1.5, done: true, note: null },
  { id: 2, name: 'Banana', qty: 7, price: 0.25, done: false, note: 'a_b' },
  { id: 3, name: 'cherry', qty: null, price: 9.5, done: null, note: '100%' },
  { id: 4, name: 'date', qty: 7, price: 4, done: true, note: 'axb' },
];

/** Selects: columns, every operator, logic, order, pages and counts. */
export function reading(subject: () => Subject): void {
  describe('reads', () => {
    beforeEach(async () => {
      await subject().execute(insert(SEED));
    });

    const ids = (query: Partial<SelectQuery>) => subject().pluck('id', query);

    it('gives the chosen columns under their aliases', async () => {
      const query = select({ select: [column('name'), column('qty', 'n')], where: compare('id', 'eq', '1') });
      expect(await subject().rows(query)).toEqual([{ name: 'apple', n: 3 }]);
    });

    it('gives every column for a star, in the order of the table', async () => {
      const [row] = await subject().rows(select({ where: compare('id', 'eq', '1') }));
      expect(Object.keys(row ?? {})).toEqual([
        'id',
        'name',
        'qty',
        'price',
        'done',
        'attrs',
        'big',
        'note',
        'raw',
      ]);
    });

    it.each([
      ['eq', 'qty', '7', [2, 4]],
      ['neq', 'qty', '7', [1]],
      ['gt', 'qty', '3', [2, 4]],
      ['gte', 'qty', '3', [1, 2, 4]],
      ['lt', 'qty', '7', [1]],
      ['lte', 'qty', '7', [1, 2, 4]],
      ['gt', 'price', '1.5', [3, 4]],
      ['eq', 'name', 'apple', [1]],
      ['lt', 'name', 'b', [1, 2]],
      ['eq', 'done', 'true', [1, 4]],
      ['neq', 'done', 'true', [2]],
      ['like', 'name', 'a%', [1]],
      ['like', 'name', '%an%', [2]],
      ['like', 'name', 'b%', []],
      ['ilike', 'name', 'B%', [2]],
      ['ilike', 'name', '%A%', [1, 2, 4]],
      ['like', 'note', 'a\\_b', [2]],
      ['like', 'note', 'a_b', [2, 4]],
      ['like', 'note', '%0\\%', [3]],
    ] as const)('%s on %s with %s', async (op, name, value, expected) => {
      expect(await ids({ where: compare(name, op, value) })).toEqual(expected);
    });

    it('a comparison with null matches nothing, negated or not', async () => {
      expect(await ids({ where: compare('qty', 'eq', '3', true) })).toEqual([2, 4]);
      expect(await ids({ where: compare('qty', 'neq', '3', true) })).toEqual([1]);
    });

    it('takes a pattern character of another dialect literally', async () => {
      await subject().execute(insert([{ id: 9, name: 'x[y]?*' }]));
      expect(await ids({ where: compare('name', 'like', 'x[y]?%') })).toEqual([9]);
      expect(await ids({ where: compare('name', 'like', '[a-z]%') })).toEqual([]);
    });

    it.each([
      ['null', 'qty', [3]],
      ['not_null', 'qty', [1, 2, 4]],
      ['true', 'done', [1, 4]],
      ['false', 'done', [2]],
      ['unknown', 'done', [3]],
    ] as const)('is %s on %s', async (value, name, expected) => {
      expect(await ids({ where: is(name, value) })).toEqual(expected);
      const others = [1, 2, 3, 4].filter((id) => !expected.some((each) => each === id));
      expect(await ids({ where: is(name, value, true) })).toEqual(others);
    });

    it('in matches any of its values, and an empty list none', async () => {
      expect(await ids({ where: within('id', ['4', '1', '77']) })).toEqual([1, 4]);
      expect(await ids({ where: within('name', ['apple', 'date', 'a,b"c']) })).toEqual([1, 4]);
      expect(await ids({ where: within('id', []) })).toEqual([]);
      expect(await ids({ where: within('id', ['1', '2'], true) })).toEqual([3, 4]);
      expect(await ids({ where: within('done', ['true']) })).toEqual([1, 4]);
    });

    it('and, or and their negations nest', async () => {
      const cheapOrDone = or(compare('price', 'lt', '1'), is('done', 'true'));
      expect(await ids({ where: cheapOrDone })).toEqual([1, 2, 4]);
      expect(await ids({ where: and(cheapOrDone, compare('qty', 'eq', '7')) })).toEqual([2, 4]);
      expect(await ids({ where: not(and(compare('id', 'gt', '1'), compare('id', 'lt', '4'))) })).toEqual([
        1, 4,
      ]);
      expect(await ids({ where: not(or(compare('id', 'eq', '1'), not(compare('id', 'eq', '2')))) })).toEqual([
        2,
      ]);
    });

    it('orders with nulls where PostgreSQL puts them, or where it is told to', async () => {
      const by = (direction: 'asc' | 'desc', nulls?: 'first' | 'last') => [
        nulls === undefined
          ? { column: { name: 'qty' }, direction }
          : { column: { name: 'qty' }, direction, nulls },
        { column: { name: 'id' }, direction: 'desc' as const },
      ];
      expect(await ids({ order: by('asc') })).toEqual([1, 4, 2, 3]);
      expect(await ids({ order: by('desc') })).toEqual([3, 4, 2, 1]);
      expect(await ids({ order: by('asc', 'first') })).toEqual([3, 1, 4, 2]);
      expect(await ids({ order: by('desc', 'last') })).toEqual([4, 2, 1, 3]);
    });

    it('limits and skips, alone and together', async () => {
      expect(await ids({ limit: 2 })).toEqual([1, 2]);
      expect(await ids({ offset: 3 })).toEqual([4]);
      expect(await ids({ limit: 2, offset: 1 })).toEqual([2, 3]);
      expect(await ids({ limit: 0 })).toEqual([]);
      expect(await ids({ limit: 5, offset: 50 })).toEqual([]);
    });

    it('counts all rows that match beside the page, also beside an empty one', async () => {
      const where = compare('qty', 'eq', '7');
      const page = await subject().execute(select({ where, limit: 1, count: 'exact' }));
      expect([page.rowCount, page.total, JSON.parse(page.json).length]).toEqual([1, 2, 1]);
      const empty = await subject().execute(select({ where, limit: 1, offset: 9, count: 'exact' }));
      expect([empty.rowCount, empty.total, empty.json]).toEqual([0, 2, '[]']);
      const none = await subject().execute(select({ where }));
      expect([none.total, none.totalKind]).toEqual([null, null]);
    });

    it('reads a view like a table', async () => {
      const rows = await subject().rows(select({ table: 'cheap', where: compare('price', 'gt', '1') }));
      expect(rows).toEqual([
        { id: 1, name: 'apple', price: 1.5 },
        { id: 4, name: 'date', price: 4 },
      ]);
    });

    it('gives the same answer when a statement is used again with other values', async () => {
      for (const [index, row] of SEED.entries()) {
        expect(await ids({ where: compare('name', 'eq', row.name) })).toEqual([index + 1]);
      }
    });
  });
}
