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

describe('the other operators', () => {
  const of = (text: string): unknown => {
    const where = parseParams(text).where;
    return where;
  };

  it.each([
    ['match.^a', { kind: 'compare', op: 'match', value: '^a' }],
    ['imatch.a*', { kind: 'compare', op: 'imatch', value: 'a*' }],
    ['isdistinct.5', { kind: 'compare', op: 'isdistinct', value: '5' }],
    ['not.isdistinct.5', { kind: 'compare', op: 'isdistinct', value: '5', negated: true }],
    ['is.Not_Null', { kind: 'is', value: 'not_null' }],
    ['cs.{a,b}', { kind: 'contain', op: 'cs', value: '{a,b}' }],
    ['cd.{"a":1}', { kind: 'contain', op: 'cd', value: '{"a":1}' }],
    ['ov.[1,5)', { kind: 'contain', op: 'ov', value: '[1,5)' }],
    ['sl.(1,5]', { kind: 'contain', op: 'sl', value: '(1,5]' }],
    ['sr.(1,5]', { kind: 'contain', op: 'sr', value: '(1,5]' }],
    ['nxl.(1,5]', { kind: 'contain', op: 'nxl', value: '(1,5]' }],
    ['nxr.(1,5]', { kind: 'contain', op: 'nxr', value: '(1,5]' }],
    ['adj.(1,5]', { kind: 'contain', op: 'adj', value: '(1,5]' }],
    ['fts.a&b', { kind: 'text_search', op: 'fts', value: 'a&b' }],
    [
      'not.plfts(german).a b',
      { kind: 'text_search', op: 'plfts', config: 'german', value: 'a b', negated: true },
    ],
    ['phfts.x', { kind: 'text_search', op: 'phfts', value: 'x' }],
    ['wfts(simple).x', { kind: 'text_search', op: 'wfts', config: 'simple', value: 'x' }],
    [
      'eq(any).{1, "2,3" ,x\\,y}',
      { kind: 'quantified', op: 'eq', quantifier: 'any', values: ['1', '2,3', 'x,y'] },
    ],
    ['like(all).{O*,*n}', { kind: 'quantified', op: 'like', quantifier: 'all', values: ['O%', '%n'] }],
    ['not.gte(any).{}', { kind: 'quantified', op: 'gte', quantifier: 'any', values: [], negated: true }],
    ['in.( 1,2 )', { kind: 'in', values: ['1', '2 '] }],
  ])('a=%s', (text, expected) => {
    expect(of(`a=${encodeURIComponent(text)}`)).toEqual({ column: column('a'), negated: false, ...expected });
  });

  it('take arrays and objects with their commas inside a logic tree', () => {
    expect(of('or=(a.cs.{1,2},b.eq(any).{3,4},c.eq.{"x":{"y":1}},d.fts(german).z)')).toMatchObject({
      terms: [
        { kind: 'contain', value: '{1,2}' },
        { kind: 'quantified', values: ['3', '4'] },
        { kind: 'compare', value: '{"x":{"y":1}}' },
        { kind: 'text_search', config: 'german', value: 'z' },
      ],
    });
  });

  it('read JSON paths on the left', () => {
    const path = { steps: ['a', 0, 'b', -1], text: true };
    expect(of('data->a->0->b->>-1=eq.5')).toMatchObject({ column: { name: 'data', path } });
    expect(of('and=(data->>k-e.eq.1)')).toMatchObject({
      terms: [{ column: { name: 'data', path: { steps: ['k-e'], text: true } } }],
    });
    expect(of('data->"0"->1x=eq.1')).toMatchObject({ column: { path: { steps: ['0', '1x'], text: false } } });
  });

  it('are arguments where a function is called and none begins the value', () => {
    const params = parseParams('a=1&b=eq.2&a=3&c=in&d=equal&e=in.(1)&f=not.x', 'call');
    expect(params.args).toEqual([
      ['a', '1'],
      ['a', '3'],
      ['c', 'in'],
      ['d', 'equal'],
      ['f', 'not.x'],
    ]);
    expect(params.where).toMatchObject({ kind: 'and', terms: [{ column: column('b') }, { kind: 'in' }] });
  });
});

describe('the shape of a select', () => {
  const items = (text: string): unknown => parseSelect(text).items;
  const embed = (more: object): unknown => ({
    kind: 'embed',
    embed: { inner: false, spread: false, select: [], order: [], ...more },
  });

  it('casts, aliases and aggregates, casts before and after', () => {
    expect(items('id::text,n:amount::int4.sum()::text,amount.avg(),all:count()::int4,count()')).toEqual([
      { kind: 'column', column: column('id'), cast: 'text' },
      {
        kind: 'column',
        column: column('amount'),
        alias: 'n',
        cast: 'int4',
        aggregate: { function: 'sum', cast: 'text' },
      },
      { kind: 'column', column: column('amount'), aggregate: { function: 'avg' } },
      { kind: 'count', alias: 'all', cast: 'int4' },
      { kind: 'count' },
    ]);
  });

  it('calls a JSON path by its last key, or its column', () => {
    const named = (text: string): unknown =>
      parseSelect(text).items.map((item) => Reflect.get(item, 'alias'));
    expect(named('data->a->>b,data->3,data->1->mycol->>2,x:data->a,data->!@#$%^&*_d::int4')).toEqual([
      'b',
      'data',
      'mycol',
      'x',
      '!@#$%^&*_d',
    ]);
    expect(named('data->n.sum()')).toEqual([undefined]);
  });

  it('embeds, nested, aliased, hinted, joined and spread', () => {
    expect(items('id, tasks(id, users!inner(*)), the:clients!fk!inner(), ...x!left!hint(y)')).toEqual([
      { kind: 'column', column: column('id') },
      embed({
        relation: 'tasks',
        select: [
          { kind: 'column', column: column('id') },
          embed({ relation: 'users', inner: true, select: [{ kind: 'all' }] }),
        ],
      }),
      embed({ relation: 'clients', alias: 'the', hint: 'fk', inner: true }),
      embed({ relation: 'x', hint: 'hint', spread: true, select: [{ kind: 'column', column: column('y') }] }),
    ]);
    expect([parseSelect('a,b').embeds, parseSelect('a,b(c)').embeds]).toEqual([false, true]);
  });

  it('takes a column named count for one', () => {
    expect(items('count,c:count,count.sum()')).toMatchObject([
      { column: column('count') },
      { alias: 'c', column: column('count') },
      { column: column('count'), aggregate: { function: 'sum' } },
    ]);
  });
});

