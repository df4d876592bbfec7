import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { RedisEngine } from '../../src/actors/storage/redis/engine.ts';
import type { Filter, Query, Row, SelectQuery } from '../../src/protocol/query.ts';
import { column, compare, insert, select, within } from '../contract/engine/subject.ts';
import { type ManagedRedis, managedRedis } from '../support/managed-redis.ts';
import { service } from '../support/services/index.ts';

const REF = 'engine';
const schema = 'public';
const table = 'items';

describe.skipIf(!service('redis').available)('documents in Redis', () => {
  let redis: ManagedRedis;
  let engine: RedisEngine;

  beforeAll(async () => {
    redis = await managedRedis();
    engine = await redis.engine(REF);
  });
  afterAll(() => redis.stop());
  beforeEach(async () => {
    const { tables } = await engine.schema(redis.context(REF));
    if (tables.has(table)) await native('MAG.COLLECTION', 'DROP', table);
  });

  const execute = (query: Query) => engine.execute(query, redis.context(REF));
  const rows = async (query: Query): Promise<Row[]> => JSON.parse((await execute(query)).json);
  const ids = async (query: Partial<SelectQuery>) => (await rows(select(query))).map(({ id }) => id);
  const native = async (...command: (string | number)[]): Promise<{ result: unknown }> =>
    JSON.parse((await engine.native?.(command, redis.context(REF))) ?? '');

  it('makes a collection with its first document, and gives an id to one that has none', async () => {
    expect(await ids({})).toEqual([]);
    const [made] = await rows(insert([{ name: 'a', n: 1.5, big: 12345678901234567890n }]));
    expect(made).toMatchObject({ id: expect.stringMatching(/^[0-9a-f-]{36}$/), name: 'a', n: 1.5 });
    const { json } = await execute(select());
    expect(json).toBe(`[{"id":"${made?.id}","name":"a","n":1.5,"big":12345678901234567890}]`);
  });

  it('keeps numbers as numbers, and sorts ids: numbers by size, then texts', async () => {
    await execute(insert([10, 9, -3, 0.5, 'b', 'a', '10x', 'ä', 1e21].map((id) => ({ id }))));
    expect(await ids({})).toEqual([-3, 0.5, 9, 10, 1e21, '10x', 'a', 'b', 'ä']);
    expect(
      await ids({ order: [{ column: { name: 'id' }, direction: 'desc' }], limit: 3, offset: 1 }),
    ).toEqual([...['b', 'a', '10x']]);
    expect(await ids({ where: compare('id', 'eq', '10') })).toEqual([10]);
    expect(await ids({ where: within('id', ['9', 'a', '0.50', 'nope']) })).toEqual([0.5, 9, 'a']);
  });

  it('takes a number and a text that look alike for one id', async () => {
    await execute(insert([{ id: 1 }]));
    await expect(execute(insert([{ id: 2 }, { id: '1' }]))).rejects.toMatchObject({
      code: '23505',
      status: 409,
    });
    expect(await ids({})).toEqual([1]);
  });

  it('finds documents by a declared index as it does without one', async () => {
    await execute(insert([1, 2, 3, 4].map((id) => ({ id, owner: id % 2 === 0 ? 'x' : 7 }))));
    const find = () => ids({ where: compare('owner', 'eq', '7') });
    expect(await find()).toEqual([1, 3]);
    expect(await native('MAG.INDEX', 'CREATE', table, 'owner')).toEqual({ result: 'OK' });
    expect(await native('MAG.INDEX', 'LIST', table)).toEqual({ result: [['owner', 'ready']] });
    expect(await find()).toEqual([1, 3]);
    await execute({ kind: 'update', schema, table, set: { owner: 7 }, where: compare('id', 'eq', '4') });
    await execute({ kind: 'delete', schema, table, where: compare('id', 'eq', '1') });
    await execute(insert([{ id: 9, owner: '7' }]));
    expect(await find()).toEqual([3, 4, 9]);
    expect(await ids({ where: within('owner', ['7', 'x']) })).toEqual([2, 3, 4, 9]);
    expect(await native('MAG.INDEX', 'DROP', table, 'owner')).toEqual({ result: 'OK' });
    expect(await find()).toEqual([3, 4, 9]);
  });

  it('writes as many documents at once as one request may hold, and no more than one step may', async () => {
    const many = (first: number, count: number) =>
      Array.from({ length: count }, (_, at) => ({ id: first + at }));
    expect(await execute(insert(many(0, 10_000), { returning: [column('id')] }))).toMatchObject({
      rowCount: 10_000,
    });
    const change = { kind: 'update', schema, table, set: { a: 1 } } as const;
    expect(await execute(change)).toMatchObject({ rowCount: 10_000 });
    await execute(insert([{ id: -1 }]));
    await expect(execute(change)).rejects.toMatchObject({ code: '54000', status: 400 });
    expect(await ids({ limit: 100_000 })).toHaveLength(10_001);
    expect(await ids({ order: [{ column: { name: 'a' }, direction: 'asc' }], limit: 1 })).toEqual([0]);
  });

  it('loses no update of many at once', async () => {
    await execute(insert([{ id: 1, n: 0 }]));
    const add = async (name: string) =>
      execute({ kind: 'update', schema, table, set: { [name]: true }, where: compare('id', 'eq', '1') });
    await Promise.all(Array.from({ length: 30 }, (_, n) => add(`f${n}`)));
    const [row] = await rows(select());
    expect(Object.keys(row ?? {})).toHaveLength(32);
  });

  it('shows what a rolled back write would have done, and does nothing', async () => {
    const context = { ...redis.context(REF), rollback: true };
    await execute(insert([{ id: 1 }]));
    const { json } = await engine.execute(insert([{ id: 2, a: 1 }]), context);
    expect(JSON.parse(json)).toEqual([{ id: 2, a: 1 }]);
    await expect(engine.execute(insert([{ id: 1 }]), context)).rejects.toMatchObject({ code: '23505' });
    expect(await ids({})).toEqual([1]);
  });

  it('infers collections and their fields from what is in them', async () => {
    await execute(
      insert([
        { id: 1, n: 1, t: 'a', b: true, o: {} },
        { id: 2, n: 1.5, t: null },
      ]),
    );
    const { tables } = await engine.schema(redis.context(REF));
    const found = tables.get(table)?.columns.map(({ name, type }) => [name, type]);
    expect(Object.fromEntries(found ?? [])).toEqual({
      ...{ id: 'bigint', n: 'numeric', t: 'text', b: 'boolean', o: 'jsonb' },
    });
  });

  describe('what documents have inside', () => {
    const path = (name: string, ...steps: (string | number)[]) => ({ name, path: { steps, text: true } });
    const find = (where: Filter) => ids({ where });
    beforeEach(async () => {
      await execute(
        insert([
          { id: 1, tags: ['red', 'sweet'], at: { shelf: 'b', row: [1, { x: 7 }] }, n: 1 },
          { id: 2, tags: [], at: { shelf: 'a', row: [10, null] }, n: null },
          { id: 3, tags: 'red', at: null, n: 3 },
          { id: 4, tags: [7, 'a,b', null], at: { row: [9] } },
        ]),
      );
    });

    it('is filtered, put in order and shown by JSON paths', async () => {
      const row = { column: path('at', 'row', 0), negated: false } as const;
      expect(await find({ ...row, kind: 'compare', op: 'gt', value: '2' })).toEqual([2, 4]);
      expect(await find({ ...row, kind: 'in', values: ['1', '9'] })).toEqual([1, 4]);
      expect(await find({ ...row, kind: 'is', value: 'null' })).toEqual([3]);
      const last = { column: path('at', 'row', -1, 'x'), kind: 'compare', op: 'eq', value: '7' } as const;
      expect(await find({ ...last, negated: false })).toEqual([1]);
      expect(await ids({ order: [{ column: path('at', 'row', 0), direction: 'desc' }] })).toEqual([
        3, 2, 4, 1,
      ]);
      const shown = { kind: 'column', column: path('at', 'row') } as const;
      const whole = {
        kind: 'column',
        column: { name: 'at', path: { steps: ['row'], text: false } },
        alias: 'r',
      } as const;
      const query = select({ select: [shown, whole], where: compare('id', 'eq', '2') });
      expect(await rows(query)).toEqual([{ row: '[10,null]', r: [10, null] }]);
    });

    it.each([
      ['cs', '{red}', [1]],
      ['cs', '{}', [1, 2, 4]],
      ['cs', '["red"]', [1]],
      ['cs', '{7,"a,b"}', [4]],
      ['cd', '{red,sweet,sour}', [1, 2]],
      ['ov', '{sour,sweet,7}', [1, 4]],
    ] as const)('is contained by %s %s', async (op, value, expected) => {
      const where = { kind: 'contain', column: { name: 'tags' }, op, value } as const;
      expect(await find({ ...where, negated: false })).toEqual(expected);
      const others = [1, 2, 3, 4].filter((id) => !expected.some((each) => each === id));
      expect(await find({ ...where, negated: true })).toEqual(others);
    });

    it('contains objects member by member', async () => {
      const where = { kind: 'contain', column: { name: 'at' }, op: 'cs', negated: false } as const;
      expect(await find({ ...where, value: '{"shelf": "b"}' })).toEqual([1]);
      expect(await find({ ...where, value: '{"row": [{"x": 7}]}' })).toEqual([1]);
      expect(await find({ ...where, value: '{"row": [9]}' })).toEqual([4]);
      await expect(find({ ...where, value: 'x{' })).rejects.toMatchObject({ code: '22P02', status: 400 });
    });

    it('compares with any or all of a list, and by being distinct', async () => {
      const tags = { kind: 'quantified', column: { name: 'n' }, negated: false } as const;
      expect(await find({ ...tags, op: 'eq', quantifier: 'any', values: ['1', '3'] })).toEqual([1, 3]);
      expect(await find({ ...tags, op: 'gt', quantifier: 'all', values: ['1', '2'] })).toEqual([3]);
      const distinct = { kind: 'compare', column: { name: 'n' }, op: 'isdistinct', value: '1' } as const;
      expect(await find({ ...distinct, negated: false })).toEqual([2, 3, 4]);
      expect(await find({ ...distinct, negated: true })).toEqual([1]);
      await expect(find(compare('n', 'match' as 'like', 'a+'))).rejects.toMatchObject({
        code: 'MAG_ENGINE_UNSUPPORTED',
      });
    });

    it('is compared a bounded number of steps, however long the pattern and the text', async () => {
      await execute(insert([{ id: 5, text: 'a'.repeat(100_000) }]));
      const pattern = `${'%a'.repeat(500)}b`;
      await expect(find(compare('text', 'like', pattern))).rejects.toMatchObject({
        code: '22025',
        status: 400,
      });
      expect(await find(compare('text', 'like', '%a%b'))).toEqual([]);
    });
  });

  it('shows chosen fields under their names, null where a document has none', async () => {
    await execute(insert([{ id: 1, a: 'x' }]));
    expect(await rows(select({ select: [column('a', 'b'), column('none')] }))).toEqual([
      { b: 'x', none: null },
    ]);
  });
});
