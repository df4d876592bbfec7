import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RedisEngine } from '../../src/actors/storage/redis/engine.ts';
import { isPublicError } from '../../src/errors.ts';
import type { Filter, JsonValue, OrderTerm, Query, Row } from '../../src/protocol/query.ts';
import { all, and, compare, is, or, within } from '../contract/engine/subject.ts';
import { type ManagedRedis, managedRedis } from '../support/managed-redis.ts';
import { service } from '../support/services/index.ts';

const REF = 'model';
const keyOf = (id: JsonValue | undefined): string => String(id);

/** By code points, as its UTF-8 sorts. */
const textOrder = (left: string, right: string): number =>
  Buffer.compare(Buffer.from(left), Buffer.from(right));

/** Where a value stands to what a text may be written for; undefined where it is written for no value of that type. */
function standing(value: JsonValue, text: string): number | undefined {
  if (typeof value === 'string') return textOrder(value, text);
  if (typeof value === 'boolean')
    return ['false', 'true'].includes(text) ? Number(value) - Number(text === 'true') : undefined;
  if (!/^-?\d+(\.\d+)?$/.test(text)) return undefined;
  const isWhole = typeof value === 'bigint' && !text.includes('.');
  return isWhole ? (value < BigInt(text) ? -1 : Number(value > BigInt(text))) : Number(value) - Number(text);
}

/** SQL's three truth values of a filter on a document; null is unknown. */
function truth(filter: Filter, row: Row): boolean | null {
  const plain = unnegated(filter, row);
  return filter.negated && plain !== null ? !plain : plain;
}

function unnegated(filter: Filter, row: Row): boolean | null {
  if (filter.kind === 'and' || filter.kind === 'or') {
    const truths = filter.terms.map((term) => truth(term, row));
    const decisive = filter.kind === 'or';
    return truths.includes(decisive) ? decisive : truths.includes(null) ? null : !decisive;
  }
  if (!('column' in filter)) throw new Error(`not generated: ${filter.kind}`);
  const value = row[filter.column.name] ?? null;
  if (filter.kind === 'is') return filter.value === 'null' ? value === null : value === true;
  if (filter.kind === 'in' && filter.values.length === 0) return false;
  if (typeof value === 'object') return null;
  if (filter.kind === 'in') return filter.values.some((text) => standing(value, text) === 0);
  if (filter.kind !== 'compare') throw new Error(`not generated: ${filter.kind}`);
  const found = standing(value, filter.value);
  if (filter.op === 'eq') return found === 0;
  if (filter.op === 'neq') return found !== 0;
  if (found === undefined) return null;
  return filter.op === 'gt' ? found > 0 : found <= 0;
}

const matches = (filter: Filter, row: Row): boolean => truth(filter, row) === true;

/** What documents are said to do, over a plain map: no keys, no indexes, no batches. */
class Model {
  #documents = new Map<string, Row>();

  run(query: Query): readonly Row[] | string {
    switch (query.kind) {
      case 'select': {
        const found = this.#hits(query.where).toSorted(compareBy(query.order));
        const offset = query.offset ?? 0;
        return found.slice(offset, offset + (query.limit ?? Number.MAX_SAFE_INTEGER));
      }
      case 'insert':
        return this.#insert(query);
      case 'update': {
        const changed = this.#hits(query.where).map((row) => ({ ...row, ...query.set }));
        if (query.check !== undefined && !changed.every((row) => matches(query.check as Filter, row)))
          return 'MAG_FORBIDDEN';
        if (query.single === true && changed.length > 1) return 'PGRST116';
        for (const row of changed) this.#documents.set(keyOf(row.id), row);
        return changed;
      }
      case 'delete': {
        const gone = this.#hits(query.where);
        for (const row of gone) this.#documents.delete(keyOf(row.id));
        return gone;
      }
    }
  }

  #insert({ rows, onConflict }: Extract<Query, { kind: 'insert' }>): readonly Row[] | string {
    const next = new Map(this.#documents);
    const written = new Map<string, Row>();
    for (const row of rows) {
      const key = keyOf(row.id);
      const there = next.get(key);
      if (there !== undefined && onConflict === undefined) return '23505';
      if (there !== undefined && onConflict?.resolution === 'ignore') continue;
      const merged = there === undefined ? row : { ...there, ...row, id: there.id ?? null };
      next.set(key, merged);
      written.set(key, merged);
    }
    this.#documents = next;
    return [...written.values()];
  }

  #hits(where: Filter | undefined): Row[] {
    const hits = [...this.#documents.values()].filter((row) => where === undefined || matches(where, row));
    return hits.toSorted(compareBy([]));
  }
}

/** Numbers, texts, booleans, the rest; null where the term says. Written anew, so that one mistake is not made twice. */
function compareBy(order: readonly OrderTerm[]): (left: Row, right: Row) => number {
  const kinds = ['number', 'string', 'boolean', 'object'];
  const plain = (a: JsonValue, b: JsonValue): number => {
    const [left, right] = [a, b].map(
      (value) =>
        [
          kinds.indexOf(typeof value === 'bigint' ? 'number' : typeof value),
          typeof value === 'object' ? JSON.stringify(value) : value,
        ] as const,
    );
    if (left === undefined || right === undefined || left[0] !== right[0])
      return (left?.[0] ?? 0) - (right?.[0] ?? 0);
    return (left[1] ?? 0) < (right[1] ?? 0) ? -1 : (left[1] ?? 0) > (right[1] ?? 0) ? 1 : 0;
  };
  return (left, right) => {
    for (const { column, direction, nulls } of order) {
      const [a, b] = [left[column.name] ?? null, right[column.name] ?? null];
      if (a === null && b === null) continue;
      const first = (nulls ?? (direction === 'desc' ? 'first' : 'last')) === 'first';
      if (a === null || b === null) return (a === null) === first ? -1 : 1;
      const difference = plain(a, b);
      if (difference !== 0) return direction === 'desc' ? -difference : difference;
    }
    return plain(left.id ?? null, right.id ?? null);
  };
}

