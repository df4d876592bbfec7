import { Binary, type Document, MongoClient, MongoServerError } from 'mongodb';
import { type Bag, bag, bags, list, Mismatch, require, Unsupported } from './bag.ts';
import { driverOptions, Entities, type Target } from './entities.ts';
import { expectError } from './errors.ts';
import { expectEvents } from './events.ts';
import { match } from './matching.ts';
import { inDatabase } from './one-database.ts';
import { operationOf } from './operations.ts';
import { type Server, unmet } from './requirements.ts';

/** How a test went. `why` says what failed, or what it was passed over for. */
export interface Outcome {
  readonly name: string;
  readonly status: 'passed' | 'failed' | 'skipped';
  readonly why: string;
}

/** Runs tests of the unified test format with the official driver. */
export class UnifiedRunner {
  readonly #target: Target;
  readonly #internal: MongoClient;
  #server: Server | null = null;

  constructor(target: Target) {
    this.#target = target;
    this.#internal = new MongoClient(target.url, target.options);
  }

  close(): Promise<void> {
    return this.#internal.close();
  }

  /** Every test of one file, in its order. */
  async run(given: Bag): Promise<readonly Outcome[]> {
    const outcomes: Outcome[] = [];
    let file = given;
    for (const [index, each] of bags(given['tests']).entries()) {
      let test = each;
      const name = String(test['description']);
      try {
        const { database } = this.#target;
        if (database !== undefined) {
          file = inDatabase(given, database);
          test = bags(file['tests'])[index] ?? test;
        }
        const why = await this.#passedOver(file, test);
        if (why === null) await this.#test(file, test);
        outcomes.push({ name, status: why === null ? 'passed' : 'skipped', why: why ?? '' });
      } catch (error) {
        const status = error instanceof Unsupported ? 'skipped' : 'failed';
        outcomes.push({
          name,
          status,
          why: error instanceof Error ? `${error.name}: ${error.message}` : String(error),
        });
      }
    }
    return outcomes;
  }

  async #passedOver(file: Bag, test: Bag): Promise<string | null> {
    if (typeof test['skipReason'] === 'string') return `the file says: ${test['skipReason']}`;
    const server = await this.#describe();
    return unmet(file['runOnRequirements'], server) ?? unmet(test['runOnRequirements'], server);
  }

  async #describe(): Promise<Server> {
    if (this.#server !== null) return this.#server;
    const admin = this.#internal.db('admin');
    const { version } = await admin.command({ buildInfo: 1 });
    const { setName } = await admin.command({ hello: 1 });
    this.#server = { version: String(version), topology: setName === undefined ? 'single' : 'replicaset' };
    return this.#server;
  }

  async #test(file: Bag, test: Bag): Promise<void> {
    const entities = new Entities(this.#target);
    const run = new Run(entities, this.#internal);
    try {
      await this.#prepare(file);
      await entities.create(file['createEntities']);
      for (const operation of bags(test['operations'])) await run.operate(operation);
      expectEvents(test['expectEvents'], entities);
      await this.#requireOutcome(test['outcome'], entities);
    } finally {
      await run.end();
    }
  }

  /** The collections of a test, as it wants to find them. */
  async #prepare(file: Bag): Promise<void> {
    for (const { databaseName, collectionName, documents } of bags(file['initialData'])) {
      const database = this.#internal.db(String(databaseName));
      await database.collection(String(collectionName)).drop();
      if (list(documents).length === 0) await database.createCollection(String(collectionName));
      else await database.collection(String(collectionName)).insertMany(bags(documents) as Document[]); // a copy each: the file's stay
    }
  }

  async #requireOutcome(outcome: unknown, entities: Entities): Promise<void> {
    for (const { databaseName, collectionName, documents } of bags(outcome)) {
      const found = await this.#internal
        .db(String(databaseName))
        .collection(String(collectionName))
        .find({}, { sort: { _id: 1 } })
        .toArray();
      match(documents, found, entities, String(collectionName), false);
    }
  }
}

/** One test's operations. */
class Run {
  readonly #entities: Entities;
  readonly #internal: MongoClient;
  readonly #failPoints = new Set<string>();

  constructor(entities: Entities, internal: MongoClient) {
    this.#entities = entities;
    this.#internal = internal;
  }

