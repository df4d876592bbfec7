import {
  ClientSession,
  type Collection,
  Collection as CollectionOf,
  type CommandFailedEvent,
  type CommandStartedEvent,
  type CommandSucceededEvent,
  Db,
  type Document,
  GridFSBucket,
  MongoClient,
  type MongoClientOptions,
  ReadConcern,
  ReadPreference,
  type ReadPreferenceMode,
} from 'mongodb';
import { type Bag, bag, bags, isBag, Mismatch, require, strings, Unsupported } from './bag.ts';
import type { Known } from './matching.ts';

/** An event of a command, as it was when it came: the driver goes on to use its parts. */
export interface CommandEvent {
  readonly kind: string;
  readonly commandName: string;
  readonly databaseName: string;
  readonly command: unknown;
  readonly reply: unknown;
  readonly serverConnectionId: unknown;
  readonly serviceId: unknown;
}

function copied(value: unknown): unknown {
  if (value instanceof Map) return copied(Object.fromEntries(value));
  if (Array.isArray(value)) return value.map(copied);
  if (!isBag(value) || (Object.getPrototypeOf(value) !== Object.prototype && !('toJSON' in value)))
    return value;
  if ('_bsontype' in value || value instanceof Date) return value;
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, copied(member)]));
}

/** Where tests run, and as whom. */
export interface Target {
  readonly url: string;
  readonly options: MongoClientOptions;
  /** The one database that there is: whatever a file calls its own is this one. Absent: any. */
  readonly database?: string;
}

interface Observed {
  readonly client: MongoClient;
  readonly commands: CommandEvent[];
  readonly pools: { readonly name: string; readonly event: unknown }[];
  checkedOut: number;
}

/** Commands of an authentication, which observers do not see unless they ask for them. */
const SENSITIVE = new Set([
  'authenticate',
  'saslStart',
  'saslContinue',
  'getnonce',
  'createUser',
  'updateUser',
]);

const POOL_EVENTS: Readonly<Record<string, string>> = {
  poolCreatedEvent: 'connectionPoolCreated',
  poolReadyEvent: 'connectionPoolReady',
  poolClearedEvent: 'connectionPoolCleared',
  poolClosedEvent: 'connectionPoolClosed',
  connectionCreatedEvent: 'connectionCreated',
  connectionReadyEvent: 'connectionReady',
  connectionClosedEvent: 'connectionClosed',
  connectionCheckOutStartedEvent: 'connectionCheckOutStarted',
  connectionCheckOutFailedEvent: 'connectionCheckOutFailed',
  connectionCheckedOutEvent: 'connectionCheckedOut',
  connectionCheckedInEvent: 'connectionCheckedIn',
};

const COMMAND_EVENTS: Readonly<Record<string, string>> = {
  commandStartedEvent: 'commandStarted',
  commandSucceededEvent: 'commandSucceeded',
  commandFailedEvent: 'commandFailed',
};

/** Read and write concerns and preferences of a test file, as the driver's options. */
export function driverOptions(given: unknown): Document {
  const { readConcern, readPreference, writeConcern, ...others } = bag(given);
  const options: Document = { ...others };
  if (readConcern !== undefined) options['readConcern'] = ReadConcern.fromOptions(bag(readConcern) as never); // its level is a string
  if (writeConcern !== undefined) options['writeConcern'] = writeConcern;
  if (readPreference !== undefined) {
    const { mode, tagSets, maxStalenessSeconds } = bag(readPreference);
    options['readPreference'] = new ReadPreference(
      modeOf(String(mode)),
      (tagSets ?? undefined) as never, // tag sets as the file has them
      maxStalenessSeconds === undefined ? {} : { maxStalenessSeconds: Number(maxStalenessSeconds) },
    );
  }
  return options;
}

const modeOf = (mode: string): ReadPreferenceMode =>
  (mode.charAt(0).toLowerCase() + mode.slice(1)) as ReadPreferenceMode; // the constructor checks it

/** What a test made, by the names it gave. */
export class Entities implements Known {
  readonly #target: Target;
  readonly #things = new Map<string, unknown>();
  readonly #clients = new Map<string, Observed>();
  readonly #lsids = new Map<string, unknown>();

  constructor(target: Target) {
    this.#target = target;
  }

