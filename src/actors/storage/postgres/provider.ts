import { MagError } from '../../../errors.ts';
import type { CredentialMode, NativeAddress } from '../../../protocol/credentials.ts';
import type { Connection, EngineAvailability } from '../../../protocol/project.ts';
import type { Host } from '../../../runtime/host.ts';
import type { Log } from '../../../runtime/log.ts';
import type { EngineProvider, NativeAccess } from '../engine.ts';
import { credentialUser, isUsableRef, projectOfUser, rolePassword, ServerNames } from '../server-names.ts';
import { parseServerUrl, toolOptions } from '../server-url.ts';
import { reachOf, reasonOf, unreachable } from '../tls-failure.ts';
import { Turns } from '../turns.ts';
import { BINARIES_PACKAGE, embeddedVersion } from './binaries.ts';
import { PgConnection, type PostgresTarget } from './connection.ts';
import { isServerError } from './failures.ts';
import { KeptConnection } from './kept-connection.ts';
import { allowReading, dropLogin, dropPrivileges, ensureLogin } from './native-access.ts';
import {
  type AdminRights,
  dropProject,
  findNames,
  projectStands,
  provisionDatabase,
  provisionServer,
  readRights,
} from './provisioning.ts';
import { isLaidOut, REQUEST_ROLES, requestRolesOf } from './roles.ts';
import type { ServerAddress } from './server.ts';

export type PostgresSource =
  /** `address` starts the embedded server where it does not run. */
  | { readonly kind: 'embedded'; readonly address: () => Promise<ServerAddress> }
  | { readonly kind: 'external'; readonly url: string };

export interface PostgresProviderOptions {
  readonly source: PostgresSource;
  /** The board's; project passwords are derived from it. */
  readonly masterKey: Uint8Array;
  readonly host: Host;
  readonly log: Log;
}

/** Superuser (or administrator) access to a project's database, for its change feed. Holds a secret. */
export interface AdminConnection extends PostgresTarget {
  readonly engine: 'postgres';
  /**
   * Keeps the session's search path to pg_catalog: a tenant can put functions into public that would otherwise run
   * in the superuser's name. Pass it on when connecting.
   */
  readonly options: string;
  /** The project's own role. */
  readonly role: string;
}

type Address = Omit<PostgresTarget, 'options'>;
type RequestRoles = NonNullable<Extract<Connection, { engine: 'postgres' }>['requestRoles']>;

const OLDEST_VERSION = 140_000;
const SAFE_PATH = '-c search_path=pg_catalog';

/** Project databases in one PostgreSQL server, embedded or external. */
export class PostgresProvider implements EngineProvider {
  readonly kind = 'postgres';
  readonly #options: PostgresProviderOptions;
  readonly #names: ServerNames;
  #rights: AdminRights | null = null;
  /** Projects that are as this version makes them, or are being looked at, and the roles that requests run as there. */
  readonly #laidOut = new Map<string, Promise<RequestRoles>>();
  readonly #maintenance: KeptConnection;
  /** One change of the server at a time: they lock the same catalogues, and each takes milliseconds. */
  readonly #server = new Turns();
  /** And one of each project; who waits here is not in the server's turn yet. */
  readonly #ofProject = new Turns();

  constructor(options: PostgresProviderOptions) {
    this.#options = options;
    this.#maintenance = new KeptConnection(options.host);
    this.#names = new ServerNames(options.masterKey, 'postgres');
  }

  async availability(): Promise<EngineAvailability> {
    if (this.#options.source.kind === 'embedded') {
      const version = embeddedVersion();
      const why = version === null ? `the package ${BINARIES_PACKAGE} is not installed` : null;
      return report('embedded PostgreSQL 18', why, why);
    }
    try {
      const rights = await this.#admin(null, readRights);
      return report('external', shortcoming(rights), feedShortcoming(rights));
    } catch (error) {
      const { why, hint } = reasonOf(error);
      return report('external', why, why, hint);
    }
  }

