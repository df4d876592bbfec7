import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ENGINE_CAPABILITIES } from '../../src/actors/storage/capabilities.ts';
import type { Engine, ExecuteContext } from '../../src/actors/storage/engine.ts';
import { resolveEmbeds } from '../../src/actors/storage/relationships.ts';
import { isPublicError } from '../../src/errors.ts';
import type { ColumnRef, Filter, OrderTerm, Query, SelectItem } from '../../src/protocol/query.ts';
import { embeddedPostgres } from '../support/embedded-postgres.ts';
import { filterOf } from '../support/filter-arbitraries.ts';
import { externalMysql } from '../support/mysql.ts';
import { service } from '../support/services/index.ts';
import { SqliteBoard } from '../support/sqlite-board.ts';

const SETUP = `
create table owners (id integer primary key, name text, alive boolean, weight double precision, doc json, born date);
create table pets (id integer primary key, name text, alive boolean, weight double precision, doc json, born date,
  owner_id integer references owners (id), boss_id integer references pets (id));
create table tags (pet_id integer references pets (id), owner_id integer references owners (id), primary key (pet_id, owner_id));
insert into owners values (1, 'ann', true, 1, '{"a":[1,{"b":null}]}', null), (2, null, null, null, null, null);
insert into pets values (1, 'rex', true, 1.5, '{"a":"x"}', '2020-01-01', 1, null), (2, 'tom', false, null, '[1,2]', null, 2, 1)`;

const HOSTILE = [
  `'`,
  '"',
  '\\',
  `'; drop table pets; --`,
  '\0',
  '\ud800',
  '$1',
  '?1',
  '%',
  '{',
  '{}',
  '[1,5)',
  ')',
  'ü',
  '',
];
const text = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom('1', 'rex') },
  fc.constantFrom(
    ...HOSTILE,
    '1',
    '-7',
    '1e999',
    '9223372036854775808',
    'true',
    'null',
    '{a,b}',
    '{"a":1}',
    '2020-01-01',
  ),
  fc.string({ unit: 'binary', maxLength: 6 }),
);
const step = fc.oneof(
  fc.constantFrom<string | number>('a', 'b', 0, -1, 2 ** 40, ...HOSTILE),
  fc.string({ maxLength: 4 }),
);
const column: fc.Arbitrary<ColumnRef> = fc.record(
  {
    name: fc.oneof(
      { weight: 20, arbitrary: fc.constantFrom('id', 'name', 'alive', 'weight', 'doc', 'born') },
      text,
    ),
    path: fc.record({ steps: fc.array(step, { minLength: 1, maxLength: 3 }), text: fc.boolean() }),
  },
  { requiredKeys: ['name'] },
);
const negated = fc.boolean();
const values = fc.array(text, { maxLength: 3 });
const leaf: fc.Arbitrary<Filter> = fc.oneof(
  fc.record({
    kind: fc.constant('compare' as const),
    op: fc.constantFrom('eq', 'neq', 'gt', 'lte', 'like', 'ilike', 'match', 'imatch', 'isdistinct'),
    ...{ column, value: text, negated },
  }),
  fc.record({ kind: fc.constant('in' as const), column, values, negated }),
  fc.record({
    kind: fc.constant('is' as const),
    value: fc.constantFrom('null', 'not_null', 'true', 'false', 'unknown'),
    ...{ column, negated },
  }),
  fc.record({
    kind: fc.constant('quantified' as const),
    op: fc.constantFrom('eq', 'gt', 'lte', 'like', 'ilike', 'match'),
    quantifier: fc.constantFrom('any', 'all'),
    ...{ column, values, negated },
  }),
  fc.record({
    kind: fc.constant('contain' as const),
    op: fc.constantFrom('cs', 'cd', 'ov', 'sl', 'adj'),
    ...{ column, value: text, negated },
  }),
  fc.record(
    {
      kind: fc.constant('text_search' as const),
      op: fc.constantFrom('fts', 'plfts', 'phfts', 'wfts'),
      config: fc.constantFrom('english', ...HOSTILE),
      ...{ column, value: text, negated },
    },
    { requiredKeys: ['kind', 'op', 'column', 'value', 'negated'] },
  ),
);
const type = fc.oneof(
  { weight: 5, arbitrary: fc.constantFrom('text', 'int', 'double precision', 'json', 'text[]') },
  fc.constantFrom(...HOSTILE),
);
const called = fc.constantFrom('x', 'id', ...HOSTILE);
const order: fc.Arbitrary<readonly OrderTerm[]> = fc.array(
  fc.record(
    {
      direction: fc.constantFrom('asc', 'desc'),
      nulls: fc.constantFrom('first', 'last'),
      column,
    },
    { requiredKeys: ['direction', 'column'] },
  ),
  { maxLength: 2 },
);
const window = { limit: fc.constantFrom(0, 1, 2 ** 53), offset: fc.constantFrom(0, 3) };
const aggregate = fc.record(
  { function: fc.constantFrom('sum', 'avg', 'min', 'max', 'count'), cast: type },
  { requiredKeys: ['function'] },
);

type Way = readonly [relation: string, table: string, hint?: string];
const WAYS: Readonly<Record<string, readonly Way[]>> = {
  pets: [
    ['owners', 'owners', 'owner_id'],
    ['owners', 'owners', 'tags'],
    ['boss_id', 'pets'],
    ['pets', 'pets', 'boss_id'],
  ],
  owners: [
    ['pets', 'pets', 'owner_id'],
    ['pets', 'pets', 'tags'],
  ],
};

