import { beforeEach, describe, expect, it } from 'vitest';
import type { Capability } from '../../../src/actors/storage/capabilities.ts';
import { isPublicError } from '../../../src/errors.ts';
import type {
  ColumnRef,
  Filter,
  OrderTerm,
  Query,
  Row,
  SelectItem,
  SelectQuery,
} from '../../../src/protocol/query.ts';
import { column, compare, insert, is, not, type Subject, select } from './subject.ts';

const SEED = [
  {
    id: 1,
    name: 'apple',
    qty: 3,
    price: 1.5,
    done: true,
    note: 'one',
    attrs: { a: { b: [1, 'x', null] }, n: 5 },
  },
  { id: 2, name: 'banana', qty: 7, price: 0.25, done: false, note: null, attrs: { a: 'text', t: true } },
  { id: 3, name: 'cherry', qty: null, price: 9.5, done: null, note: 'two', attrs: null },
];

const SHOWN = [column('name'), column('qty'), column('done'), column('note')];

const at = (name: string, steps: readonly (string | number)[], text = true): ColumnRef => ({
  name,
  path: { steps, text },
});

const quantified = (
  name: string,
  op: Extract<Filter, { kind: 'quantified' }>['op'],
  quantifier: 'any' | 'all',
  values: readonly string[],
): Filter => ({ kind: 'quantified', column: { name }, op, quantifier, values, negated: false });

