import { describe, expect, it } from 'vitest';
import { parseFilter } from '../../src/actors/gate/grammar/filter.ts';
import { parseOrder } from '../../src/actors/gate/grammar/order.ts';
import { parseParams } from '../../src/actors/gate/grammar/params.ts';
import { windowOf } from '../../src/actors/gate/grammar/range.ts';
import { parseSelect } from '../../src/actors/gate/grammar/select.ts';
import { MagError } from '../../src/errors.ts';
import { LIMITS } from '../../src/limits.ts';
import type { Filter } from '../../src/protocol/query.ts';

const column = (name: string): { name: string } => ({ name });
const eq = (name: string, value: string, negated = false): Filter => ({
  kind: 'compare',
  column: column(name),
  op: 'eq',
  value,
  negated,
});

function refusal(parse: () => unknown): MagError {
  try {
    parse();
  } catch (error) {
    if (error instanceof MagError) return error;
    throw error;
  }
  throw new Error('it parsed');
}

describe('filters of a query string', () => {
  it('take the whole value as it is, dots, commas and quotes included', () => {
    expect(parseParams('name=eq.a,b).c"d').where).toEqual(eq('name', 'a,b).c"d'));
  });

  it('decode percent escapes and plus signs', () => {
    expect(parseParams('na%20me=eq.J%C3%BCrgen+X').where).toEqual(eq('na me', 'Jürgen X'));
  });

  it('conjoin, also on one column', () => {
    expect(parseParams('id=gt.1&id=not.eq.5').where).toEqual({
      kind: 'and',
      terms: [
        { kind: 'compare', column: column('id'), op: 'gt', value: '1', negated: false },
        eq('id', '5', true),
      ],
      negated: false,
    });
  });

  it('read * in like patterns as %', () => {
    expect(parseParams('a=ilike.*x_%25').where).toEqual({
      kind: 'compare',
      column: column('a'),
      op: 'ilike',
      value: '%x_%',
      negated: false,
    });
  });

  it('read lists with quoted members', () => {
    const where = parseParams('a=in.(x,"y,(z)","q\\"r",)').where;
    expect(where).toMatchObject({ kind: 'in', values: ['x', 'y,(z)', 'q"r', ''] });
    expect(parseParams('a=in.()').where).toMatchObject({ kind: 'in', values: [] });
  });

  it('read logic trees, nested and negated', () => {
    expect(parseParams('or=(a.eq.1,not.and(b.is.NULL,c.not.in.(1,2)))').where).toEqual({
      kind: 'or',
      negated: false,
      terms: [
        eq('a', '1'),
        {
          kind: 'and',
          negated: true,
          terms: [
            { kind: 'is', column: column('b'), value: 'null', negated: false },
            { kind: 'in', column: column('c'), values: ['1', '2'], negated: true },
          ],
        },
      ],
    });
    expect(parseParams('not.or=(a.eq.1)').where).toMatchObject({ kind: 'or', negated: true });
  });

  it('leave the key of a browser out', () => {
    expect(parseParams('apikey=abc&id=eq.1').where).toEqual(eq('id', '1'));
  });
});

describe('the other parameters', () => {
  it('read columns, aliases and quoted names', () => {
    expect(parseSelect('id, alias:"odd,name" ,*')).toEqual([
      { kind: 'column', column: column('id') },
      { kind: 'column', column: column('odd,name'), alias: 'alias' },
      { kind: 'all' },
    ]);
  });

  it('read orders with and without directions', () => {
    expect(parseOrder('a.desc.nullslast,b,c.nullsfirst')).toEqual([
      { column: column('a'), direction: 'desc', nulls: 'last' },
      { column: column('b'), direction: 'asc' },
      { column: column('c'), direction: 'asc', nulls: 'first' },
    ]);
  });

  it('read columns and on_conflict', () => {
    const params = parseParams('columns=%22a%22,%22b%22&on_conflict=a,b');
    expect([params.columns, params.onConflict]).toEqual([
      ['a', 'b'],
      ['a', 'b'],
    ]);
  });

  it('intersect limit and offset with a Range header', () => {
    expect(windowOf(null, null, undefined)).toEqual({ offset: 0, limit: LIMITS.maxRows });
    expect(windowOf(5, 10, undefined)).toEqual({ offset: 10, limit: 5 });
    expect(windowOf(null, null, '0-9')).toEqual({ offset: 0, limit: 10 });
    expect(windowOf(null, null, '20-')).toEqual({ offset: 20, limit: LIMITS.maxRows });
    expect(windowOf(5, null, '2-9')).toEqual({ offset: 2, limit: 3 });
    expect(windowOf(0, null, undefined)).toEqual({ offset: 0, limit: 0 });
    expect(windowOf(3, null, 'bytes=0-1')).toEqual({ offset: 0, limit: 3 });
    expect(refusal(() => windowOf(null, null, '9-2')).code).toBe('PGRST103');
  });
});

