import type { Bag } from '../../support/unified/bag.ts';

/** A test in the unified format, on the entities that every case has: client, database, collection and session. */
export interface UnifiedCase {
  readonly name: string;
  readonly operations: readonly Bag[];
  /** Names of the commands that the client sent, or an object with some of their fields. */
  readonly sends?: readonly (string | Bag)[];
  /** What the collection holds in the end. */
  readonly left?: readonly Bag[];
}

const on = (object: string, name: string, given: Bag = {}, more: Bag = {}): Bag => ({
  ...{ object, name, arguments: given },
  ...more,
});

const insert = (id: number, more: Bag = {}): Bag =>
  on('collection', 'insertOne', { document: { _id: id }, session: 'session' }, more);

const start = on('session', 'startTransaction');
const commit = on('session', 'commitTransaction');
const abort = on('session', 'abortTransaction');

/** Makes the next `times` commands of these names fail. */
const failing = (commands: readonly string[], data: Bag, times = 1): Bag =>
  on('testRunner', 'failPoint', {
    client: 'client',
    failPoint: {
      configureFailPoint: 'failCommand',
      mode: { times },
      data: { failCommands: commands, ...data },
    },
  });

const WRITE_FAILS = (data: Bag | null): Bag =>
  on('testRunner', 'failPoint', {
    client: 'client',
    failPoint: {
      configureFailPoint: 'onPrimaryTransactionalWrite',
      mode: { times: 1 },
      ...(data === null ? {} : { data }),
    },
  });

const fails = (error: Bag): Bag => ({ expectError: error });

/** Transactions: what a client can do when a reply does not come, or says that something was in the way. */
export const TRANSACTION_CASES: readonly UnifiedCase[] = [
  {
    name: 'a commit whose connection broke is sent again, and is done once',
    operations: [start, insert(1), failing(['commitTransaction'], { closeConnection: true }), commit],
    sends: ['insert', 'commitTransaction', 'commitTransaction'],
    left: [{ _id: 1 }],
  },
  ...[10_107, 13_436, 11_602, 189, 91, 6, 89].map((errorCode) => ({
    name: `a commit that failed with ${errorCode} is sent again with the concern of a majority`,
    operations: [start, insert(1), failing(['commitTransaction'], { errorCode }), commit],
    sends: [
      'insert',
      'commitTransaction',
      { commitTransaction: 1, writeConcern: { w: 'majority', wtimeout: 10_000 } },
    ],
    left: [{ _id: 1 }],
  })),
  {
    name: 'a commit whose write concern failed carries the label of an unknown result',
    operations: [
      ...[start, insert(1)],
      failing(['commitTransaction'], { writeConcernError: { code: 64, errmsg: 'timed out' } }),
      { ...commit, ...fails({ errorLabelsContain: ['UnknownTransactionCommitResult'] }) },
      commit,
    ],
    left: [{ _id: 1 }],
  },
  {
    name: 'a commit that cannot be retried fails, and carries no label',
    operations: [
      ...[start, insert(1), failing(['commitTransaction'], { errorCode: 11_601 })],
      { ...commit, ...fails({ errorCodeName: 'Interrupted', errorLabelsOmit: ['RetryableWriteError'] }) },
    ],
    sends: ['insert', 'commitTransaction'],
    left: [],
  },
  {
    name: 'an abort whose connection broke is sent again',
    operations: [start, insert(1), failing(['abortTransaction'], { closeConnection: true }), abort],
    sends: ['insert', 'abortTransaction', 'abortTransaction'],
    left: [],
  },
  {
    name: 'a write in a transaction is not retried, and its error says that the transaction may be',
    operations: [
      ...[start, failing(['insert'], { errorCode: 11_602 })],
      insert(
        1,
        fails({
          errorLabelsContain: ['TransientTransactionError'],
          errorLabelsOmit: ['RetryableWriteError'],
        }),
      ),
      abort,
    ],
    sends: ['insert', 'abortTransaction'],
    left: [],
  },
  {
    name: 'a duplicate key ends the transaction, and is no reason to begin it anew',
    operations: [
      ...[start, insert(1)],
      insert(1, fails({ errorCode: 11_000, errorLabelsOmit: ['TransientTransactionError'] })),
      insert(2, fails({ errorCode: 251, errorLabelsContain: ['TransientTransactionError'] })),
      abort,
    ],
    left: [],
  },
  {
    name: 'withTransaction begins anew after a transient error',
    operations: [
      failing(['commitTransaction'], { errorCode: 251, errorLabels: ['TransientTransactionError'] }),
      on('session', 'withTransaction', { callback: [insert(1)] }),
    ],
    sends: ['insert', 'commitTransaction', 'insert', 'commitTransaction'],
    left: [{ _id: 1 }],
  },
  {
    name: 'the second transaction of a session reads after the first',
    operations: [start, insert(1), commit, start, insert(2), abort],
    sends: [
      { insert: 'test', readConcern: { $$exists: false } },
      'commitTransaction',
      { insert: 'test', readConcern: { afterClusterTime: { $$type: 'timestamp' } } },
      'abortTransaction',
    ],
    left: [{ _id: 1 }],
  },
  {
    name: 'a write concern within a transaction is refused',
    operations: [
      start,
      on(
        'database',
        'runCommand',
        {
          session: 'session',
          command: { insert: 'test', documents: [{ _id: 1 }], writeConcern: { w: 1 } },
          commandName: 'insert',
        },
        fails({ errorCode: 72 }),
      ),
      abort,
    ],
  },
];