  /** Role, database, and the role's rights in it; each step may find its work done. */
  provision(ref: string): Promise<Connection> {
    return this.#ofProject.in(ref, async () => {
      if (!isUsableRef(ref)) throw new MagError('MAG_PROJECT_NOT_FOUND', { ref });
      const name = this.#names.of(ref);
      const password = rolePassword(this.#options.masterKey, 'postgres', ref);
      const { isNew, roles } = await this.#inTurn(() =>
        this.#admin(null, async (connection) => {
          const rights = await this.#serverRights(connection);
          const why = shortcoming(rights);
          if (why !== null) throw new MagError('MAG_ENGINE_UNAVAILABLE', { engine: 'postgres', why });
          return provisionServer(connection, name, password, rights);
        }),
      );
      // Beside the next project's turn: this locks nothing that another one's database needs.
      await this.#admin(name, (connection) => provisionDatabase(connection, name, password, isNew));
      if (roles.length === 0)
        this.#options.log.warn(
          { ref },
          'requests run as the project’s own role: the roles anon, authenticated and service_role are not the board’s to grant',
        );
      this.#laidOut.set(ref, Promise.resolve(roles));
      return this.#connection(ref, roles);
    });
  }

  stands(ref: string): Promise<boolean> {
    return this.#admin(null, (connection) => projectStands(connection, this.#names.of(ref)));
  }

  connections(): Promise<number> {
    return this.#admin(null, async (connection) => {
      const [row] = await connection.rows(
        `SELECT current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int`,
      );
      return Number(row?.[0] ?? 0);
    });
  }

  drop(ref: string): Promise<void> {
    this.#laidOut.delete(ref);
    return this.#ofProject.in(ref, () =>
      this.#inTurn(() => this.#admin(null, (connection) => dropProject(connection, this.#names.of(ref)))),
    );
  }

  /** Brings a project that an older version made up to this one, the first time it is reached. */
  async connect(ref: string): Promise<Connection> {
    let looking = this.#laidOut.get(ref);
    if (looking === undefined) {
      looking = this.#bringUp(ref);
      this.#laidOut.set(ref, looking);
      looking.catch(() => this.#laidOut.delete(ref)); // The caller has the failure; the next one tries anew.
    }
    return this.#connection(ref, await looking);
  }

  async #bringUp(ref: string): Promise<RequestRoles> {
    const name = this.#names.of(ref);
    try {
      const roles = await this.#admin(name, async (connection) =>
        (await isLaidOut(connection)) ? requestRolesOf(connection, name) : [],
      );
      if (roles.length === REQUEST_ROLES.length) return roles;
      const made = await this.provision(ref);
      return made.engine === 'postgres' ? (made.requestRoles ?? []) : [];
    } catch (error) {
      // Where there is no database yet, or no longer, provisioning is for somebody else to decide.
      if (!isMissingDatabase(error)) throw error;
      this.#laidOut.delete(ref);
      return [];
    }
  }

  async #connection(ref: string, requestRoles: RequestRoles): Promise<Connection> {
    const { host, port, tls } = await this.#address();
    const name = this.#names.of(ref);
    const password = rolePassword(this.#options.masterKey, 'postgres', ref);
    const place = { host, port, ...(tls === undefined ? {} : { tls }) };
    return { engine: 'postgres', ...place, database: name, user: name, password, requestRoles };
  }

  /** How the change feed reaches a project's database as its administrator. */
  async adminConnection(ref: string): Promise<AdminConnection> {
    const name = this.#names.of(ref);
    const target = { ...(await this.#address()), database: name, options: SAFE_PATH };
    return { engine: 'postgres', ...target, role: name };
  }

  reclaim(live: ReadonlySet<string>): Promise<readonly string[]> {
    return this.#inTurn(() =>
      this.#admin(null, async (connection) => {
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
      this.#ofProject.in(ref, () => this.#inTurn(() => this.#grant(ref, id, mode, password))),
    revoke: (ref, id) => this.#ofProject.in(ref, () => this.#inTurn(() => this.#revoke(ref, id))),
  };

  async #grant(ref: string, id: string, mode: CredentialMode, password: string): Promise<NativeAddress> {
    const database = this.#names.of(ref);
    await this.#admin(null, async (connection) => {
      const rights = await this.#serverRights(connection);
      await ensureLogin(connection, database, id, mode, password, rights);
    });
    if (mode === 'read') await this.#admin(database, (connection) => allowReading(connection, database, id));
    const { host, port, tls } = await this.#address();
    const user = credentialUser(database, id);
    const where = `${host.includes(':') ? `[${host}]` : host}:${port}/${database}${toolOptions('postgres', tls)}`;
    return { host, port, database, user, password, url: `postgres://${user}:${password}@${where}` };
  }

  async #revoke(ref: string, id: string): Promise<void> {
    const name = this.#names.of(ref);
    await this.#admin(name, (connection) => dropPrivileges(connection, name, id));
    await this.#admin(null, (connection) => dropLogin(connection, name, id));
  }

  /** Waits for what is under way. The server's own end is its owner's affair. */
  async stop(): Promise<void> {
    await Promise.all([this.#server.ended(), this.#ofProject.ended()]);
    await this.#maintenance.close();
  }

  #inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
    return this.#server.in('', work);
  }

  async #serverRights(connection: PgConnection): Promise<AdminRights> {
    if (this.#rights === null) {
      this.#rights = await readRights(connection);
      // Everybody may connect to these by default; an external server's owner decides that alone.
      if (this.#options.source.kind === 'embedded')
        await connection.rows('REVOKE CONNECT ON DATABASE postgres, template1 FROM PUBLIC');
    }
    return this.#rights;
  }

  async #address(): Promise<Address> {
    const { source } = this.#options;
    try {
      if (source.kind === 'embedded') return { ...(await source.address()), database: 'postgres' };
      const named = parseServerUrl('postgres', source.url);
      return { ...named, user: named.user || 'postgres', database: named.database || 'postgres' };
    } catch (error) {
      throw unreachable('postgres', error, null);
    }
  }

  /** Runs work on a connection as administrator: to the project's database, or (null) the maintenance one. */
  async #admin<Result>(
    database: string | null,
    work: (connection: PgConnection) => Promise<Result>,
  ): Promise<Result> {
    const address = await this.#address();
    const target = { ...address, options: SAFE_PATH };
    try {
      if (database === null) return await this.#maintenance.use(target, work);
      const connection = await PgConnection.open({ ...target, database });
      try {
        return await work(connection);
      } finally {
        // Nobody has to wait for the server's goodbye; one that cannot end is destroyed.
        void connection.end();
      }
    } catch (error) {
      const external = this.#options.source.kind === 'external';
      throw unreachable('postgres', error, external ? reachOf(address.tls) : null);
    }
  }
}

