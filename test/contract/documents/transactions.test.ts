import type { ClientSession, Collection, Document, MongoClient } from 'mongodb';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { DocumentBoard } from '../../support/document-board.ts';
import { documentClient } from '../../support/document-client.ts';

const board = new DocumentBoard();
let client: MongoClient;
let database: ReturnType<MongoClient['db']>;
let collection: Collection<Document>;
let session: ClientSession;
let tests = 0;

beforeAll(async () => {
  ({ client, database } = await documentClient(board, 'transactions'));
});
afterAll(async () => {
  await client.close();
  await board.close();
});
beforeEach(async () => {
  tests += 1;
  collection = database.collection(`test${tests}`);
  await collection.insertOne({ _id: 0 as never });
  session = client.startSession();
});
afterEach(() => session.endSession());

const ids = async (inside?: ClientSession) =>
  (
    await collection
      .find({}, inside === undefined ? {} : { session: inside })
      .sort({ _id: 1 })
      .toArray()
  ).map(({ _id }) => _id);
const add = (...keys: number[]) =>
  collection.insertMany(
    keys.map((_id) => ({ _id: _id as never })),
    { session },
  );

describe('the drivers’ transaction specification on the embedded document server', () => {
  it('commit: what was written is there, and was seen inside only', async () => {
    session.startTransaction();
    await add(1, 2);
    expect([await ids(session), await ids()]).toEqual([[0, 1, 2], [0]]);
    await session.commitTransaction();
    expect(await ids()).toEqual([0, 1, 2]);
  });

  it('rollback: nothing of it is there, and the next transaction begins clean', async () => {
    session.startTransaction();
    await add(1);
    await session.abortTransaction();
    expect(await ids()).toEqual([0]);
    session.startTransaction();
    await add(1);
    await session.commitTransaction();
    expect(await ids()).toEqual([0, 1]);
  });

  it('a commit that is sent again is answered the same', async () => {
    session.startTransaction();
    await add(1);
    await session.commitTransaction();
    await session.commitTransaction();
    expect(await ids()).toEqual([0, 1]);
  });

  it('an empty transaction commits and aborts', async () => {
    session.startTransaction();
    await session.commitTransaction();
    session.startTransaction();
    await session.abortTransaction();
    expect(await ids()).toEqual([0]);
  });

  it('updates, deletes, replacements, findAndModify and bulk writes are all in it', async () => {
    session.startTransaction();
    await add(1, 2, 3);
    await collection.updateOne({ _id: 1 as never }, { $set: { x: 1 } }, { session });
    await collection.deleteOne({ _id: 2 as never }, { session });
    await collection.findOneAndReplace({ _id: 3 as never }, { y: 1 }, { session });
    await collection.bulkWrite([{ insertOne: { document: { _id: 4 as never } } }], { session });
    expect(await collection.countDocuments({}, { session })).toBe(4);
    expect(await collection.distinct('x', {}, { session })).toEqual([1]);
    expect((await collection.aggregate([{ $match: { x: 1 } }], { session }).toArray()).length).toBe(1);
    await session.abortTransaction();
    expect(await ids()).toEqual([0]);
  });

  it('a collection that it makes is there for nobody else before its commit', async () => {
    const made = () => database.listCollections({ name: `made${tests}` }).toArray();
    session.startTransaction();
    await database.createCollection(`made${tests}`, { session });
    expect(await made()).toEqual([]);
    await session.commitTransaction();
    expect(await made()).toHaveLength(1);
  });

  it('a write that fails ends it', async () => {
    session.startTransaction();
    await add(1);
    await expect(add(0)).rejects.toMatchObject({ code: 11_000 });
    await expect(add(5)).rejects.toMatchObject({ code: 251 });
    await session.abortTransaction();
    expect(await ids()).toEqual([0]);
  });

  it('a cursor that was opened in it is read to its end in it', async () => {
    session.startTransaction();
    await add(1, 2, 3, 4);
    const found = await collection.find({}, { session, batchSize: 2 }).toArray();
    expect(found).toHaveLength(5);
    await session.commitTransaction();
  });

  it('an index or a count that a transaction may not have is refused', async () => {
    session.startTransaction();
    await expect(database.command({ count: collection.collectionName }, { session })).rejects.toMatchObject({
      code: 263,
    });
    await session.abortTransaction();
  });

  it('the second writer waits for the first, and sees what it left', async () => {
    await collection.updateOne({ _id: 0 as never }, { $set: { n: 0 } });
    const increment = () =>
      client.withSession((own) =>
        own.withTransaction(async () => {
          const row = await collection.findOne({ _id: 0 as never }, { session: own });
          await collection.updateOne({ _id: 0 as never }, { $set: { n: row?.n + 1 } }, { session: own });
        }),
      );
    await Promise.all(Array.from({ length: 8 }, increment));
    expect(await collection.findOne({})).toMatchObject({ n: 8 });
  });

  it('reads beside another one see what was committed before, and a write after that conflicts', async () => {
    const other = client.startSession();
    session.startTransaction();
    await add(1);
    other.startTransaction();
    expect(await ids(other)).toEqual([0]);
    await session.commitTransaction();
    expect(await ids(other)).toEqual([0]);
    const late = collection.insertOne({ _id: 2 as never }, { session: other });
    await expect(late).rejects.toMatchObject({ code: 112, errorLabels: ['TransientTransactionError'] });
    await other.abortTransaction();
    other.startTransaction();
    expect(await ids(other)).toEqual([0, 1]);
    await other.commitTransaction();
    await other.endSession();
  });

  it('a transaction whose client goes away is undone, and keeps nobody from writing', async () => {
    const other = await documentClient(board, 'transactions');
    const own = other.client.startSession();
    own.startTransaction();
    await other.database
      .collection<Document>(collection.collectionName)
      .insertOne({ _id: 7 as never }, { session: own });
    await other.client.close(true);
    await collection.insertOne({ _id: 8 as never });
    expect(await ids()).toEqual([0, 8]);
  });

  it('retryable writes have one effect, also when they are sent twice', async () => {
    const lsid = { id: session.serverSession.id.id };
    const command = {
      update: collection.collectionName,
      updates: [{ q: { _id: 0 }, u: { $inc: { n: 1 } } }],
      lsid,
      txnNumber: 900n,
    };
    const first = await database.command({ ...command });
    const second = await database.command({ ...command });
    expect([first.nModified, second.nModified]).toEqual([1, 1]);
    expect(await collection.findOne({})).toMatchObject({ n: 1 });
  });
});
