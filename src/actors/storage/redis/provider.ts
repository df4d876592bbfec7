import { describeError, MagError } from '../../../errors.ts';
import type { Connection, EngineAvailability } from '../../../protocol/project.ts';
import type { Host } from '../../../runtime/host.ts';
import type { Log } from '../../../runtime/log.ts';
import type { EngineProvider, NativeAccess } from '../engine.ts';
import { credentialPrefix, credentialUser, isUsableRef, rolePassword, ServerNames } from '../server-names.ts';
import { parseServerUrl, toolOptions } from '../server-url.ts';
import { type Reach, reachOf, reasonOf, unreachable } from '../tls-failure.ts';
import { RedisConnection, type RedisTarget } from './connection.ts';
import { isConnectionLost, unavailable } from './failures.ts';
import { LIBRARY } from './functions.ts';
import { credentialRules, projectRules, scannerRules } from './project-user.ts';
import { NO_BINARY, redisBinary } from './server.ts';

export type RedisSource =
  /** `address` starts the server where it does not run. */
  | { readonly kind: 'managed'; readonly address: () => Promise<RedisTarget> }
  | { readonly kind: 'external'; readonly url: string };

export interface RedisProviderOptions {
  readonly source: RedisSource;
  /** The board's; project passwords are derived from it. */
  readonly masterKey: Uint8Array;
  readonly host: Host;
  readonly log: Log;
}

const OLDEST_MAJOR = 7;
const FEED = { available: false, why: 'changes on redis are not followed in this version' };
/** Keys looked at in one step of a sweep, while Redis serves nobody else. */
const SWEEP = 1_000;

/**
 * Projects in one Redis, managed or external. A project is a user of the server's, limited to the keys under its
 * prefix; both are named by what the board knows, so nothing of them has to be kept. Only a set of the projects that
 * were begun is, for those that a kill left half made or half dropped.
 */
export class RedisProvider implements EngineProvider {
  readonly kind = 'redis';
  readonly #options: RedisProviderOptions;
  readonly #names: ServerNames;
  readonly #projects: string;
  #connection: RedisConnection | null = null;
  #opening: Promise<RedisConnection> | null = null;
  #stopped = false;

  constructor(options: RedisProviderOptions) {
    this.#options = options;
    this.#names = new ServerNames(options.masterKey, 'redis');
    this.#projects = `${this.#names.prefix}projects`;
  }

  async availability(): Promise<EngineAvailability> {
    const { source } = this.#options;
    if (source.kind === 'managed') {
      const binary = redisBinary();
      return report(`managed ${binary ?? ''}`, binary === null ? NO_BINARY : null);
    }
    try {
      const facts = await this.#admin(readServer);
      return report([`external Redis ${facts.version}`, ...weaknesses(facts)].join('; '), shortcoming(facts));
    } catch (error) {
      const { why, hint } = reasonOf(error);
      return report('external', why, hint);
    }
  }

