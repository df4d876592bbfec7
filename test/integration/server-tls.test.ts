import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { EngineProvider } from '../../src/actors/storage/engine.ts';
import { openMongodbEngine } from '../../src/actors/storage/mongodb/engine.ts';
import { MongodbProvider } from '../../src/actors/storage/mongodb/provider.ts';
import { openMysqlEngine } from '../../src/actors/storage/mysql/engine.ts';
import { MysqlProvider } from '../../src/actors/storage/mysql/provider.ts';
import { localPermits } from '../../src/actors/storage/permits.ts';
import { openPostgresEngine } from '../../src/actors/storage/postgres/engine.ts';
import { PostgresProvider } from '../../src/actors/storage/postgres/provider.ts';
import { openRedisEngine } from '../../src/actors/storage/redis/engine.ts';
import { RedisProvider } from '../../src/actors/storage/redis/provider.ts';
import type { Connection } from '../../src/protocol/project.ts';
import { nodeHost } from '../../src/runtime/host-node.ts';
import { silentLog } from '../../src/runtime/log.ts';
import {
  TlsFolder,
  type TlsPostgres,
  type TlsServer,
  tlsDocuments,
  tlsMariadb,
  tlsPostgres,
  tlsRedis,
} from '../support/tls-servers.ts';

const host = nodeHost();
const masterKey = Buffer.alloc(32, 9);
const base = { masterKey, host, log: silentLog };
const permits = localPermits({ perKey: 4, total: 20, waiters: 100, host });
const folder = new TlsFolder();
const running: TlsServer[] = [];
const stops: (() => Promise<void>)[] = [];

afterAll(async () => {
  for (const stop of stops.reverse()) await stop();
  for (const server of running) await server.stop();
  folder.remove();
});

const started = async <Started extends TlsServer>(server: Promise<Started>): Promise<Started> => {
  const up = await server;
  running.push(up);
  return up;
};

const PROVIDERS = {
  postgres: (url: string) => new PostgresProvider({ ...base, source: { kind: 'external', url } }),
  mysql: (url: string) => new MysqlProvider({ ...base, source: { kind: 'external', url } }),
  redis: (url: string) => new RedisProvider({ ...base, source: { kind: 'external', url } }),
  mongodb: (url: string) => new MongodbProvider({ ...base, source: { kind: 'external', url } }),
};

function provider(engine: keyof typeof PROVIDERS, url: string): EngineProvider {
  const made = PROVIDERS[engine](url);
  stops.push(() => made.stop());
  return made;
}

const found = async (
  engine: keyof typeof PROVIDERS,
  url: string,
): Promise<{ why: string | null; hint?: string }> => {
  const { why, hint } = await provider(engine, url).availability();
  return { why, ...(hint === undefined ? {} : { hint }) };
};

const context = () => ({
  principal: { role: 'service_role' as const, claims: {} },
  tenant: 'tls',
  deadline: host.now() + 10_000,
});

/** What a project's own session says of how it is reached. */
async function throughSession(connection: Connection): Promise<string> {
  const rest = { ref: 'tls', host, log: silentLog, permits };
  if (connection.engine === 'postgres') {
    const engine = openPostgresEngine({ ...rest, connection });
    stops.push(() => engine.close());
    const { json } = await engine.sql(
      'select ssl from pg_stat_ssl where pid = pg_backend_pid()',
      [],
      context(),
    );
    return json;
  }
  if (connection.engine === 'mysql') {
    const engine = openMysqlEngine({ ...rest, connection });
    stops.push(() => engine.close());
    return (await engine.sql("show status like 'Ssl_version'", [], context())).json;
  }
  const engine =
    connection.engine === 'redis'
      ? openRedisEngine({ ...rest, connection })
      : connection.engine === 'mongodb'
        ? openMongodbEngine({ ...rest, connection })
        : null;
  if (engine === null) throw new Error('it has no server');
  stops.push(() => engine.close());
  const command = connection.engine === 'redis' ? ['SET', 'a', '1'] : { count: 'things' };
  return (await engine.native?.(command, context())) ?? '';
}

