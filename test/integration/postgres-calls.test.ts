import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Engine, QueryResult } from '../../src/actors/storage/engine.ts';
import { resolveEmbeds } from '../../src/actors/storage/relationships.ts';
import { isPublicError } from '../../src/errors.ts';
import type { CallArguments, CallQuery, JsonValue } from '../../src/protocol/query.ts';
import { embed } from '../contract/engine/embeds.ts';
import { column, compare } from '../contract/engine/subject.ts';
import { type EmbeddedPostgres, embeddedPostgres } from '../support/embedded-postgres.ts';

const SETUP = `
create table pets (id integer primary key, name text, owner_id integer);
create table owners (id integer primary key, name text);
alter table pets add foreign key (owner_id) references owners (id);
insert into owners values (1, 'ann'), (2, 'bob');
insert into pets values (1, 'rex', 1), (2, 'tom', 1), (3, 'kit', 2);
create function add(a integer, b integer default 10) returns integer language sql immutable as 'select a + b';
create function nothing() returns void language sql as 'select 1';
create function unknown_text() returns text language sql as 'select null::text';
create function pet(id integer) returns pets language sql stable as 'select * from pets p where p.id = pet.id';
create function all_pets() returns setof pets language sql stable as 'select * from pets order by id';
create function twice(inout n integer, out doubled integer) language sql as 'select n, n * 2';
create function named() returns table (id integer, label text) language sql as $$ values (1, 'a'), (2, 'b') $$;
create function numbers(up_to integer) returns setof integer language sql as 'select generate_series(1, up_to)';
create function total(variadic v integer[]) returns bigint language sql as 'select sum(x) from unnest(v) x';
create function size(items integer[]) returns integer language sql as 'select cardinality(items)';
create function keys(doc json) returns setof text language sql as 'select json_object_keys(doc)';
create function whole(json) returns text language sql as $$ select $1->>'a' $$;
create function shout(text) returns text language sql as 'select upper($1)';
create function bytes(bytea) returns integer language sql as 'select length($1)';
create function root(xml) returns text language sql as 'select $1::text';
create function poly(boolean) returns text language sql as $$ select 'boolean' $$;
create function poly(text) returns text language sql as 'select $1';
create function mono(integer) returns integer language sql as 'select $1';
create function maybe(integer default 1) returns text language sql as $$ select 'int' $$;
create function maybe(text default '') returns text language sql as $$ select 'text' $$;
create function maybe() returns text language sql as $$ select 'none' $$;
create function over(a integer) returns text language sql as $$ select 'int' $$;
create function over(a text) returns text language sql as $$ select 'text' $$;
create function over(b date) returns text language sql as $$ select 'b' $$;
create function write(what text) returns setof pets language sql volatile as
  $$ insert into pets values (9, what, 2), (10, what, 2) returning * $$;
create function "odd ""name"(" a b" text) returns text language sql as $$ select " a b" $$;
create function fails() returns text language plpgsql as $$ begin raise sqlstate 'PT402' using message = 'Pay'; end $$`;

const searched = (name: string): string => `Searched for the function public.${name}`;
const none = ', but no matches were found in the schema cache.';

