import { MongoClient } from 'mongodb';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Engine } from '../../src/actors/storage/engine.ts';
import type { MongodbConnection } from '../../src/actors/storage/mongodb/session.ts';
import { DocumentBoard } from '../support/document-board.ts';
import { documentClient } from '../support/document-client.ts';

const board = new DocumentBoard();
const clients: MongoClient[] = [];
let mine: MongodbConnection;
let theirs: MongodbConnection;
let engine: Engine;

beforeAll(async () => {
  mine = await board.connection('mine');
  theirs = await board.connection('theirs');
  engine = await board.engine('mine');
  const other = await documentClient(board, 'theirs');
  clients.push(other.client);
  await other.database.collection('secrets').insertOne({ _id: 1 as never, secret: 'theirs' });
});
afterAll(async () => {
  for (const client of clients) await client.close();
  await board.close();
});

async function asMine(): Promise<MongoClient> {
  const { client } = await documentClient(board, 'mine');
  clients.push(client);
  return client;
}

describe('a project’s own credentials', () => {
  it.each([
    { find: 'secrets' },
    { insert: 'secrets', documents: [{ a: 1 }] },
    { update: 'secrets', updates: [{ q: {}, u: { $set: { a: 1 } } }] },
    { delete: 'secrets', deletes: [{ q: {}, limit: 0 }] },
    { aggregate: 'secrets', pipeline: [], cursor: {} },
    { count: 'secrets' },
    { listCollections: 1 },
    { drop: 'secrets' },
    { createIndexes: 'secrets', indexes: [{ key: { a: 1 }, name: 'a_1' }] },
    { dropDatabase: 1 },
    { createUser: 'me', pwd: 'x', roles: [] },
    { updateUser: 'x', pwd: 'x' },
    { dropUser: 'x' },
    { usersInfo: 1 },
  ])('reach nothing of another project: %j', async (command) => {
    const client = await asMine();
    await expect(client.db(theirs.database).command(command)).rejects.toMatchObject({ code: 13 });
    const rows = await clients[0]?.db(theirs.database).collection('secrets').find({}).toArray();
    expect(rows).toEqual([{ _id: 1, secret: 'theirs' }]);
  });

  it.each([
    { listDatabases: 1 },
    { usersInfo: { forAllDBs: true } },
    { dropDatabase: 1 },
    { createUser: 'me', pwd: 'x', roles: [] },
  ])('administer nothing: %j', async (command) => {
    const client = await asMine();
    await expect(client.db('admin').command(command)).rejects.toMatchObject({ code: 13 });
  });

  it('reach nothing by a stage of a pipeline either', async () => {
    const client = await asMine();
    const own = client.db(mine.database).collection('own');
    await own.insertOne({ a: 1 });
    const lookup = { $lookup: { from: 'secrets', pipeline: [], as: 'found' } };
    expect(await own.aggregate([lookup]).toArray()).toMatchObject([{ found: [] }]);
    await expect(
      own.aggregate([{ $out: { db: theirs.database, coll: 'secrets' } }]).toArray(),
    ).rejects.toThrow();
    await expect(
      own.aggregate([{ $set: { x: { $function: { body: 'f', args: [], lang: 'js' } } } }]).toArray(),
    ).rejects.toThrow();
  });

  it.each(['read', 'write'] as const)(
    'of a tool that came with its own to %s reach no record of an idempotency key',
    async (mode) => {
      await engine.transaction?.(
        async ({ idempotency }) => {
          await idempotency?.claim({ key: mode, fingerprint: 'f', now: 0, expires: 10 });
          await idempotency?.settle(mode, 'r');
        },
        board.context({ ref: 'mine' }),
      );
      const { url } = await board.provider.access.grant('mine', mode, mode, `${mode}-secret`);
      const client = new MongoClient(url);
      clients.push(client);
      const database = client.db(mine.database);
      const records = database.collection<{ _id: string }>('_mag_idempotency');
      const own = database.collection('own');
      const refused = { code: 13 };
      await expect(records.find({}).toArray()).rejects.toMatchObject(refused);
      await expect(records.aggregate([{ $match: {} }]).toArray()).rejects.toMatchObject(refused);
      await expect(records.countDocuments({})).rejects.toMatchObject(refused);
      await expect(database.command({ count: '_mag_idempotency' })).rejects.toMatchObject(refused);
      await expect(records.distinct('_id')).rejects.toMatchObject(refused);
      await expect(records.insertOne({ _id: 'x' })).rejects.toMatchObject(refused);
      await expect(records.updateMany({}, { $set: { expires: 0 } })).rejects.toMatchObject(refused);
      await expect(records.deleteMany({})).rejects.toMatchObject(refused);
      await expect(records.drop()).rejects.toMatchObject(refused);
      await expect(records.indexes()).rejects.toMatchObject(refused);
      await expect(
        own.aggregate([{ $match: {} }, { $out: '_mag_idempotency' }]).toArray(),
      ).rejects.toMatchObject(refused);
      await expect(own.aggregate([{ $merge: '_mag_idempotency' }]).toArray()).rejects.toMatchObject(refused);
      const unioned = [{ $match: { none: 1 } }, { $unionWith: '_mag_idempotency' }];
      expect(await own.aggregate(unioned).toArray()).toEqual([]);
      const names = (await database.listCollections().toArray()).map(({ name }) => name);
      expect(names.filter((name) => name.startsWith('_mag_'))).toEqual([]);
      const known = await engine.transaction?.(
        async ({ idempotency }) => idempotency?.claim({ key: mode, fingerprint: 'f', now: 0, expires: 10 }),
        board.context({ ref: 'mine' }),
      );
      expect(known).toEqual({ fingerprint: 'f', result: 'r' });
    },
  );

  it('kill and see no operation or cursor of another project', async () => {
    const client = await asMine();
    const other = clients[0]?.db(theirs.database);
    await other?.collection('many').insertMany(Array.from({ length: 10 }, (_, n) => ({ n })));
    const reply = await other?.command({ find: 'many', batchSize: 2 });
    const id = reply?.cursor.id;
    await expect(client.db(mine.database).command({ getMore: id, collection: 'many' })).rejects.toMatchObject(
      { code: 43 },
    );
    const killed = await client.db(mine.database).command({ killCursors: 'many', cursors: [id] });
    expect(killed.cursorsKilled).toEqual([]);
    expect((await other?.command({ getMore: id, collection: 'many' }))?.cursor.nextBatch).toHaveLength(8);
  });

  it.each([
    ['another password', () => ({ ...mine, password: 'wrong' })],
    ['the password of another project', () => ({ ...mine, password: theirs.password })],
    ['a user that nobody has', () => ({ ...mine, user: 'nobody' })],
    ['another database', () => ({ ...mine, database: theirs.database })],
  ] as const)('are refused with %s', async (_what, connection) => {
    const { url, database, user, password } = connection();
    const client = new MongoClient(url, { auth: { username: user, password }, authSource: database });
    await expect(client.db(database).command({ find: 'x' })).rejects.toMatchObject({ code: 18 });
    await client.close();
  });

  it('are refused after the project was dropped, and find nothing after it was made again', async () => {
    const gone = await documentClient(board, 'gone');
    await gone.database.collection('kept').insertOne({ a: 1 });
    await board.provider.drop('gone');
    await expect(gone.database.collection('kept').findOne({})).rejects.toThrow();
    await gone.client.close();
    const again = await documentClient(board, 'gone');
    expect(await again.database.collection('kept').countDocuments({})).toBe(0);
    await again.client.close();
  });
});

