import { MagError } from '../../../errors.ts';
import { LIMITS } from '../../../limits.ts';
import type { Connection, EngineAvailability } from '../../../protocol/project.ts';
import type { EngineProvider, NativeAccess } from '../engine.ts';
import { credentialUser, isUsableRef, projectOfUser, rolePassword, ServerNames } from '../server-names.ts';
import { parseServerUrl, toolOptions } from '../server-url.ts';
import { reachOf, reasonOf, unreachable } from '../tls-failure.ts';
import { MysqlConnection, type MysqlTarget } from './connection.ts';
import {
  type AdminRights,
  dropProject,
  dropUser,
  ensureCredential,
  findNames,
  isLaidOut,
  provisionProject,
  readRights,
} from './provisioning.ts';
import { type MysqlAddress, mariadbBinaries, NO_BINARY } from './server.ts';

export type MysqlSource =
  /** `address` starts the server where it does not run. */
  | { readonly kind: 'managed'; readonly address: () => Promise<MysqlAddress> }
  | { readonly kind: 'external'; readonly url: string };

export interface MysqlProviderOptions {
  readonly source: MysqlSource;
  /** The board's; project passwords are derived from it. */
  readonly masterKey: Uint8Array;
}

type Address = Omit<MysqlTarget, 'database'>;

/** What was verified; its paths into JSON take places from the end, which came with 10.9. */
const OLDEST_RELEASE = 1011;
const FEED = { available: false, why: 'changes on mysql are not followed in this version' };

/** Project databases in one MariaDB server, managed or external. */
export class MysqlProvider implements EngineProvider {
  readonly kind = 'mysql';
  readonly #options: MysqlProviderOptions;
  readonly #names: ServerNames;
  /** Projects that are as this version makes them, or are being looked at. */
  readonly #laidOut = new Map<string, Promise<void>>();
  #tail: Promise<unknown> = Promise.resolve();

  constructor(options: MysqlProviderOptions) {
    this.#options = options;
    this.#names = new ServerNames(options.masterKey, 'mysql');
  }

  async availability(): Promise<EngineAvailability> {
    if (this.#options.source.kind === 'managed') {
      const binaries = mariadbBinaries();
      return report(`managed ${binaries?.server ?? ''}`, binaries === null ? NO_BINARY : null);
    }
    try {
      const rights = await this.#admin(readRights);
      return report(
        `external ${rights.mariadb ? 'MariaDB' : 'MySQL'} ${rights.version}`,
        shortcoming(rights),
      );
    } catch (error) {
      const { why, hint } = reasonOf(error);
      return report('external', why, hint);
    }
  }