const isMissingDatabase = (error: unknown): boolean =>
  error instanceof MagError && isServerError(error.cause) && error.cause.code === '3D000';

/** Why a server cannot hold projects, or null. */
function shortcoming(rights: AdminRights): string | null {
  if (rights.version < OLDEST_VERSION)
    return `PostgreSQL 14 or later is needed, this one says ${Math.floor(rights.version / 10_000)}`;
  if (!rights.superuser && !(rights.createDatabase && rights.createRole))
    return 'the role in MAG_POSTGRES_URL needs CREATEDB and CREATEROLE';
  return null;
}

/** Why a server's changes cannot be followed, or null. */
function feedShortcoming(rights: AdminRights): string | null {
  if (rights.walLevel !== 'logical')
    return `wal_level is ${rights.walLevel}; set it to logical and restart the server`;
  if (!rights.superuser) return 'a publication for all tables needs a superuser in MAG_POSTGRES_URL';
  return null;
}

const report = (
  provider: string,
  why: string | null,
  feedWhy: string | null,
  hint?: string,
): EngineAvailability => ({
  ...{ engine: 'postgres', available: why === null, provider: why === null ? provider : null, why },
  ...(hint === undefined ? {} : { hint }),
  feed: { available: (why ?? feedWhy) === null, why: why ?? feedWhy },
});