describe('what is refused', () => {
  it.each([
    ['id=1', 'at position 1: unknown operator "1"'],
    ['id=eq', 'at position 3: expected "." and a value after the operator'],
    ['id=fts.x', 'at position 1: the operator fts is not supported yet'],
    ['id=eq(any).{1}', 'at position 1: the operator eq(any) is not supported yet'],
    ['id=in.(1', 'at position 6: expected ")"'],
    ['id=in.(1)x', 'at position 7: unexpected "x"'],
    ['id=is.maybe', 'at position 4: expected null, not_null, true, false or unknown'],
    ['or=(a.eq.1', 'at position 8: expected ")"'],
    ['or=(a.eq.1)b', 'at position 9: unexpected "b"'],
    ['or=()', 'at position 2: expected a column name'],
    ['data->>x=eq.1', 'at position 5: JSON paths are not supported yet'],
    ['owner.id=eq.1', 'at position 6: filters on embedded tables are not supported yet'],
    ['select=id,owner(name)', 'at position 9: embedding other tables is not supported yet'],
    ['select=id::text', 'at position 3: casts are not supported yet'],
    ['select=id.count()', 'at position 3: aggregates are not supported yet'],
    ['select=...owner(x)', 'at position 1: spreading other tables is not supported yet'],
    ['select=a,,b', 'at position 3: expected a column name'],
    ['select="a', 'at position 1: the quote is not closed'],
    ['order=a.down', 'at position 2: expected asc, desc, nullsfirst, nullslast or ","'],
    ['limit=x', 'at position 1: expected a whole number'],
    ['limit=', 'at position 1: expected a whole number'],
  ])('%s: %s', (text, details) => {
    const error = refusal(() => parseParams(text));
    expect(error).toMatchObject({ code: 'PGRST100', status: 400, details });
  });

  it('a broken escape, as a bad request', () => {
    expect(refusal(() => parseParams('a=eq.%zz'))).toMatchObject({ code: 'MAG_BAD_REQUEST', status: 400 });
  });

  it('a negative limit or offset, as a range that cannot be', () => {
    expect(refusal(() => parseParams('limit=-1'))).toMatchObject({ code: 'PGRST103', status: 416 });
    expect(refusal(() => parseParams('offset=-2'))).toMatchObject({ code: 'PGRST103', status: 416 });
  });

  it('more terms, depth, columns, members or orders than the limits allow', () => {
    const many = (count: number, text: string, glue = ','): string => new Array(count).fill(text).join(glue);
    const deep = LIMITS.filterDepth + 1;
    for (const text of [
      `or=(${many(LIMITS.filterTerms + 1, 'a.eq.1')})`,
      many(LIMITS.filterTerms + 1, 'a=eq.1', '&'),
      `and=${'('.repeat(1)}${'or('.repeat(deep)}a.eq.1${')'.repeat(deep + 1)}`,
      `select=${many(LIMITS.selectItems + 1, 'a')}`,
      `order=${many(LIMITS.orderTerms + 1, 'a')}`,
      `a=in.(${many(LIMITS.inListItems + 1, '1')})`,
    ]) {
      expect(refusal(() => parseParams(text)).code).toBe('PGRST100');
    }
  });
});

describe('one filter as text', () => {
  it("reads realtime's form and the grants' form", () => {
    expect(parseFilter('id=eq.a,b')).toEqual(eq('id', 'a,b'));
    expect(parseFilter('owner.eq.{sub}')).toEqual(eq('owner', '{sub}'));
    expect(parseFilter('not.and(a.eq.1,b.eq.2)')).toMatchObject({ kind: 'and', negated: true });
    expect(parseFilter('id=in.(1,2)')).toMatchObject({ kind: 'in', values: ['1', '2'] });
  });

  it('refuses text after it', () => {
    expect(refusal(() => parseFilter('a.eq.1,b.eq.2')).details).toBe('at position 7: unexpected ","');
  });
});