describe('an external PostgreSQL behind TLS', () => {
  let server: TlsPostgres;
  beforeAll(async () => {
    server = await started(tlsPostgres(folder));
  });
  const url = (options: string): string => `${server.url}?${options}`;
  const verified = (): string => url(`sslmode=verify-full&sslrootcert=${folder.authority.file}`);

  it('is used by every connection of a project, its change feed’s administrator among them', async () => {
    const made = provider('postgres', verified());
    expect(await made.availability()).toMatchObject({ available: true, why: null });
    const connection = await made.provision('tls');
    expect(await throughSession(connection)).toContain('"ssl":true');
    expect(await (made as PostgresProvider).adminConnection('tls')).toMatchObject({
      tls: { mode: 'verify-full', ca: folder.authority.file },
    });
    const tool = await made.access?.grant('tls', 'bi', 'read', 'word');
    expect(new URL(tool?.url ?? '').searchParams.toString()).toBe(
      new URLSearchParams({ sslmode: 'verify-full', sslrootcert: folder.authority.file }).toString(),
    );
  });

  it('cancels a statement over TLS too', async () => {
    const connection = await provider('postgres', verified()).provision('tls');
    if (connection.engine !== 'postgres') throw new Error('not PostgreSQL');
    const engine = openPostgresEngine({ connection, ref: 'tls', host, log: silentLog, permits });
    stops.push(() => engine.close());
    // With a connection there, the deadline is the statement's alone.
    await engine.sql('select 1', [], context());
    const late = engine.sql('select pg_sleep(30)', [], { ...context(), deadline: host.now() + 200 });
    await expect(late).rejects.toMatchObject({ code: '57014' });
  });

  it('is refused where its certificate is not the CA’s, with what to set', async () => {
    expect(await found('postgres', url(`sslmode=verify-ca&sslrootcert=${folder.stranger.file}`))).toEqual({
      why: expect.stringMatching(/certificate is not signed by a CA of the file in sslrootcert \([A-Z_]+\)/),
      hint: expect.stringContaining('MAG_POSTGRES_URL, as sslrootcert=FILE'),
    });
    expect((await found('postgres', url('sslmode=verify-full'))).why).toContain(
      'any CA that this machine trusts',
    );
  });

  it('is refused under a name that its certificate does not have, unless the CA is enough', async () => {
    const other = (mode: string): string =>
      verified().replace('127.0.0.1', 'localhost').replace('verify-full', mode);
    expect((await found('postgres', other('verify-full'))).why).toContain('certificate is for another host');
    expect((await found('postgres', other('verify-ca'))).why).toBeNull();
  });

  it('is taken as it is under sslmode=require, and checked once a CA is named', async () => {
    expect((await found('postgres', url('sslmode=require'))).why).toBeNull();
    const { why } = await found('postgres', url(`sslmode=require&sslrootcert=${folder.stranger.file}`));
    expect(why).toContain('not signed by a CA of the file');
  });

  it('says so where it refuses to talk in the clear, or wants a certificate of ours', async () => {
    await server.onlyTls('');
    const clear = await found('postgres', url('sslmode=disable'));
    expect(clear.why).toBe('the server refuses connections in the clear');
    expect(clear.hint).toContain('sslmode=verify-full');
    await server.onlyTls('clientcert=verify-ca');
    const unknown = await found('postgres', verified());
    expect(unknown.why).toContain('wants to see a certificate of ours');
    expect(unknown.hint).toContain('sslcert=FILE and sslkey=FILE');
    const mine = folder.authority.issue(['board']);
    expect((await found('postgres', `${verified()}&sslcert=${mine.cert}&sslkey=${mine.key}`)).why).toBeNull();
  });

  it('says so where it has no TLS, which sslmode=prefer lets pass', async () => {
    await server.run('alter system set ssl = off');
    await server.onlyTls(null);
    await server.run('select pg_reload_conf()');
    expect((await found('postgres', verified())).why).toBe('the server does not answer in TLS');
    expect((await found('postgres', url('sslmode=prefer'))).why).toBeNull();
  });
});