  async operate(operation: Bag, inCallback = false): Promise<void> {
    const {
      name,
      object,
      arguments: given,
      expectError: wantedError,
      expectResult,
      saveResultAsEntity,
    } = operation;
    if (object === 'testRunner') {
      await this.#direct(String(name), bag(given));
      return;
    }
    let result: unknown;
    try {
      result = await this.#call(String(name), String(object), bag(given));
    } catch (error) {
      const isOurs = error instanceof Mismatch || error instanceof Unsupported;
      if (isOurs || (wantedError === undefined && operation['ignoreResultAndError'] !== true)) throw error;
      if (wantedError !== undefined) expectError(bag(wantedError), error, this.#entities);
      // What calls it must know of it, too: it then ends the transaction, or begins it anew.
      if (inCallback) throw error;
      return;
    }
    require(wantedError === undefined, `${String(name)} was to fail, and did not`);
    if (Object.hasOwn(operation, 'expectResult')) match(expectResult, result, this.#entities);
    if (saveResultAsEntity !== undefined) this.#entities.set(String(saveResultAsEntity), result);
  }

  #call(name: string, object: string, given: Bag): Promise<unknown> {
    const entities = this.#entities;
    const { session, ...others } = given;
    const options = driverOptions(others);
    if (session !== undefined) options['session'] = entities.session(String(session));
    if (name === 'withTransaction') return this.#withTransaction(object, others);
    return operationOf(entities, object, name)({ entities, object, given, options });
  }

  async #withTransaction(object: string, { callback, ...options }: Bag): Promise<void> {
    await this.#entities.session(object).withTransaction(async () => {
      for (const operation of bags(callback)) await this.operate(operation, true);
    }, driverOptions(options));
  }

  /** What the runner itself is told to do. */
  async #direct(name: string, given: Bag): Promise<void> {
    const special = SPECIAL[name];
    if (special !== undefined) await special(this.#entities, given, this.#internal);
    else if (name === 'failPoint') await this.#failPoint(bag(given['failPoint']), String(given['client']));
    else throw new Unsupported(`the runner’s operation ${name}`);
  }

  async #failPoint(point: Bag, client: string): Promise<void> {
    try {
      await this.#entities
        .observed(client)
        .client.db('admin')
        .command({ ...point });
    } catch (error) {
      if (error instanceof MongoServerError && [13, 59].includes(Number(error.code)))
        throw new Unsupported('fail points, which the server has not');
      throw error;
    }
    this.#failPoints.add(String(point['configureFailPoint']));
  }

  async end(): Promise<void> {
    for (const configureFailPoint of this.#failPoints)
      await this.#internal.db('admin').command({ configureFailPoint, mode: 'off' });
    await this.#entities.close();
  }
}

type Special = (entities: Entities, given: Bag, internal: MongoClient) => Promise<void>;

/** Ids of the sessions of a client's last two commands. */
function lastSessions(entities: Entities, client: unknown): readonly string[] {
  const started = entities
    .observed(String(client))
    .commands.filter(({ kind }) => kind === 'commandStartedEvent');
  return started.slice(-2).map(({ command }) => {
    const { id } = bag(bag(command)['lsid']);
    return id instanceof Binary ? Buffer.from(id.value()).toString('hex') : '';
  });
}

const SPECIAL: Readonly<Record<string, Special>> = {
  createEntities: (entities, given) => entities.create(given['entities']),
  assertCollectionExists: (_entities, given, internal) => collectionExists(internal, given, true),
  assertCollectionNotExists: (_entities, given, internal) => collectionExists(internal, given, false),
  assertIndexExists: (_entities, given, internal) => indexExists(internal, given, true),
  assertIndexNotExists: (_entities, given, internal) => indexExists(internal, given, false),
  assertSessionTransactionState: async (entities, given) => {
    const { state } = Reflect.get(entities.session(String(given['session'])), 'transaction') as {
      state: string;
    }; // the driver's own, not declared
    const wanted: Readonly<Record<string, string>> = {
      none: 'NO_TRANSACTION',
      starting: 'STARTING_TRANSACTION',
      in_progress: 'TRANSACTION_IN_PROGRESS',
      committed: 'TRANSACTION_COMMITTED',
      aborted: 'TRANSACTION_ABORTED',
    };
    require(state === wanted[String(given['state'])], `the transaction is ${state}`);
  },
  assertSessionPinned: async (entities, given) =>
    require(entities.session(String(given['session'])).isPinned, 'the session is not pinned'),
  assertSessionUnpinned: async (entities, given) =>
    require(!entities.session(String(given['session'])).isPinned, 'the session is pinned'),
  assertSessionDirty: async (entities, given) =>
    require(entities.session(String(given['session'])).serverSession.isDirty, 'the session is not dirty'),
  assertSessionNotDirty: async (entities, given) =>
    require(!entities.session(String(given['session'])).serverSession.isDirty, 'the session is dirty'),
  assertSameLsidOnLastTwoCommands: async (entities, given) => {
    const [one, other] = lastSessions(entities, given['client']);
    require(one !== undefined && one === other, 'the last two commands have different sessions');
  },
  assertDifferentLsidOnLastTwoCommands: async (entities, given) => {
    const [one, other] = lastSessions(entities, given['client']);
    require(one !== undefined && one !== other, 'the last two commands have the same session');
  },
  assertNumberConnectionsCheckedOut: async (entities, given) => {
    const { checkedOut } = entities.observed(String(given['client']));
    require(checkedOut === Number(given['connections']), `${checkedOut} connections are checked out`);
  },
  waitForEvent: async (entities, given) => {
    const { commands, pools } = entities.observed(String(given['client']));
    const [name = ''] = Object.keys(bag(given['event']));
    const seen = [...pools.map((each) => each.name), ...commands.map(({ kind }) => kind)].filter(
      (each) => each === name,
    ).length;
    if (seen < Number(given['count'])) throw new Unsupported(`waiting for ${name}`);
  },
};

async function collectionExists(internal: MongoClient, given: Bag, wanted: boolean): Promise<void> {
  const { databaseName, collectionName } = given;
  const found = await internal
    .db(String(databaseName))
    .listCollections({ name: String(collectionName) })
    .toArray();
  require(found.length > 0 === wanted, `${String(collectionName)} ${wanted ? 'is not there' : 'is there'}`);
}

async function indexExists(internal: MongoClient, given: Bag, wanted: boolean): Promise<void> {
  const { databaseName, collectionName, indexName } = given;
  const indexes = internal.db(String(databaseName)).collection(String(collectionName)).listIndexes();
  const found = await indexes.toArray().catch((error: unknown) => {
    if (error instanceof MongoServerError && error.code === 26) return [];
    throw error;
  });
  const has = found.some(({ name }) => name === indexName);
  require(has === wanted, `the index ${String(indexName)} ${wanted ? 'is not there' : 'is there'}`);
}
