import type {
  Abortable,
  AnyBulkWriteOperation,
  AnyClientBulkWriteModel,
  Collection,
  Db,
  Document,
  MongoClient,
} from 'mongodb';
import { type Bag, bag, bags, Unsupported } from './bag.ts';
import { driverOptions, type Entities } from './entities.ts';

/** What an operation works on, and its arguments: options as the driver takes them, its session among them. */
export interface Call {
  readonly entities: Entities;
  readonly object: string;
  readonly given: Bag;
  readonly options: Document;
}

export type Operation = (call: Call) => Promise<unknown>;

const collection = ({ entities, object }: Call): Collection<Document> => entities.collection(object);
const database = ({ entities, object }: Call): Db => entities.database(object);
const client = ({ entities, object }: Call): MongoClient => entities.observed(object).client;
const filter = ({ given }: Call): Document => bag(given['filter']);

/** A call's options without the arguments that have a place of their own. */
function without({ options }: Call, ...names: readonly string[]): Document {
  return Object.fromEntries(Object.entries(options).filter(([name]) => !names.includes(name)));
}

const returning = (call: Call, ...names: readonly string[]): Document => {
  const { returnDocument, ...others } = without(call, ...names);
  return returnDocument === undefined
    ? others
    : { ...others, returnDocument: String(returnDocument).toLowerCase() };
};

/** The models of a bulk write: their arguments are the driver's own. */
const models = (given: Bag, name: string): AnyBulkWriteOperation<Document>[] =>
  bags(given[name]) as unknown as AnyBulkWriteOperation<Document>[]; // as the file has them

const clientModels = (given: Bag): AnyClientBulkWriteModel<Document>[] =>
  bags(given['models']).map((model) => {
    const [name = ''] = Object.keys(model);
    return { name, ...bag(model[name]) } as unknown as AnyClientBulkWriteModel<Document>; // as the file has them
  });

/** The driver's maps, as documents; it tells also whether an update was an upsert, which no specification asks. */
const fromMap = (value: unknown): unknown => {
  if (!(value instanceof Map)) return value;
  return Object.fromEntries(
    [...value].map(([key, each]) => {
      const { didUpsert: _, ...others } = bag(each);
      return [String(key), others];
    }),
  );
};

export function clientResult(result: object): Document {
  return Object.fromEntries(Object.entries(result).map(([name, value]) => [name, fromMap(value)]));
}

async function clientBulkWrite(call: Call): Promise<unknown> {
  const result = await client(call).bulkWrite(clientModels(call.given), without(call, 'models'));
  const shown = clientResult(result);
  if (result.acknowledged) return { ...shown };
  return { acknowledged: false };
}

const COLLECTION: Readonly<Record<string, Operation>> = {
  aggregate: (call) =>
    collection(call)
      .aggregate(bags(call.given['pipeline']) as Document[], without(call, 'pipeline'))
      .toArray(),
  bulkWrite: (call) => collection(call).bulkWrite(models(call.given, 'requests'), without(call, 'requests')),
  count: (call) => collection(call).count(filter(call), without(call, 'filter')),
  countDocuments: (call) => collection(call).countDocuments(filter(call), without(call, 'filter')),
  createIndex: (call) =>
    collection(call).createIndex(bag(call.given['keys']) as never, without(call, 'keys')), // an index's keys
  deleteMany: (call) => collection(call).deleteMany(filter(call), without(call, 'filter')),
  deleteOne: (call) => collection(call).deleteOne(filter(call), without(call, 'filter')),
  distinct: (call) =>
    collection(call).distinct(
      String(call.given['fieldName']),
      filter(call),
      without(call, 'fieldName', 'filter'),
    ),
  drop: (call) => collection(call).drop(call.options),
  dropIndex: (call) => collection(call).dropIndex(String(call.given['name']), without(call, 'name')),
  dropIndexes: (call) => collection(call).dropIndexes(call.options),
  estimatedDocumentCount: (call) => collection(call).estimatedDocumentCount(call.options),
  find: (call) =>
    collection(call)
      .find(filter(call), without(call, 'filter') as Abortable)
      .toArray(),
  findOne: (call) => collection(call).findOne(filter(call), without(call, 'filter') as Abortable),
  findOneAndDelete: (call) => collection(call).findOneAndDelete(filter(call), without(call, 'filter')),
  findOneAndReplace: (call) =>
    collection(call).findOneAndReplace(
      filter(call),
      bag(call.given['replacement']),
      returning(call, 'filter', 'replacement'),
    ),
  findOneAndUpdate: (call) =>
    collection(call).findOneAndUpdate(
      filter(call),
      call.given['update'] as Document, // modifiers, or a pipeline
      returning(call, 'filter', 'update'),
    ),
  insertMany: (call) =>
    collection(call).insertMany(bags(call.given['documents']) as Document[], without(call, 'documents')),
  insertOne: (call) => collection(call).insertOne(bag(call.given['document']), without(call, 'document')),
  listIndexes: (call) => collection(call).listIndexes(call.options).toArray(),
  listIndexNames: async (call) =>
    (await collection(call).listIndexes(call.options).toArray()).map(({ name }) => name),
  rename: (call) => collection(call).rename(String(call.given['to']), without(call, 'to')),
  replaceOne: (call) =>
    collection(call).replaceOne(
      filter(call),
      bag(call.given['replacement']),
      without(call, 'filter', 'replacement'),
    ),
  updateMany: (call) =>
    collection(call).updateMany(
      filter(call),
      call.given['update'] as Document, // modifiers, or a pipeline
      without(call, 'filter', 'update'),
    ),
  updateOne: (call) =>
    collection(call).updateOne(
      filter(call),
      call.given['update'] as Document, // modifiers, or a pipeline
      without(call, 'filter', 'update'),
    ),
  createFindCursor: async (call) => {
    const cursor = collection(call).find(filter(call), without(call, 'filter') as Abortable);
    await cursor.hasNext();
    return cursor;
  },
  createChangeStream: async (call) => {
    const stream = collection(call).watch(
      bags(call.given['pipeline']) as Document[],
      without(call, 'pipeline'),
    );
    await stream.tryNext();
    return stream;
  },
};