/** PostgREST's rpc on the engine: resolution, argument styles, what comes back. */
describe('functions of PostgreSQL', () => {
  let pg: EmbeddedPostgres;
  let engine: Engine;
  beforeAll(async () => {
    pg = await embeddedPostgres();
    engine = await pg.engine('calls');
    await engine.sql(SETUP, [], pg.context('calls'));
  });
  afterAll(() => pg.stop());

  const call = async (
    name: string,
    values: { readonly [name: string]: JsonValue } | CallArguments = {},
    query: Partial<CallQuery> = {},
    rollback = false,
  ): Promise<QueryResult> => {
    const given: CallArguments =
      typeof values['kind'] === 'string' && 'value' in values
        ? (values as CallArguments)
        : { kind: 'named', values: values as { readonly [name: string]: JsonValue }, json: true };
    const asked: CallQuery = {
      ...{ kind: 'call', schema: 'public', function: name, arguments: given, readOnly: false },
      ...{ select: [{ kind: 'all' }], order: [] },
      ...query,
    };
    const context = pg.context('calls');
    if (engine.call === undefined) throw new Error('no calls');
    return engine.call(resolveEmbeds(asked, await engine.schema(context)), { ...context, rollback });
  };
  const value = async (...given: Parameters<typeof call>): Promise<unknown> =>
    JSON.parse((await call(...given)).json);
  const refusal = async (query: Promise<unknown>) => {
    const error = await query.catch((caught: unknown) => caught);
    if (!isPublicError(error)) throw error;
    return error;
  };

  it('one value, with its arguments by name and its defaults', async () => {
    expect(await call('add', { a: 1, b: 2 })).toMatchObject({ json: '3', shape: 'value' });
    expect(await value('add', { a: 1 })).toBe(11);
    expect(await value('add', { a: '5' }, { readOnly: true })).toBe(15);
    expect(await value('unknown_text')).toBeNull();
    expect(await value('odd "name', { ' a b': `'"\\` })).toBe(`'"\\`);
  });

  it('nothing, one row, several, and values', async () => {
    expect(await call('nothing')).toMatchObject({ shape: 'void' });
    expect(await call('pet', { id: 2 })).toMatchObject({ shape: 'row' });
    expect(await value('pet', { id: 2 })).toEqual({ id: 2, name: 'tom', owner_id: 1 });
    expect(await value('twice', { n: 4 })).toEqual({ n: 4, doubled: 8 });
    expect(await value('named')).toEqual([
      { id: 1, label: 'a' },
      { id: 2, label: 'b' },
    ]);
    expect(await call('numbers', { up_to: 3 })).toMatchObject({
      json: '[1,2,3]',
      shape: 'value',
      rowCount: 3,
    });
    expect(await value('numbers', { up_to: 9 }, { limit: 2, offset: 3 })).toEqual([4, 5]);
  });

  it('its rows are filtered, sorted, paged, counted and embedded as a table’s', async () => {
    const rows = await call(
      'all_pets',
      {},
      {
        select: [column('name'), embed('owners', { select: [column('name')] })],
        where: compare('id', 'gt', '1'),
        order: [{ column: { name: 'id' }, direction: 'desc' }],
        limit: 1,
        count: 'exact',
      },
    );
    expect(rows).toMatchObject({ total: 2, rowCount: 1, shape: 'rows' });
    expect(JSON.parse(rows.json)).toEqual([{ name: 'kit', owners: { name: 'bob' } }]);
  });

  it('arrays, variadic and JSON arguments, from a URL and from a body', async () => {
    expect(await value('total', { v: [1, 2, 3] })).toBe(6);
    expect(await value('total', { v: ['1', '2'] }, { readOnly: true })).toBe(3);
    expect(await value('total', { v: '4' }, { readOnly: true })).toBe(4);
    expect(await value('size', { items: '{1,2,3}' }, { readOnly: true })).toBe(3);
    expect(await value('size', { items: [1, 2] })).toBe(2);
    expect(await value('keys', { doc: '{"x":1,"y":2}' }, { readOnly: true })).toEqual(['x', 'y']);
    expect(await value('keys', { doc: { z: 1 } })).toEqual(['z']);
    expect(await value('add', { a: ['1', '7'] }, { readOnly: true })).toBe(17);
  });

  it('a body for the one parameter without a name', async () => {
    expect(await value('whole', { a: 'whole' })).toBe('whole');
    expect(await value('shout', { kind: 'body', type: 'text', value: `it's` })).toBe(`IT'S`);
    expect(await value('bytes', { kind: 'body', type: 'binary', value: '00ff10' })).toBe(3);
    expect(await value('root', { kind: 'body', type: 'xml', value: '<a><b/></a>' })).toBe('<a><b/></a>');
  });

  it('one without a name among several, by a member without one', async () => {
    expect(await value('poly', { '': 'x' })).toBe('{"":"x"}');
    // What takes a number without a name cannot be called, and nothing is said of it.
    expect(await refusal(call('mono', { '': 1 }))).toMatchObject({
      ...{ code: 'PGRST202', hint: null },
      message: 'Could not find the function public.mono() in the schema cache',
    });
    expect((await refusal(call('maybe'))).message).toContain('public.maybe(), public.maybe( => text)');
  });

  it('says which function it looked for, or between which it cannot choose', async () => {
    expect(await refusal(call('nope'))).toMatchObject({
      ...{ code: 'PGRST202', status: 404 },
      message: 'Could not find the function public.nope without parameters in the schema cache',
    });
    expect(await refusal(call('add', { a: 1, c: 2 }))).toMatchObject({
      ...{ code: 'PGRST202', hint: 'Perhaps you meant to call the function public.add(a, b)' },
      message: 'Could not find the function public.add(a, c) in the schema cache',
    });
    expect(await refusal(call('over', { a: 1 }))).toMatchObject({
      ...{ code: 'PGRST203', status: 300 },
      message: expect.stringContaining('public.over(a => integer), public.over(a => text)'),
    });
    expect(await value('over', { b: '2020-01-01' })).toBe('b');
    expect(await refusal(call('all_petz'))).toMatchObject({
      hint: 'Perhaps you meant to call the function public.all_pets',
      details: `${searched('all_petz')} without parameters or with a single unnamed json/jsonb parameter${none}`,
    });
    expect(await refusal(call('all_petz', { b: 1, a: 2 }, { readOnly: true }))).toMatchObject({
      details: `${searched('all_petz')} with parameters a, b${none}`,
    });
    expect(await refusal(call('whole', { kind: 'body', type: 'xml', value: '<a/>' }))).toMatchObject({
      ...{ hint: null, details: `${searched('whole')} with a single unnamed xml parameter${none}` },
      message: 'Could not find the function public.whole in the schema cache',
    });
    expect((await refusal(call('add', { a: 'x' }))).code).toBe('22P02');
    expect((await refusal(call('fails'))).message).toBe('Pay');
  });

  it('a read must not write, a rollback undoes, and what is beyond max-affected is undone', async () => {
    const count = async (): Promise<unknown> => value('all_pets', {}, { select: [{ kind: 'count' }] });
    expect(await refusal(call('write', { what: 'x' }, { readOnly: true }))).toMatchObject({
      ...{ code: '25006', status: 405 },
    });
    expect((await refusal(call('write', { what: 'x' }, { maxAffected: 1 }))).code).toBe('PGRST124');
    expect(await value('write', { what: 'x' }, {}, true)).toHaveLength(2);
    expect(await count()).toEqual([{ count: 3 }]);
    expect(await call('write', { what: 'x' }, { maxAffected: 2, count: 'exact' })).toMatchObject({
      total: 2,
    });
    expect(await count()).toEqual([{ count: 5 }]);
  });

  it('sees a function that was made or replaced a moment ago', async () => {
    const run = (sql: string) => engine.sql(sql, [], pg.context('calls'));
    await run(`create function fresh() returns integer language sql as 'select 1'`);
    expect(await value('fresh')).toBe(1);
    await run(
      `drop function fresh(); create function fresh(n integer) returns text language sql as 'select n::text'`,
    );
    expect(await value('fresh', { n: 5 })).toBe('5');
    expect((await refusal(call('fresh'))).code).toBe('PGRST202');
  });
});
