import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Engine } from '../../src/actors/storage/engine.ts';
import { isPublicError } from '../../src/errors.ts';
import type { ColumnRef, Filter, JsonValue, Row, SelectQuery } from '../../src/protocol/query.ts';
import { DocumentBoard } from '../support/document-board.ts';

const board = new DocumentBoard();
let engine: Engine;
let tables = 0;
beforeAll(async () => {
  engine = await board.engine();
});
afterAll(() => board.close());

const text = fc.oneof(
  fc.constantFrom(
    '',
    '0',
    '1',
    '2',
    '-1',
    '1.5',
    'true',
    'null',
    'a',
    'ab',
    'A',
    '2026-01-01',
    '{a,1}',
    '[1]',
    '{"a":1}',
    '%',
    'a%',
    '_',
  ),
  fc.string({ unit: 'binary', maxLength: 4 }),
);
const column: fc.Arbitrary<ColumnRef> = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom('id', 'a', 'b', 'c').map((name) => ({ name })) },
  fc.array(fc.oneof(fc.constantFrom('x', 'y'), fc.nat(1)), { minLength: 1, maxLength: 2 }).map((steps) => ({
    name: 'c',
    path: { steps, text: true },
  })),
);
const negated = fc.boolean();
const leaf: fc.Arbitrary<Filter> = fc.oneof(
  fc.record({
    kind: fc.constant('compare' as const),
    column,
    op: fc.constantFrom(
      'eq',
      'neq',
      'gt',
      'gte',
      'lt',
      'lte',
      'like',
      'ilike',
      'match',
      'imatch',
      'isdistinct',
    ),
    value: text,
    negated,
  }),
  fc.record({ kind: fc.constant('in' as const), column, values: fc.array(text, { maxLength: 3 }), negated }),
  fc.record({
    kind: fc.constant('is' as const),
    column,
    value: fc.constantFrom('null', 'not_null', 'true', 'false', 'unknown'),
    negated,
  }),
  fc.record({
    kind: fc.constant('quantified' as const),
    column,
    op: fc.constantFrom('eq', 'gt', 'like'),
    quantifier: fc.constantFrom('any', 'all'),
    values: fc.array(text, { maxLength: 3 }),
    negated,
  }),
  fc.record({
    kind: fc.constant('contain' as const),
    column,
    op: fc.constantFrom('cs', 'cd', 'ov'),
    value: text,
    negated,
  }),
) as fc.Arbitrary<Filter>; // every record above is one of the union's
const filter: fc.Arbitrary<Filter> = fc.oneof(
  { weight: 3, arbitrary: leaf },
  fc.record({
    kind: fc.constantFrom('and' as const, 'or' as const),
    terms: fc.array(leaf, { minLength: 1, maxLength: 3 }),
    negated,
  }),
);
const value: fc.Arbitrary<JsonValue> = fc.oneof(
  fc.constantFrom<JsonValue>(
    null,
    true,
    false,
    0,
    1,
    2,
    1.5,
    '',
    '1',
    'a',
    'ab',
    'A',
    [],
    [1],
    ['a', 1],
    { x: 1 },
    { x: { y: 'a' } },
  ),
  fc.json({ maxDepth: 2 }).map((json) => JSON.parse(json) as JsonValue),
);
const row = fc.record({ a: value, b: value, c: value }, { requiredKeys: [] });

const select = (table: string, where?: Filter): SelectQuery => ({
  ...{ kind: 'select', schema: 'public', table, select: [{ kind: 'all' }], order: [] },
  ...(where === undefined ? {} : { where }),
});

/** Ids of the rows that match, or the code of a refusal that is the client's. */
async function matching(table: string, where?: Filter): Promise<unknown[] | string> {
  try {
    const { json } = await engine.execute(select(table, where), board.context());
    return (JSON.parse(json) as Row[]).map(({ id }) => id);
  } catch (error) {
    if (!isPublicError(error)) throw error;
    expect(error.status).toBeLessThan(500);
    return error.code;
  }
}

describe('filters of the grammar on documents', () => {
  it('show what is true, hide what is unknown, and refuse the rest with a 4xx', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(row, { minLength: 1, maxLength: 6 }),
        fc.array(filter, { minLength: 4, maxLength: 4 }),
        async (given, filters) => {
          tables += 1;
          const table = `t${tables}`;
          const rows = given.map((each, id) => ({ id, ...each })) as Row[]; // plain JSON
          const stored = await engine
            .execute({ kind: 'insert', schema: 'public', table, rows, missing: 'null' }, board.context())
            .catch((error: unknown) => error);
          if (isPublicError(stored)) expect(stored.status).toBeLessThan(500);
          for (const where of filters) {
            const [yes, no] = [
              await matching(table, where),
              await matching(table, { ...where, negated: !where.negated }),
            ];
            if (typeof yes === 'string' || typeof no === 'string') expect([yes, no]).toEqual([yes, yes]);
            else expect(yes.filter((id) => no.includes(id))).toEqual([]);
            // Where it holds of a row by itself does not depend on how the row was found.
            const both = await matching(table, {
              kind: 'and',
              terms: [where, { kind: 'is', column: { name: 'id' }, value: 'not_null', negated: false }],
              negated: false,
            });
            expect(both).toEqual(yes);
          }
        },
      ),
      { numRuns: 120 },
    );
  });

  it('a comparison is unknown exactly of what is missing, null, an array or an object', async () => {
    const rows: Row[] = [{ a: 1 }, { a: 'x' }, { a: true }, { a: null }, {}, { a: [1] }, { a: { x: 1 } }].map(
      (each, id) => ({ id, ...each }),
    );
    await engine.execute(
      { kind: 'insert', schema: 'public', table: 'unknowns', rows, missing: 'null' },
      board.context(),
    );
    const eq = (negated: boolean): Filter => ({
      kind: 'compare',
      column: { name: 'a' },
      op: 'eq',
      value: '1',
      negated,
    });
    expect([await matching('unknowns', eq(false)), await matching('unknowns', eq(true))]).toEqual([
      [0],
      [1, 2],
    ]);
  });
});
