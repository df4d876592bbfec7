import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { resolveEmbeds } from '../../src/actors/storage/relationships.ts';
import { queryShape } from '../../src/actors/storage/sql/query-shape.ts';
import { withinInlineBounds } from '../../src/actors/storage/sqlite/inline-rule.ts';
import { SqliteSession } from '../../src/actors/storage/sqlite/sqlite-session.ts';
import { INLINE_LIMITS } from '../../src/limits-inline.ts';
import type { Embed, Filter, OrderTerm, SelectQuery } from '../../src/protocol/query.ts';
import { embed } from '../contract/engine/embeds.ts';
import { select } from '../contract/engine/subject.ts';
import { SqliteBoard } from '../support/sqlite-board.ts';

const OWNERS = 300;
/** Related rows of the k-th owner: most have a few, some hundreds, one more than an edge thread reads. */
const FAN_OUT = `case when i = 1 then 5000 when i % 15 = 0 then 400 else i % 7 end`;

const name = fc.constantFrom('id', 'owner', 'label', 'n');
const term: fc.Arbitrary<Filter> = fc.record({
  kind: fc.constant('compare' as const),
  column: name.map((each) => ({ name: each })),
  op: fc.constantFrom('eq', 'neq', 'gt', 'gte', 'lt', 'lte'),
  value: fc.nat(OWNERS).map(String),
  negated: fc.boolean(),
});
const order: fc.Arbitrary<OrderTerm[]> = fc.array(
  fc.record({
    column: name.map((each) => ({ name: each })),
    direction: fc.constantFrom('asc' as const, 'desc' as const),
  }),
  { maxLength: 2 },
);
const absent = <Value>(arbitrary: fc.Arbitrary<Value>) => fc.option(arbitrary, { nil: undefined });
const children: fc.Arbitrary<Partial<Embed>> = fc
  .record({ where: absent(term), order, limit: absent(fc.nat(5)), offset: absent(fc.nat(5)) })
  .map(({ where, limit, offset, order: terms }) => ({
    order: terms,
    ...(where === undefined ? {} : { where }),
    ...(limit === undefined ? {} : { limit }),
    ...(offset === undefined ? {} : { offset }),
  }));
const query: fc.Arbitrary<SelectQuery> = fc
  .record({
    from: fc.nat(OWNERS),
    limit: fc.integer({ min: 1, max: 120 }),
    embeds: fc.array(children, { minLength: 1, maxLength: 2 }),
  })
  .map(({ from, limit, embeds }) =>
    select({
      table: 'owners',
      select: [
        { kind: 'column', column: { name: 'id' } },
        ...embeds.map((each, at) => embed('parts', { ...each, alias: `parts${at}` })),
      ],
      where: { kind: 'compare', column: { name: 'id' }, op: 'gte', value: String(from), negated: false },
      order: [{ column: { name: 'id' }, direction: 'asc' }],
      limit,
    }),
  );

describe('related rows on an edge thread', () => {
  let board: SqliteBoard;
  let edge: SqliteSession;
  let process: SqliteSession;

  beforeAll(async () => {
    board = new SqliteBoard();
    const engine = await board.engine();
    await engine.sql(
      `create table owners (id integer primary key);
       create table parts (id integer primary key, owner integer references owners (id), label text, n integer);
       create index parts_owner on parts (owner, n); create index parts_n on parts (n);
       insert into owners with recursive n(i) as (select 1 union all select i + 1 from n where i < ${OWNERS}) select i from n;
       insert into parts (owner, label, n)
         with recursive n(i) as (select 1 union all select i + 1 from n where i < ${OWNERS}),
           m(i, k) as (select i, 1 from n where ${FAN_OUT} > 0 union all select i, k + 1 from m where k < ${FAN_OUT})
         select i, k % 11, nullif(k % 5, 0) from m; analyze`,
      [],
      board.context(),
    );
    const file = await board.file();
    edge = new SqliteSession({ file, busyTimeout: 0, checkpointPages: 0, inlineOnly: true });
    process = new SqliteSession({ file, busyTimeout: 0, checkpointPages: 0, inlineOnly: false });
  });
  afterAll(async () => {
    edge.close();
    process.close();
    await board.close();
  });

  it('are those that a process reads, and no more than their bound, in a number of steps that follows from it', () => {
    const seen = { here: 0, left: 0 };
    fc.assert(
      fc.property(query, (unresolved) => {
        const asked = resolveEmbeds(unresolved, edge.schema(), ['public']);
        const shape = queryShape(asked);
        const plan = edge.plan(asked, shape);
        // A plan of SQLite's own choice may be unbounded; then it is none for this thread.
        if (plan === null || !withinInlineBounds(plan.verdict, asked)) return;
        const { statement, probes } = plan;
        if (probes === null) throw new Error('nothing counts the related rows');
        while (probes.passes()) seen.left += 1;
        const result = edge.run(asked, shape, plan, { byteBudget: 1e9, role: 'anon' });
        if ('stat' in statement && typeof statement.stat === 'function') {
          expect(Number(statement.stat('vmStep'))).toBeLessThan(200 * (INLINE_LIMITS.relatedRows + 1_000));
          if ('resetStats' in statement && typeof statement.resetStats === 'function') statement.resetStats();
        }
        if (result === null) return;
        seen.here += 1;
        const same = process.plan(asked, shape);
        const other =
          same === null ? null : process.run(asked, shape, same, { byteBudget: null, role: 'anon' });
        expect(JSON.parse(result.json)).toEqual(JSON.parse(other?.json ?? ''));
      }),
      { numRuns: 400 },
    );
    expect(seen.here).toBeGreaterThan(50);
    expect(seen.left).toBeGreaterThan(50);
  });
});