const DATABASE: Readonly<Record<string, Operation>> = {
  aggregate: (call) =>
    database(call)
      .aggregate(bags(call.given['pipeline']) as Document[], without(call, 'pipeline'))
      .toArray(),
  createCollection: async (call) => {
    await database(call).createCollection(String(call.given['collection']), without(call, 'collection'));
  },
  dropCollection: (call) =>
    database(call).dropCollection(String(call.given['collection']), without(call, 'collection')),
  listCollections: (call) => database(call).listCollections(filter(call), without(call, 'filter')).toArray(),
  listCollectionObjects: (call) =>
    database(call).listCollections(filter(call), without(call, 'filter')).toArray(),
  listCollectionNames: (call) =>
    database(call)
      .listCollections(filter(call), { ...without(call, 'filter'), nameOnly: true })
      .toArray(),
  modifyCollection: (call) => {
    const { collection: name, ...options } = without(call, 'session');
    const { session } = call.options;
    return database(call).command({ collMod: name, ...options }, session === undefined ? {} : { session });
  },
  runCommand: (call) =>
    database(call).command(bag(call.given['command']), without(call, 'command', 'commandName')),
  runCursorCommand: (call) => cursorOf(call).toArray(),
  createCommandCursor: async (call) => {
    const cursor = cursorOf(call);
    await cursor.hasNext();
    return cursor;
  },
  createChangeStream: async (call) => {
    const stream = database(call).watch(
      bags(call.given['pipeline']) as Document[],
      without(call, 'pipeline'),
    );
    await stream.tryNext();
    return stream;
  },
};

function cursorOf(call: Call): ReturnType<Db['runCursorCommand']> {
  const { given } = call;
  const own = ['command', 'commandName', 'batchSize', 'maxTimeMS', 'comment', 'cursorType', 'timeoutMode'];
  const cursor = database(call).runCursorCommand(bag(given['command']), without(call, ...own));
  if (given['batchSize'] !== undefined) cursor.setBatchSize(Number(given['batchSize']));
  if (given['maxTimeMS'] !== undefined) cursor.setMaxTimeMS(Number(given['maxTimeMS']));
  if (given['comment'] !== undefined) cursor.setComment(given['comment']);
  return cursor;
}

const CLIENT: Readonly<Record<string, Operation>> = {
  clientBulkWrite,
  listDatabases: async (call) => (await client(call).db().admin().listDatabases(call.options)).databases,
  listDatabaseNames: (call) =>
    client(call)
      .db()
      .admin()
      .listDatabases({ ...call.options, nameOnly: true }),
  listDatabaseObjects: (call) => client(call).db().admin().listDatabases(call.options),
  close: (call) => client(call).close(),
  createChangeStream: async (call) => {
    const stream = client(call).watch(bags(call.given['pipeline']) as Document[], without(call, 'pipeline'));
    await stream.tryNext();
    return stream;
  },
};

const SESSION: Readonly<Record<string, Operation>> = {
  startTransaction: async ({ entities, object, given }) =>
    entities.session(object).startTransaction(driverOptions(given)),
  commitTransaction: ({ entities, object, options }) => entities.session(object).commitTransaction(options),
  abortTransaction: ({ entities, object, options }) => entities.session(object).abortTransaction(options),
  endSession: ({ entities, object }) => entities.session(object).endSession(),
  getSnapshotTime: async ({ entities, object }) =>
    Reflect.get(entities.session(object), 'snapshotTime') as unknown,
};

interface Closing {
  readonly close: () => Promise<void>;
  readonly next: () => Promise<unknown>;
  readonly tryNext: () => Promise<unknown>;
}

const cursor = ({ entities, object }: Call): Closing => entities.value(object) as Closing; // saved by an operation above

const CURSOR: Readonly<Record<string, Operation>> = {
  close: (call) => cursor(call).close(),
  iterateUntilDocumentOrError: (call) => cursor(call).next(),
  iterateOnce: (call) => cursor(call).tryNext(),
};

/** The operation of an entity, found by what the entity is. Throws Unsupported. */
export function operationOf(entities: Entities, object: string, name: string): Operation {
  const thing = entities.value(object);
  const kind = thing === null || typeof thing !== 'object' ? '' : thing.constructor.name;
  const tables: Readonly<Record<string, Readonly<Record<string, Operation>>>> = {
    Collection: COLLECTION,
    Db: DATABASE,
    MongoClient: CLIENT,
    ClientSession: SESSION,
    FindCursor: CURSOR,
    RunCommandCursor: CURSOR,
    ChangeStream: CURSOR,
  };
  const found = tables[kind]?.[name];
  if (found === undefined) throw new Unsupported(`the operation ${name} of ${kind || 'nothing'}`);
  return found;
}