describe('what is addressed to embeds', () => {
  const embedOf = (text: string): unknown => {
    const item = parseParams(text).select.at(-1);
    return item?.kind === 'embed' ? item.embed : null;
  };

  it('filters, orders, windows and logic, by alias or by table, at any depth', () => {
    const text =
      'select=id,actors(name,r:roles(id))&actors.name=eq.x&actors.r.id=gt.1&actors.roles.limit=2&actors.order=name' +
      '&actors.limit=5&actors.offset=1&actors.not.or=(a.eq.1)&actors.r.and=(b.eq.2)&id=eq.7';
    expect(parseParams(text).where).toEqual(eq('id', '7'));
    expect(embedOf(text)).toMatchObject({
      limit: 5,
      offset: 1,
      order: [{ column: column('name'), direction: 'asc' }],
      where: { kind: 'and', terms: [eq('name', 'x'), { kind: 'or', negated: true }] },
      select: [
        {},
        {
          embed: {
            limit: 2,
            where: {
              kind: 'and',
              terms: [{ op: 'gt', column: column('id') }, { terms: [eq('b', '2')] }],
            },
          },
        },
      ],
    });
  });

  it('turns a null filter on an embed into a question about its rows, in logic trees too', () => {
    const related = { kind: 'related', relation: 'c', value: 'null', negated: true };
    expect(parseParams('select=c:clients(),id&c=not.is.null').where).toEqual(related);
    expect(parseParams('select=c:clients()&or=(c.not.is.null,c.is.not_null,id.is.null)').where).toMatchObject(
      {
        terms: [related, { kind: 'related', value: 'not_null', negated: false }, { kind: 'is' }],
      },
    );
    // By its alias alone: the name of the table may be a column.
    expect(parseParams('select=c:clients()&clients=is.null').where).toMatchObject({ kind: 'is' });
    expect(parseParams('select=id&clients=is.null').where).toMatchObject({ kind: 'is' });
    expect(embedOf('select=c:clients(p:projects())&c.p=is.null')).toMatchObject({
      where: { kind: 'related', relation: 'p' },
    });
  });

  it('orders by a column of a related table, and by JSON paths', () => {
    expect(
      parseParams('select=director(name)&order=director(name->>x).desc.nullslast,data->0.asc').order,
    ).toEqual([
      {
        relation: 'director',
        column: { name: 'name', path: { steps: ['x'], text: true } },
        direction: 'desc',
        nulls: 'last',
      },
      { column: { name: 'data', path: { steps: [0], text: false } }, direction: 'asc' },
    ]);
  });

  it('counts of what is said twice the first, of windows the last, and of a key without a value nothing', () => {
    const params = parseParams('select=a&select=b&order=a&order=b&limit=1&limit=2&columns=x&columns=y&d');
    expect(params).toMatchObject({
      select: [{ column: column('a') }],
      order: [{ column: column('a') }],
      limit: 2,
      columns: ['x'],
      where: null,
    });
  });
});

describe('what is not quite right', () => {
  it('a percent sign that begins no escape stands for itself', () => {
    expect(parseParams('a=like(any).{%plan%,%C3%A9%}').where).toMatchObject({ values: ['%plan%', 'é%'] });
  });

  it('a quote that has no other one is a letter of the value', () => {
    expect(parseParams('a=in.(")').where).toMatchObject({ values: ['"'] });
  });

  it('an offset before the first row is none', () => {
    expect(parseParams('offset=-4').offset).toBe(0);
  });

  it('brackets and quotes too many at the end close nothing', () => {
    expect(parseParams('select=id,b(c))').select).toEqual(parseParams('select=id,b(c)').select);
    expect(parseParams("select=id,b(c)'").select).toEqual(parseParams('select=id,b(c)').select);
    expect(parseParams('or=(a.eq.1,b.eq.2)))').where).toEqual(parseParams('or=(a.eq.1,b.eq.2)').where);
  });
});

describe('the other parameters', () => {
  it('read columns, aliases and quoted names', () => {
    expect(parseSelect('id, alias:"odd,name" ,*').items).toEqual([
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
    expect(windowOf(5, 10, undefined, 2)).toEqual({ offset: 10, limit: 2 });
    expect(windowOf(3, null, 'bytes=0-1')).toEqual({ offset: 0, limit: 3 });
    expect(refusal(() => windowOf(null, null, '9-2')).code).toBe('PGRST103');
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
    expect(refusal(() => parseFilter('a.eq.1,b.eq.2')).details).toBe("unexpected ',' expecting end of input");
  });
});
