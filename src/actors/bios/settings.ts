import { availableParallelism } from 'node:os';
import { LIMITS } from '../../limits.ts';
import { type ServerEngine, serverUrlProblem } from '../storage/server-url.ts';

/** What a setting's text means, or why it means nothing. `problem` never repeats a secret. */
export type Parsed<Value> =
  | { readonly ok: true; readonly value: Value }
  | { readonly ok: false; readonly problem: string };

/**
 * One setting, declared once: everything that reads, checks or documents it starts from here.
 * Settings are parsed by hand: they are scalars, and loading a schema library costs a tenth of a warm start.
 */
export interface Setting<Value> {
  readonly env: `MAG_${string}`;
  readonly flag: string;
  readonly parse: (text: string) => Parsed<Value>;
  readonly fallback: () => Value;
  /** The default as the documentation shows it. */
  readonly shown: string;
  /** What it takes, as the end of "Set MAG_X to …". */
  readonly takes: string;
  /** One line for `mag start --help` and docs/config.md. */
  readonly doc: string;
}

const good = <Value>(value: Value): Parsed<Value> => ({ ok: true, value });
const bad = (problem: string): Parsed<never> => ({ ok: false, problem });
const quoted = (text: string): string => `"${text.slice(0, 60)}"`;

const wholeNumber =
  (min: number, max: number) =>
  (text: string): Parsed<number> => {
    const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
    return value >= min && value <= max
      ? good(value)
      : bad(`${quoted(text)} is not a whole number from ${min} to ${max}`);
  };

const oneOf =
  <Word extends string>(words: readonly Word[]) =>
  (text: string): Parsed<Word> => {
    const found = words.find((word) => word === text);
    return found === undefined ? bad(`${quoted(text)} is not one of ${words.join(', ')}`) : good(found);
  };

const matching =
  (pattern: RegExp, what: string) =>
  (text: string): Parsed<string> =>
    pattern.test(text) ? good(text) : bad(`${quoted(text)} is not ${what}`);

/** The server of an engine: its scheme, its options, and the files that they name. */
const serverUrl =
  (engine: ServerEngine, ...schemes: readonly string[]) =>
  (text: string): Parsed<string> => {
    const scheme = /^([a-z+]+):\/\//.exec(text)?.[1];
    if (scheme === undefined) return bad('it is not a URL');
    if (!schemes.includes(scheme)) return bad(`its scheme is ${quoted(scheme)}, not ${schemes.join(' or ')}`);
    const problem = serverUrlProblem(engine, text);
    return problem === null ? good(text) : bad(problem);
  };

/** A URL may hold a password, so a bad one is not repeated. */
const url =
  (...schemes: readonly string[]) =>
  (text: string): Parsed<string> => {
    if (!URL.canParse(text)) return bad('it is not a URL');
    const scheme = new URL(text).protocol.slice(0, -1);
    return schemes.includes(scheme)
      ? good(text)
      : bad(`its scheme is ${quoted(scheme)}, not ${schemes.join(' or ')}`);
  };

const onOff = (text: string): Parsed<boolean> => {
  if (['on', 'true', '1'].includes(text)) return good(true);
  if (['off', 'false', '0'].includes(text)) return good(false);
  return bad(`${quoted(text)} is neither on nor off`);
};

/** It travels in a header, so it must fit into one. */
const adminKey = (text: string): Parsed<string> =>
  /^[\x21-\x7e]+$/.test(text) && text.length <= LIMITS.credentialChars
    ? good(text)
    : bad('it must be printable ASCII without spaces');

const setting = <Value>(definition: Setting<Value>): Setting<Value> => definition;

/** A setting that may be absent. */
const optional = (
  env: `MAG_${string}`,
  flag: string,
  parse: (text: string) => Parsed<string>,
  takes: string,
  doc: string,
): Setting<string | null> =>
  setting<string | null>({ env, flag, parse, fallback: () => null, shown: 'none', takes, doc });

const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

const notYet = 'accepted, not used in this version yet';

