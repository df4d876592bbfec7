import type { StatementSync } from 'node:sqlite';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { queryShape } from '../../src/actors/storage/sql/query-shape.ts';
import { withinInlineBounds } from '../../src/actors/storage/sqlite/inline-rule.ts';
import { SqliteSession } from '../../src/actors/storage/sqlite/sqlite-session.ts';
import type { Filter, OrderTerm } from '../../src/protocol/query.ts';
import { select } from '../contract/engine/subject.ts';
import { SqliteBoard } from '../support/sqlite-board.ts';

const ROWS = 20_000;
const COLUMNS = ['id', 'k', 'a', 'b', 'note'];

/** Steps of SQLite's virtual machine that the last run took; null where this Node cannot tell (before 25). */
function stepsOf(statement: StatementSync): number | null {
  const steps: unknown =
    'stat' in statement && typeof statement.stat === 'function' ? statement.stat('vmStep') : null;
  return typeof steps === 'number' ? steps : null;
}

const column = fc.constantFrom(...COLUMNS).map((name) => ({ name }));
const value = fc.oneof(fc.nat(ROWS + 10), fc.nat(5)).map(String);
const term: fc.Arbitrary<Filter> = fc.oneof(
  fc.record({
    kind: fc.constant('compare' as const),
    column,
    op: fc.constantFrom('eq', 'neq', 'gt', 'gte', 'lt', 'lte'),
    value,
    negated: fc.boolean(),
  }),
  fc.record({
    kind: fc.constant('in' as const),
    column,
    values: fc.array(value, { maxLength: 5 }),
    negated: fc.boolean(),
  }),
  fc.record({
    kind: fc.constant('is' as const),
    column,
    value: fc.constantFrom('null', 'not_null'),
    negated: fc.boolean(),
  }),
);
const where: fc.Arbitrary<Filter> = fc.letrec<{ filter: Filter }>((tie) => ({
  filter: fc.oneof(
    { maxDepth: 2 },
    term,
    fc.record({
      kind: fc.constantFrom('and' as const, 'or' as const),
      terms: fc.array(tie('filter'), { minLength: 1, maxLength: 3 }),
      negated: fc.constantFrom(false, false, true),
    }),
  ),
})).filter;

const order: fc.Arbitrary<OrderTerm[]> = fc.array(
  fc.record(
    {
      column,
      direction: fc.constantFrom('asc' as const, 'desc' as const),
      nulls: fc.constantFrom('first' as const, 'last' as const),
    },
    { requiredKeys: ['column', 'direction'] },
  ),
  { maxLength: 2 },
);

const optional = <Value>(arbitrary: fc.Arbitrary<Value>) => fc.option(arbitrary, { nil: undefined });

describe('what runs on an edge thread', () => {
  let board: SqliteBoard;
  let session: SqliteSession;

  beforeAll(async () => {
    board = new SqliteBoard();
    const engine = await board.engine();
    const setUp = `create table items (id integer primary key, k text unique, a integer, b integer, note text);
      create index items_ab on items (a, b); create index items_b on items (b desc);
      insert into items with recursive n(i) as (select 1 union all select i + 1 from n limit ${ROWS})
        select i, 'k' || i, i % 5, nullif(i % 7, 0), i % 3 from n; analyze`;
    await engine.sql(setUp, [], board.context());
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

  it('takes a number of steps that its limit bounds, whatever the table holds', () => {
    let inline = 0;
    fc.assert(
      fc.property(
        optional(where),
        order,
        optional(fc.nat(50)),
        optional(fc.nat(50)),
        (filter, terms, limit, offset) => {
          const query = select({
            order: terms,
            ...(filter === undefined ? {} : { where: filter }),
            ...(limit === undefined ? {} : { limit }),
            ...(offset === undefined ? {} : { offset }),
          });
          const shape = queryShape(query);
          const plan = session.plan(query, shape);
          if (plan === null || !withinInlineBounds(plan.verdict, query)) return;
          session.run(query, shape, plan, { byteBudget: 1e9, role: 'anon' });
          const steps = stepsOf(plan.statement);
          if (steps === null) return;
          inline += 1;
          const rows = plan.verdict === 'lookup' ? 25 : (limit ?? 0) + (offset ?? 0);
          // A row costs some tens of steps, and so does a list; a scan of this table would cost 100,000.
          expect(steps).toBeLessThan(100 * (rows + 10));
          resetSteps(plan.statement);
        },
      ),
      { numRuns: 3_000 },
    );
    if ('stat' in session.connection.database.prepare('select 1')) expect(inline).toBeGreaterThan(100);
  });
});

function resetSteps(statement: StatementSync): void {
  if ('resetStats' in statement && typeof statement.resetStats === 'function') statement.resetStats();
}
