import { type CrudCase, numbered } from './cases.ts';

const two = numbered(11, 22);
const three = numbered(11, 22, 33);

/** Inserts, updates, replacements and deletes of the CRUD specification. */
export const WRITE_CASES: readonly CrudCase[] = [
  {
    name: 'insertOne with a document that has no key yet',
    before: [{ _id: 1, x: 11 }],
    run: (c) => c.insertOne({ _id: 2 as never, x: 22 }),
    gives: { insertedId: 2 },
    after: two,
  },
  {
    name: 'insertMany of two',
    before: [{ _id: 1, x: 11 }],
    run: (c) =>
      c.insertMany([
        { _id: 2 as never, x: 22 },
        { _id: 3 as never, x: 33 },
      ]),
    gives: { insertedCount: 2, insertedIds: { 0: 2, 1: 3 } },
    after: three,
  },
  {
    name: 'insertMany, ordered, with a duplicate in the middle: what came before it stays',
    before: [{ _id: 1, x: 11 }],
    run: (c) => c.insertMany([{ _id: 2 as never, x: 22 }, { _id: 1 as never }, { _id: 3 as never, x: 33 }]),
    error: 11_000,
    after: two,
  },
  {
    name: 'insertMany, not ordered, with a duplicate: all others are there',
    before: [{ _id: 1, x: 11 }],
    run: (c) =>
      c.insertMany([{ _id: 2 as never, x: 22 }, { _id: 1 as never }, { _id: 3 as never, x: 33 }], {
        ordered: false,
      }),
    error: 11_000,
    after: three,
  },
  {
    name: 'updateOne when many match',
    before: three,
    run: (c) => c.updateOne({ _id: { $gt: 1 } as never }, { $inc: { x: 1 } }),
    gives: { matchedCount: 1, modifiedCount: 1, upsertedCount: 0 },
    after: numbered(11, 23, 33),
  },
  {
    name: 'updateOne when none match',
    before: three,
    run: (c) => c.updateOne({ _id: 4 as never }, { $inc: { x: 1 } }),
    gives: { matchedCount: 0, modifiedCount: 0 },
    after: three,
  },
  {
    name: 'updateOne that changes nothing',
    before: two,
    run: (c) => c.updateOne({ _id: 1 as never }, { $set: { x: 11 } }),
    gives: { matchedCount: 1, modifiedCount: 0 },
    after: two,
  },
  {
    name: 'updateOne with upsert when none match',
    before: two,
    run: (c) => c.updateOne({ _id: 3 as never }, { $inc: { x: 33 } }, { upsert: true }),
    gives: { matchedCount: 0, modifiedCount: 0, upsertedCount: 1, upsertedId: 3 },
    after: three,
  },
  {
    name: 'updateMany when many match, one matches and none matches',
    before: three,
    run: async (c) => [
      (await c.updateMany({ _id: { $gt: 1 } as never }, { $inc: { x: 1 } })).modifiedCount,
      (await c.updateMany({ _id: 1 as never }, { $inc: { x: 1 } })).modifiedCount,
      (await c.updateMany({ _id: 9 as never }, { $inc: { x: 1 } })).modifiedCount,
    ],
    gives: [2, 1, 0],
    after: numbered(12, 23, 34),
  },
  {
    name: 'updateMany with upsert when none match',
    before: two,
    run: (c) => c.updateMany({ _id: 3 as never }, { $set: { x: 33 } }, { upsert: true }),
    gives: { upsertedCount: 1, upsertedId: 3 },
    after: three,
  },
  {
    name: 'update with arrayFilters',
    before: [{ _id: 1, y: [{ b: 3 }, { b: 1 }] }],
    run: (c) => c.updateOne({}, { $set: { 'y.$[i].b': 2 } }, { arrayFilters: [{ 'i.b': 3 }] }),
    gives: { matchedCount: 1, modifiedCount: 1 },
    after: [{ _id: 1, y: [{ b: 2 }, { b: 1 }] }],
  },
  {
    name: 'update with a pipeline',
    before: [{ _id: 1, x: 1, y: 1, t: { u: { v: 1 } } }],
    run: (c) =>
      c.updateOne({ _id: 1 as never }, [{ $replaceRoot: { newRoot: '$t' } }, { $addFields: { foo: 1 } }]),
    gives: { matchedCount: 1, modifiedCount: 1 },
    after: [{ _id: 1, u: { v: 1 }, foo: 1 }],
  },
  {
    name: 'the modifiers of arrays and fields',
    before: [{ _id: 1, a: [1, 2, 3], b: 5, c: 'x', d: 1 }],
    run: (c) =>
      c.updateOne(
        {},
        {
          $push: { a: { $each: [4, 5] } } as never,
          $min: { b: 3 },
          $rename: { c: 'e' },
          $unset: { d: '' },
          $mul: { f: 2 },
        },
      ),
    gives: { modifiedCount: 1 },
    after: [{ _id: 1, a: [1, 2, 3, 4, 5], b: 3, e: 'x', f: 0 }],
  },
  {
    name: 'an update of the key is refused',
    before: two,
    run: (c) => c.updateOne({ _id: 1 as never }, { $set: { _id: 9 as never } }),
    error: 66,
    after: two,
  },
  {
    name: 'two modifiers of one field are refused',
    before: two,
    run: (c) => c.updateOne({ _id: 1 as never }, { $set: { x: 1 }, $inc: { x: 1 } }),
    error: 40,
    after: two,
  },
  {
    name: 'a sum of what is no number is refused',
    before: [{ _id: 1, x: 'text' }],
    run: (c) => c.updateOne({ _id: 1 as never }, { $inc: { x: 1 } }),
    error: 14,
    after: [{ _id: 1, x: 'text' }],
  },
  {
    name: 'replaceOne when one matches, and with upsert when none does',
    before: two,
    run: async (c) => [
      (await c.replaceOne({ _id: 1 as never }, { x: 111 })).modifiedCount,
      (await c.replaceOne({ _id: 3 as never }, { x: 33 }, { upsert: true })).upsertedId,
      (await c.replaceOne({ _id: 9 as never }, { x: 99 })).matchedCount,
    ],
    gives: [1, 3, 0],
    after: numbered(111, 22, 33),
  },
  {
    name: 'deleteOne when many match, deleteMany when many match, and when none does',
    before: numbered(11, 22, 33, 44),
    run: async (c) => [
      (await c.deleteOne({ _id: { $gt: 1 } as never })).deletedCount,
      (await c.deleteMany({ _id: { $gt: 1 } as never })).deletedCount,
      (await c.deleteMany({ _id: 9 as never })).deletedCount,
    ],
    gives: [1, 2, 0],
    after: numbered(11),
  },
  {
    name: 'bulkWrite with each of its operations',
    before: two,
    run: (c) =>
      c.bulkWrite([
        { insertOne: { document: { _id: 3 as never, x: 33 } } },
        { updateOne: { filter: { _id: 1 as never }, update: { $set: { x: 12 } } } },
        { updateMany: { filter: { _id: { $gt: 1 } as never }, update: { $inc: { x: 1 } } } },
        { replaceOne: { filter: { _id: 4 as never }, replacement: { x: 44 }, upsert: true } },
        { deleteOne: { filter: { _id: 3 as never } } },
      ]),
    gives: { insertedCount: 1, matchedCount: 3, modifiedCount: 3, upsertedCount: 1, deletedCount: 1 },
    after: [
      { _id: 1, x: 12 },
      { _id: 2, x: 23 },
      { _id: 4, x: 44 },
    ],
  },
];

