import type { Document } from 'bson';
import type { MongoClient } from 'mongodb';
import { MagError } from '../../../errors.ts';
import { LIMITS } from '../../../limits.ts';
import type { NativeAddress } from '../../../protocol/credentials.ts';
import type { Connection, EngineAvailability } from '../../../protocol/project.ts';
import type { Log } from '../../../runtime/log.ts';
import type { DocumentServerAddress } from '../documents/server-process.ts';
import type { EngineProvider, NativeAccess } from '../engine.ts';
import { credentialUser, isUsableRef, rolePassword, ServerNames } from '../server-names.ts';
import { reasonOf, unreachable } from '../tls-failure.ts';
import { projectOfDatabase, recordsDatabase } from './names.ts';
import {
  firstHost,
  type MongodbPlace,
  namesCa,
  parseMongodbUrl,
  selectionMs,
  toolUrl,
  usesTls,
} from './url.ts';

export type MongodbSource =
  /** `address` starts the server where it does not run. */
  | {
      readonly kind: 'embedded' | 'managed';
      readonly provider: string;
      readonly address: () => Promise<DocumentServerAddress>;
    }
  | { readonly kind: 'external'; readonly url: string };

export interface MongodbProviderOptions {
  readonly source: MongodbSource;
  /** The board's; project passwords are derived from it. */
  readonly masterKey: Uint8Array;
  readonly log: Log;
}

const USER_EXISTS = 51003;
const USER_NOT_FOUND = 11;
const FEED = 'change feeds of mongodb come in a later version';

const codeOf = (error: unknown): number => Number(error instanceof Error ? Reflect.get(error, 'code') : 0);

/** Project databases and their users in one MongoDB server, embedded, managed or external. */
export class MongodbProvider implements EngineProvider {
  readonly kind = 'mongodb';
  readonly #options: MongodbProviderOptions;
  readonly #names: ServerNames;
  #client: { readonly url: string; readonly client: MongoClient } | null = null;
  #tail: Promise<unknown> = Promise.resolve();

  constructor(options: MongodbProviderOptions) {
    this.#options = options;
    this.#names = new ServerNames(options.masterKey, 'mongodb');
  }

  async availability(): Promise<EngineAvailability> {
    const { source } = this.#options;
    if (source.kind !== 'external') return report(source.provider, null);
    try {
      const hello = await this.#admin((client) => client.db('admin').command({ hello: 1 }));
      return report('external', shortcoming(hello));
    } catch (error) {
      const { why, hint } = reasonOf(error);
      return report('external', why, hint);
    }
  }