describe('an external MariaDB behind TLS', () => {
  let server: Awaited<ReturnType<typeof tlsMariadb>>;
  beforeAll(async () => {
    server = await started(tlsMariadb(folder));
  });
  const url = (options: string, at = server.url): string => `${at}?${options}`;
  const verified = (): string => url(`ssl-mode=VERIFY_IDENTITY&ssl-ca=${folder.authority.file}`);

  it('is used by a project’s connections, and told to its tools', async () => {
    const made = provider('mysql', verified());
    expect(await made.availability()).toMatchObject({ available: true, why: null });
    expect(await throughSession(await made.provision('tls'))).toContain('TLSv1');
    const tool = await made.access?.grant('tls', 'bi', 'read', 'word');
    expect(new URL(tool?.url ?? '').searchParams.get('ssl-mode')).toBe('VERIFY_IDENTITY');
    await made.drop('tls');
  });

  it('is refused where the certificate is not the CA’s or for another host', async () => {
    const { why, hint } = await found('mysql', url(`ssl-mode=VERIFY_CA&ssl-ca=${folder.stranger.file}`));
    expect(why).toContain('not signed by a CA of the file in ssl-ca');
    expect(hint).toContain('MAG_MYSQL_URL');
    const other = (mode: string): string =>
      url(`ssl-mode=${mode}&ssl-ca=${folder.authority.file}`).replace('127.0.0.1', 'localhost');
    expect((await found('mysql', other('VERIFY_IDENTITY'))).why).toContain('for another host');
    expect((await found('mysql', other('VERIFY_CA'))).why).toBeNull();
  });

  it('says so where the user may not come in the clear', async () => {
    const clear = await found('mysql', url('ssl-mode=DISABLED', server.careful));
    expect(clear.why).not.toBeNull();
    expect((await found('mysql', url('ssl-mode=REQUIRED', server.careful))).why).toBeNull();
  });
});

describe('an external Redis behind TLS', () => {
  let server: Awaited<ReturnType<typeof tlsRedis>>;
  beforeAll(async () => {
    server = await started(tlsRedis(folder));
  });

  it('is used by a project’s connections, and told to its tools', async () => {
    const made = provider('redis', `${server.url}?cacert=${folder.authority.file}`);
    expect(await made.availability()).toMatchObject({ available: true, why: null });
    expect(await throughSession(await made.provision('tls'))).toContain('OK');
    const tool = await made.access?.grant('tls', 'bi', 'read', 'word');
    expect(tool?.url).toMatch(/^rediss:\/\/.*\?cacert=/);
  });

  it('is refused where the certificate is not the CA’s', async () => {
    expect(await found('redis', `${server.url}?cacert=${folder.stranger.file}`)).toEqual({
      why: expect.stringContaining('not signed by a CA of the file in cacert'),
      hint: expect.stringContaining('MAG_REDIS_URL, as cacert=FILE'),
    });
    expect((await found('redis', `${server.url}?tls=insecure`)).why).toBeNull();
  });

  it('says so where we speak in the clear to its TLS', async () => {
    const tls = server.url.replace('rediss:', 'redis:');
    expect((await found('redis', tls)).why).toContain('as one does that takes TLS alone');
  });
});

describe('an external MongoDB behind TLS', () => {
  let server: Awaited<ReturnType<typeof tlsDocuments>>;
  beforeAll(async () => {
    server = await started(tlsDocuments(folder));
  });

  it('is used by a project’s connections, and told to its tools without what the board shows itself by', async () => {
    const own = folder.authority.issue(['board'], { file: 'mongodb-board' });
    const url = `${server.url}&tls=true&tlsCAFile=${folder.authority.file}&tlsCertificateKeyFile=${own.both}`;
    const made = provider('mongodb', url);
    expect(await made.availability()).toMatchObject({ available: true, why: null });
    expect(await throughSession(await made.provision('tls'))).toContain('"n":0');
    const tool = await made.access?.grant('tls', 'bi', 'read', 'word');
    expect(tool?.url).toContain(`tlsCAFile=${encodeURIComponent(folder.authority.file)}`);
    expect(tool?.url).not.toContain('tlsCertificateKeyFile');
  });

  it('is refused where the certificate is not the CA’s, and where only one side speaks TLS', async () => {
    const wrong = `${server.url}&serverSelectionTimeoutMS=300&tls=true&tlsCAFile=${folder.stranger.file}`;
    expect(await found('mongodb', wrong)).toEqual({
      why: expect.stringContaining('not signed by a CA of the file in tlsCAFile'),
      hint: expect.stringContaining('MAG_MONGODB_URL, as tlsCAFile=FILE'),
    });
    expect((await found('mongodb', `${server.url}&serverSelectionTimeoutMS=300`)).why).toContain(
      'as one does that takes TLS alone',
    );
    expect((await found('mongodb', `${server.clear}&tls=true&serverSelectionTimeoutMS=300`)).why).toBe(
      'the server does not answer in TLS',
    );
  });
});
