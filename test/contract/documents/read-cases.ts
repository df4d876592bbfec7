import { ObjectId } from 'mongodb';
import { type CrudCase, numbered } from './cases.ts';

const three = numbered(11, 22, 33);

/** find, findOne, count, distinct and aggregate of the CRUD specification, and what each promises of its options. */
export const READ_CASES: readonly CrudCase[] = [
  {
    name: 'find with a filter',
    before: three,
    run: (c) => c.find({ _id: 1 as never }).toArray(),
    gives: [{ _id: 1, x: 11 }],
  },
  {
    name: 'find with a filter, sort, skip and limit',
    before: numbered(11, 22, 33, 44, 55),
    run: (c) =>
      c
        .find({ _id: { $gt: 2 } as never })
        .sort({ _id: 1 })
        .skip(2)
        .limit(2)
        .toArray(),
    gives: [{ _id: 5, x: 55 }],
  },
  {
    name: 'find with a limit, sort and batch size',
    before: numbered(11, 22, 33, 44, 55, 66),
    run: (c) => c.find({}).sort({ _id: 1 }).limit(4).batchSize(2).toArray(),
    gives: numbered(11, 22, 33, 44),
  },
  {
    name: 'find in batches of two, to the end',
    before: numbered(1, 2, 3, 4, 5),
    run: (c) => c.find({}).batchSize(2).toArray(),
    gives: numbered(1, 2, 3, 4, 5),
  },
  {
    name: 'find in batches, sorted descending by a field without an index',
    before: numbered(3, 1, 2),
    run: async (c) => (await c.find({}).sort({ x: -1 }).batchSize(1).toArray()).map(({ x }) => x),
    gives: [3, 2, 1],
  },
  {
    name: 'find with an inclusion, and an exclusion',
    before: [{ _id: 1, x: 11, y: { a: 1, b: 2 } }],
    run: async (c) => [
      await c.findOne({}, { projection: { x: 1, _id: 0 } }),
      await c.findOne({}, { projection: { 'y.a': 1 } }),
      await c.findOne({}, { projection: { y: 0 } }),
    ],
    gives: [{ x: 11 }, { _id: 1, y: { a: 1 } }, { _id: 1, x: 11 }],
  },
  { name: 'findOne that finds nothing', before: three, run: (c) => c.findOne({ x: 99 }), gives: null },
  {
    name: 'countDocuments with and without a filter, skip and limit',
    before: three,
    run: async (c) => [
      await c.countDocuments({}),
      await c.countDocuments({ _id: { $gt: 1 } as never }),
      await c.countDocuments({}, { skip: 1, limit: 3 }),
      await c.countDocuments({ x: 99 }),
    ],
    gives: [3, 2, 2, 0],
  },
  { name: 'estimatedDocumentCount', before: three, run: (c) => c.estimatedDocumentCount(), gives: 3 },
  {
    name: 'distinct with and without a filter',
    before: three,
    run: async (c) => [await c.distinct('x', {}), await c.distinct('x', { _id: { $gt: 1 } as never })],
    gives: [
      [11, 22, 33],
      [22, 33],
    ],
  },
  {
    name: 'aggregate with several stages',
    before: three,
    run: (c) => c.aggregate([{ $sort: { x: 1 } }, { $match: { _id: { $gt: 1 } } }]).toArray(),
    gives: [
      { _id: 2, x: 22 },
      { _id: 3, x: 33 },
    ],
  },
  {
    name: 'aggregate in batches of one',
    before: three,
    run: (c) =>
      c.aggregate([{ $match: { _id: { $gt: 1 } } }, { $sort: { x: 1 } }], { batchSize: 1 }).toArray(),
    gives: [
      { _id: 2, x: 22 },
      { _id: 3, x: 33 },
    ],
  },
  {
    name: 'aggregate into groups',
    before: [
      { _id: 1, k: 'a', n: 2 },
      { _id: 2, k: 'b', n: 3 },
      { _id: 3, k: 'a', n: 4 },
    ],
    run: (c) => c.aggregate([{ $group: { _id: '$k', n: { $sum: '$n' } } }, { $sort: { _id: 1 } }]).toArray(),
    gives: [
      { _id: 'a', n: 6 },
      { _id: 'b', n: 3 },
    ],
  },
  {
    name: 'aggregate with a stage that is none',
    before: three,
    run: (c) => c.aggregate([{ $nope: 1 }]).toArray(),
    error: 40_324,
  },
  { name: 'a change stream, cleanly', before: three, run: (c) => c.watch().next(), error: 40_573 },
  { name: 'an operator that is none', before: three, run: (c) => c.findOne({ x: { $nope: 1 } }), error: 2 },
  {
    name: 'a collation that is not there, rather than another one',
    before: [{ _id: 1, x: 'PING' }],
    run: (c) => c.find({ x: 'ping' }, { collation: { locale: 'en_US', strength: 2 } }).toArray(),
    error: 115,
  },
  {
    name: 'arrays: an element, a size, all of a list, an element that fits',
    before: [
      { _id: 1, t: ['a', 'b'], n: [{ k: 1, v: 2 }] },
      { _id: 2, t: ['b'], n: [{ k: 1 }, { v: 2 }] },
      { _id: 3, t: [], n: [] },
    ],
    run: async (c) =>
      Promise.all(
        [
          { t: 'b' },
          { t: { $size: 0 } },
          { t: { $all: ['b', 'a'] } },
          { n: { $elemMatch: { k: 1, v: 2 } } },
          { 'n.v': 2 },
          { 't.0': 'b' },
        ].map(async (filter) => (await c.find(filter).toArray()).map(({ _id }) => _id)),
      ),
    gives: [[1, 2], [3], [1], [1], [1, 2], [2]],
  },
  {
    name: 'null, missing and types',
    before: [{ _id: 1, a: null }, { _id: 2 }, { _id: 3, a: 0 }, { _id: 4, a: '0' }, { _id: 5, a: [null] }],
    run: async (c) =>
      Promise.all(
        [
          { a: null },
          { a: { $exists: false } },
          { a: { $ne: null } },
          { a: { $type: 'string' } },
          { a: { $gte: 0 } },
          { a: { $not: { $gt: 0 } } },
        ].map(async (filter) => (await c.find(filter).toArray()).map(({ _id }) => _id)),
      ),
    gives: [[1, 2, 5], [2], [3, 4], [4], [3], [1, 2, 3, 4, 5]],
  },
  {
    name: 'ObjectIds, dates and numbers of every type, by value',
    before: [
      { _id: new ObjectId('65f000000000000000000001'), at: new Date(1_000) },
      { _id: new ObjectId('65f000000000000000000002'), at: new Date(2_000) },
    ],
    run: async (c) => [
      await c.countDocuments({ _id: new ObjectId('65f000000000000000000001') }),
      await c.countDocuments({ at: { $gt: new Date(1_500) } }),
      await c.countDocuments({ _id: { $gt: new ObjectId('65f000000000000000000001') } }),
    ],
    gives: [1, 1, 1],
  },
];
