import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sqliteTypeName } from '../../src/actors/feed/sqlite/cells.ts';
import type { Engine, ExecuteContext } from '../../src/actors/storage/engine.ts';
import { isPublicError } from '../../src/errors.ts';
import type { RowTypes } from '../../src/protocol/compare-value.ts';
import { matches } from '../../src/protocol/filter-match.ts';
import { endsInEscape } from '../../src/protocol/like.ts';
import type { Filter, Row } from '../../src/protocol/query.ts';
import { column } from '../contract/engine/subject.ts';
import { embeddedPostgres } from '../support/embedded-postgres.ts';
import { filterOf } from '../support/filter-arbitraries.ts';
import { SqliteBoard } from '../support/sqlite-board.ts';

/** Columns under a declaration that both engines read, and what they hold. */
const COLUMNS = {
  id: 'integer primary key',
  n: 'bigint',
  t: 'text',
  r: 'double precision',
  b: 'boolean',
  at: 'timestamp',
  day: 'date',
  u: 'uuid',
} as const;
const POSTGRES_TYPES: Readonly<Record<string, string>> = {
  ...{ id: 'int4', n: 'int8', t: 'text', r: 'float8', b: 'bool', at: 'timestamp', day: 'date', u: 'uuid' },
};

const UUIDS = ['5f0c1d2e-0000-4000-8000-000000000001', '5f0c1d2e-0000-4000-8000-0000000000ab'];
const ROWS: readonly Row[] = [
  { n: 1, t: 'abc', r: 1.5, b: true, at: '2026-01-01T10:00:00', day: '2026-01-01', u: UUIDS[0] ?? '' },
  { n: -2, t: 'ABC', r: 0, b: false, at: '2026-01-01T10:00:00.5', day: '2026-02-01', u: UUIDS[1] ?? '' },
  { n: 0, t: 'ÄÖ', r: -3, b: null, at: '2025-12-31T23:59:59', day: null, u: null },
  { n: null, t: 'äö', r: null, b: true, at: null, day: '2025-12-31', u: null },
  { n: 10, t: '10', r: 10, b: false, at: '2026-01-01T10:00:00', day: '2026-01-01', u: UUIDS[0] ?? '' },
  { n: 9, t: 'a%_b\\', r: 0.25, b: true, at: null, day: null, u: UUIDS[1] ?? '' },
  { n: 2, t: 'İΣσς', r: 2, b: null, at: null, day: null, u: null },
  { n: 3, t: null, r: 1e21, b: null, at: null, day: null, u: null },
];

const TEXTS = [
  'abc',
  'ABC',
  'äö',
  'ÄÖ',
  '10',
  '9',
  '',
  ' 10 ',
  'true',
  'f',
  '1',
  '0',
  '1.0',
  '1.5',
  '-2',
  'x',
];
const TIMES = [
  ...['2026-01-01T10:00:00', '2026-01-01 10:00:00', '2026-01-01 10:00:00.500', '2026-01-01T12:00:00+02'],
  ...['2026-01-01', '2026-01-01T23:00:00Z', '2025-12-31', 'soon', '1'],
];
const value = fc.constantFrom(...TEXTS, ...TIMES, ...UUIDS, ...UUIDS.map((id) => id.toUpperCase()));
const pattern = fc
  .oneof(
    fc.constantFrom('a%', '%B%', 'Ä%', 'ä_', 'a\\%%', '%', '1%', 'i%', '%ς', '%σ', 'İ%'),
    fc.string({ maxLength: 4, unit: fc.constantFrom('a', 'B', 'ä', 'Ö', '%', '_', '\\') }),
  )
  .filter((text) => !endsInEscape(text));
