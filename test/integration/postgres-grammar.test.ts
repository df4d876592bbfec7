import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Engine } from '../../src/actors/storage/engine.ts';
import { resolveEmbeds } from '../../src/actors/storage/relationships.ts';
import { isPublicError } from '../../src/errors.ts';
import type { CallQuery, Filter, Query, SelectItem, SelectQuery } from '../../src/protocol/query.ts';
import { embed } from '../contract/engine/embeds.ts';
import { column, compare, select } from '../contract/engine/subject.ts';
import { type EmbeddedPostgres, embeddedPostgres } from '../support/embedded-postgres.ts';

const SETUP = `
create type mood as enum ('sad', 'happy');
create table things (id integer primary key, name text, tags text[], span int4range, doc jsonb, feels mood,
  body text, vector tsvector, raw json, at timestamptz);
insert into things values
  (1, 'Apple', '{a,b}', '[1,5)', '{"k":{"n":1},"l":[1,2]}', 'sad', 'the fat cats ate rats', to_tsvector('fat cat'), '{"x":1}', '2020-01-01Z'),
  (2, 'apricot', '{b,c}', '[5,9)', '{"k":{"n":22},"m":true}', 'happy', 'a quick fox', to_tsvector('quick fox'), null, '2021-01-01Z'),
  (3, 'Cherry', '{}', '[20,30)', null, null, 'Die Katzen essen', null, '{"x":2}', null);
create table notes (id integer primary key, thing_id integer references things (id), text text);
insert into notes select n, n % 2 + 1, 'n' || n from generate_series(1, 3000) n;
analyze notes; analyze things`;