/** Variables of a command, and pipelines that write. */
export const LATER_CASES: readonly CrudCase[] = [
  {
    name: 'let: variables in the filter of a find, an update and a delete',
    before: three,
    run: async (c) => [
      await c.find({ $expr: { $eq: ['$_id', '$$id'] } }, { let: { id: 1 } }).toArray(),
      (
        await c.updateOne({ $expr: { $eq: ['$_id', '$$id'] } }, [{ $set: { x: '$$x', y: '$$y' } }], {
          let: { id: 2, x: 5, y: { $literal: '$z' } },
        })
      ).modifiedCount,
      (await c.deleteOne({ $expr: { $eq: ['$_id', '$$id'] } }, { let: { id: 3 } })).deletedCount,
    ],
    gives: [[{ _id: 1, x: 11 }], 1, 1],
    after: [
      { _id: 1, x: 11 },
      { _id: 2, x: 5, y: '$z' },
    ],
  },
  {
    name: '$out writes over a collection',
    before: three,
    run: async (c) => {
      await c.aggregate([{ $match: { _id: { $gt: 1 } } }, { $out: 'made_by_out' }]).toArray();
      return c
        .aggregate([{ $limit: 1 }, { $lookup: { from: 'made_by_out', pipeline: [], as: 'out' } }])
        .next();
    },
    gives: {
      out: [
        { _id: 2, x: 22 },
        { _id: 3, x: 33 },
      ],
    },
    after: three,
  },
  {
    name: '$merge adds to what is there, and fails whole',
    before: three,
    run: async (c) => {
      const into = c.collectionName;
      await c.aggregate([{ $match: { _id: 1 } }, { $project: { y: '$x' } }, { $merge: { into } }]).toArray();
      await c
        .aggregate([{ $project: { x: 1 } }, { $merge: { into, whenMatched: 'fail' } }])
        .toArray()
        .catch((error: { code: number }) => expectCode(error.code, 11_000));
    },
    after: [{ _id: 1, x: 11, y: 11 }, ...three.slice(1)],
  },
  {
    name: 'a sort of an update says which of the documents that match is changed',
    before: three,
    run: async (c) => {
      await c.updateOne({}, { $set: { x: 1 } }, { sort: { x: -1 } });
      await c.replaceOne({ x: { $gt: 1 } }, { y: 1 }, { sort: { _id: -1 } });
    },
    after: [
      { _id: 1, x: 11 },
      { _id: 2, y: 1 },
      { _id: 3, x: 1 },
    ],
  },
];

