import { chmodSync, existsSync, readdirSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { Client } from 'pg';

/** A server that tests may talk to, and how to find or start one. */
export interface ServiceDefinition {
  readonly name: ServiceName;
  /** Environment variable that names one to use. */
  readonly env: string;
  /** Where one usually answers, or null for programs that are run, not called. */
  readonly local: {
    readonly port: number;
    readonly url: string;
    /** Whether what answers there lets us in; absent: that it answers is enough. */
    readonly admits?: (url: string) => Promise<boolean>;
  } | null;
  readonly binaries: readonly string[];
  /** How a found binary is started in a temporary folder; null where it is only run by the tests themselves. */
  readonly start: ((binary: string, folder: string, port: number) => StartPlan) | null;
}

export interface StartPlan {
  readonly prepare?: readonly string[];
  readonly command: readonly string[];
  readonly url: string;
  /** System user to run as when we are root: some servers refuse it. */
  readonly user?: string;
}

export type ServiceName = 'postgres' | 'mariadb' | 'redis' | 'nats' | 'mosquitto' | 'chromium';

const debianPostgres = (): readonly string[] => {
  const root = '/usr/lib/postgresql';
  if (!existsSync(root)) return [];
  return readdirSync(root).map((version) => join(root, version, 'bin', 'postgres'));
};

/** A server that Debian's package started asks for a password that nobody has. */
async function admitsPostgres(connectionString: string): Promise<boolean> {
  const client = new Client({ connectionString, connectionTimeoutMillis: 2_000 });
  try {
    await client.connect();
    await client.end();
    return true;
  } catch {
    return false;
  }
}

export const SERVICES: readonly ServiceDefinition[] = [
  {
    name: 'postgres',
    env: 'MAG_TEST_POSTGRES_URL',
    local: { port: 5432, url: 'postgres://postgres@127.0.0.1:5432/postgres', admits: admitsPostgres },
    binaries: [...debianPostgres(), 'postgres'],
    start: (binary, folder, port) => {
      const data = join(folder, 'data');
      return {
        prepare: [join(binary, '..', 'initdb'), '-D', data, '-U', 'postgres', '--auth=trust', '-E', 'UTF8'],
        command: [binary, '-D', data, '-p', String(port), '-k', folder, '-c', 'listen_addresses=127.0.0.1'],
        url: `postgres://postgres@127.0.0.1:${port}/postgres`,
        user: 'postgres',
      };
    },
  },
  {
    name: 'mariadb',
    env: 'MAG_TEST_MYSQL_URL',
    local: { port: 3306, url: 'mysql://root@127.0.0.1:3306/' },
    binaries: ['mariadbd', 'mysqld'],
    start: (binary, folder, port) => {
      const data = join(folder, 'data');
      return {
        prepare: [
          'mariadb-install-db',
          '--no-defaults',
          `--datadir=${data}`,
          '--auth-root-authentication-method=normal',
        ],
        command: [
          binary,
          '--no-defaults',
          `--datadir=${data}`,
          `--port=${port}`,
          '--bind-address=127.0.0.1',
          `--socket=${join(folder, 's')}`,
        ],
        url: `mysql://root@127.0.0.1:${port}/`,
        user: 'mysql',
      };
    },
  },
  {
    name: 'redis',
    env: 'MAG_TEST_REDIS_URL',
    local: { port: 6379, url: 'redis://127.0.0.1:6379' },
    binaries: ['redis-server'],
    start: (binary, folder, port) => ({
      command: [binary, '--bind', '127.0.0.1', '--port', String(port), '--save', '', '--dir', folder],
      url: `redis://127.0.0.1:${port}`,
    }),
  },
  {
    name: 'nats',
    env: 'MAG_TEST_NATS_URL',
    local: { port: 4222, url: 'nats://127.0.0.1:4222' },
    binaries: ['nats-server'],
    start: (binary, folder, port) => ({
      command: [binary, '-a', '127.0.0.1', '-p', String(port), '-js', '-sd', folder],
      url: `nats://127.0.0.1:${port}`,
    }),
  },
  {
    name: 'mosquitto',
    env: 'MAG_TEST_MQTT_URL',
    local: { port: 1883, url: 'mqtt://127.0.0.1:1883' },
    binaries: ['mosquitto'],
    start: (binary, _folder, port) => ({
      command: [binary, '-p', String(port)],
      url: `mqtt://127.0.0.1:${port}`,
    }),
  },
  {
    name: 'chromium',
    env: 'MAG_TEST_CHROMIUM',
    local: null,
    binaries: ['chromium', 'chromium-browser', 'google-chrome'],
    start: null,
  },
];

/** First of the names that is an executable on PATH or in /usr/sbin. */
export function findBinary(names: readonly string[]): string | null {
  const folders = [...(process.env.PATH ?? '').split(':'), '/usr/sbin', '/usr/local/sbin', '/sbin'];
  for (const name of names) {
    if (name.startsWith('/')) {
      if (existsSync(name)) return name;
      continue;
    }
    for (const folder of folders) {
      // A checkout's own node_modules/.bin holds no servers.
      if (folder === '' || folder.includes('node_modules')) continue;
      const path = join(folder, name);
      if (existsSync(path)) return path;
    }
  }
  return null;
}

/** Whether something accepts a TCP connection there. */
export function answers(port: number, timeoutMs = 500): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port });
    const end = (result: boolean): void => {
      socket.destroy();
      resolve(result);
    };
    socket.setTimeout(timeoutMs, () => end(false));
    socket.once('connect', () => end(true));
    socket.once('error', () => end(false));
  });
}

/** A temporary folder that another system user can reach. */
export const openToAll = (folder: string): void => chmodSync(folder, 0o777);