/** What only PostgreSQL has of the grammar, and how it counts. */
describe('the grammar on PostgreSQL', () => {
  let pg: EmbeddedPostgres;
  let engine: Engine;
  beforeAll(async () => {
    pg = await embeddedPostgres();
    engine = await pg.engine('grammar');
    await engine.sql(SETUP, [], pg.context('grammar'));
  });
  afterAll(() => pg.stop());

  const run = async (query: SelectQuery) => {
    const context = pg.context('grammar');
    return engine.execute(resolveEmbeds(query, await engine.schema(context)), context);
  };
  const things = async (query: Partial<SelectQuery>) =>
    JSON.parse((await run(select({ table: 'things', select: [column('id')], ...query }))).json);
  const ids = async (where: Filter): Promise<unknown[]> =>
    (await things({ where })).map(({ id }: { id: number }) => id);
  const contain = (name: string, op: Extract<Filter, { kind: 'contain' }>['op'], value: string): Filter => ({
    ...{ kind: 'contain', column: { name }, op, value, negated: false },
  });
  const search = (
    name: string,
    op: Extract<Filter, { kind: 'text_search' }>['op'],
    value: string,
    config?: string,
  ): Filter => ({
    ...{ kind: 'text_search', column: { name }, op, value, negated: false },
    ...(config === undefined ? {} : { config }),
  });
  const codeOf = async (query: Promise<unknown>): Promise<string> => {
    const error = await query.then(() => null).catch((caught: unknown) => caught);
    return isPublicError(error) ? error.code : String(error);
  };

  it.each([
    [contain('tags', 'cs', '{b}'), [1, 2]],
    [contain('tags', 'cd', '{a,b,x}'), [1, 3]],
    [contain('tags', 'ov', '{c,z}'), [2]],
    [contain('doc', 'cs', '{"k":{"n":1}}'), [1]],
    [contain('span', 'cs', '[2,3)'), [1]],
    [contain('span', 'cd', '[0,10)'), [1, 2]],
    [contain('span', 'ov', '[4,6)'), [1, 2]],
    [contain('span', 'sl', '[9,10)'), [1, 2]],
    [contain('span', 'sr', '[1,4)'), [2, 3]],
    [contain('span', 'nxr', '[3,9)'), [1, 2]],
    [contain('span', 'nxl', '[5,7)'), [2, 3]],
    [contain('span', 'adj', '[9,20)'), [2, 3]],
  ])('contains, ranges and overlaps: %j', async (filter, expected) => {
    expect(await ids(filter)).toEqual(expected);
  });

  it.each([
    [search('body', 'fts', 'fat & rats'), [1]],
    [search('body', 'plfts', 'quick fox', 'english'), [2]],
    [search('body', 'phfts', 'fat cats', 'english'), [1]],
    [search('body', 'wfts', 'cats or fox', 'english'), [1, 2]],
    [search('body', 'fts', 'Katze', 'german'), [3]],
    [search('vector', 'fts', 'fox'), [2]],
  ])('full text: %j', async (filter, expected) => {
    expect(await ids(filter)).toEqual(expected);
  });

  it('regular expressions, also of any and all', async () => {
    expect(await ids(compare('name', 'match', '^A'))).toEqual([1]);
    expect(await ids(compare('name', 'imatch', '^ap'))).toEqual([1, 2]);
    const any = { kind: 'quantified', column: { name: 'name' }, op: 'imatch', quantifier: 'any' } as const;
    expect(await ids({ ...any, values: ['^c', 't$'], negated: false })).toEqual([2, 3]);
    expect(await codeOf(ids(compare('name', 'match', '(')))).toBe('2201B');
  });

  it('JSON compares by what it means, on json and on jsonb', async () => {
    const path = (text: boolean) => ({ name: 'doc', path: { steps: ['k', 'n'], text } });
    const number = { kind: 'compare', column: path(false), op: 'gt', value: '5', negated: false } as const;
    expect(await ids(number)).toEqual([2]);
    const raw = { name: 'raw', path: { steps: ['x'], text: true } };
    expect(await ids({ kind: 'compare', column: raw, op: 'eq', value: '2', negated: false })).toEqual([3]);
    const tag: SelectItem = {
      kind: 'column',
      column: { name: 'tags', path: { steps: [0], text: true } },
      alias: 'tag',
    };
    expect(await things({ select: [tag] })).toEqual([{ tag: 'a' }, { tag: 'b' }, { tag: null }]);
  });

  it('casts to its own types and to the tenant’s', async () => {
    const cast = async (name: string, type: string) =>
      (await things({ select: [{ kind: 'column', column: { name }, cast: type, alias: 'v' }] })).map(
        ({ v }: { v: unknown }) => v,
      );
    expect(await cast('id', 'text')).toEqual(['1', '2', '3']);
    expect(await cast('feels', 'text')).toEqual(['sad', 'happy', null]);
    expect(await cast('feels', 'mood')).toEqual(['sad', 'happy', null]);
    expect(await cast('id', 'double precision')).toEqual([1, 2, 3]);
    expect(await cast('tags', 'text[]')).toEqual([['a', 'b'], ['b', 'c'], []]);
    expect(await codeOf(cast('name', 'int'))).toBe('22P02');
    expect(await codeOf(cast('id', 'nothing_like_it'))).toBe('42704');
  });

  it('counts exactly, by the planner, or exactly as far as that is cheap', async () => {
    const count = async (kind: 'exact' | 'planned' | 'estimated', query: Partial<SelectQuery>) => {
      const { total, totalKind, rowCount } = await run(select({ count: kind, limit: 2, ...query }));
      return { total: total ?? -1, totalKind, rowCount };
    };
    const notes = { table: 'notes', select: [column('id')] };
    expect(await count('exact', notes)).toEqual({ total: 3000, totalKind: 'exact', rowCount: 2 });
    expect(await count('planned', notes)).toEqual({ total: 3000, totalKind: 'planned', rowCount: 2 });
    expect(await count('estimated', notes)).toMatchObject({ total: 3000, totalKind: 'planned' });
    const few = { ...notes, where: compare('id', 'lte', '10') };
    expect(await count('estimated', few)).toEqual({ total: 10, totalKind: 'exact', rowCount: 2 });
    expect((await count('planned', few)).totalKind).toBe('planned');
    expect(await count('estimated', { ...few, exactUpTo: 5 })).toMatchObject({ totalKind: 'planned' });
    const inner = embed('notes', { inner: true, select: [], where: compare('id', 'gt', '0'), limit: 1 });
    const withNotes = { table: 'things', select: [column('id'), inner] };
    expect(await count('estimated', withNotes)).toEqual({ total: 2, totalKind: 'exact', rowCount: 2 });
  });

  it('searches a domain over a text search vector, and one over such a domain, as what it is', async () => {
    await engine.sql(
      `create domain words as tsvector; create domain few_words as words;
       create table texts (id int, a words, b few_words);
       insert into texts values (1, 'cat:1', 'dog:1'), (2, 'dog:1', 'cat:1')`,
      [],
      pg.context('grammar'),
    );
    const search = (name: string) =>
      things({
        table: 'texts',
        where: {
          kind: 'text_search',
          column: { name },
          op: 'fts',
          value: 'cat',
          config: 'simple',
          negated: false,
        },
      });
    expect(await search('a')).toEqual([{ id: 1 }]);
    expect(await search('b')).toEqual([{ id: 2 }]);
  });

  it('sorts by a JSON path of a row that it refers to', async () => {
    const path = { steps: ['k', 'n'], text: false };
    const order = [
      { relation: 'things', column: { name: 'doc', path }, direction: 'asc' },
      { column: { name: 'id' }, direction: 'asc' },
    ] as const;
    const items = [column('id'), embed('things', { select: [] })];
    const { json } = await run(select({ table: 'notes', select: items, order: [...order], limit: 1 }));
    expect(JSON.parse(json)).toEqual([{ id: 2 }]);
  });

  it('finds functions, operators and types in the extra search path, and in public where nothing is said', async () => {
    await engine.sql(
      `create schema tools; create function tools.twice(i int) returns int language sql as 'select i * 2';
       create function public.thrice(i int) returns int language sql as 'select i * 3';
       create schema shop; set check_function_bodies = off;
       create function shop.more() returns int language sql as 'select twice(4)';
       create function shop.most() returns int language sql as 'select thrice(4)'`,
      [],
      pg.context('grammar'),
    );
    const call = async (name: string, extraSearchPath?: readonly string[]) => {
      const query: CallQuery = {
        ...{ kind: 'call', schema: 'shop', function: name, arguments: { kind: 'named', values: {} } },
        ...{ readOnly: false, select: [{ kind: 'all' }], order: [] },
      };
      return (await engine.call?.(query, { ...pg.context('grammar'), extraSearchPath }))?.json;
    };
    expect(await call('more', ['tools'])).toBe('8');
    expect(await codeOf(call('most', ['tools']))).toBe('42883');
    expect(await call('most')).toBe('12');
    expect(await codeOf(call('more'))).toBe('42883');
  });

  it('a write gives back what the row that it made refers to', async () => {
    const query: Query = {
      ...{ kind: 'insert', schema: 'public', table: 'notes', missing: 'null' },
      rows: [{ id: 9000, thing_id: 2, text: 'x' }],
      returning: [column('id'), embed('things', { select: [column('name')] })],
    };
    const context = pg.context('grammar');
    const result = await engine.execute(resolveEmbeds(query, await engine.schema(context)), context);
    expect(JSON.parse(result.json)).toEqual([{ id: 9000, things: { name: 'apricot' } }]);
  });
});