/** Every setting; the key is its name in the configuration file. */
export const SETTINGS = {
  host: setting({
    env: 'MAG_HOST',
    flag: 'host',
    parse: matching(/^[A-Za-z0-9.:_-]{1,253}$/, 'a host name or address'),
    fallback: () => '127.0.0.1',
    shown: '127.0.0.1',
    takes: 'an address of this machine, such as 127.0.0.1 or 0.0.0.0',
    doc: 'Address to listen on.',
  }),
  port: setting({
    env: 'MAG_PORT',
    flag: 'port',
    parse: wholeNumber(0, 65_535),
    fallback: () => 4600,
    shown: '4600',
    takes: 'a whole number from 0 to 65535; 0 picks a free port',
    doc: 'Port to listen on; 0 picks a free one.',
  }),
  dataDir: setting({
    env: 'MAG_DATA_DIR',
    flag: 'data-dir',
    parse: (text) => (text.includes('\0') ? bad('it holds a NUL byte') : good(text)),
    fallback: () => '.magmobo',
    shown: './.magmobo',
    takes: 'a folder that this user can write',
    doc: 'Data folder; a relative path starts at the working directory.',
  }),
  adminKey: optional(
    'MAG_ADMIN_KEY',
    'admin-key',
    adminKey,
    'printable ASCII without spaces, best 32 random characters or more',
    'Admin key; without it one is generated at first boot, stored hashed and shown once. A flag shows in the process list: prefer the environment.',
  ),
  edgeWorkers: setting({
    env: 'MAG_EDGE_WORKERS',
    flag: 'edge-workers',
    parse: wholeNumber(1, 256),
    fallback: () => Math.max(2, availableParallelism() - 1),
    shown: 'cores-1, at least 2',
    takes: 'a whole number from 1 to 256',
    doc: 'Threads that serve HTTP and WebSocket.',
  }),
  postgresUrl: optional(
    'MAG_POSTGRES_URL',
    'postgres-url',
    serverUrl('postgres', 'postgres', 'postgresql'),
    'a URL such as postgres://user:password@host:5432/postgres?sslmode=verify-full&sslrootcert=FILE',
    'External PostgreSQL for the postgres engine; without it the embedded one is started when needed.',
  ),
  mysqlUrl: optional(
    'MAG_MYSQL_URL',
    'mysql-url',
    serverUrl('mysql', 'mysql', 'mariadb'),
    'a URL such as mysql://user:password@host:3306?ssl-mode=VERIFY_IDENTITY&ssl-ca=FILE',
    'External MariaDB 10.11 or later for the mysql engine; without it a mariadbd of this machine is started when needed.',
  ),
  mongodbUrl: optional(
    'MAG_MONGODB_URL',
    'mongodb-url',
    serverUrl('mongodb', 'mongodb', 'mongodb+srv'),
    'a URL such as mongodb://user:password@host:27017/?replicaSet=rs0&tls=true&tlsCAFile=FILE',
    'External MongoDB for the mongodb engine, a replica set; without it the embedded document server is started when needed.',
  ),
  redisUrl: optional(
    'MAG_REDIS_URL',
    'redis-url',
    serverUrl('redis', 'redis', 'rediss'),
    'a URL such as rediss://user:password@host:6379?cacert=FILE',
    'External Redis 7 or later for the redis engine; without it a redis-server of this machine is started when needed.',
  ),
  natsUrl: optional(
    'MAG_NATS_URL',
    'nats-url',
    url('nats', 'tls', 'ws', 'wss'),
    'a URL such as nats://host:4222',
    `NATS server of the distributed fabric (${notYet}).`,
  ),
  logLevel: setting<LogLevel>({
    env: 'MAG_LOG_LEVEL',
    flag: 'log-level',
    parse: oneOf(LOG_LEVELS),
    fallback: () => 'info',
    shown: 'info',
    takes: `one of ${LOG_LEVELS.join(', ')}`,
    doc: 'Least severe log line to write; JSON lines on stdout where it is no terminal.',
  }),
  projectConnections: setting({
    env: 'MAG_PROJECT_CONNECTIONS',
    flag: 'project-connections',
    parse: wholeNumber(1, LIMITS.poolConnections),
    fallback: () => LIMITS.poolConnections,
    shown: String(LIMITS.poolConnections),
    takes: `a whole number from 1 to ${LIMITS.poolConnections}`,
    doc: 'Connections of one project to its engine’s server: how much of the machine a busy project may use at once.',
  }),
  drainSeconds: setting({
    env: 'MAG_DRAIN_SECONDS',
    flag: 'drain-seconds',
    parse: wholeNumber(0, 3_600),
    fallback: () => LIMITS.drainSeconds,
    shown: String(LIMITS.drainSeconds),
    takes: 'a whole number of seconds from 0 to 3600',
    doc: 'How long a stop may take to finish what is in flight.',
  }),
  domain: optional(
    'MAG_DOMAIN',
    'domain',
    matching(/^(?=.{1,253}$)[a-z0-9-]+(\.[a-z0-9-]+)*$/, 'a domain name in lowercase'),
    'a domain name in lowercase, such as db.example.org',
    'A project is also served at REF.DOMAIN by the Host header.',
  ),
  faultInjection: setting({
    env: 'MAG_FAULT_INJECTION',
    flag: 'fault-injection',
    parse: onOff,
    fallback: () => true,
    shown: 'on',
    takes: 'on or off',
    doc: 'Whether an admin may crash actors, and a user of the embedded document server fail commands of its own, on purpose.',
  }),
};

export type SettingKey = keyof typeof SETTINGS;

/** The configuration as the board uses it: every setting with its value. */
export type Config = {
  readonly [Key in SettingKey]: (typeof SETTINGS)[Key] extends Setting<infer Value> ? Value : never;
};

/** The setting that names the configuration file; it cannot stand in the file itself. */
export const CONFIG_FILE = { env: 'MAG_CONFIG', flag: 'config', fallback: 'mag.config.json' } as const;

/** Variables with our prefix that are no settings of the board: the command line's and the test suite's. */
export const FOREIGN_VARIABLES: readonly RegExp[] = [/^MAG_URL$/, /^MAG_REQUIRE_SERVICES$/, /^MAG_TEST_/];

// Object.keys gives string[]; the keys of this constant are exactly its own.
export const SETTING_KEYS = Object.keys(SETTINGS) as readonly SettingKey[];
