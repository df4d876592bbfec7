import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { requireCapabilities } from '../../src/actors/storage/capabilities.ts';
import type { RedisEngine } from '../../src/actors/storage/redis/engine.ts';
import { isPublicError } from '../../src/errors.ts';
import type { Filter, JsonValue, Query, Row } from '../../src/protocol/query.ts';
import { all } from '../contract/engine/subject.ts';
import { anyFilter, query as anyQuery } from '../support/grammar-arbitraries.ts';
import { type ManagedRedis, managedRedis } from '../support/managed-redis.ts';
import { service } from '../support/services/index.ts';

const REF = 'fuzz';
const base = { schema: 'public', table: 'things' } as const;
const json = fc.jsonValue({ maxDepth: 3 }) as fc.Arbitrary<JsonValue>;
const name = fc.oneof(
  fc.constantFrom('id', 'owner', 'a_b', '__proto__', 'constructor', '$x', 'a.b', ''),
  fc.string({ maxLength: 6, unit: 'binary' }),
);
const row = fc.dictionary(name, json, { maxKeys: 5 }) as fc.Arbitrary<Row>;
const and = (terms: readonly Filter[]): { readonly where?: Filter } =>
  terms.length === 0 ? {} : { where: { kind: 'and', terms, negated: false } };

const query: fc.Arbitrary<Query> = fc.oneof(
  {
    weight: 4,
    arbitrary: anyQuery.map(
      ({ select, filters, order }): Query => ({ ...base, kind: 'select', select, order, ...and(filters) }),
    ),
  },
  {
    weight: 2,
    arbitrary: fc
      .record({ rows: fc.array(row, { maxLength: 4 }), merge: fc.boolean(), target: fc.option(name) })
      .map(
        ({ rows, merge, target }): Query => ({
          ...{ ...base, kind: 'insert', rows, missing: 'null', returning: all },
          ...(merge
            ? { onConflict: { resolution: 'merge', ...(target === null ? {} : { columns: [target] }) } }
            : {}),
        }),
      ),
  },
  fc
    .tuple(row, anyFilter, anyFilter)
    .map(([set, where, check]): Query => ({ ...base, kind: 'update', set, where, check, returning: all })),
  anyFilter.map((where): Query => ({ ...base, kind: 'delete', where, returning: all })),
);
const word = fc.oneof(
  fc.constantFrom(
    'GET',
    'SET',
    'MSET',
    'SCAN',
    'ZADD',
    'ZUNION',
    'XADD',
    'HSET',
    'LRANGE',
    'MAG.INDEX',
    'MAG.COLLECTION',
  ),
  fc.constantFrom(
    'CREATE',
    'DROP',
    'LIST',
    'things',
    'owner',
    'UNIQUE',
    'MATCH',
    'COUNT',
    '0',
    '-1',
    '2',
    'c:things:1',
    '$ids:things',
    '*',
  ),
  json,
);

describe.skipIf(!service('redis').available)('whatever is asked of Redis', () => {
  let redis: ManagedRedis;
  let engine: RedisEngine;
  beforeAll(async () => {
    redis = await managedRedis();
    engine = await redis.engine(REF);
    await engine.native?.(['MAG.INDEX', 'CREATE', 'things', 'owner', 'UNIQUE'], redis.context(REF));
  });
  afterAll(() => redis.stop());

  const answered = async (work: () => Promise<unknown>): Promise<void> => {
    try {
      await work();
    } catch (error) {
      if (!isPublicError(error)) throw error;
      expect(error).toMatchObject({ status: expect.toSatisfy((status: number) => status < 500) });
    }
  };

  it('is answered in JSON, or refused with a code and below 500', async () => {
    await fc.assert(
      fc.asyncProperty(query, (made) =>
        answered(async () => {
          requireCapabilities('redis', made);
          const { json: text, rowCount } = await engine.execute(made, redis.context(REF));
          expect((JSON.parse(text) as Row[]).length).toBe(rowCount);
        }),
      ),
      { numRuns: 600 },
    );
  }, 60_000);

  it('is a command of the project’s own, or refused', async () => {
    await fc.assert(
      fc.asyncProperty(fc.oneof(fc.array(word, { maxLength: 6 }), json), (command) =>
        answered(async () => JSON.parse((await engine.native?.(command, redis.context(REF))) ?? '')),
      ),
      { numRuns: 400 },
    );
    const admin = await redis.admin();
    const keys = (await admin.call('KEYS', '*')) as string[];
    expect(keys.filter((key) => !key.includes(`_${REF}:`) && !key.endsWith('_projects'))).toEqual([]);
  }, 60_000);
});