function expectCode(given: number, wanted: number): void {
  if (given !== wanted) throw new Error(`the code ${given}, not ${wanted}`);
}

/** findOneAndUpdate, findOneAndReplace and findOneAndDelete. */
export const FIND_AND_MODIFY_CASES: readonly CrudCase[] = [
  {
    name: 'findOneAndUpdate gives the document before the change',
    before: three,
    run: (c) =>
      c.findOneAndUpdate(
        { _id: { $gt: 1 } as never },
        { $inc: { x: 1 } },
        { sort: { x: 1 }, projection: { x: 1, _id: 0 } },
      ),
    gives: { x: 22 },
    after: numbered(11, 23, 33),
  },
  {
    name: 'findOneAndUpdate gives the document after it',
    before: three,
    run: (c) =>
      c.findOneAndUpdate(
        { _id: { $gt: 1 } as never },
        { $inc: { x: 1 } },
        { sort: { x: -1 }, returnDocument: 'after' },
      ),
    gives: { _id: 3, x: 34 },
    after: numbered(11, 22, 34),
  },
  {
    name: 'findOneAndUpdate with upsert gives what it made, or null',
    before: two,
    run: async (c) => [
      await c.findOneAndUpdate({ _id: 3 as never }, { $inc: { x: 33 } }, { upsert: true }),
      await c.findOneAndUpdate(
        { _id: 4 as never },
        { $set: { x: 44 } },
        { upsert: true, returnDocument: 'after' },
      ),
      await c.findOneAndUpdate({ _id: 9 as never }, { $set: { x: 1 } }),
    ],
    gives: [null, { _id: 4, x: 44 }, null],
    after: numbered(11, 22, 33, 44),
  },
  {
    name: 'findOneAndReplace',
    before: three,
    run: (c) =>
      c.findOneAndReplace(
        { _id: { $gt: 1 } as never },
        { x: 32 },
        { sort: { x: 1 }, returnDocument: 'after' },
      ),
    gives: { _id: 2, x: 32 },
    after: numbered(11, 32, 33),
  },
  {
    name: 'findOneAndDelete when several match, and when none does',
    before: three,
    run: async (c) => [
      await c.findOneAndDelete(
        { _id: { $gt: 1 } as never },
        { sort: { x: 1 }, projection: { x: 1, _id: 0 } },
      ),
      await c.findOneAndDelete({ x: 99 }),
    ],
    gives: [{ x: 22 }, null],
    after: [
      { _id: 1, x: 11 },
      { _id: 3, x: 33 },
    ],
  },
];