/** What is selected of a table, mostly so that it makes sense. */
function items(depth: number, table: string): fc.Arbitrary<readonly SelectItem[]> {
  const plain: fc.Arbitrary<SelectItem> = fc.oneof(
    fc.constant({ kind: 'all' as const }),
    fc.record(
      { kind: fc.constant('column' as const), column, alias: called, cast: type },
      { requiredKeys: ['kind', 'column', 'alias'] },
    ),
    fc.record({ kind: fc.constant('column' as const), column, alias: called, aggregate }),
    fc.constant({ kind: 'count' as const }),
  );
  if (depth === 0) return fc.array(plain, { minLength: 1, maxLength: 2 });
  const embedded = fc.constantFrom(...(WAYS[table] ?? [])).chain(([relation, other, hint]) =>
    fc.record(
      {
        ...{ relation: fc.constant(relation), alias: called, hint: fc.constant(hint ?? relation) },
        ...{
          inner: fc.boolean(),
          spread: fc.boolean(),
          select: items(depth - 1, other),
          order,
          where: filterOf(leaf),
        },
        ...window,
      },
      {
        requiredKeys: [
          'relation',
          ...(hint === undefined ? [] : ['hint' as const]),
          'inner',
          'spread',
          'select',
          'order',
        ],
      },
    ),
  );
  const related = embedded.map((embed): SelectItem => ({ kind: 'embed', embed }));
  return fc.array(fc.oneof({ weight: 2, arbitrary: plain }, related), { minLength: 1, maxLength: 2 });
}

const target = { schema: fc.constant('public'), table: fc.constant('pets') };
const row = fc.dictionary(
  fc.constantFrom('id', 'name', 'doc', 'owner_id', 'weight'),
  fc.jsonValue({ maxDepth: 2 }),
  {
    minKeys: 1,
  },
);
/** Plain arbitraries know no literal types of a union's members: the records below are Queries. */
const query = fc.oneof(
  fc.record(
    {
      kind: fc.constant('select' as const),
      ...{ ...target, select: items(2, 'pets'), order, where: filterOf(leaf), ...window },
      count: fc.constantFrom('exact', 'planned', 'estimated'),
    },
    { requiredKeys: ['kind', 'schema', 'table', 'select', 'order'] },
  ),
  fc.record(
    {
      kind: fc.constant('insert' as const),
      ...{
        ...target,
        rows: fc.array(row, { minLength: 1, maxLength: 2 }),
        missing: fc.constantFrom('null', 'default'),
      },
      ...{ returning: items(1, 'pets'), check: filterOf(leaf), maxAffected: fc.constantFrom(0, 1) },
    },
    { requiredKeys: ['kind', 'schema', 'table', 'rows', 'missing'] },
  ),
  fc.record(
    {
      kind: fc.constant('update' as const),
      ...target,
      set: row,
      where: filterOf(leaf),
      returning: items(1, 'pets'),
      check: filterOf(leaf),
    },
    { requiredKeys: ['kind', 'schema', 'table', 'set'] },
  ),
) as fc.Arbitrary<Query>;

describe('whatever the grammar can say, the SQL engines', () => {
  const engines: { name: 'sqlite' | 'postgres' | 'mysql'; engine: Engine; context: () => ExecuteContext }[] =
    [];
  const closing: (() => Promise<void>)[] = [];
  beforeAll(async () => {
    const board = new SqliteBoard();
    const pg = await embeddedPostgres();
    closing.push(
      () => board.close(),
      () => pg.stop(),
    );
    engines.push({ name: 'sqlite', engine: await board.engine(), context: () => board.context() });
    engines.push({ name: 'postgres', engine: await pg.engine('fuzz'), context: () => pg.context('fuzz') });
    if (service('mariadb').available) {
      const mysql = externalMysql();
      closing.push(() => mysql.stop());
      const engine = await mysql.engine('fuzz');
      engines.push({ name: 'mysql', engine, context: () => mysql.context('fuzz') });
    }
    for (const { engine, context } of engines) await engine.sql(SETUP, [], context());
  });
  afterAll(async () => {
    for (const close of closing) await close();
  });

  it('answer with JSON, or refuse it below 500, and leave no table behind or out', async () => {
    const failures = new Map<string, unknown>();
    await fc.assert(
      fc.asyncProperty(query, async (asked) => {
        for (const { name, engine, context } of engines) {
          try {
            const resolved = resolveEmbeds(asked, await engine.schema(context()));
            const { json } = await engine.execute(resolved, {
              ...context(),
              rollback: asked.kind !== 'select',
            });
            JSON.parse(json);
          } catch (error) {
            const status = isPublicError(error) ? error.status : 500;
            if (status >= 500) failures.set(`${name}: ${String(error)}`, asked);
            if (status >= 500) throw error;
          }
        }
      }),
      { numRuns: 400 },
    );
    expect([...failures.keys()]).toEqual([]);
    for (const { name, engine, context } of engines) {
      const { tables } = await engine.schema(context());
      expect([name, [...tables.keys()].sort()]).toEqual([name, ['owners', 'pets', 'tags']]);
      expect(ENGINE_CAPABILITIES[name].has('embed')).toBe(true);
    }
  });
});
