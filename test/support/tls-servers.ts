import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer, type Server } from 'node:tls';
import { systemUser } from '../../src/actors/storage/system-user.ts';
import { Authority, type Certificate } from './certificates.ts';
import { DocumentBoard } from './document-board.ts';
import { type EmbeddedPostgres, embeddedPostgres } from './embedded-postgres.ts';
import { answers, findBinary } from './services/catalog.ts';
import { freePort } from './services/start.ts';

/** A folder of certificates that servers under other accounts can read. */
export class TlsFolder {
  readonly path = mkdtempSync(join(tmpdir(), 'mag-tls-'));
  readonly authority: Authority;
  /** Of somebody else, who signed nothing here. */
  readonly stranger: Authority;

  constructor() {
    chmodSync(this.path, 0o755);
    this.authority = new Authority(this.path, 'ca');
    this.stranger = new Authority(this.path, 'stranger');
  }

  /** For 127.0.0.1, its key being the account's own; servers refuse one that others may read. */
  certificate(account: string, hosts: readonly string[] = ['127.0.0.1'], until = '491231'): Certificate {
    const made = this.authority.issue(hosts, { file: `${account}-${hosts[0]}-${until}`, until });
    const user = systemUser(account);
    if (user !== null) for (const file of [made.key, made.both]) chownSync(file, user.uid, user.gid);
    return made;
  }

  remove(): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}

/** A server with its URL up to the options. */
export interface TlsServer {
  /** Without options. */
  readonly url: string;
  stop(): Promise<void>;
}

export interface TlsPostgres extends TlsServer {
  readonly postgres: EmbeddedPostgres;
  /** Runs a command of the administrator's. */
  run(sql: string): Promise<void>;
  /** From now on nobody comes in the clear, and with `clientcert=…` nobody without that; null: as it was. */
  onlyTls(options: string | null): Promise<void>;
}

/** The PostgreSQL that comes with us, with TLS and (`hostssl`) without anything else. */
export async function tlsPostgres(folder: TlsFolder): Promise<TlsPostgres> {
  const postgres = await embeddedPostgres();
  const { host, port, user, password } = await postgres.address();
  const { Client } = await import('pg');
  const client = new Client({ host, port, user, password, database: 'postgres' });
  await client.connect();
  const certificate = folder.certificate('postgres');
  const run = async (sql: string): Promise<void> => {
    await client.query(sql);
  };
  await run(`alter system set ssl_cert_file = '${certificate.cert}'`);
  await run(`alter system set ssl_key_file = '${certificate.key}'`);
  await run(`alter system set ssl_ca_file = '${folder.authority.file}'`);
  await run('alter system set ssl = on');
  await run('select pg_reload_conf()');
  return {
    ...{ postgres, run },
    onlyTls: async (options) => {
      const { rows } = await client.query<{ file: string }>("select current_setting('hba_file') as file");
      const lines =
        options === null ? 'host all all all scram-sha-256' : `hostssl all all all scram-sha-256 ${options}`;
      writeFileSync(rows[0]?.file ?? '', `${lines}\n`);
      await run('select pg_reload_conf()');
    },
    url: `postgres://${user}:${password}@127.0.0.1:${port}/postgres`,
    stop: async () => {
      await client.end();
      await postgres.stop();
    },
  };
}

function stopped(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise((resolve) => {
    child.once('exit', () => resolve());
    child.kill('SIGKILL');
  });
}

async function up(child: ChildProcess, port: number, title: string): Promise<void> {
  for (let tries = 0; tries < 300; tries += 1) {
    if (await answers(port)) return;
    if (child.exitCode !== null) break;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`${title} did not come up`);
}

function binaryOf(...names: readonly string[]): string {
  const found = findBinary(names);
  if (found === null) throw new Error(`${names[0]} is not installed`);
  return found;
}

