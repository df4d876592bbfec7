import type { Collection, Document, MongoClient } from 'mongodb';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DocumentBoard } from '../../support/document-board.ts';
import { documentClient } from '../../support/document-client.ts';
import type { CrudCase } from './cases.ts';
import { READ_CASES } from './read-cases.ts';
import { FIND_AND_MODIFY_CASES, LATER_CASES, WRITE_CASES } from './write-cases.ts';

const board = new DocumentBoard();
let client: MongoClient;
let database: ReturnType<MongoClient['db']>;
let cases = 0;

beforeAll(async () => {
  ({ client, database } = await documentClient(board, 'crud'));
});
afterAll(async () => {
  await client.close();
  await board.close();
});

async function fresh(before: readonly Document[]): Promise<Collection<Document>> {
  cases += 1;
  const collection = database.collection<Document>(`case${cases}`);
  await collection.insertMany(before.map((document) => ({ ...document })));
  return collection;
}

async function hold({ before, run, gives, error, after }: CrudCase): Promise<void> {
  const collection = await fresh(before);
  if (error !== undefined) await expect(run(collection)).rejects.toMatchObject({ code: error });
  else {
    const given = await run(collection);
    if (Array.isArray(gives) || typeof gives !== 'object' || gives === null) expect(given).toEqual(gives);
    else expect(given).toMatchObject(gives);
  }
  if (after !== undefined) expect(await collection.find({}).sort({ _id: 1 }).toArray()).toEqual(after);
}

describe('the drivers’ CRUD specification on the embedded document server', () => {
  it.each(READ_CASES.map((each) => [each.name, each] as const))('%s', (_name, each) => hold(each));
  it.each(WRITE_CASES.map((each) => [each.name, each] as const))('%s', (_name, each) => hold(each));
  it.each(LATER_CASES.map((each) => [each.name, each] as const))('%s', (_name, each) => hold(each));
  it.each(FIND_AND_MODIFY_CASES.map((each) => [each.name, each] as const))('%s', (_name, each) => hold(each));
});

describe('indexes', () => {
  it('are made, listed, kept unique and dropped', async () => {
    const collection = await fresh([
      { _id: 1, email: 'a', n: 1 },
      { _id: 2, n: 2 },
    ]);
    expect(await collection.createIndex({ email: 1 }, { unique: true, sparse: true })).toBe('email_1');
    expect(await collection.createIndex({ email: 1 }, { unique: true, sparse: true })).toBe('email_1');
    await expect(collection.insertOne({ email: 'a' })).rejects.toMatchObject({
      code: 11_000,
      keyPattern: { email: 1 },
      keyValue: { email: 'a' },
    });
    await collection.insertOne({ n: 3 });
    await expect(collection.createIndex({ email: 1 }, { name: 'other' })).rejects.toMatchObject({ code: 85 });
    await expect(collection.createIndex({ n: 1 }, { name: 'email_1' })).rejects.toMatchObject({ code: 86 });
    await expect(collection.createIndex({ n: 1 }, { expireAfterSeconds: 1 })).rejects.toMatchObject({
      code: 67,
    });
    expect((await collection.indexes()).map(({ name }) => name)).toEqual(['_id_', 'email_1']);
    await collection.dropIndex('email_1');
    await expect(collection.dropIndex('email_1')).rejects.toMatchObject({ code: 27 });
    await collection.insertOne({ email: 'a' });
  });

  it('cannot be made over what is there twice', async () => {
    const collection = await fresh([
      { _id: 1, k: 1 },
      { _id: 2, k: 1 },
    ]);
    await expect(collection.createIndex({ k: 1 }, { unique: true })).rejects.toMatchObject({ code: 11_000 });
    expect((await collection.indexes()).length).toBe(1);
  });

  it('follow updates and deletes', async () => {
    const collection = await fresh([
      { _id: 1, k: 'a' },
      { _id: 2, k: ['b', 'c'] },
    ]);
    await collection.createIndex({ k: 1 });
    await collection.updateOne({ _id: 1 as never }, { $set: { k: 'z' } });
    const ids = async (k: string) => (await collection.find({ k }).toArray()).map(({ _id }) => _id);
    expect([await ids('a'), await ids('z'), await ids('c')]).toEqual([[], [1], [2]]);
    await collection.deleteOne({ _id: 2 as never });
    expect(await ids('b')).toEqual([]);
    expect(
      (
        await collection
          .find({ k: { $gt: 'a' } })
          .sort({ k: -1 })
          .toArray()
      ).length,
    ).toBe(1);
  });
});

describe('collections', () => {
  it('are listed, made once and dropped', async () => {
    await database.createCollection('made');
    await expect(database.createCollection('made')).rejects.toMatchObject({ code: 48 });
    expect((await database.listCollections({ name: 'made' }).toArray()).map(({ name }) => name)).toEqual([
      'made',
    ]);
    await database.collection('made').drop();
    expect(await database.listCollections({ name: 'made' }).toArray()).toEqual([]);
    await expect(database.createCollection('capped', { capped: true, size: 1_000 })).rejects.toMatchObject({
      code: 72,
    });
  });

  it('an unknown command is MongoDB’s own error', async () => {
    await expect(database.command({ nope: 1 })).rejects.toMatchObject({
      code: 59,
      codeName: 'CommandNotFound',
    });
  });

  it('a document of more than 16 MiB is refused, and the connection lives on', async () => {
    const large = { text: 'x'.repeat(17 * 1024 * 1024) };
    await expect(database.collection('large').insertOne(large)).rejects.toThrow();
    expect(await database.collection('large').countDocuments({})).toBe(0);
  });
});