  /** Begun is written down first, so that reclaim() finds what a kill left. */
  async provision(ref: string): Promise<Connection> {
    if (!isUsableRef(ref)) throw new MagError('MAG_PROJECT_NOT_FOUND', { ref });
    await this.#admin(async (connection) => {
      const why = shortcoming(await readServer(connection));
      if (why !== null) throw unavailable(why);
      await connection.call('SADD', this.#projects, ref);
    });
    return this.connect(ref);
  }

  connections(): Promise<number> {
    return this.#admin(async (connection) => {
      const reply = await connection.call('CONFIG', 'GET', 'maxclients');
      return Array.isArray(reply) ? Number(reply[1]) : Number.NaN;
    });
  }

  /** The user first: nobody writes any more while the keys go. Forgotten last. */
  async drop(ref: string): Promise<void> {
    await this.#admin(async (connection) => {
      const users = (await connection.call('ACL', 'USERS')) as readonly string[]; // its reply
      const tools = users.filter((user) => user.startsWith(credentialPrefix(this.#names.of(ref))));
      await connection.call('ACL', 'DELUSER', this.#names.of(ref), ...tools);
      await saveUsers(connection);
      await removeKeys(connection, this.#prefix(ref));
      await connection.call('SREM', this.#projects, ref);
      // After the last one nothing of the board is left but its functions, which another board may use.
      const left = await connection.call('SCARD', this.#projects);
      if (left === 0) await connection.call('ACL', 'DELUSER', this.#scanner);
    });
  }

  /**
   * Each time a worker opens the project, its users and the functions are set anew, which changes nothing where the
   * server still has them.
   */
  async connect(ref: string): Promise<Connection> {
    const { masterKey } = this.#options;
    const user = this.#names.of(ref);
    const password = rolePassword(masterKey, 'redis', ref);
    const prefix = this.#prefix(ref);
    // No project's reference has a space in it.
    const scanner = {
      user: `${this.#names.prefix}scanner`,
      password: rolePassword(masterKey, 'redis', ' scanner'),
    };
    const { host, port, tls } = await this.#admin(async (connection, target) => {
      await Promise.all([
        connection.call('FUNCTION', 'LOAD', 'REPLACE', LIBRARY),
        connection.call('ACL', 'SETUSER', user, ...projectRules(prefix, password)),
        connection.call('ACL', 'SETUSER', scanner.user, ...scannerRules(scanner.password)),
      ]);
      return target;
    });
    const place = { host, port, ...(tls === undefined ? {} : { tls }) };
    return { engine: 'redis', ...place, user, password, prefix, scanner };
  }

  /** Tools are not told to come again: who they are outlives the server only in its ACL file. */
  readonly access: NativeAccess = {
    grant: (ref, id, mode, password) => {
      const user = credentialUser(this.#names.of(ref), id);
      return this.#admin(async (connection, { host, port, tls }) => {
        await connection.call('ACL', 'SETUSER', user, ...credentialRules(this.#prefix(ref), mode, password));
        await connection.call('CLIENT', 'KILL', 'USER', user);
        await saveUsers(connection);
        const where = `${host.includes(':') ? `[${host}]` : host}:${port}`;
        const scheme = tls === undefined ? 'redis' : 'rediss';
        const url = `${scheme}://${user}:${password}@${where}${toolOptions('redis', tls)}`;
        return { host, port, database: this.#prefix(ref), user, password, url };
      });
    },
    revoke: (ref, id) =>
      this.#admin(async (connection) => {
        await connection.call('ACL', 'DELUSER', credentialUser(this.#names.of(ref), id));
        await saveUsers(connection);
      }),
  };

  async reclaim(live: ReadonlySet<string>): Promise<readonly string[]> {
    const begun = await this.#admin((connection) => connection.call('SMEMBERS', this.#projects));
    const orphans = (begun as readonly string[]).filter((ref) => !live.has(ref)); // SMEMBERS's reply
    for (const ref of orphans) await this.drop(ref);
    return orphans.map((ref) => this.#names.of(ref));
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#opening?.catch(() => {}); // whoever waited for it was told
    this.#connection?.close();
    this.#connection = null;
  }

  get #scanner(): string {
    return `${this.#names.prefix}scanner`;
  }

  #prefix(ref: string): string {
    return `${this.#names.of(ref)}:`;
  }

  /** Runs work as the server's administrator. A connection that was lost is opened anew, once: the work may repeat. */
  async #admin<Result>(
    work: (connection: RedisConnection, target: RedisTarget) => Promise<Result>,
  ): Promise<Result> {
    let reach: Reach | null = null;
    for (let attempt = 1; ; attempt += 1) {
      try {
        const target = await this.#target();
        if (this.#options.source.kind === 'external') reach = reachOf(target.tls);
        return await work(await this.#connect(target), target);
      } catch (error) {
        if (attempt === 1 && !this.#stopped && isConnectionLost(error)) continue;
        throw unreachable('redis', error, reach);
      }
    }
  }

  #connect(target: RedisTarget): Promise<RedisConnection> {
    const open = this.#connection;
    if (open !== null && !open.closed) return Promise.resolve(open);
    this.#opening ??= RedisConnection.open(target, this.#options.host)
      .then((connection) => {
        this.#connection = connection;
        return connection;
      })
      .finally(() => {
        this.#opening = null;
      });
    return this.#opening;
  }

  #target(): Promise<RedisTarget> {
    const { source } = this.#options;
    if (source.kind === 'managed') return source.address();
    const { database: _none, ...named } = parseServerUrl('redis', source.url);
    return Promise.resolve({ ...named, user: named.user || 'default' });
  }
}

/** A managed server has an ACL file; an external one that has none forgets its users when it ends. */
async function saveUsers(connection: RedisConnection): Promise<void> {
  await connection.call('ACL', 'SAVE').catch((error: unknown) => {
    // Where it has one and cannot write it, a user that was taken back would come back with the server.
    if (!describeError(error).includes('not configured to use an ACL file')) throw error;
  });
}

interface ServerFacts {
  readonly version: string;
  readonly cluster: boolean;
  readonly replica: boolean;
  readonly durable: boolean;
  /** Whoever reaches the server is its administrator. */
  readonly open: boolean;
}

async function readServer(connection: RedisConnection): Promise<ServerFacts> {
  const info = String(await connection.call('INFO', 'server', 'persistence', 'replication', 'cluster'));
  const value = (name: string): string => new RegExp(`^${name}:(.*?)\r?$`, 'm').exec(info)?.[1] ?? '';
  const owner = await connection.call('ACL', 'GETUSER', 'default').catch(() => []);
  const always = await connection.call('CONFIG', 'GET', 'appendfsync').catch(() => []);
  return {
    version: value('redis_version'),
    cluster: value('cluster_enabled') === '1',
    replica: value('role') === 'slave',
    durable: value('aof_enabled') === '1' && Array.isArray(always) && always[1] === 'always',
    open:
      Array.isArray(owner) &&
      Array.isArray(owner[1]) &&
      owner[1].includes('nopass') &&
      owner[1].includes('on'),
  };
}

/** What an operator should know of a server that holds projects all the same. */
const weaknesses = ({ durable, open }: ServerFacts): readonly string[] => [
  ...(durable ? [] : ['it may lose acknowledged writes when it crashes (appendfsync is not always)']),
  ...(open ? ['its default user needs no password, so whoever reaches it reaches every project'] : []),
];

/** Why a server cannot hold projects, or null. */
function shortcoming({ version, cluster, replica }: ServerFacts): string | null {
  if (Number(version.split('.')[0]) < OLDEST_MAJOR)
    return `Redis ${OLDEST_MAJOR} or later is needed, this one says ${version}`;
  if (cluster) return 'a Redis cluster is not supported: a project’s keys would lie on several nodes';
  return replica ? 'MAG_REDIS_URL names a read-only replica' : null;
}

const report = (provider: string, why: string | null, hint?: string): EngineAvailability => ({
  ...{ engine: 'redis', available: why === null, provider: why === null ? provider : null, why },
  ...(hint === undefined ? {} : { hint }),
  feed: FEED,
});

/** Goes over every key of the server: keys of one prefix are not listed anywhere. */
async function removeKeys(connection: RedisConnection, prefix: string): Promise<void> {
  let cursor = '0';
  do {
    const reply = await connection.call('SCAN', cursor, 'MATCH', `${prefix}*`, 'COUNT', SWEEP);
    const [next, keys] = reply as [string, readonly string[]]; // SCAN's reply
    if (keys.length > 0) await connection.call('UNLINK', ...keys);
    cursor = next;
  } while (cursor !== '0');
}