/** A redis-server that takes TLS on `url` and speaks in the clear on `clear`. */
export async function tlsRedis(folder: TlsFolder): Promise<TlsServer & { readonly clear: string }> {
  const [port, clear] = [await freePort(), await freePort()];
  const certificate = folder.certificate('redis');
  const data = join(folder.path, 'redis');
  mkdirSync(data);
  const child = spawn(
    binaryOf('redis-server'),
    [
      ...['--bind', '127.0.0.1', '--tls-port', String(port), '--port', String(clear)],
      ...['--tls-cert-file', certificate.cert, '--tls-key-file', certificate.key],
      ...['--tls-ca-cert-file', folder.authority.file, '--tls-auth-clients', 'optional'],
      ...['--requirepass', 'open', '--save', '', '--appendonly', 'no', '--dir', data],
    ],
    { stdio: 'ignore' },
  );
  await up(child, port, 'redis-server');
  return {
    url: `rediss://:open@127.0.0.1:${port}`,
    clear: `redis://:open@127.0.0.1:${clear}`,
    stop: () => stopped(child),
  };
}

/** A mariadbd with TLS; its administrator may come in the clear, its user `careful` may not. */
export async function tlsMariadb(folder: TlsFolder): Promise<TlsServer & { readonly careful: string }> {
  const port = await freePort();
  const data = join(folder.path, 'mariadb');
  const certificate = folder.certificate('mysql');
  const user = systemUser('mysql');
  mkdirSync(data);
  if (user !== null) chownSync(data, user.uid, user.gid);
  const identity = user === null ? {} : { uid: user.uid, gid: user.gid };
  execFileSync(
    binaryOf('mariadb-install-db'),
    ['--no-defaults', `--datadir=${data}`, '--auth-root-authentication-method=normal', '--skip-test-db'],
    { ...identity, stdio: 'ignore', cwd: data },
  );
  const accounts = join(folder.path, 'accounts.sql');
  const rights = 'on *.* to';
  writeFileSync(
    accounts,
    [
      "drop user if exists ''@'localhost', ''@'%';",
      "create user boss@'127.0.0.1' identified by 'open';",
      `grant all ${rights} boss@'127.0.0.1' with grant option;`,
      "create user careful@'127.0.0.1' identified by 'open' require ssl;",
      `grant all ${rights} careful@'127.0.0.1' with grant option;`,
      '',
    ].join('\n'),
  );
  const child = spawn(
    binaryOf('mariadbd', 'mysqld'),
    [
      ...['--no-defaults', `--datadir=${data}`, `--port=${port}`, '--bind-address=127.0.0.1'],
      ...[`--socket=${join(data, 's')}`, '--max-allowed-packet=1G', `--init-file=${accounts}`],
      ...[`--ssl-cert=${certificate.cert}`, `--ssl-key=${certificate.key}`],
      ...[`--ssl-ca=${folder.authority.file}`, '--skip-name-resolve', '--innodb-buffer-pool-size=16M'],
    ],
    { ...identity, stdio: 'ignore', cwd: data },
  );
  await up(child, port, 'mariadbd');
  return {
    url: `mysql://boss:open@127.0.0.1:${port}/`,
    careful: `mysql://careful:open@127.0.0.1:${port}/`,
    stop: () => stopped(child),
  };
}

/** TLS in front of a server that speaks in the clear. */
export function tlsProxy(
  port: number,
  { cert, key }: Certificate,
): Promise<{ port: number; server: Server }> {
  const server = createServer({ cert: readFileSync(cert), key: readFileSync(key) }, (socket) => {
    const behind = connect({ host: '127.0.0.1', port });
    const end = (): void => {
      socket.destroy();
      behind.destroy();
    };
    for (const side of [socket, behind]) side.on('error', end).on('close', end);
    socket.pipe(behind).pipe(socket);
  });
  server.on('tlsClientError', () => {}); // a client that did not trust us is what a test waits for
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      resolve({ port: typeof address === 'object' && address !== null ? address.port : 0, server });
    });
  });
}

/** The embedded document server behind TLS. */
export async function tlsDocuments(folder: TlsFolder): Promise<TlsServer & { readonly clear: string }> {
  const documents = new DocumentBoard();
  const { host, port, user, password } = await documents.address();
  const proxy = await tlsProxy(port, folder.certificate('nobody'));
  const at = (where: number): string =>
    `mongodb://${user}:${password}@${host}:${where}/?directConnection=true`;
  return {
    url: at(proxy.port),
    clear: at(port),
    stop: async () => {
      proxy.server.close();
      await documents.close();
    },
  };
}