  value(name: string): unknown {
    if (!this.#things.has(name)) throw new Mismatch(`there is no entity ${name}`);
    return this.#things.get(name);
  }

  has(name: string): boolean {
    return this.#things.has(name);
  }

  set(name: string, value: unknown): void {
    require(!this.#things.has(name), `there is an entity ${name} already`);
    this.#things.set(name, value);
  }

  observed(name: string): Observed {
    const found = this.#clients.get(name);
    if (found === undefined) throw new Mismatch(`there is no client ${name}`);
    return found;
  }

  session(name: string): ClientSession {
    const found = this.value(name);
    if (!(found instanceof ClientSession)) throw new Mismatch(`${name} is no session`);
    // The driver gives its session's id away at its end.
    if (found.serverSession !== null && !found.hasEnded) this.#lsids.set(name, found.id);
    else if (this.#lsids.has(name)) return { id: this.#lsids.get(name) } as ClientSession; // its id is what is asked for
    return found;
  }

  collection(name: string): Collection<Document> {
    const found = this.value(name);
    if (!(found instanceof CollectionOf)) throw new Mismatch(`${name} is no collection`);
    return found;
  }

  database(name: string): Db {
    const found = this.value(name);
    if (!(found instanceof Db)) throw new Mismatch(`${name} is no database`);
    return found;
  }

  async create(definitions: unknown): Promise<void> {
    for (const definition of bags(definitions)) {
      const [kind = ''] = Object.keys(definition);
      const given = bag(definition[kind]);
      const id = String(given['id']);
      switch (kind) {
        case 'client':
          this.set(id, await this.#client(id, given));
          break;
        case 'database': {
          const { client } = this.observed(String(given['client']));
          this.set(id, client.db(String(given['databaseName']), driverOptions(given['databaseOptions'])));
          break;
        }
        case 'collection': {
          const database = this.database(String(given['database']));
          const options = driverOptions(given['collectionOptions']);
          this.set(id, database.collection(String(given['collectionName']), options));
          break;
        }
        case 'session': {
          const { client } = this.observed(String(given['client']));
          const { defaultTransactionOptions, ...others } = bag(given['sessionOptions']);
          const options: Document = { ...others };
          if (defaultTransactionOptions !== undefined)
            options['defaultTransactionOptions'] = driverOptions(defaultTransactionOptions);
          this.set(id, client.startSession(options));
          this.session(id);
          break;
        }
        case 'bucket':
          this.set(
            id,
            new GridFSBucket(this.database(String(given['database'])), driverOptions(given['bucketOptions'])),
          );
          break;
        default:
          throw new Unsupported(`entities of the kind ${kind}`);
      }
    }
  }

  async #client(id: string, given: Bag): Promise<MongoClient> {
    for (const option of [
      'observeLogMessages',
      'autoEncryptOpts',
      'observeTracingMessages',
      'awaitMinPoolSizeMS',
    ])
      if (given[option] !== undefined) throw new Unsupported(`clients with ${option}`);
    const { url, options } = this.#target;
    const { serverApi } = given;
    if (bag(given['uriOptions'])['readPreference'] === 'secondary')
      throw new Unsupported('a replica set with a secondary');
    const client = new MongoClient(url, {
      ...options,
      ...{
        monitorCommands: true,
        minHeartbeatFrequencyMS: 50,
        heartbeatFrequencyMS: 1_000,
        serverSelectionTimeoutMS: 2_000,
      },
      ...uriOptions(bag(given['uriOptions'])),
      ...(serverApi === undefined ? {} : { serverApi: serverApi as never }), // {version, strict, …} as the driver takes it
    });
    const observed: Observed = { client, commands: [], pools: [], checkedOut: 0 };
    this.#clients.set(id, observed);
    observe(observed, given);
    return client;
  }

  /** Ends sessions before their clients. */
  async close(): Promise<void> {
    for (const thing of this.#things.values()) {
      if (thing instanceof ClientSession) await thing.endSession();
      else if (
        typeof thing === 'object' &&
        thing !== null &&
        'close' in thing &&
        !(thing instanceof MongoClient)
      )
        await (thing as { close: () => Promise<void> }).close(); // a cursor
    }
    for (const { client } of this.#clients.values()) await client.close();
  }
}

function uriOptions(given: Bag): MongoClientOptions {
  const { readConcernLevel, w, ...others } = given;
  return {
    ...others,
    ...(readConcernLevel === undefined ? {} : { readConcernLevel: readConcernLevel as never }), // a level's name
    ...(w === undefined ? {} : { writeConcern: { w: w as number } }), // a number, or majority
  };
}

function observe(observed: Observed, given: Bag): void {
  const { client, commands, pools } = observed;
  const wanted = new Set(strings(given['observeEvents']));
  const ignored = new Set(['configureFailPoint', ...strings(given['ignoreCommandMonitoringEvents'])]);
  const isHidden = (commandName: string): boolean =>
    ignored.has(commandName) || (SENSITIVE.has(commandName) && given['observeSensitiveCommands'] !== true);
  for (const [kind, event] of Object.entries(COMMAND_EVENTS)) {
    if (!wanted.has(kind)) continue;
    const see = (each: CommandStartedEvent | CommandSucceededEvent | CommandFailedEvent): void => {
      const { commandName, databaseName } = each;
      if (isHidden(commandName)) return;
      const { serverConnectionId, serviceId } = each;
      const command = 'command' in each ? copied(each.command) : undefined;
      const reply = 'reply' in each ? copied(each.reply) : undefined;
      commands.push({ kind, commandName, databaseName, command, reply, serverConnectionId, serviceId });
    };
    client.on(event as 'commandStarted', see); // one of the three names above
  }
  for (const [name, event] of Object.entries(POOL_EVENTS))
    if (wanted.has(name))
      client.on(event as 'connectionReady', (each: unknown) => void pools.push({ name, event: each })); // one of the names above
  client.on('connectionCheckedOut', () => {
    observed.checkedOut += 1;
  });
  client.on('connectionCheckedIn', () => {
    observed.checkedOut -= 1;
  });
}