describe('a credential for tools beside the board', () => {
  const open = async (url: string): Promise<MongoClient> => {
    const client = new MongoClient(url, { serverSelectionTimeoutMS: 3_000 });
    clients.push(client);
    return client;
  };
  const { access } = board.provider;

  it('reads everything of its project and writes nothing, or writes as the project does', async () => {
    const own = (await asMine()).db(mine.database).collection('seen');
    await own.insertOne({ _id: 1 as never });
    const reader = await open((await access.grant('mine', 'one', 'read', 'p1')).url);
    expect(await reader.db().collection('seen').find({}).toArray()).toEqual([{ _id: 1 }]);
    await expect(reader.db().collection('seen').insertOne({ a: 1 })).rejects.toMatchObject({ code: 13 });
    await expect(reader.db().createCollection('made')).rejects.toMatchObject({ code: 13 });
    const writer = await open((await access.grant('mine', 'two', 'write', 'p2')).url);
    await writer
      .db()
      .collection('seen')
      .insertOne({ _id: 2 as never });
    await expect(writer.db(theirs.database).collection('secrets').findOne({})).rejects.toMatchObject({
      code: 13,
    });
    expect(await own.countDocuments({})).toBe(2);
  });

  it('is cut off by a new password and by its end, and goes with its project', async () => {
    const { url } = await access.grant('brief', 'one', 'write', 'first');
    const first = await open(url);
    await first.db().collection('t').insertOne({ a: 1 });
    const second = await open((await access.grant('brief', 'one', 'write', 'second')).url);
    await expect(first.db().collection('t').findOne({})).rejects.toThrow();
    expect(await second.db().collection('t').countDocuments({})).toBe(1);
    await access.revoke('brief', 'one');
    await access.revoke('brief', 'one');
    await expect(second.db().collection('t').findOne({})).rejects.toThrow();
    const third = await open((await access.grant('brief', 'three', 'read', 'third')).url);
    await third.db().command({ ping: 1 });
    await board.provider.drop('brief');
    await expect(third.db().collection('t').findOne({})).rejects.toThrow();
    expect(await board.provider.reclaim(new Set(['mine', 'theirs', 'gone']))).toEqual([]);
  });
});