const command = (given: Bag, more: Bag): Bag =>
  on('database', 'runCommand', { command: given, commandName: Object.keys(given)[0] ?? '' }, more);

/** Retried commands, bulk writes over several collections and the errors of what does not exist here. */
export const COMMAND_CASES: readonly UnifiedCase[] = [
  {
    name: 'a write whose reply was lost has one effect',
    operations: [
      on('collection', 'insertOne', { document: { _id: 1, n: 0 } }),
      WRITE_FAILS(null),
      on('collection', 'updateOne', { filter: { _id: 1 }, update: { $inc: { n: 1 } } }),
    ],
    sends: ['insert', 'update', 'update'],
    left: [{ _id: 1, n: 1 }],
  },
  {
    name: 'a write that was cut off before its commit is done by its retry',
    operations: [
      WRITE_FAILS({ failBeforeCommitExceptionCode: 1 }),
      on('collection', 'insertMany', { documents: [{ _id: 1 }, { _id: 2 }] }),
    ],
    sends: ['insert', 'insert'],
    left: [{ _id: 1 }, { _id: 2 }],
  },
  {
    name: 'a write that failed for now carries the label that it may be retried',
    operations: [
      failing(['insert'], { errorCode: 91 }, 2),
      on(
        'collection',
        'insertOne',
        { document: { _id: 1 } },
        fails({ errorLabelsContain: ['RetryableWriteError'] }),
      ),
    ],
    sends: ['insert', 'insert'],
    left: [],
  },
  {
    name: 'a read is retried once',
    operations: [
      failing(['find'], { closeConnection: true }),
      on('collection', 'find', { filter: {} }, { expectResult: [] }),
    ],
    sends: ['find', 'find'],
  },
  {
    name: 'bulkWrite on the client writes to several collections with one command',
    operations: [
      on(
        'client',
        'clientBulkWrite',
        {
          verboseResults: true,
          models: [
            { insertOne: { namespace: 'specification.test', document: { _id: 1, x: 1 } } },
            { insertOne: { namespace: 'specification.other', document: { _id: 1 } } },
            { updateMany: { namespace: 'specification.test', filter: {}, update: { $inc: { x: 1 } } } },
            {
              replaceOne: {
                namespace: 'specification.test',
                filter: { _id: 7 },
                replacement: { y: 1 },
                upsert: true,
              },
            },
            { deleteOne: { namespace: 'specification.other', filter: {} } },
          ],
        },
        {
          expectResult: {
            ...{ insertedCount: 2, upsertedCount: 1, matchedCount: 1, modifiedCount: 1, deletedCount: 1 },
            insertResults: { 0: { insertedId: 1 }, 1: { insertedId: 1 } },
            updateResults: {
              2: { matchedCount: 1, modifiedCount: 1 },
              3: { matchedCount: 1, modifiedCount: 0, upsertedId: 7 },
            },
            deleteResults: { 4: { deletedCount: 1 } },
          },
        },
      ),
    ],
    sends: [{ bulkWrite: 1, nsInfo: [{ ns: 'specification.test' }, { ns: 'specification.other' }] }],
    left: [
      { _id: 1, x: 2 },
      { _id: 7, y: 1 },
    ],
  },
  {
    name: 'bulkWrite on the client goes on after an error where its order does not matter',
    operations: [
      on(
        'client',
        'clientBulkWrite',
        {
          ordered: false,
          models: [
            { insertOne: { namespace: 'specification.test', document: { _id: 1 } } },
            { insertOne: { namespace: 'specification.test', document: { _id: 1 } } },
            { insertOne: { namespace: 'specification.test', document: { _id: 2 } } },
          ],
        },
        fails({ writeErrors: { 1: { code: 11_000 } }, expectResult: { insertedCount: 2 } }),
      ),
    ],
    left: [{ _id: 1 }, { _id: 2 }],
  },
  {
    name: 'bulkWrite on the client is told what befell its write concern',
    operations: [
      failing(['bulkWrite'], { writeConcernError: { code: 64, errmsg: 'timed out' } }),
      on(
        'client',
        'clientBulkWrite',
        {
          verboseResults: true,
          models: [{ insertOne: { namespace: 'specification.test', document: { _id: 1 } } }],
        },
        fails({ writeConcernErrors: [{ code: 64, message: 'timed out' }] }),
      ),
    ],
    left: [{ _id: 1 }],
  },
  {
    name: 'a variable that nobody declared is an error, and not nothing',
    operations: [
      on(
        'collection',
        'find',
        { filter: { $expr: { $eq: ['$_id', '$$id'] } } },
        fails({ errorCode: 17_276 }),
      ),
      on(
        'collection',
        'find',
        { filter: { $expr: { $eq: ['$_id', '$$id'] } }, let: { id: 1 } },
        { expectResult: [] },
      ),
    ],
  },
  {
    name: 'a hint that names no index is an error',
    operations: [
      on('collection', 'insertOne', { document: { _id: 1 } }),
      on('collection', 'find', { filter: {}, hint: 'nope_1' }, fails({ errorCode: 2 })),
      on(
        'collection',
        'updateOne',
        { filter: {}, update: { $set: { x: 1 } }, hint: 'nope_1' },
        fails({ errorCode: 2 }),
      ),
      on('collection', 'find', { filter: {}, hint: '_id_' }, { expectResult: [{ _id: 1 }] }),
    ],
  },
  {
    name: 'concerns that mean nothing are refused by name',
    operations: [
      command({ find: 'test', readConcern: { level: 'nope' } }, fails({ errorCodeName: 'FailedToParse' })),
      command(
        { find: 'test', readConcern: { level: 'snapshot' } },
        fails({ errorCodeName: 'InvalidOptions' }),
      ),
      command(
        { insert: 'test', documents: [{ _id: 1 }], writeConcern: { w: 'nowhere' } },
        fails({ errorCodeName: 'UnknownReplWriteConcern' }),
      ),
    ],
    left: [],
  },
  {
    name: 'sessions are listed to whom they belong',
    operations: [
      on(
        'database',
        'aggregate',
        {
          pipeline: [
            { $listLocalSessions: {} },
            { $limit: 1 },
            { $project: { _id: 0, there: { $literal: 1 } } },
          ],
        },
        { expectResult: [{ there: 1 }] },
      ),
    ],
  },
];