  provision(ref: string): Promise<Connection> {
    return this.#inTurn(async () => {
      if (!isUsableRef(ref)) throw new MagError('MAG_PROJECT_NOT_FOUND', { ref });
      await this.#admin(async (connection) => {
        const why = shortcoming(await readRights(connection));
        if (why !== null) throw new MagError('MAG_ENGINE_UNAVAILABLE', { engine: 'mysql', why });
        const password = rolePassword(this.#options.masterKey, 'mysql', ref);
        await provisionProject(connection, this.#names.of(ref), password);
      });
      this.#laidOut.set(ref, Promise.resolve());
      return this.#connection(ref);
    });
  }

  connections(): Promise<number> {
    return this.#admin(async (connection) =>
      Number((await connection.rows('SELECT @@max_connections'))[0]?.[0]),
    );
  }

  drop(ref: string): Promise<void> {
    this.#laidOut.delete(ref);
    return this.#inTurn(() => this.#admin((connection) => dropProject(connection, this.#names.of(ref))));
  }

  /** Brings a project that an older version made up to this one, the first time it is reached. */
  async connect(ref: string): Promise<Connection> {
    let looking = this.#laidOut.get(ref);
    if (looking === undefined) {
      looking = this.#bringUp(ref);
      this.#laidOut.set(ref, looking);
      looking.catch(() => this.#laidOut.delete(ref)); // The caller has the failure; the next one tries anew.
    }
    await looking;
    return this.#connection(ref);
  }

  async #bringUp(ref: string): Promise<void> {
    const isDone = await this.#admin((connection) => isLaidOut(connection, this.#names.of(ref)));
    if (!isDone) await this.provision(ref);
  }

  async #connection(ref: string): Promise<Connection> {
    const name = this.#names.of(ref);
    const password = rolePassword(this.#options.masterKey, 'mysql', ref);
    return { engine: 'mysql', ...(await this.#address()), database: name, user: name, password };
  }

  reclaim(live: ReadonlySet<string>): Promise<readonly string[]> {
    return this.#inTurn(() =>
      this.#admin(async (connection) => {
        const kept = new Set([...live].map((ref) => this.#names.of(ref)));
        const names = new Set((await findNames(connection, this.#names.prefix)).map(projectOfUser));
        const orphans = [...names].filter((name) => !kept.has(name));
        for (const name of orphans) await dropProject(connection, name);
        return orphans;
      }),
    );
  }

  readonly access: NativeAccess = {
    grant: (ref, id, mode, password) =>
      this.#inTurn(async () => {
        const database = this.#names.of(ref);
        const user = credentialUser(database, id);
        await this.#admin((connection) => ensureCredential(connection, database, user, mode, password));
        const { host, port, tls } = await this.#address();
        const where = `${host.includes(':') ? `[${host}]` : host}:${port}/${database}${toolOptions('mysql', tls)}`;
        return { host, port, database, user, password, url: `mysql://${user}:${password}@${where}` };
      }),
    revoke: (ref, id) =>
      this.#inTurn(() =>
        this.#admin((connection) => dropUser(connection, credentialUser(this.#names.of(ref), id))),
      ),
  };

  /** Waits for what is under way. The server's own end is its owner's affair. */
  async stop(): Promise<void> {
    await this.#tail;
  }

  /** One change of the server at a time: each takes milliseconds. */
  #inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
    const result = this.#tail.then(work);
    this.#tail = result.catch(() => {}); // The caller has the failure; the next one in turn must not.
    return result;
  }

  async #address(): Promise<Address> {
    const { source } = this.#options;
    try {
      if (source.kind === 'managed') return await source.address();
      const { database: _none, ...named } = parseServerUrl('mysql', source.url);
      return { ...named, user: named.user || 'root' };
    } catch (error) {
      throw unreachable('mysql', error, null);
    }
  }

  /** Runs work on a connection as administrator. */
  async #admin<Result>(work: (connection: MysqlConnection) => Promise<Result>): Promise<Result> {
    const address = await this.#address();
    let connection: MysqlConnection | null = null;
    try {
      connection = await MysqlConnection.open({ ...address, database: '' });
      return await work(connection);
    } catch (error) {
      const external = this.#options.source.kind === 'external';
      throw unreachable('mysql', error, external ? reachOf(address.tls) : null);
    } finally {
      await connection?.end();
    }
  }
}

/** Why a server cannot hold projects, or null. */
function shortcoming(rights: AdminRights): string | null {
  if (!rights.mariadb || rights.release < OLDEST_RELEASE)
    return `MariaDB 10.11 or later is needed, this server says ${rights.version}`;
  if (!rights.createUser || !rights.grants)
    return 'the user in MAG_MYSQL_URL needs CREATE USER, and all rights on *.* WITH GRANT OPTION';
  if (rights.openToAll)
    return 'it has rights for everybody (anonymous users, or PUBLIC); remove them, as mariadb-secure-installation does';
  if (rights.packetBytes < LIMITS.mysqlGroupBytes * 2)
    return `max_allowed_packet is ${rights.packetBytes}; set it to ${LIMITS.mysqlGroupBytes * 2} or more`;
  if (rights.logsStatements) return 'binlog_format is STATEMENT; set it to MIXED or ROW';
  return null;
}

const report = (provider: string, why: string | null, hint?: string): EngineAvailability => ({
  ...{ engine: 'mysql', available: why === null, provider: why === null ? provider : null, why },
  ...(hint === undefined ? {} : { hint }),
  feed: why === null ? FEED : { available: false, why },
});
