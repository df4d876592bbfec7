import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Engine } from '../../src/actors/storage/engine.ts';
import { PgConnection } from '../../src/actors/storage/postgres/connection.ts';
import { type EmbeddedPostgres, embeddedPostgres } from '../support/embedded-postgres.ts';

let pg: EmbeddedPostgres;
let tenant: Engine;
let neighbour: Engine;
let neighbourDatabase: string;

const sql = async (text: string, params: readonly unknown[] = [], engine = tenant) => {
  const result = await engine.sql(text, params, pg.context('tenant'));
  return JSON.parse(result.json) as { rows: Record<string, unknown>[] };
};

beforeAll(async () => {
  pg = await embeddedPostgres();
  tenant = await pg.engine('tenant');
  neighbour = await pg.engine('neighbour');
  await sql(`CREATE TABLE secret (a text); INSERT INTO secret VALUES ('theirs')`, [], neighbour);
  const connection = await pg.provider.connect('neighbour');
  neighbourDatabase = connection.engine === 'postgres' ? connection.database : '';
});
afterAll(() => pg.stop());

describe('tenant SQL cannot leave its database', () => {
  const escapes: Record<string, [string, string]> = {
    'becoming the superuser': ['SET ROLE magmobo', '42501'],
    'becoming another session user': ['SET SESSION AUTHORIZATION magmobo', '42501'],
    'making a superuser': ['CREATE ROLE evil SUPERUSER', '42501'],
    'raising its own role': ['ALTER ROLE CURRENT_USER SUPERUSER', '42501'],
    'joining a predefined role': ['GRANT pg_read_server_files TO CURRENT_USER', '42501'],
    'running a program': [`COPY (SELECT 1) TO PROGRAM 'id'`, '42501'],
    'reading a program': [`CREATE TABLE o (t text); COPY o FROM PROGRAM 'id'`, '42501'],
    'writing a file': [`COPY (SELECT 1) TO '/tmp/mag-escape'`, '42501'],
    'reading a file by COPY': [`CREATE TABLE o (t text); COPY o FROM '/etc/passwd'`, '42501'],
    'reading a file by function': [`SELECT pg_read_file('/etc/passwd')`, '42501'],
    'reading a binary file': [`SELECT pg_read_binary_file('/etc/passwd')`, '42501'],
    'listing a folder': [`SELECT pg_ls_dir('/')`, '42501'],
    'importing a file as a large object': [`SELECT lo_import('/etc/passwd')`, '42501'],
    'exporting a large object': [`SELECT lo_export(1, '/tmp/mag-escape')`, '42501'],
    'changing the server': [`ALTER SYSTEM SET fsync = off`, '42501'],
    'reloading the server': ['SELECT pg_reload_conf()', '42501'],
    'reading password hashes': ['SELECT * FROM pg_authid', '42501'],
    'reading password hashes through the old view': ['SELECT * FROM pg_shadow', '42501'],
    'installing dblink': ['CREATE EXTENSION dblink', '42501'],
    'installing postgres_fdw': ['CREATE EXTENSION postgres_fdw', '42501'],
    'installing file_fdw': ['CREATE EXTENSION file_fdw', '42501'],
    'installing adminpack-like C code': [
      `CREATE FUNCTION sys(cstring) RETURNS int AS '/lib/x86_64-linux-gnu/libc.so.6', 'system' LANGUAGE c`,
      '42501',
    ],
    'loading a library': [`LOAD '/tmp/evil.so'`, '42501'],
    'preloading a library': [`SET session_preload_libraries = '/tmp/evil.so'`, '42501'],
    'installing an untrusted language': ['CREATE EXTENSION plperlu', '42501'],
    'publishing every table': ['CREATE PUBLICATION p FOR ALL TABLES', '42501'],
    'making an event trigger': [
      `CREATE FUNCTION f() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';
       CREATE EVENT TRIGGER e ON ddl_command_end EXECUTE FUNCTION f()`,
      '42501',
    ],
    'making a replication slot': [`SELECT pg_create_logical_replication_slot('s', 'pgoutput')`, '42501'],
    'taking the change feed’s schema': ['CREATE TABLE _mag.t (a int)', '42501'],
    'reading the records of its idempotency keys': ['SELECT * FROM _mag_idempotency.records', '42501'],
    'writing them': [`INSERT INTO _mag_idempotency.records VALUES ('k', 'f', 1, 'r')`, '42501'],
    'changing them': ['UPDATE _mag_idempotency.records SET expires = 0', '42501'],
    'taking them away': ['DELETE FROM _mag_idempotency.records', '42501'],
    'emptying them': ['TRUNCATE _mag_idempotency.records', '42501'],
    'locking them': ['BEGIN; LOCK TABLE _mag_idempotency.records; COMMIT', '42501'],
    'watching them': [
      `CREATE FUNCTION spy() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
       CREATE TRIGGER spy BEFORE INSERT ON _mag_idempotency.records EXECUTE FUNCTION spy()`,
      '42501',
    ],
    'claiming a key without the board’s token': [
      `SELECT * FROM _mag_idempotency.claim('', 'k', 'f', 9999999999999, 0, true)`,
      '42501',
    ],
    'settling a key without the board’s token': [`SELECT _mag_idempotency.settle('', 'k', 'r')`, '42501'],
    'making its own of what claims a key': [
      `CREATE OR REPLACE FUNCTION _mag_idempotency.settle(text, text, text) RETURNS void LANGUAGE sql AS ''`,
      '42501',
    ],
    'making a database': ['CREATE DATABASE another', '42501'],
    'dropping its own database': ['DROP DATABASE postgres', '42501'],
    'lifting the limit on temporary files': ['SET temp_file_limit = -1', '42501'],
    'subscribing to another server': [
      `CREATE SUBSCRIPTION s CONNECTION 'host=127.0.0.1' PUBLICATION p`,
      '42501',
    ],
    'replaying WAL functions': ['SELECT pg_switch_wal()', '42501'],
    'copying to the client, which has no stream for it': [
      'COPY (SELECT 1) TO STDOUT',
      'MAG_STATEMENT_FORBIDDEN',
    ],
    'copying from the client': ['CREATE TABLE o (t text); COPY o FROM STDIN', 'MAG_STATEMENT_FORBIDDEN'],
    'hiding text behind a NUL': ['SELECT 1\0; SELECT 2', '22021'],
  };
  for (const [what, [statement, code]] of Object.entries(escapes)) {
    it(`refuses ${what}`, async () => {
      await expect(sql(statement)).rejects.toMatchObject({ code });
    });
  }

  it('refuses to open any other database, with its own role and password', async () => {
    const own = await pg.provider.connect('tenant');
    if (own.engine !== 'postgres') throw new Error('not PostgreSQL');
    for (const database of [neighbourDatabase, 'postgres', 'template1', 'template0'])
      await expect(PgConnection.open({ ...own, database })).rejects.toMatchObject({ severity: 'FATAL' });
  });

  it('keeps the records of idempotency keys from those who come with credentials of their own', async () => {
    await tenant.transaction?.(async ({ idempotency }) => {
      await idempotency?.claim({ key: 'k', fingerprint: 'f', now: 0, expires: 10 });
      await idempotency?.settle('k', 'r');
    }, pg.context('tenant'));
    for (const mode of ['read', 'write'] as const) {
      const { host, port, database, user, password } = await pg.provider.access.grant(
        ...(['tenant', mode, mode, `${mode}-secret`] as const),
      );
      const connection = await PgConnection.open({ host, port, database, user, password });
      for (const statement of ['SELECT * FROM', 'DELETE FROM', 'TRUNCATE'])
        await expect(connection.rows(`${statement} _mag_idempotency.records`)).rejects.toMatchObject({
          code: expect.stringMatching(/^(42501|25006)$/),
        });
      await connection.end();
    }
    const admin = await PgConnection.open(await pg.provider.adminConnection('tenant'));
    expect(await admin.rows('SELECT key, fingerprint, result FROM _mag_idempotency.records')).toEqual([
      ['k', 'f', 'r'],
    ]);
    await admin.end();
  });

  it('brings a project whose role an older version let at its records up to this one', async () => {
    const before = await pg.provider.connect('tenant');
    const admin = await PgConnection.open(await pg.provider.adminConnection('tenant'));
    const role = (await pg.provider.adminConnection('tenant')).role;
    await admin.rows(`COMMENT ON SCHEMA _mag_idempotency IS NULL; DROP FUNCTION _mag_idempotency.claim, _mag_idempotency.settle;
      GRANT SELECT, INSERT, UPDATE, DELETE ON _mag_idempotency.records TO "${role}"`);
    await admin.end();
    expect(await pg.anotherProvider().connect('tenant')).toEqual(before);
    await expect(sql('SELECT * FROM _mag_idempotency.records')).rejects.toMatchObject({ code: '42501' });
    const known = await tenant.transaction?.(
      async ({ idempotency }) => idempotency?.claim({ key: 'k', fingerprint: 'f', now: 0, expires: 10 }),
      pg.context('tenant'),
    );
    expect(known).toEqual({ fingerprint: 'f', result: 'r' });
  });

  it('ends nobody else’s backend and shows nobody else’s statements', async () => {
    await neighbour.sql('SELECT 1', [], pg.context('neighbour'));
    const { rows } = await sql(`SELECT pid, query FROM pg_stat_activity WHERE usename = $1`, [
      neighbourDatabase,
    ]);
    expect(rows.length).toBeGreaterThan(0);
    expect(rows.map((row) => row.query)).toEqual(rows.map(() => '<insufficient privilege>'));
    await expect(sql('SELECT pg_terminate_backend($1::int)', [rows[0]?.pid])).rejects.toMatchObject({
      code: '42501',
    });
    await expect(sql('SELECT pg_cancel_backend($1::int)', [rows[0]?.pid])).rejects.toMatchObject({
      code: '42501',
    });
  });

  it('still lets a tenant do what is its own: schemas, functions, trusted extensions', async () => {
    await sql(`CREATE SCHEMA app; CREATE TABLE app.t (a int); CREATE EXTENSION pgcrypto;
      CREATE FUNCTION twice(int) RETURNS int LANGUAGE sql AS 'SELECT $1 * 2'`);
    expect((await sql('SELECT twice(4) AS n, length(gen_salt($1)) > 0 AS ok', ['bf'])).rows).toEqual([
      { n: 8, ok: true },
    ]);
  });

  it('runs nothing of a tenant’s in the administrator’s name', async () => {
    const own = (await pg.provider.adminConnection('tenant')).role;
    await sql(`CREATE FUNCTION public.current_setting(text, int DEFAULT 1) RETURNS text LANGUAGE plpgsql AS
      'BEGIN EXECUTE ''ALTER ROLE '' || current_user || '' SUPERUSER''; RETURN NULL; END'`);
    await sql(`CREATE FUNCTION public.format(text, name, name) RETURNS text LANGUAGE plpgsql AS
      'BEGIN EXECUTE ''ALTER ROLE "${own}" SUPERUSER''; RETURN NULL; END'`);
    await pg.provider.provision('tenant');
    // As the change feed administers the database, without minding the search path itself.
    const { options: _, ...admin } = await pg.provider.adminConnection('tenant');
    const connection = await PgConnection.open(admin);
    await connection.rows(`SELECT format('%I.%I', relname, relname) FROM pg_class LIMIT 1`);
    await connection.end();
    const { rows } = await sql('SELECT rolsuper FROM pg_roles WHERE rolname = current_user');
    expect(rows).toEqual([{ rolsuper: false }]);
  });
});