const name = fc.constantFrom(...Object.keys(COLUMNS));
const negated = fc.boolean();
const leaf: fc.Arbitrary<Filter> = fc.oneof(
  fc
    .record({ name, op: fc.constantFrom('eq', 'neq', 'gt', 'gte', 'lt', 'lte'), value, negated })
    .map((made) => ({ kind: 'compare', column: { name: made.name }, ...made }) as Filter),
  fc
    .record({ name, op: fc.constantFrom('like', 'ilike'), value: pattern, negated })
    .map((made) => ({ kind: 'compare', column: { name: made.name }, ...made }) as Filter),
  fc
    .record({ name, values: fc.array(value, { maxLength: 3 }), negated })
    .map((made) => ({ kind: 'in', column: { name: made.name }, ...made }) as Filter),
  fc
    .record({ name, value: fc.constantFrom('null', 'not_null', 'true', 'false', 'unknown'), negated })
    .map((made) => ({ kind: 'is', column: { name: made.name }, ...made }) as Filter),
);

interface Subject {
  readonly engine: Engine;
  readonly context: () => ExecuteContext;
  readonly types: RowTypes;
  close(): Promise<void>;
}

const STARTS: Readonly<Record<string, () => Promise<Subject>>> = {
  sqlite: async () => {
    const board = new SqliteBoard();
    const typeOf = (column: string): string =>
      sqliteTypeName(
        Object.entries(COLUMNS)
          .find(([found]) => found === column)?.[1]
          .toUpperCase() ?? '',
      );
    return {
      engine: await board.engine(),
      context: () => board.context(),
      types: { engine: 'sqlite', typeOf },
      close: () => board.close(),
    };
  },
  postgres: async () => {
    const pg = await embeddedPostgres();
    return {
      engine: await pg.engine('filters'),
      context: () => pg.context('filters'),
      types: { engine: 'postgres', typeOf: (column) => POSTGRES_TYPES[column] },
      close: () => pg.stop(),
    };
  },
};

describe.each(Object.keys(STARTS))('a filter on a row of %s in JavaScript', (kind) => {
  let subject: Subject;
  let rows: readonly Row[] = [];

  /** Ids of the rows that the engine selects; none where it refuses the filter. */
  const selected = async (where: Filter): Promise<{ ids: unknown[]; refused: boolean }> => {
    const target = { schema: 'public', table: 'rows', select: [column('id')] } as const;
    const order = [{ column: { name: 'id' }, direction: 'asc' as const }];
    try {
      const query = { kind: 'select', ...target, where, order } as const;
      const { json } = await subject.engine.execute(query, subject.context());
      return { ids: (JSON.parse(json) as Row[]).map(({ id }) => id), refused: false };
    } catch (error) {
      if (isPublicError(error) && error.status < 500) return { ids: [], refused: true };
      throw error;
    }
  };
  const shown = (where: Filter): unknown[] =>
    rows.filter((row) => matches(where, row, subject.types)).map(({ id }) => id);

  beforeAll(async () => {
    subject = await (STARTS[kind] ?? (() => Promise.reject(new Error('no such engine'))))();
    const columns = Object.entries(COLUMNS).map(([name, type]) => `${name} ${type}`);
    await subject.engine.sql(`create table rows (${columns.join(', ')})`, [], subject.context());
    const all = { schema: 'public', table: 'rows', returning: [{ kind: 'all' }] } as const;
    const insert = {
      kind: 'insert',
      ...all,
      rows: ROWS.map((row, id) => ({ id, ...row })),
      missing: 'null',
    } as const;
    rows = JSON.parse((await subject.engine.execute(insert, subject.context())).json);
  }, 60_000);
  afterAll(() => subject.close());

  it('never shows a row that the engine would not select', async () => {
    await fc.assert(
      fc.asyncProperty(filterOf(leaf), async (where) => {
        const { ids, refused } = await selected(where);
        if (!refused) expect(ids).toEqual(expect.arrayContaining(shown(where)));
      }),
      { numRuns: 400 },
    );
  }, 60_000);

  it('shows what the engine selects by a plain condition', async () => {
    const sure = leaf.filter(
      (found) => !('op' in found && found.op.endsWith('like') && found.column.name !== 't'),
    );
    await fc.assert(
      fc.asyncProperty(sure, async (where) => {
        const { ids, refused } = await selected(where);
        // One member of a list that is no value of the type makes SQL refuse the whole list.
        if (!refused || where.kind === 'compare') expect(shown(where)).toEqual(ids);
      }),
      { numRuns: 400 },
    );
  }, 60_000);
});