  /** The project's user; its database is made by the first write. Done again, it sets the password anew. */
  provision(ref: string): Promise<Connection> {
    return this.#inTurn(async () => {
      if (!isUsableRef(ref)) throw new MagError('MAG_PROJECT_NOT_FOUND', { ref });
      const name = this.#names.of(ref);
      await this.#admin(async (client) => {
        const why =
          this.#options.source.kind === 'external'
            ? shortcoming(await client.db('admin').command({ hello: 1 }))
            : null;
        if (why !== null) throw new MagError('MAG_ENGINE_UNAVAILABLE', { engine: 'mongodb', why });
        const database = client.db(name);
        const rights = {
          pwd: rolePassword(this.#options.masterKey, 'mongodb', ref),
          roles: [name, ...this.#beside(name)].map((db) => ({ role: 'readWrite', db })),
        };
        try {
          await database.command({ createUser: name, ...rights });
        } catch (error) {
          if (codeOf(error) !== USER_EXISTS) throw error;
          await database.command({ updateUser: name, ...rights });
        }
      });
      return this.connect(ref);
    });
  }

  drop(ref: string): Promise<void> {
    return this.#inTurn(() => this.#admin((client) => this.#dropProject(client, this.#names.of(ref))));
  }

  /** Databases of a project beside its own. The board's own server keeps the records from credentials by itself. */
  #beside(project: string): readonly string[] {
    return this.#options.source.kind === 'embedded' ? [] : [recordsDatabase(project)];
  }

  /** Users and databases of a project, whichever of them there are; the users first, so that nobody writes meanwhile. */
  async #dropProject(client: MongoClient, project: string): Promise<void> {
    await client.db(project).command({ dropAllUsersFromDatabase: 1 });
    for (const name of [project, ...this.#beside(project)])
      await client.db(name).command({ dropDatabase: 1 });
  }

  async connect(ref: string): Promise<Connection> {
    const { url } = await this.#place();
    const name = this.#names.of(ref);
    const [records] = this.#beside(name);
    return {
      ...{ engine: 'mongodb', url, database: name, user: name },
      password: rolePassword(this.#options.masterKey, 'mongodb', ref),
      ...(records === undefined ? {} : { records }),
    };
  }

  reclaim(live: ReadonlySet<string>): Promise<readonly string[]> {
    return this.#inTurn(() =>
      this.#admin(async (client) => {
        const kept = new Set([...live].map((ref) => this.#names.of(ref)));
        const admin = client.db('admin');
        const { databases } = await admin.command({ listDatabases: 1, nameOnly: true });
        const { users } = await admin.command({ usersInfo: { forAllDBs: true } });
        const names = [
          ...(databases as readonly Document[]).map(({ name }) => String(name)), // the protocol's own shape
          ...(users as readonly Document[]).map(({ db }) => String(db)), // the protocol's own shape
        ];
        const orphans = [...new Set(names.map(projectOfDatabase))].filter(
          (name) => name.startsWith(this.#names.prefix) && !kept.has(name),
        );
        for (const name of orphans) await this.#dropProject(client, name);
        return orphans;
      }),
    );
  }

  readonly access: NativeAccess = {
    grant: (ref, id, mode, password) =>
      this.#inTurn(async () => {
        const database = this.#names.of(ref);
        const user = credentialUser(database, id);
        await this.#admin(async (client) => {
          // Made anew and not changed: who came with another password has no rights from then on.
          await dropUser(client, database, user);
          const roles = [{ role: mode === 'read' ? 'read' : 'readWrite', db: database }];
          await client.db(database).command({ createUser: user, pwd: password, roles });
        });
        return nativeAddress((await this.#place()).url, database, user, password);
      }),
    revoke: (ref, id) =>
      this.#inTurn(() =>
        this.#admin((client) => {
          const database = this.#names.of(ref);
          return dropUser(client, database, credentialUser(database, id));
        }),
      ),
  };

  /** Waits for what is under way. The server's own end is its owner's affair. */
  async stop(): Promise<void> {
    await this.#tail;
    await this.#client?.client.close();
    this.#client = null;
  }

  /** One change of the server at a time. */
  #inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
    const result = this.#tail.then(work);
    this.#tail = result.catch(() => {}); // The caller has the failure; the next one in turn must not.
    return result;
  }

  async #place(): Promise<MongodbPlace> {
    const { source } = this.#options;
    if (source.kind === 'external') return parseMongodbUrl(source.url);
    const { host, port, user, password } = await source.address();
    const url = `mongodb://${host}:${port}/?directConnection=true`;
    return { url, admin: { user, password }, authSource: 'admin' };
  }

  /** Runs work as the administrator, on a client that stays open while the server is at the same place. */
  async #admin<Result>(work: (client: MongoClient) => Promise<Result>): Promise<Result> {
    try {
      return await work(await this.#open());
    } catch (error) {
      const url = this.#options.source.kind === 'external' ? this.#client?.url : undefined;
      const reach = url === undefined ? null : { encrypted: usesTls(url), ca: namesCa(url) };
      throw unreachable('mongodb', error, reach);
    }
  }

  async #open(): Promise<MongoClient> {
    const { url, admin, authSource } = await this.#place();
    if (this.#client?.url === url) return this.#client.client;
    await this.#client?.client.close().catch(() => {}); // Its server has moved.
    const { MongoClient: Client } = await import('mongodb');
    const client = new Client(url, {
      ...(admin === null ? {} : { auth: { username: admin.user, password: admin.password }, authSource }),
      appName: 'magmobo',
      maxPoolSize: 2,
      maxIdleTimeMS: LIMITS.poolIdleMs,
      serverSelectionTimeoutMS: selectionMs(url, LIMITS.poolWaitMs),
      serverMonitoringMode: 'poll',
    });
    this.#client = { url, client };
    return client;
  }
}

async function dropUser(client: MongoClient, database: string, user: string): Promise<void> {
  try {
    await client.db(database).command({ dropUser: user });
  } catch (error) {
    if (codeOf(error) !== USER_NOT_FOUND) throw error;
  }
}

function nativeAddress(url: string, database: string, user: string, password: string): NativeAddress {
  return { ...firstHost(url), database, user, password, url: toolUrl(url, database, user, password) };
}

/** Why a server cannot hold projects, or null. */
function shortcoming(hello: Document): string | null {
  if (hello['setName'] === undefined && hello['msg'] !== 'isdbgrid')
    return 'transactions need a replica set; start mongod with --replSet and initiate it';
  if (Number(hello['maxWireVersion']) < OLDEST_WIRE_VERSION) return 'MongoDB 5.0 or later is needed';
  return null;
}

const OLDEST_WIRE_VERSION = 13;

const report = (provider: string, why: string | null, hint?: string): EngineAvailability => ({
  ...{ engine: 'mongodb', available: why === null, provider: why === null ? provider : null, why },
  ...(hint === undefined ? {} : { hint }),
  feed: { available: false, why: why ?? FEED },
});
