import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compileQuery } from '../../src/actors/storage/sql/compiler.ts';
import { queryShape } from '../../src/actors/storage/sql/query-shape.ts';
import { globPattern } from '../../src/actors/storage/sqlite/binding.ts';
import { sqliteDialect } from '../../src/actors/storage/sqlite/sqlite-dialect.ts';
import { SqliteSession } from '../../src/actors/storage/sqlite/sqlite-session.ts';
import type { Filter, JsonValue, OrderTerm, Row } from '../../src/protocol/query.ts';
import { insert, select } from '../contract/engine/subject.ts';
import { SqliteBoard } from '../support/sqlite-board.ts';

const TEXTS = ['', 'a', 'A', 'ab', 'aXb', 'a_b', 'a%b', '[a]', 'a*', 'zz', 'é'];
const NUMBERS = [-3, 0, 1, 2, 7];

const rows = fc.array(
  fc.record({
    n: fc.option(fc.constantFrom(...NUMBERS)),
    t: fc.option(fc.constantFrom(...TEXTS)),
    b: fc.option(fc.boolean()),
  }),
  { maxLength: 8 },
);

const PATTERNS = ['a', 'a%', '%b', 'a_b', 'a\\_b', 'a\\%b', '[a]', 'a\\*', '%', '_', ''];

const leaf: fc.Arbitrary<Filter> = fc.oneof(
  fc.record({
    kind: fc.constant('compare' as const),
    column: fc.constant({ name: 'n' }),
    op: fc.constantFrom('eq', 'neq', 'gt', 'gte', 'lt', 'lte'),
    value: fc.constantFrom(...NUMBERS.map(String)),
    negated: fc.boolean(),
  }),
  fc.record({
    kind: fc.constant('compare' as const),
    column: fc.constant({ name: 't' }),
    op: fc.constantFrom('eq', 'neq', 'gt', 'lt'),
    value: fc.constantFrom(...TEXTS),
    negated: fc.boolean(),
  }),
  fc.record({
    kind: fc.constant('compare' as const),
    column: fc.constant({ name: 't' }),
    op: fc.constantFrom('like', 'ilike'),
    value: fc.constantFrom(...PATTERNS),
    negated: fc.boolean(),
  }),
  fc.record({
    kind: fc.constant('in' as const),
    column: fc.constant({ name: 't' }),
    values: fc.subarray(TEXTS),
    negated: fc.boolean(),
  }),
  fc.record({
    kind: fc.constant('is' as const),
    column: fc.constantFrom({ name: 'n' }, { name: 't' }),
    value: fc.constantFrom('null', 'not_null'),
    negated: fc.boolean(),
  }),
  fc.record({
    kind: fc.constant('is' as const),
    column: fc.constant({ name: 'b' }),
    value: fc.constantFrom('true', 'false', 'unknown', 'null'),
    negated: fc.boolean(),
  }),
);

const filter: fc.Arbitrary<Filter> = fc.letrec<{ filter: Filter }>((tie) => ({
  filter: fc.oneof(
    { maxDepth: 3 },
    leaf,
    fc.record({
      kind: fc.constantFrom('and' as const, 'or' as const),
      terms: fc.array(tie('filter'), { maxLength: 3 }),
      negated: fc.boolean(),
    }),
  ),
})).filter;

/** SQL's three values: null is unknown. */
type Truth = boolean | null;

const not = (truth: Truth): Truth => (truth === null ? null : !truth);

/** A LIKE pattern as a regular expression, by its definition. */
function likeMatches(text: string, pattern: string, caseInsensitive: boolean): boolean {
  const source = pattern.replace(/\\(.)|([%_])|([^\\%_])/gsu, (_, escaped, wild, plain) => {
    if (wild !== undefined) return wild === '%' ? '[\\s\\S]*' : '[\\s\\S]';
    return (escaped ?? plain).replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
  });
  return new RegExp(`^${source}$`, caseInsensitive ? 'iu' : 'u').test(text);
}

function compareTruth(value: JsonValue, filter: Extract<Filter, { kind: 'compare' }>): Truth {
  if (value === null) return null;
  if (filter.op === 'like' || filter.op === 'ilike')
    return likeMatches(String(value), filter.value, filter.op === 'ilike');
  const [left, right] =
    typeof value === 'number'
      ? [value, Number(filter.value)]
      : [Buffer.compare(Buffer.from(String(value)), Buffer.from(filter.value)), 0];
  const outcomes: Partial<Record<typeof filter.op, boolean>> = {
    eq: left === right,
    neq: left !== right,
    gt: left > right,
    gte: left >= right,
    lt: left < right,
    lte: left <= right,
  };
  const outcome = outcomes[filter.op];
  if (outcome === undefined) throw new Error(`no reference for ${filter.op}`);
  return outcome;
}

function isTruth(value: JsonValue, wanted: Extract<Filter, { kind: 'is' }>['value']): Truth {
  if (wanted === 'null' || wanted === 'unknown') return value === null;
  return wanted === 'not_null' ? value !== null : value === (wanted === 'true');
}