/** What is more than columns and plain comparisons; each part where the engine has its capability. */
export function expressions(subject: () => Subject, can: ReadonlySet<Capability>): void {
  const ids = (where: Filter, query: Partial<SelectQuery> = {}) => subject().pluck('id', { where, ...query });
  const codeOf = async (query: Promise<unknown>): Promise<string> => {
    const error = await query.then(() => null).catch((caught: unknown) => caught);
    return isPublicError(error) ? error.code : String(error);
  };
  const part = (capability: Capability, tests: () => void): void => {
    if (!can.has(capability)) return;
    describe(`with the capability ${capability}`, () => {
      beforeEach(async () => {
        await subject().execute(insert(SEED));
      });
      tests();
    });
  };

  part('json_path', () => {
    const pick = (ref: ColumnRef, alias: string): SelectItem => ({ kind: 'column', column: ref, alias });

    it('reads JSON by -> and text by ->>, and null where there is nothing', async () => {
      const items = [
        pick(at('attrs', ['a', 'b'], false), 'b'),
        pick(at('attrs', ['a', 'b', 1]), 'x'),
        pick(at('attrs', ['a', 'b', -1]), 'last'),
        pick(at('attrs', ['n']), 'n'),
        pick(at('attrs', ['n'], false), 'json'),
      ];
      expect(await subject().rows(select({ select: items }))).toEqual([
        { b: [1, 'x', null], x: 'x', last: null, n: '5', json: 5 },
        { b: null, x: null, last: null, n: null, json: null },
        { b: null, x: null, last: null, n: null, json: null },
      ]);
    });

    it('filters and sorts by what is at a path', async () => {
      const isText = {
        kind: 'compare',
        column: at('attrs', ['a']),
        op: 'eq',
        value: 'text',
        negated: false,
      } as const;
      expect(await ids(isText)).toEqual([2]);
      expect(
        await ids({ kind: 'in', column: at('attrs', ['n']), values: ['5', '6'], negated: false }),
      ).toEqual([1]);
      expect(await ids({ kind: 'is', column: at('attrs', ['n']), value: 'null', negated: false })).toEqual([
        2, 3,
      ]);
      const order = [{ column: at('attrs', ['t']), direction: 'asc', nulls: 'first' }] as const;
      expect((await subject().pluck('id', { order: [...order] })).at(-1)).toBe(2);
    });

    it.each([`'`, '"', '\\', '$.a', 'a.b', '', ' ', '->', `x' or 1=1 --`])(
      'takes the key %j literally',
      async (key) => {
        await subject().execute(insert([{ id: 9, name: 'odd', attrs: { [key]: 'found', other: 1 } }]));
        const found = await subject()
          .pluck('v', {
            select: [pick(at('attrs', [key]), 'v')],
            where: compare('id', 'eq', '9'),
          })
          .catch((error: unknown) => (isPublicError(error) ? [error.code] : [String(error)]));
        expect(found).toEqual([
          /["\\]|^-/.test(key) && found[0] !== 'found' ? 'MAG_ENGINE_UNSUPPORTED' : 'found',
        ]);
      },
    );
  });

  part('cast', () => {
    it('casts what it gives', async () => {
      const items: readonly SelectItem[] = [
        { kind: 'column', column: { name: 'qty' }, cast: 'text' },
        { kind: 'column', column: { name: 'price' }, cast: 'integer', alias: 'whole' },
        { kind: 'column', column: { name: 'done' }, cast: 'text', alias: 'done' },
      ];
      const rows = await subject().rows(select({ select: items, where: compare('id', 'eq', '2') }));
      expect(rows).toEqual([{ qty: '7', whole: 0, done: 'false' }]);
    });

    it.each([
      `text); drop table items; --`,
      `int'`,
      'no such "type"',
      'a.b.c',
      '',
      '__proto__',
      'constructor',
    ])('refuses what is no type: %s', async (cast) => {
      const query = select({ select: [{ kind: 'column', column: { name: 'qty' }, cast }] });
      expect(['MAG_ENGINE_UNSUPPORTED', '42704']).toContain(await codeOf(subject().execute(query)));
      expect(await subject().pluck('id', {})).toEqual([1, 2, 3]);
    });
  });

  part('distinct', () => {
    it('isdistinct takes null for a value', async () => {
      expect(await ids(compare('qty', 'isdistinct', '3'))).toEqual([2, 3]);
      expect(await ids(not(compare('qty', 'isdistinct', '3')))).toEqual([1]);
    });
  });

  part('quantifier', () => {
    it.each([
      [quantified('qty', 'eq', 'any', ['3', '9']), [1]],
      [quantified('qty', 'gt', 'all', ['3', '5']), [2]],
      [quantified('qty', 'lte', 'any', ['3', '5']), [1]],
      [quantified('name', 'like', 'any', ['a%', '%rry']), [1, 3]],
      [quantified('name', 'like', 'all', ['%a%', 'b%']), [2]],
      [quantified('name', 'ilike', 'any', ['A%', 'B_NANA']), [1, 2]],
      [quantified('qty', 'eq', 'any', []), []],
      [quantified('qty', 'eq', 'all', []), [1, 2, 3]],
    ] as const)('%j', async (filter, expected) => {
      expect(await ids(filter)).toEqual(expected);
      // A null is unknown to every value, negated or not, and to no value at all.
      const isUnknown = 'values' in filter && filter.column.name === 'qty' && filter.values.length > 0;
      const others = [1, 2, 3].filter(
        (id) => !expected.some((each) => each === id) && !(isUnknown && id === 3),
      );
      expect(await ids(not(filter))).toEqual(others);
    });
  });

  part('update_defaults', () => {
    const update = { kind: 'update', schema: 'public', table: 'items', returning: SHOWN } as const;

    it('sets columns to their defaults, NULL where they have none, beside values and alone', async () => {
      const where = compare('id', 'eq', '1');
      const both = { ...update, set: { name: 'new' }, defaults: ['qty', 'note'], where };
      expect(await subject().rows(both)).toEqual([{ name: 'new', qty: 7, done: true, note: null }]);
      const alone = { ...update, set: {}, defaults: ['done'], where };
      expect(await subject().rows(alone)).toEqual([{ name: 'new', qty: 7, done: false, note: null }]);
      const { returning: _, ...quiet } = { ...update, set: { name: 'b' }, defaults: ['done'] };
      const second = compare('id', 'eq', '2');
      expect((await subject().execute({ ...quiet, where: second })).rowCount).toBe(1);
      const kept = { ...update, set: { name: 'c' }, defaults: ['qty'], check: compare('qty', 'eq', '7') };
      expect(await subject().rows({ ...kept, where: compare('id', 'eq', '3') })).toMatchObject([{ qty: 7 }]);
    });

    it('a column that must have a value and has no default, or that there is not, is an error', async () => {
      const where = compare('id', 'eq', '1');
      expect(await codeOf(subject().execute({ ...update, set: {}, defaults: ['name'], where }))).toBe(
        '23502',
      );
      expect(await codeOf(subject().execute({ ...update, set: {}, defaults: ['nix'], where }))).toBe(
        'PGRST204',
      );
    });

    it('a default is what it says, whatever it is written as', async () => {
      await subject().sql(
        `create table written (id integer primary key, a varchar(20) default 'it''s "a"', b integer default -3)`,
      );
      await subject().execute(insert([{ id: 1, a: 'x', b: 1 }], { table: 'written' }));
      const query = { ...update, table: 'written', returning: [{ kind: 'all' }], set: {} } as const;
      expect(await subject().rows({ ...query, defaults: ['a', 'b'] })).toEqual([
        { id: 1, a: `it's "a"`, b: -3 },
      ]);
      await subject().sql('drop table written');
    });
  });

  part('ordered_writes', () => {
    const order = [{ column: { name: 'qty' }, direction: 'desc' }] as const;
    const base = { schema: 'public', table: 'items', returning: [column('id')], order } as const;
    const update = { kind: 'update', ...base } as const;
    const of = (rows: readonly Row[]): unknown[] => rows.map(({ id }) => id);

    it('gives back what an insert, an update and a deletion wrote in the order asked for', async () => {
      const rows = [
        { id: 4, name: 'd', qty: 1 },
        { id: 5, name: 'e', qty: 9 },
      ];
      expect(of(await subject().rows({ ...insert(rows), ...base }))).toEqual([5, 4]);
      const raise = { kind: 'update', set: { note: 'n' }, ...base } as const;
      expect(of(await subject().rows(raise))).toEqual([3, 5, 2, 1, 4]);
      expect(
        of(await subject().rows({ kind: 'delete', ...base, single: true, where: compare('id', 'eq', '3') })),
      ).toEqual([3]);
      expect(of(await subject().rows({ kind: 'delete', ...base }))).toEqual([5, 2, 1, 4]);
    });

    it('orders by several columns, with nulls where they are wanted, and knows no other column', async () => {
      await subject().execute({ ...update, set: { qty: 5 }, where: compare('id', 'lte', '2') });
      const by = (...terms: readonly OrderTerm[]) => ({ ...update, set: { done: true }, order: terms });
      const qty = { column: { name: 'qty' } };
      const id = { column: { name: 'id' }, direction: 'desc' } as const;
      const given = async (query: Query): Promise<unknown[]> => of(await subject().rows(query));
      expect(await given(by({ ...qty, direction: 'asc' }, id))).toEqual([2, 1, 3]);
      expect(await given(by({ ...qty, direction: 'asc', nulls: 'first' }, id))).toEqual([3, 2, 1]);
      expect(await given(by({ ...qty, direction: 'desc' }, id))).toEqual([3, 2, 1]);
      expect(await given(by({ ...qty, direction: 'desc', nulls: 'last' }, id))).toEqual([2, 1, 3]);
      const nix = by({ column: { name: 'nix' }, direction: 'asc' });
      expect(await codeOf(subject().execute(nix))).toBe('42703');
    });

    it('gives as many rows in order as one write makes', async () => {
      const rows = Array.from({ length: 700 }, (_, at) => ({
        id: 10 + at,
        name: `n${at}`,
        qty: (at * 331) % 700,
      }));
      const qty = { ...base, returning: [column('qty')] };
      const descending = Array.from({ length: 700 }, (_, at) => ({ qty: 699 - at }));
      expect(await subject().rows({ ...insert(rows), ...qty })).toEqual(descending);
      const where = compare('id', 'gte', '10');
      expect(await subject().rows({ ...update, set: { note: 'm' }, where, ...qty })).toEqual(descending);
      expect(await subject().rows({ kind: 'delete', where, ...qty })).toEqual(descending);
    });
  });

  part('max_affected', () => {
    const remove = { kind: 'delete', schema: 'public', table: 'items' } as const;

    it('undoes a write that affects more rows than it may, and lets pass one that does not', async () => {
      const where = compare('id', 'lte', '2');
      for (const more of [{}, { returning: [column('id')] }]) {
        expect(await codeOf(subject().execute({ ...remove, where, maxAffected: 1, ...more }))).toBe(
          'PGRST124',
        );
        expect(await subject().pluck('id', {})).toEqual([1, 2, 3]);
      }
      const gone = await subject().execute({ ...remove, where, maxAffected: 2 });
      expect([gone.rowCount, await subject().pluck('id', {})]).toEqual([2, [3]]);
      const set = {
        kind: 'update',
        schema: 'public',
        table: 'items',
        set: { qty: 1 },
        maxAffected: 5,
      } as const;
      const check = is('qty', 'not_null');
      expect(await subject().rows({ ...set, check, returning: [column('id')] })).toEqual([{ id: 3 }]);
    });
  });
}
