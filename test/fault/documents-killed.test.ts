import type { MongoClient } from 'mongodb';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DocumentBoard } from '../support/document-board.ts';
import { documentClient } from '../support/document-client.ts';

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

describe('the document server killed under load', () => {
  const board = new DocumentBoard();
  afterAll(() => board.close());

  it('loses no acknowledged write, and has every transaction whole or not at all', async () => {
    const writers = await Promise.all(
      [1, 2, 3].map(() =>
        documentClient(board, 'load', { retryWrites: false, serverSelectionTimeoutMS: 5_000 }),
      ),
    );
    const acknowledged: string[] = [];
    let over = false;
    const singles = writers.map(async ({ database }, writer) => {
      for (let n = 0; !over; n += 1) {
        const _id = `${writer}-${n}`;
        await database
          .collection('singles')
          .insertOne({ _id: _id as never })
          .then(
            () => acknowledged.push(_id),
            () => pause(5), // Whether it is there is open.
          );
      }
    });
    const pairs = writers.map(async ({ client, database }, writer) => {
      for (let n = 0; !over; n += 1) {
        const session = client.startSession();
        const pair = ['a', 'b'].map((side) => ({ _id: `${writer}-${n}-${side}` as never }));
        try {
          session.startTransaction();
          for (const document of pair) await database.collection('pairs').insertOne(document, { session });
          await session.commitTransaction();
          acknowledged.push(`${writer}-${n}-a`, `${writer}-${n}-b`);
        } catch {
          await pause(5); // As above.
        } finally {
          await session.endSession().catch(() => {});
        }
      }
    });
    /** Each life of the server acknowledges some, however slow the machine is. */
    const some = async (): Promise<void> => {
      const before = acknowledged.length;
      while (acknowledged.length < before + 10) await pause(5);
    };
    for (let kills = 0; kills < 2; kills += 1) {
      await some();
      await board.restart();
    }
    await some();
    over = true;
    await Promise.all([...singles, ...pairs]);
    const { client, database } = await documentClient(board, 'load');
    const keys = async (name: string) =>
      (await database.collection(name).find({}).toArray()).map(({ _id }) => String(_id));
    const [single, paired] = [await keys('singles'), await keys('pairs')];
    const there = new Set([...single, ...paired]);
    expect(acknowledged.filter((key) => !there.has(key))).toEqual([]);
    expect(paired.filter((key) => !there.has(`${key.slice(0, -1)}${key.endsWith('a') ? 'b' : 'a'}`))).toEqual(
      [],
    );
    for (const writer of [...writers, { client }]) await writer.client.close();
  });

  it('an engine whose server was killed answers again by itself', async () => {
    const engine = await board.engine('load');
    const context = () => board.context({ ref: 'load' });
    const query = {
      kind: 'select',
      schema: 'public',
      table: 'singles',
      select: [{ kind: 'all' }],
      order: [],
      limit: 1,
    } as const;
    await engine.execute(query, context());
    await board.restart();
    let failures = 0;
    for (let tries = 0; tries < 50; tries += 1) {
      try {
        expect((await engine.execute(query, context())).rowCount).toBe(1);
        break;
      } catch (error) {
        expect(error).toMatchObject({ status: 503 });
        failures += 1;
        await pause(50);
      }
    }
    expect(failures).toBeLessThan(50);
  });
});

describe('the document server killed while a project is made or dropped', () => {
  const board = new DocumentBoard();
  beforeAll(async () => {
    await board.connection('kept');
  });
  afterAll(() => board.close());

  it.each([0, 1, 2, 4, 8])('finishes making it when asked again (killed after %d ms)', async (ms) => {
    const ref = `made${ms}`;
    const first = board.provider.provision(ref).catch((error: unknown) => error);
    await pause(ms);
    await board.restart();
    await first;
    const { client, database } = await documentClient(board, ref);
    await database.collection('t').insertOne({ a: 1 });
    expect(await database.collection('t').countDocuments({})).toBe(1);
    await client.close();
  });

  it.each([0, 1, 2, 4])('finishes dropping it when asked again (killed after %d ms)', async (ms) => {
    const ref = `dropped${ms}`;
    await board.connection(ref);
    const first = board.provider.drop(ref).catch((error: unknown) => error);
    await pause(ms);
    await board.restart();
    await first;
    await board.provider.drop(ref);
    const live = new Set(['kept', ...[0, 1, 2, 4, 8].map((each) => `made${each}`)]);
    expect(await board.provider.reclaim(live)).toEqual([]);
  });

  it('removes what no project owns, and nothing else', async () => {
    await board.connection('orphan');
    const names = await board.provider.reclaim(
      new Set(['kept', ...[0, 1, 2, 4, 8].map((each) => `made${each}`)]),
    );
    expect(names).toHaveLength(1);
    expect(names[0]).toMatch(/_orphan$/);
    const { client, database } = await documentClient(board, 'kept');
    await database.command({ ping: 1 });
    await client.close();
  });
});