const id = fc.constantFrom<JsonValue>(1, 2, '2', 10, -3, 0.5, 'a', 'B', 'ä:', '10x', '%');
const value = fc.constantFrom<JsonValue>(
  null,
  0,
  1,
  2.5,
  -1,
  true,
  false,
  'a',
  'b',
  '1',
  'true',
  '',
  'ü%',
  [1],
  { a: 1 },
  9007199254740993n,
);
const row = fc.record({ id, owner: value, n: value }, { requiredKeys: ['id'] }) as fc.Arbitrary<Row>;
const text = fc.constantFrom(
  '1',
  '2',
  '2.50',
  'a',
  'b',
  'true',
  'f',
  '',
  '0',
  '-1',
  '10',
  '9007199254740993',
  'ü%',
  'x',
);
const name = fc.constantFrom('id', 'owner', 'n', 'none');
const leaf: fc.Arbitrary<Filter> = fc.oneof(
  fc.tuple(name, fc.constantFrom('eq' as const), text, fc.boolean()).map((made) => compare(...made)),
  fc
    .tuple(name, fc.constantFrom('neq' as const, 'gt' as const, 'lte' as const), text, fc.boolean())
    .map((made) => compare(...made)),
  fc.tuple(name, fc.array(text, { maxLength: 3 }), fc.boolean()).map((made) => within(...made)),
  fc.tuple(name, fc.constantFrom('null' as const, 'true' as const), fc.boolean()).map((made) => is(...made)),
);
const where = fc.oneof(
  leaf,
  fc.tuple(leaf, leaf).map(([a, b]) => and(a, b)),
  fc.tuple(leaf, leaf).map(([a, b]) => or(a, b)),
);
const order: fc.Arbitrary<readonly OrderTerm[]> = fc.array(
  fc.record(
    {
      column: name.map((column) => ({ name: column })),
      direction: fc.constantFrom('asc', 'desc'),
      nulls: fc.constantFrom('first', 'last'),
    },
    { requiredKeys: ['column', 'direction'] },
  ),
  { maxLength: 2 },
);
const base = { schema: 'public', table: '' } as const;
const query = fc.oneof(
  {
    weight: 3,
    arbitrary: fc
      .record({
        rows: fc.array(row, { minLength: 1, maxLength: 4 }),
        resolution: fc.constantFrom('merge', 'ignore', 'none'),
      })
      .map(
        ({ rows, resolution }): Query => ({
          ...{ ...base, kind: 'insert', rows, missing: 'null', returning: all },
          ...(resolution === 'none' ? {} : { onConflict: { resolution: resolution as 'merge' } }),
        }),
      ),
  },
  {
    weight: 4,
    arbitrary: fc
      .record(
        { where, order, limit: fc.integer({ min: 0, max: 5 }), offset: fc.integer({ min: 0, max: 3 }) },
        { requiredKeys: ['order'] },
      )
      .map((made): Query => ({ ...base, kind: 'select', select: all, ...made })),
  },
  fc
    .record(
      {
        where,
        set: fc.record({ owner: value, n: value }, { requiredKeys: [] }),
        check: leaf,
        single: fc.constant(true as const),
      },
      { requiredKeys: ['set'] },
    )
    .map((made): Query => ({ ...base, kind: 'update', returning: all, ...made }) as Query),
  fc
    .record({ where }, { requiredKeys: ['where'] })
    .map((made): Query => ({ ...base, kind: 'delete', returning: all, ...made })),
);
const step = fc.oneof(
  { weight: 12, arbitrary: query },
  { weight: 1, arbitrary: fc.constantFrom('index owner', 'index n', 'unindex owner') },
);

describe.skipIf(!service('redis').available)('documents in Redis against a map', () => {
  let redis: ManagedRedis;
  let engine: RedisEngine;
  let collections = 0;
  beforeAll(async () => {
    redis = await managedRedis();
    engine = await redis.engine(REF);
  });
  afterAll(() => redis.stop());

  const outcome = async (made: Query): Promise<readonly Row[] | string> => {
    try {
      const { json, rowCount, total } = await engine.execute(made, redis.context(REF));
      const rows = JSON.parse(json) as Row[];
      expect(rowCount).toBe(rows.length);
      expect(total).toBeNull();
      return rows;
    } catch (error) {
      if (isPublicError(error)) return error.code;
      throw error;
    }
  };
  const declare = async (table: string, text: string): Promise<void> => {
    const [verb, field = ''] = text.split(' ');
    const command = ['MAG.INDEX', verb === 'index' ? 'CREATE' : 'DROP', table, field];
    await engine.native?.(command, redis.context(REF)).catch((error: unknown) => {
      if (!isPublicError(error)) throw error;
    });
  };

  it('give the same rows and the same errors, whatever indexes are declared', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 25 }), async (steps) => {
        collections += 1;
        const table = `t${collections}`;
        const model = new Model();
        for (const made of steps) {
          if (typeof made === 'string') {
            await declare(table, made);
            continue;
          }
          const rows = await outcome({ ...made, table });
          const expected = model.run(made);
          const exact = JSON.parse(
            JSON.stringify(expected, (_key, each) => (typeof each === 'bigint' ? Number(each) : each)),
          );
          expect(rows).toEqual(exact);
        }
      }),
      { numRuns: 100 },
    );
  }, 60_000);
});
