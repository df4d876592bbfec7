import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { resolveEmbeds } from '../../src/actors/storage/relationships.ts';
import { queryShape } from '../../src/actors/storage/sql/query-shape.ts';
import { withinInlineBounds } from '../../src/actors/storage/sqlite/inline-rule.ts';
import { SqliteSession } from '../../src/actors/storage/sqlite/sqlite-session.ts';
import type { Embed, Filter, OrderTerm, Query } from '../../src/protocol/query.ts';
import { embed } from '../contract/engine/embeds.ts';
import { all, and, compare, insert, is, not, or, select, within } from '../contract/engine/subject.ts';
import { SqliteBoard } from '../support/sqlite-board.ts';

const by = (...names: string[]): OrderTerm[] => names.map((name) => ({ column: { name }, direction: 'asc' }));

describe('what may run on an edge thread', () => {
  let board: SqliteBoard;
  let session: SqliteSession;

  const verdict = (query: Query): string => {
    const plan = session.plan(query, queryShape(query));
    return plan !== null && withinInlineBounds(plan.verdict, query) ? plan.verdict : 'never';
  };

  beforeAll(async () => {
    board = new SqliteBoard();
    const engine = await board.engine();
    await engine.sql(
      `create table items (id integer primary key, name text unique, a integer, b integer, note text);
       create index items_ab on items (a, b);
       create table pairs (a integer, b integer, v text, primary key (a, b)) without rowid;
       create table checked (id integer primary key, n integer check (n > 0));
       create table triggered (id integer primary key, n integer);
       create trigger t after insert on triggered begin select 1; end;
       create table computed (id integer primary key, n integer, m integer generated always as (n * 2) virtual);
       create table expressed (id integer primary key, n integer); create index e on expressed (n + 1);
       create table partial (id integer primary key, n integer); create index p on partial (n) where n > 1;
       create table dated (id integer primary key, at text default (datetime('now')));
       create table parents (id integer primary key, code text unique, n integer);
       create table children (id integer primary key, parent integer references parents (id) on delete cascade);
       create table owners (id integer primary key, code text, name text);
       create table parts (id integer primary key, owner integer references owners (id), label text);
       create index parts_owner on parts (owner);
       create table loose (id integer primary key, owner integer references owners (id));
       create table coded (id integer primary key, code text references owners (code));
       create index owners_code on owners (code);
       create table "odd columns" (id integer primary key, owner integer references owners (id), "a AND b" text);
       create index odd_owner on "odd columns" (owner);
       create table tags (id integer primary key);
       create table tagged (owner integer references owners (id), tag integer references tags (id), primary key (owner, tag));
       create table nocase (name text collate nocase primary key, n integer);
       create view seen as select * from items;
       create virtual table found using fts5 (body)`,
      [],
      board.context(),
    );
    session = new SqliteSession({
      file: await board.file(),
      busyTimeout: 0,
      checkpointPages: 0,
      inlineOnly: true,
    });
  });

  afterAll(async () => {
    session.close();
    await board.close();
  });

  const eq = (name: string) => compare(name, 'eq', '1');
  const read = (where: Filter | undefined, more: object = {}): Query =>
    select({ order: [], ...(where === undefined ? {} : { where }), ...more });

  it.each<[string, Query, string]>([
    ['a primary key', read(eq('id')), 'lookup'],
    ['a unique column', read(eq('name')), 'lookup'],
    [
      'a key and a residual filter on the one row',
      read(and(eq('id'), or(eq('a'), is('b', 'null')))),
      'lookup',
    ],
    ['a key under a sort', read(eq('id'), { order: by('note') }), 'lookup'],
    ['a short list of keys', read(within('id', ['1', '2', '3'])), 'lookup'],
    ['a long list of keys', read(within('id', Array.from({ length: 101 }, String))), 'never'],
    [
      'two lists whose combinations are many',
      read(
        and(within('a', Array.from({ length: 40 }, String)), within('b', Array.from({ length: 40 }, String))),
        {
          table: 'pairs',
        },
      ),
      'never',
    ],
    ['both columns of a key', read(and(eq('a'), eq('b')), { table: 'pairs' }), 'lookup'],
    ['half a key without a limit', read(eq('a'), { table: 'pairs' }), 'never'],
    ['a key with a pattern on a long value', read(and(eq('id'), compare('note', 'like', '%a%b%'))), 'never'],
    ['a key that is negated', read(not(eq('id'))), 'never'],
    ['a key in a disjunction', read(or(eq('id'), eq('name'))), 'never'],
    ['a key with a count', read(eq('id'), { count: 'exact' }), 'never'],
    ['everything', read(undefined), 'never'],
    ['a page in key order', read(undefined, { order: by('id'), limit: 20 }), 'walk'],
    ['a page in no order', read(undefined, { limit: 20 }), 'walk'],
    ['a page in index order', read(undefined, { order: by('a'), limit: 20 }), 'walk'],
    // PostgreSQL's place for nulls is not this index's in the second column.
    [
      'a page in the order of two nullable columns',
      read(undefined, { order: by('a', 'b'), limit: 20 }),
      'never',
    ],
    ['a page that must be sorted', read(undefined, { order: by('note'), limit: 20 }), 'never'],
    ['a page after a key', read(compare('id', 'gt', '5'), { order: by('id'), limit: 20 }), 'walk'],
    ['a page of an indexed value', read(eq('a'), { order: by('b'), limit: 20 }), 'walk'],
    [
      'a page of an indexed value and a residual filter',
      read(and(eq('a'), eq('note')), { limit: 20 }),
      'never',
    ],
    ['a page with a filter no index has', read(eq('note'), { limit: 1 }), 'never'],
    [
      'two bounds on one column',
      read(and(compare('id', 'gt', '1'), compare('id', 'gt', '2')), { limit: 1 }),
      'never',
    ],
    ['a page too deep', read(undefined, { order: by('id'), limit: 20, offset: 990 }), 'never'],
    ['a page too long', read(undefined, { order: by('id'), limit: 1_001 }), 'never'],
    ['a view', read(eq('id'), { table: 'seen' }), 'never'],
    ['a virtual table', read(undefined, { table: 'found', limit: 1 }), 'never'],
    ['a computed column', read(eq('id'), { table: 'computed' }), 'never'],
    ['a key under another collation', read(eq('name'), { table: 'nocase' }), 'lookup'],
  ])('reading %s: %s', (_what, query, expected) => {
    expect(verdict(query)).toBe(expected);
  });

  const embedded = (
    table: string,
    relation: string,
    more: Partial<Embed> = {},
    around: object = {},
  ): Query => {
    const query = select({
      ...{ table, order: by('id'), limit: 20 },
      select: [{ kind: 'column', column: { name: 'id' } }, embed(relation, more)],
      ...around,
    });
    return resolveEmbeds(query, session.schema(), ['public']);
  };

  it.each<[string, () => Query, string]>([
    ['of a page', () => embedded('owners', 'parts'), 'walk'],
    ['of a key', () => embedded('owners', 'parts', {}, { where: eq('id') }), 'lookup'],
    [
      'of a list of keys',
      () => embedded('owners', 'parts', {}, { where: within('id', ['1', '2']) }),
      'lookup',
    ],
    ['in an order and window', () => embedded('owners', 'parts', { order: by('label'), limit: 2 }), 'walk'],
    ['with a filter', () => embedded('owners', 'parts', { where: compare('label', 'gt', 'a') }), 'walk'],
    ['that are one each', () => embedded('parts', 'owners'), 'walk'],
    ['that are one each by no key', () => embedded('coded', 'owners'), 'walk'],
    ['of too many rows', () => embedded('owners', 'parts', {}, { limit: 501 }), 'never'],
    ['of rows without a limit', () => embedded('owners', 'parts', {}, { limit: undefined }), 'never'],
    ['that no index finds', () => embedded('owners', 'loose'), 'never'],
    ['that must be there', () => embedded('owners', 'parts', { inner: true }), 'never'],
    ['that are spread', () => embedded('parts', 'owners', { spread: true }), 'never'],
    [
      'with a pattern',
      () => embedded('owners', 'parts', { where: compare('label', 'like', '%a%') }),
      'never',
    ],
    ['with a list', () => embedded('owners', 'parts', { where: within('id', ['1']) }), 'never'],
    ['that have related rows', () => embedded('parts', 'owners', { select: [embed('loose')] }), 'never'],
    ['that are counted', () => embedded('owners', 'parts', { select: [{ kind: 'count' }] }), 'never'],
    ['through a table in between', () => embedded('owners', 'tags'), 'never'],
    ['with a name that reads like two', () => embedded('owners', 'odd columns'), 'never'],
  ])('reading related rows %s: %s', (_what, query, expected) => {
    expect(verdict(query())).toBe(expected);
  });

  it('counts related rows where nothing but a declaration says that there is one each', () => {
    const probes = (query: Query) => session.plan(query, queryShape(query))?.probes;
    expect(probes(embedded('parts', 'owners'))).toBeNull();
    expect(probes(embedded('coded', 'owners'))).not.toBeNull();
    expect(probes(embedded('owners', 'parts'))).not.toBeNull();
  });

  const update = (table: string, set: object, where: Filter = eq('id')): Query =>
    ({ kind: 'update', schema: 'public', table, set, where }) as Query;
  const remove = (table: string, where: Filter = eq('id')): Query => ({
    kind: 'delete',
    schema: 'public',
    table,
    where,
  });

  it.each<[string, Query, string]>([
    ['inserting a row', insert([{ name: 'a' }]), 'insert'],
    ['inserting some rows', insert(Array.from({ length: 100 }, (_, id) => ({ id }))), 'insert'],
    ['inserting many rows', insert(Array.from({ length: 101 }, (_, id) => ({ id }))), 'never'],
    ['inserting a child', insert([{ id: 1 }], { table: 'children' }), 'insert'],
    ['inserting a parent', insert([{ id: 1 }], { table: 'parents' }), 'insert'],
    [
      'merging a parent',
      insert([{ id: 1 }], { table: 'parents', onConflict: { resolution: 'merge' } }),
      'never',
    ],
    ['under a check with a pattern', insert([{ id: 1 }], { check: compare('note', 'like', '%a%') }), 'never'],
    ['into a table with CHECK', insert([{ id: 1 }], { table: 'checked' }), 'never'],
    ['into a table with a trigger', insert([{ id: 1 }], { table: 'triggered' }), 'never'],
    ['into a table with an expression index', insert([{ id: 1 }], { table: 'expressed' }), 'never'],
    ['into a table with a partial index', insert([{ id: 1 }], { table: 'partial' }), 'never'],
    ['into a table with a computed default', insert([{ id: 1 }], { table: 'dated' }), 'never'],
    ['into a table with a computed column', insert([{ id: 1 }], { table: 'computed' }), 'never'],
    ['updating by key', update('items', { a: 1 }), 'lookup'],
    ['updating by a residual filter', update('items', { a: 1 }, eq('note')), 'never'],
    ['updating by an indexed value', update('items', { b: 1 }, eq('a')), 'never'],
    ['updating a plain column of a parent', update('parents', { n: 1 }), 'lookup'],
    ['updating the key of a parent', update('parents', { id: 2 }), 'never'],
    ['deleting by key', remove('items'), 'lookup'],
    ['deleting a parent, with a cascade', remove('parents'), 'never'],
    [
      'deleting without a filter',
      { kind: 'delete', schema: 'public', table: 'items', returning: all },
      'never',
    ],
  ])('%s: %s', (_what, query, expected) => {
    expect(verdict(query)).toBe(expected);
  });

  it('a view is not even compiled here: views on views take exponential time', async () => {
    const engine = await board.engine();
    let below = 'items';
    for (let level = 0; level < 12; level += 1) {
      const view = `create view deep${level} as select x.id from ${below} x, ${below} y`;
      await engine.sql(view, [], board.context());
      below = `deep${level}`;
    }
    session.refreshSchema();
    expect(session.schema().tables.get('deep11')).toMatchObject({ kind: 'view', described: false });
    const query = select({ table: 'deep11', limit: 1 });
    expect(session.plan(query, queryShape(query))).toBeNull();
    const before = engine.counters.process;
    await engine.execute(query, board.context()).catch(() => {});
    expect(engine.counters.process).toBe(before + 1);
  });
});