/** The reference: what SQL says of a row. */
function truthOf(filter: Filter, row: Row): Truth {
  const plain = ((): Truth => {
    if (filter.kind === 'compare') return compareTruth(row[filter.column.name] ?? null, filter);
    if (filter.kind === 'is') return isTruth(row[filter.column.name] ?? null, filter.value);
    if (filter.kind === 'in') {
      const value = row[filter.column.name] ?? null;
      // IN over nothing is false even for null.
      if (filter.values.length === 0) return false;
      return value === null ? null : filter.values.includes(String(value));
    }
    if (!('terms' in filter)) throw new Error(`no reference for ${filter.kind}`);
    const truths = filter.terms.map((term) => truthOf(term, row));
    const decisive = filter.kind === 'or';
    if (truths.includes(decisive)) return decisive;
    return truths.includes(null) ? null : !decisive;
  })();
  return filter.negated ? not(plain) : plain;
}

const order = fc.array(
  fc.record(
    {
      column: fc.constantFrom({ name: 'n' }, { name: 't' }),
      direction: fc.constantFrom('asc' as const, 'desc' as const),
      nulls: fc.constantFrom('first' as const, 'last' as const),
    },
    { requiredKeys: ['column', 'direction'] },
  ),
  { maxLength: 2 },
);

/** PostgreSQL's order, ties by id. */
function compareRows(terms: readonly OrderTerm[]): (a: Row, b: Row) => number {
  return (a, b) => {
    for (const { column, direction, nulls } of terms) {
      const [x, y] = [a[column.name] ?? null, b[column.name] ?? null];
      const nullsFirst = (nulls ?? (direction === 'asc' ? 'last' : 'first')) === 'first';
      if (x === null || y === null) {
        if (x === y) continue;
        return (x === null) === nullsFirst ? -1 : 1;
      }
      const raw =
        typeof x === 'number'
          ? x - Number(y)
          : Buffer.compare(Buffer.from(String(x)), Buffer.from(String(y)));
      if (raw !== 0) return direction === 'asc' ? raw : -raw;
    }
    return Number(a.id) - Number(b.id);
  };
}

describe('filters and orders on SQLite', () => {
  let board: SqliteBoard;
  let session: SqliteSession;

  beforeAll(async () => {
    board = new SqliteBoard();
    const engine = await board.engine();
    await engine.sql(
      'create table items (id integer primary key, n integer, t text, b boolean); create index items_n on items (n)',
      [],
      board.context(),
    );
    session = new SqliteSession({
      file: await board.file(),
      busyTimeout: 0,
      checkpointPages: 0,
      inlineOnly: false,
    });
  });

  afterAll(async () => {
    session.close();
    await board.close();
  });

  const run = (query: Parameters<SqliteSession['plan']>[0]): Row[] => {
    const shape = queryShape(query);
    const plan = session.plan(query, shape);
    if (plan === null) throw new Error('not planned');
    return JSON.parse(session.run(query, shape, plan, { byteBudget: null, role: 'anon' })?.json ?? 'null');
  };

  it('mean what SQL says, for every nesting of terms and every order', () => {
    fc.assert(
      fc.property(
        rows,
        filter,
        order,
        fc.option(fc.nat(5), { nil: undefined }),
        (given, where, terms, limit) => {
          run({ kind: 'delete', schema: 'public', table: 'items' });
          const stored = given.map((row, index) => ({ id: index + 1, ...row }));
          run(insert(stored));
          const byId = { column: { name: 'id' }, direction: 'asc' as const };
          const query = select({ where, order: [...terms, byId], ...(limit === undefined ? {} : { limit }) });
          const expected = stored.filter((row) => truthOf(where, row) === true).sort(compareRows(terms));
          expect(run(query)).toEqual(expected.slice(0, limit));
        },
      ),
      { numRuns: 300 },
    );
  });

  it('give one statement per shape, which takes exactly the values of the shape in order', () => {
    const table = session.schema().tables.get('items');
    if (table === undefined) throw new Error('no table');
    const compile = (where: Filter) =>
      compileQuery(select({ where, limit: 1 }), table, sqliteDialect({ anyBlob: false }));
    const statements = new Map<string, string>();
    fc.assert(
      fc.property(filter, (where) => {
        const shape = queryShape(select({ where, limit: 1 }));
        const { sql, params } = compile(where);
        const indexes = params.map((param) => (param.kind === 'value' ? param.index : -1));
        expect(indexes).toEqual(shape.values.map((_, index) => index));
        expect(statements.get(shape.key) ?? sql).toBe(sql);
        statements.set(shape.key, sql);
      }),
      { numRuns: 500 },
    );
  });

  it('a GLOB pattern matches what the LIKE pattern means', () => {
    const database = session.connection.database;
    const glob = database.prepare('select ? glob ? as matches');
    const piece = fc.constantFrom(
      'a',
      'B',
      '%',
      '_',
      '\\%',
      '\\_',
      '\\\\',
      '*',
      '?',
      '[',
      ']',
      '^',
      '-',
      'é',
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 6 }), fc.array(piece, { maxLength: 6 }), (pattern, text) => {
        const like = pattern.join('');
        const value = text.join('');
        expect(glob.get(value, globPattern(like))?.matches === 1).toBe(likeMatches(value, like, false));
      }),
      { numRuns: 1_000 },
    );
  });
});