describe('a command that takes long', () => {
  const board = new DocumentBoard(3_000);
  let client: MongoClient;
  let database: ReturnType<MongoClient['db']>;
  beforeAll(async () => {
    ({ client, database } = await documentClient(board, 'slow'));
    const rows = Array.from({ length: 20_000 }, (_, n) => ({ n, text: `row ${n} `.repeat(10) }));
    // In one command they take a slow machine longer than the server may be silent.
    for (let from = 0; from < rows.length; from += 500)
      await database.collection('many').insertMany(rows.slice(from, from + 500));
  });
  afterAll(async () => {
    await client.close();
    await board.close();
  });

  /** A scan with a costly filter, in slices. */
  const slow = { text: { $regex: '(?:.*o){6}w$' } };

  it('ends at its maxTimeMS', async () => {
    await expect(database.collection('many').find(slow).maxTimeMS(20).toArray()).rejects.toMatchObject({
      code: 50,
    });
  });

  it('ends when its client goes away, and lets others have their turn meanwhile', async () => {
    const admin = await documentClient(board, 'slow');
    const running = database
      .collection('many')
      .find(slow, { comment: 'slow' })
      .toArray()
      .catch((error: unknown) => error);
    await pause(20);
    const inprog = async () =>
      (await admin.client.db('admin').command({ currentOp: 1 })).inprog as { opid: number }[];
    expect((await inprog()).length).toBe(1);
    await client.close(true);
    await running;
    for (let tries = 0; (await inprog()).length > 0 && tries < 100; tries += 1) await pause(5);
    expect(await inprog()).toEqual([]);
    await admin.client.close();
    ({ client, database } = await documentClient(board, 'slow'));
  });

  it('ends by killOp', async () => {
    const running = database.collection('many').find(slow).toArray();
    const ended = expect(running).rejects.toMatchObject({ code: 11_601 });
    const other = await documentClient(board, 'slow');
    for (;;) {
      const { inprog } = await other.client.db('admin').command({ currentOp: 1 });
      if (inprog.length === 0) await pause(1);
      else {
        await other.client.db('admin').command({ killOp: 1, op: inprog[0].opid });
        break;
      }
    }
    await ended;
    await other.client.close();
  });

  it('is cancelled at the server when the engine’s deadline passes, or its client leaves', async () => {
    const engine = await board.engine('slow');
    const query = {
      kind: 'select',
      schema: 'public',
      table: 'many',
      select: [{ kind: 'all' }],
      where: {
        kind: 'compare',
        column: { name: 'text' },
        op: 'match',
        value: '(?:.*o){6}w$',
        negated: false,
      },
      order: [],
    } as const;
    await expect(engine.execute(query, board.context({ ref: 'slow', ms: 50 }))).rejects.toMatchObject({
      code: '57014',
      status: 504,
    });
    const leaver = new AbortController();
    const running = engine.execute(query, board.context({ ref: 'slow', signal: leaver.signal }));
    const ended = expect(running).rejects.toMatchObject({ code: '57014' });
    await pause(30);
    leaver.abort();
    await ended;
    const inprog = async () => (await client.db('admin').command({ currentOp: 1 })).inprog as unknown[];
    for (let tries = 0; (await inprog()).length > 0 && tries < 200; tries += 1) await pause(5);
    expect(await inprog()).toEqual([]);
  });

  it('that stands still takes the process with it, whose next life has everything', async () => {
    process.kill(board.server.pid ?? 0, 'SIGSTOP');
    expect(await board.server.exited).toContain('was killed');
    await board.restart();
    await client.close(true);
    ({ client, database } = await documentClient(board, 'slow'));
    expect(await database.collection('many').countDocuments({})).toBe(20_000);
  });
});

describe('what never ends', () => {
  const board = new DocumentBoard();
  let client: MongoClient;
  let rows: ReturnType<ReturnType<MongoClient['db']>['collection']>;
  beforeAll(async () => {
    let database: ReturnType<MongoClient['db']>;
    ({ client, database } = await documentClient(board, 'endless'));
    rows = database.collection('rows');
    await rows.insertOne({ text: `${'a'.repeat(60)}!` });
  });
  afterAll(async () => {
    await client.close();
    await board.close();
  });

  const turns = { $range: [0, 5_000] };
  const inTurn = (within: unknown) => ({ $reduce: { input: turns, initialValue: 0, in: within } });
  const endless = inTurn(inTurn(inTurn('$$value')));

  it.each([
    ['a pattern', () => rows.findOne({ text: { $regex: '^(?:a+)+$' } })],
    [
      'a pattern of an update',
      // The driver's types know no operator within $pull.
      () => rows.updateOne({}, { $pull: { list: { $regex: '^(a|aa)+$' } } as never }),
    ],
    ['an expression of a filter', () => rows.countDocuments({ $expr: endless })],
    ['an expression of a projection', () => rows.findOne({}, { projection: { a: endless } })],
    ['an expression of an update', () => rows.updateOne({}, [{ $set: { a: endless } }])],
    ['a pipeline', () => rows.aggregate([{ $group: { _id: null } }, { $set: { a: endless } }]).toArray()],
  ])('ends alone: %s', async (_what, command) => {
    const { pid } = board.server;
    await rows.updateOne({}, { $set: { list: [`${'a'.repeat(60)}!`] } });
    await expect(command()).rejects.toMatchObject({ code: 50 });
    expect(board.server.pid).toBe(pid);
    expect(await rows.estimatedDocumentCount()).toBe(1);
  });

  it.each([-1, 0, 1.5, 'x', null])('is no sample: %j', async (size) => {
    await expect(rows.aggregate([{ $sample: { size } }]).toArray()).rejects.toMatchObject({ code: 2 });
  });
});
