import { beforeEach, describe, expect, it } from 'vitest';
import type { Filter } from '../../../src/protocol/query.ts';
import type { DocumentSubject } from './documents.ts';
import { and, column, compare, is, not, or, within } from './subject.ts';

const SEED = [
  { id: 1, name: 'apple', qty: 3, price: 1.5, done: true, tags: ['red', 'sweet'] },
  { id: 2, name: 'Banana', qty: 7, price: 0.25, done: false, note: 'a_b', tags: [] },
  { id: 3, name: 'cherry', qty: null, price: 9.5, note: '100%' },
  { id: 'four', name: 'date', qty: 7, price: 4, done: true, note: 'axb', where: { shelf: 'b', at: [1, 2] } },
];

/** Selects on documents: columns, every operator, logic, order, pages and counts. */
export function documentReading(subject: () => DocumentSubject): void {
  describe('reads', () => {
    beforeEach(async () => {
      await subject().execute(subject().insert(SEED));
    });

    const ids = (where: Filter) => subject().ids({ where });

    it('give documents as they were written, a missing field absent', async () => {
      const [row] = await subject().rows(subject().select({ where: compare('id', 'eq', '2') }));
      expect(row).toEqual(SEED[1]);
      const [other] = await subject().rows(subject().select({ where: compare('id', 'eq', 'four') }));
      expect(other).toEqual(SEED[3]);
    });

    it('give the chosen columns under their aliases, null where a document has none', async () => {
      const query = subject().select({
        select: [column('name'), column('note', 'n')],
        where: compare('id', 'eq', '1'),
      });
      expect(await subject().rows(query)).toEqual([{ name: 'apple', n: null }]);
    });

    it.each([
      ['eq', 'qty', '7', [2, 'four']],
      ['neq', 'qty', '7', [1]],
      ['gt', 'qty', '3', [2, 'four']],
      ['gte', 'qty', '3', [1, 2, 'four']],
      ['lt', 'qty', '7', [1]],
      ['lte', 'qty', '7', [1, 2, 'four']],
      ['gt', 'price', '1.5', [3, 'four']],
      ['eq', 'name', 'apple', [1]],
      ['lt', 'name', 'b', [1, 2]],
      ['eq', 'done', 'true', [1, 'four']],
      ['neq', 'done', 'true', [2]],
      ['like', 'name', 'a%', [1]],
      ['like', 'name', '%an%', [2]],
      ['like', 'name', 'b%', []],
      ['like', 'name', '%', [1, 2, 3, 'four']],
      ['like', 'name', '_a%e', ['four']],
      ['ilike', 'name', 'B%', [2]],
      ['ilike', 'name', '%A%', [1, 2, 'four']],
      ['like', 'note', 'a\\_b', [2]],
      ['like', 'note', 'a_b', [2, 'four']],
      ['like', 'note', '%0\\%', [3]],
      ['eq', 'missing', '1', []],
      ['neq', 'missing', '1', []],
    ] as const)('%s on %s with %s', async (op, name, value, expected) => {
      expect(await ids(compare(name, op, value))).toEqual(expected);
    });

    it('find a key by itself, whether it is a number or text', async () => {
      expect(await ids(compare('id', 'eq', 'four'))).toEqual(['four']);
      expect(await ids(compare('id', 'eq', '3'))).toEqual([3]);
      expect(await ids(compare('id', 'eq', '77'))).toEqual([]);
      expect(await ids(within('id', ['four', '1', '77']))).toEqual([1, 'four']);
    });

    it('a comparison with null, or with a field that is not there, matches nothing, negated or not', async () => {
      expect(await ids(compare('qty', 'eq', '3', true))).toEqual([2, 'four']);
      expect(await ids(compare('qty', 'neq', '3', true))).toEqual([1]);
      expect(await ids(compare('note', 'like', 'a%', true))).toEqual([3]);
      expect(await ids(compare('price', 'gt', '1.5', true))).toEqual([1, 2]);
    });

    it('is.null holds where a path shows null: also where it leads into an array by a name, or by a place into none', async () => {
      const shapes = [
        ...[null, 'text', 3, [], [null], [1], { a: null }, { a: 1 }, { a: [] }, { a: [null] }],
        ...[[{ a: 1 }], [{ b: 1 }], { a: { b: 1 } }, { a: [{ b: 1 }] }, { a: [{ b: null }, 2] }, [[1]]],
      ];
      await subject().execute(subject().insert(shapes.map((doc, at) => ({ id: 100 + at, doc }))));
      const own = compare('id', 'gte', '100');
      for (const steps of [['a'], ['a', 'b'], [0], [0, 'a'], ['a', 0], ['a', 0, 'b'], [0, 0]]) {
        const ref = { name: 'doc', path: { steps, text: true } };
        const item = { kind: 'column', column: ref, alias: 'v' } as const;
        const rows = await subject().rows(subject().select({ select: [column('id'), item], where: own }));
        const nulls = rows.filter(({ v }) => v === null).map(({ id }) => id);
        const isNull = { kind: 'is', column: ref, value: 'null', negated: false } as const;
        const others = { kind: 'is', column: ref, value: 'not_null', negated: false } as const;
        expect([steps, await ids(and(own, isNull))]).toEqual([steps, nulls]);
        expect([steps, await ids(and(own, not(others)))]).toEqual([steps, nulls]);
        expect([steps, (await ids(and(own, others))).length]).toEqual([steps, rows.length - nulls.length]);
      }
    });

    it('take a pattern character of another dialect literally', async () => {
      await subject().add({ id: 9, name: 'x[y]?*' });
      expect(await ids(compare('name', 'like', 'x[y]?%'))).toEqual([9]);
      expect(await ids(compare('name', 'like', '[a-z]%'))).toEqual([]);
      expect(await ids(compare('name', 'like', '.*'))).toEqual([]);
    });

    it.each([
      ['null', 'qty', [3]],
      ['not_null', 'qty', [1, 2, 'four']],
      ['true', 'done', [1, 'four']],
      ['false', 'done', [2]],
      ['unknown', 'done', [3]],
      ['null', 'note', [1]],
      ['not_null', 'tags', [1, 2]],
    ] as const)('is %s on %s', async (value, name, expected) => {
      expect(await ids(is(name, value))).toEqual(expected);
      const others = [1, 2, 3, 'four'].filter((id) => !expected.some((each) => each === id));
      expect(await ids(is(name, value, true))).toEqual(others);
    });

    describe('of values whose types differ from one document to the next', () => {
      const TYPED = [
        { id: 11, v: true },
        { id: 12, v: false },
        { id: 13, v: 1 },
        { id: 14, v: 0 },
        { id: 15, v: 'true' },
        { id: 16, v: '1' },
        { id: 17, v: null },
        { id: 18, v: [true] },
        { id: 19, v: { a: 1 } },
        { id: 20 },
      ];
      const some = TYPED.map(({ id }) => String(id));
      beforeEach(async () => {
        await subject().execute(subject().insert(TYPED));
      });

      it.each([
        ['is true', is('v', 'true'), [11]],
        ['is not true', is('v', 'true', true), [12, 13, 14, 15, 16, 17, 18, 19, 20]],
        ['is false', is('v', 'false'), [12]],
        ['is not false', is('v', 'false', true), [11, 13, 14, 15, 16, 17, 18, 19, 20]],
        ['equals true', compare('v', 'eq', 'true'), [11, 15]],
        ['differs from true', compare('v', 'neq', 'true'), [12, 13, 14, 16]],
        ['does not equal true', compare('v', 'eq', 'true', true), [12, 13, 14, 16]],
        ['equals 1', compare('v', 'eq', '1'), [13, 16]],
        ['equals a letter that PostgreSQL reads as true', compare('v', 'eq', 't'), []],
        ['is beyond 0', compare('v', 'gt', '0'), [13, 15, 16]],
        ['is not beyond 0', compare('v', 'gt', '0', true), [14]],
        ['is beyond false', compare('v', 'gt', 'false'), [11, 15]],
        ['is one of true and 0', within('v', ['true', '0']), [11, 14, 15]],
        ['is none of true and 0', within('v', ['true', '0'], true), [12, 13, 16]],
        ['looks like anything', compare('v', 'like', '%'), [15, 16]],
        ['looks not like 1', compare('v', 'like', '1', true), [15]],
        ['equals 1, written otherwise', compare('v', 'eq', '01'), []],
      ] as const)('%s', async (_what, filter, expected) => {
        expect(await ids(and(within('id', some), filter))).toEqual(expected);
      });
    });

    it('in matches any of its values, and an empty list none', async () => {
      expect(await ids(within('name', ['apple', 'date', 'a,b"c']))).toEqual([1, 'four']);
      expect(await ids(within('qty', ['3', '7'], true))).toEqual([]);
      expect(await ids(within('qty', ['3'], true))).toEqual([2, 'four']);
      expect(await ids(within('id', []))).toEqual([]);
    });

    it('and, or and their negations hold as SQL has them', async () => {
      const cheap = compare('price', 'lt', '2');
      const seven = compare('qty', 'eq', '7');
      expect(await ids(and(cheap, seven))).toEqual([2]);
      expect(await ids(or(cheap, seven))).toEqual([1, 2, 'four']);
      // Of cherry the quantity is unknown: so is whether it is seven, and whether it is not.
      expect(await ids(not(and(cheap, seven)))).toEqual([1, 3, 'four']);
      expect(await ids(not(or(cheap, seven)))).toEqual([]);
      expect(await ids(and(or(cheap, is('note', 'null')), not(seven)))).toEqual([1]);
    });

    it('put rows in order, nulls where they are wanted, and last or first by default', async () => {
      const by = (direction: 'asc' | 'desc', nulls?: 'first' | 'last') =>
        subject().ids({
          order: [
            { column: { name: 'qty' }, direction, ...(nulls === undefined ? {} : { nulls }) },
            { column: { name: 'id' }, direction: 'asc' },
          ],
        });
      expect(await by('asc')).toEqual([1, 2, 'four', 3]);
      expect(await by('asc', 'first')).toEqual([3, 1, 2, 'four']);
      expect(await by('desc')).toEqual([3, 2, 'four', 1]);
      expect(await by('desc', 'last')).toEqual([2, 'four', 1, 3]);
    });

    it('order by several fields, each with its own nulls', async () => {
      const order = [
        { column: { name: 'note' }, direction: 'asc', nulls: 'last' },
        { column: { name: 'qty' }, direction: 'desc' },
      ] as const;
      expect(await subject().ids({ order })).toEqual([3, 2, 'four', 1]);
    });

    it('give pages, and beyond the end nothing', async () => {
      expect(await subject().ids({ limit: 2 })).toEqual([1, 2]);
      expect(await subject().ids({ limit: 2, offset: 1 })).toEqual([2, 3]);
      expect(await subject().ids({ offset: 9 })).toEqual([]);
      expect(await subject().ids({ limit: 0 })).toEqual([]);
      const order = [{ column: { name: 'qty' }, direction: 'asc' }] as const;
      expect(await subject().ids({ order, limit: 1, offset: 3 })).toEqual([3]);
      expect(await subject().ids({ order, limit: 2, offset: 2 })).toHaveLength(2);
    });

    it.each(['exact', 'planned', 'estimated'] as const)('count what matches: %s', async (count) => {
      const where = compare('qty', 'eq', '7');
      const { rowCount, total } = await subject().execute(subject().select({ where, count, limit: 1 }));
      expect([rowCount, total]).toEqual([1, 2]);
    });

    it('a collection that nobody wrote to is empty', async () => {
      const query = subject().select({ table: 'never_written', count: 'exact' });
      expect(await subject().execute(query)).toMatchObject({ json: '[]', rowCount: 0, total: 0 });
    });
  });

  it('integers stay exact, text and numbers stay what they are', async () => {
    await subject().add({
      id: 1,
      big: 9_007_199_254_740_993n,
      text: '7',
      unicode: 'ü😀',
      nested: { a: [1, null, 'x'] },
    });
    const { json } = await subject().execute(subject().select());
    expect(json).toContain('9007199254740993');
    const [row] = JSON.parse(json);
    expect(row).toMatchObject({ id: 1, text: '7', unicode: 'ü😀', nested: { a: [1, null, 'x'] } });
    expect(await subject().ids({ where: compare('big', 'eq', '9007199254740993') })).toEqual([1]);
    expect(await subject().ids({ where: compare('unicode', 'like', 'ü_') })).toEqual([1]);
  });
}