describe('a pooled connection carries nothing from one statement to the next', () => {
  it('forgets settings, temporary tables, prepared statements, locks and roles', async () => {
    await sql(`SET search_path = nowhere; SET statement_timeout = 5000; CREATE TEMP TABLE left_behind (a int);
      PREPARE q AS SELECT 1; SELECT pg_advisory_lock(7); LISTEN noise`);
    const { rows } =
      await sql(`SELECT current_setting('search_path') AS path, to_regclass('left_behind') AS temp,
      current_setting('statement_timeout') AS timeout,
      (SELECT count(*) FROM pg_prepared_statements) AS prepared,
      (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory') AS locks, (SELECT count(*) FROM pg_listening_channels()) AS heard`);
    expect(rows).toEqual([
      { path: '"$user", public', temp: null, timeout: '15s', prepared: 0, locks: 0, heard: 0 },
    ]);
  });

  it('refuses to leave a transaction open, and undoes it', async () => {
    await sql('CREATE TABLE kept (a int)');
    await expect(sql('BEGIN; INSERT INTO kept VALUES (1)')).rejects.toMatchObject({
      code: 'MAG_STATEMENT_FORBIDDEN',
    });
    await expect(sql('BEGIN; SELECT 1/0')).rejects.toMatchObject({ code: '22012' });
    expect((await sql('SELECT count(*) FROM kept')).rows).toEqual([{ count: 0 }]);
    await sql('BEGIN; INSERT INTO kept VALUES (1); COMMIT');
    expect((await sql('SELECT count(*) FROM kept')).rows).toEqual([{ count: 1 }]);
  });

  it('survives a tenant that changes its own password or settings, once it is provisioned again', async () => {
    await sql(`ALTER ROLE CURRENT_USER PASSWORD 'mine'; ALTER ROLE CURRENT_USER SET search_path = nowhere`);
    const lost: string[] = [];
    const other = await pg.engine('tenant', (why) => lost.push(why));
    const { rows } = await sql(`SELECT current_setting('search_path') AS path`, [], other);
    expect(rows).toEqual([{ path: '"$user", public' }]);
  });
});