describe('native commands', () => {
  it('run on the project’s own database, and answer in Extended JSON', async () => {
    const run = async (command: object) =>
      JSON.parse((await engine.native?.(command as never, board.context({ ref: 'mine' }))) ?? '');
    await run({
      insert: 'things',
      documents: [{ _id: { $oid: '65f000000000000000000001' }, at: { $date: '2026-01-01T00:00:00Z' } }],
    });
    expect(await run({ find: 'things', filter: { at: { $gt: { $date: '2025-01-01T00:00:00Z' } } } })).toEqual(
      {
        cursor: {
          firstBatch: [{ _id: { $oid: '65f000000000000000000001' }, at: { $date: '2026-01-01T00:00:00Z' } }],
          id: 0,
        },
        ok: 1,
      },
    );
    expect(await run({ count: 'things' })).toEqual({ n: 1, ok: 1 });
  });

  it('read a cursor to its end', async () => {
    const context = board.context({ ref: 'mine' });
    const many = Array.from({ length: 500 }, (_, n) => ({ n }));
    await engine.native?.({ insert: 'cursors', documents: many }, context);
    const reply = JSON.parse((await engine.native?.({ find: 'cursors', batchSize: 10 }, context)) ?? '');
    expect(reply.cursor.firstBatch).toHaveLength(500);
  });

  it.each([
    [{ nope: 1 }, 'MAG_STATEMENT_FORBIDDEN'],
    [{ dropDatabase: 1 }, 'MAG_STATEMENT_FORBIDDEN'],
    [{ killOp: 1, op: 1 }, 'MAG_STATEMENT_FORBIDDEN'],
    [{ find: 'x', lsid: {} }, 'MAG_STATEMENT_FORBIDDEN'],
    [{ find: 'x', $db: 'admin' }, 'MAG_STATEMENT_FORBIDDEN'],
    [{ find: '_mag_idempotency' }, 'MAG_STATEMENT_FORBIDDEN'],
    [{ aggregate: 'x', pipeline: [{ $out: 'y' }] }, 'MAG_STATEMENT_FORBIDDEN'],
    [{ aggregate: 'x', pipeline: [{ $unionWith: '_mag_idempotency' }] }, 'MAG_STATEMENT_FORBIDDEN'],
    [
      { aggregate: 'x', pipeline: [{ $facet: { a: [{ $unionWith: { coll: '_mag_idempotency' } }] } }] },
      'MAG_STATEMENT_FORBIDDEN',
    ],
    [
      { aggregate: 'x', pipeline: [{ $lookup: { from: '_mag_idempotency', as: 'r', pipeline: [] } }] },
      'MAG_STATEMENT_FORBIDDEN',
    ],
    [['GET', 'k'], 'MAG_BAD_REQUEST'],
    [{}, 'MAG_STATEMENT_FORBIDDEN'],
    [{ find: 'x', filter: { a: { $nope: 1 } } }, '22023'],
    [{ find: 7 }, '22P02'],
  ] as const)('refuse %j with %s', async (command, code) => {
    await expect(engine.native?.(command as never, board.context({ ref: 'mine' }))).rejects.toMatchObject({
      code,
    });
  });
});
